"""The cipher and the file formats once more, in plain Python and without the package.

Every pixel is moved by hand and every field is written out, so that a mistake in the fast code
and the same mistake here would have to be made twice. Run as a program, it writes the vectors
beside it: `python tests/crypto/reference.py`.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.cmac import CMAC

VECTORS = Path(__file__).parent.parent / "vectors"
DATE = "cipherlens 2026-11-21 v1 "
STREAMS = {
    "permutation": ("subkey block permutation", 1, 0),
    "selection": ("subkey block selection", 2, 0),
    "R": ("subkey substitution R", 3, 0),
    "G": ("subkey substitution G", 3, 1),
    "B": ("subkey substitution B", 3, 2),
}
SCOPES = {"collection": 1, "image": 2}


def subkey(root, purpose):
    return blake3(root, derive_key_context=DATE + purpose).digest()


def fingerprint(root):
    return blake3(root, derive_key_context=DATE + "key fingerprint").digest(length=16)


def number(value, size):
    return value.to_bytes(size, "little")


def blknum(parameters):
    block = parameters["block_size"]
    return (parameters["height"] // block) * (parameters["width"] // block)


def permutation(root, stream, parameters, nonce, size):
    """Return a keyed permutation as a list: positions sorted by (word, position)."""
    purpose, code, channel = STREAMS[stream]
    message = (
        number(1, 2)
        + number(parameters["block_size"], 2)
        + number(parameters["substituted_blocks"], 4)
        + number(blknum(parameters), 4)
        + number(code, 1)
        + number(channel, 1)
        + bytes(2)
        + nonce
    )
    assert len(message) == 32
    stream_bytes = blake3(message, key=subkey(root, purpose)).digest(length=8 * size)
    words = [int.from_bytes(stream_bytes[8 * i : 8 * i + 8], "little") for i in range(size)]
    return sorted(range(size), key=lambda i: (words[i], i))


def sequences(root, parameters, nonce):
    """Return permutation, selection and the three tables as lists."""
    blocks = blknum(parameters)
    order = permutation(root, "selection", parameters, nonce, blocks)
    return {
        "permutation": permutation(root, "permutation", parameters, nonce, blocks),
        "selection": order[: parameters["substituted_blocks"]],
        "tables": [permutation(root, c, parameters, nonce, 256) for c in "RGB"],
    }


def encrypt(image, drawn, block):
    """Return the cipher-image of image[y][x][c], lists of ints, pixel by pixel."""
    height, width = len(image), len(image[0])
    across = width // block
    result = [[[0, 0, 0] for _ in range(width)] for _ in range(height)]
    chosen = set(drawn["selection"])
    for y in range(height):
        for x in range(width):
            position = (y // block) * across + x // block
            origin = drawn["permutation"][position]
            from_y = origin // across * block + y % block
            from_x = origin % across * block + x % block
            for c in range(3):
                value = image[from_y][from_x][c]
                result[y][x][c] = drawn["tables"][c][value] if position in chosen else value
    return result


def picture(height, width):
    """Return a picture that a formula draws."""
    return [
        [[(7 * y + 13 * x + 29 * c + x * y) % 256 for c in range(3)] for x in range(width)]
        for y in range(height)
    ]


def flatten(image):
    return bytes(value for row in image for pixel in row for value in pixel)


def cipher_image_body(parameters, root, nonce, image):
    """Return header and pixels of a cipher-image file, from its pixels image[y][x][c]."""
    return (
        b"CLIMAGE\0"
        + number(1, 2)
        + number(1, 2)
        + number(1, 2)
        + number(SCOPES[parameters["scope"]], 1)
        + bytes(1)
        + number(parameters["height"], 4)
        + number(parameters["width"], 4)
        + number(parameters["block_size"], 4)
        + number(parameters["substituted_blocks"], 4)
        + number(len(image), 2)
        + number(len(image[0]), 2)
        + fingerprint(root)
        + nonce
        + flatten(image)
    )


def cipher_image_digest(body):
    return blake3(body, derive_key_context=DATE + "cipher-image digest").digest()


def companion_digest(data):
    return blake3(data, derive_key_context=DATE + "companion digest").digest()


def seal_key(root, collection):
    return blake3(collection, key=subkey(root, "subkey seal")).digest()


def sign(context, message, seed=None):
    """Return the owner's signature of a message in a context."""
    whole = b"cipherlens 2026-11-25 v1 signature of a " + context + b"\0" + message
    return Ed25519PrivateKey.from_private_bytes(SIGNING_SEED if seed is None else seed).sign(whole)


def sealed_digest(parts, body):
    """Return what the owner signs of a seal."""
    hashed = [*parts, blake3(body).digest()]
    joined = b"".join(number(len(part), 8) + part for part in hashed)
    return blake3(joined, derive_key_context=SEALED_DIGEST).digest()


def seal(plain, media_type, key, salt, collection, item_id, revision, digest, *, plain_size=None):
    """Return a sealed original with a given salt; plain_size lies about the length."""
    label = media_type.encode()
    size = len(plain) if plain_size is None else plain_size
    header = b"CLSO" + number(2, 1) + number(len(label), 1) + number(size, 8) + salt + label
    parts = [header, collection, item_id.encode(), number(revision, 8), digest]
    associated = b"".join(number(len(part), 8) + part for part in parts)
    secret = blake3(salt, key=key).digest(length=44)
    body = AESGCM(secret[:32]).encrypt(secret[32:], plain, associated)
    return header + body + sign(b"sealed original", sealed_digest(parts, body))


def unsigned_seal(plain, media_type, key, salt, collection, item_id, revision, digest):
    """Return a sealed original of format 1, which nobody signed."""
    label = media_type.encode()
    header = b"CLSO" + number(1, 1) + number(len(label), 1) + number(len(plain), 8) + salt + label
    parts = [header, collection, item_id.encode(), number(revision, 8), digest]
    associated = b"".join(number(len(part), 8) + part for part in parts)
    secret = blake3(salt, key=key).digest(length=44)
    return header + AESGCM(secret[:32]).encrypt(secret[32:], plain, associated)


def seal_network(checkpoint, root, salt, *, size=None):
    """Return a sealed network with a given salt; size lies about the length."""
    length = len(checkpoint) if size is None else size
    header = b"CLSN" + number(2, 1) + fingerprint(root) + number(length, 8) + salt
    secret = blake3(salt, key=subkey(root, "subkey network")).digest(length=44)
    associated = number(len(header), 8) + header
    body = AESGCM(secret[:32]).encrypt(secret[32:], checkpoint, associated)
    return header + body + sign(b"sealed network", sealed_digest([header], body))


def manifest(collection, counter, items, version=3):
    """Return a signed manifest of {item id: (revision, digest, sealed, tags)}.

    Tags are (tokens, sealed tags), or None; format 2 has none of them.
    """
    body = b"CLMF" + number(version, 1) + collection + number(counter, 8) + number(len(items), 4)
    for item_id in sorted(items, key=str.encode):
        revision, digest, sealed, tags = items[item_id]
        name = item_id.encode()
        body += number(len(name), 2) + name + number(revision, 8) + digest + number(sealed, 1)
        if version == 3:
            body += listed_tags(tags)
    return body + sign(b"manifest", body)


def listed_tags(tags):
    if tags is None:
        return b"\xff"
    tokens, sealed = tags
    listed = number(len(tokens), 1) + b"".join(sorted(tokens))
    return listed + (companion_digest(sealed) if tokens else b"")


def cmac(key, data):
    mac = CMAC(AES(key))
    mac.update(data)
    return mac.finalize()


def doubled(block):
    """Return a block of 16 bytes doubled in the field of RFC 5297."""
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number ^= (1 << 128) | 0x87
    return number.to_bytes(16, "big")


def siv(key, data, associated=()):
    """Return AES-SIV (RFC 5297) of data of at least 16 bytes, with associated data."""
    beginning, end = data[:-16], data[-16:]
    start = cmac(key[:32], bytes(16))
    for each in associated:
        start = bytes(a ^ b for a, b in zip(doubled(start), cmac(key[:32], each), strict=True))
    tag = cmac(key[:32], beginning + bytes(a ^ b for a, b in zip(end, start, strict=True)))
    counter = bytearray(tag)
    counter[8] &= 0x7F
    counter[12] &= 0x7F
    encryptor = Cipher(AES(key[32:]), CTR(bytes(counter))).encryptor()
    return tag + encryptor.update(data)


def item_name(key, name):
    """Return the id and the sealed form of a name."""
    context = "cipherlens 2026-11-25 v1 item "
    id_key = blake3(key, derive_key_context=context + "id key").digest()
    name_key = blake3(key, derive_key_context=context + "name key").digest(length=64)
    item_id = base64.b32encode(blake3(name.encode(), key=id_key).digest(length=20))
    padded = name.encode() + b"\x80"
    padded += bytes(-len(padded) % 32)
    return {
        "name": name,
        "item_id": item_id.decode().lower(),
        "sealed": siv(name_key, padded).hex(),
    }


def item_tags(tags, item_id, revision):
    """Return tags of an item of the collection with their tokens and sealed form."""
    tag_key = blake3(COLLECTION, key=subkey(ROOT, "subkey tag")).digest()
    context = "cipherlens 2026-11-26 v1 item tags key"
    sealing = blake3(seal_key(ROOT, COLLECTION), derive_key_context=context).digest(length=64)
    padded = "\n".join(sorted(tags)).encode() + b"\x80"
    padded += bytes(-len(padded) % 32)
    place = (item_id.encode(), revision.to_bytes(8, "little"))
    tokens = [blake3(each.encode(), key=tag_key).digest(length=16).hex() for each in tags]
    return {
        "tags": tags,
        "tokens": sorted(tokens),
        "item_id": item_id,
        "revision": revision,
        "sealed": siv(sealing, padded, place).hex(),
    }


def keyring(entries, grants, passphrase, salt, nonce, n, version=2):
    """Return the text of a protected keyring file."""
    header = {
        "magic": "cipherlens-keyring",
        "version": version,
        "protection": {
            "kind": "scrypt",
            "n": n,
            "r": 8,
            "p": 1,
            "salt": base64.b64encode(salt).decode(),
            "nonce": base64.b64encode(nonce).decode(),
        },
    }
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=n, r=8, p=1, dklen=32, maxmem=2**26)
    plain = json.dumps({"entries": entries, "grants": grants}).encode()
    body = AESGCM(key).encrypt(nonce, plain, canonical)
    checksum = blake3(canonical + body).hexdigest()
    whole = {**header, "body": base64.b64encode(body).decode(), "checksum": checksum}
    return json.dumps(whole, indent=2) + "\n"


def extract(salt, label, material, suite):
    """Return LabeledExtract of RFC 9180, section 4."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def expand(secret, label, info, length, suite):
    """Return LabeledExpand of RFC 9180, section 4."""
    whole = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    output, block, number_of_block = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(secret, block + whole + bytes([number_of_block]), "sha256")
        output += block
        number_of_block += 1
    return output[:length]


def wrap(plain, recipient, ephemeral, info):
    """Return HPKE's base mode over X25519, HKDF-SHA256 and AES-256-GCM, single-shot."""
    own = X25519PrivateKey.from_private_bytes(ephemeral)
    public = own.public_key().public_bytes_raw()
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    shared = own.exchange(X25519PublicKey.from_public_bytes(recipient))
    secret = extract(b"", b"eae_prk", shared, kem)
    secret = expand(secret, b"shared_secret", public + recipient, 32, kem)
    context = b"\0" + extract(b"", b"psk_id_hash", b"", suite)
    context += extract(b"", b"info_hash", info, suite)
    secret = extract(secret, b"secret", b"", suite)
    key = expand(secret, b"key", context, 32, suite)
    nonce = expand(secret, b"base_nonce", context, 12, suite)
    return public + AESGCM(key).encrypt(nonce, plain, b"")


def grant(rights, kind, recipient, body, expires=0, seed=None):
    """Return a grant that wraps a text to a recipient."""
    owner = Ed25519PrivateKey.from_private_bytes(SIGNING_SEED if seed is None else seed)
    header = b"CLGR" + bytes([1, rights, kind]) + bytes(range(16)) + recipient + COLLECTION
    header += fingerprint(ROOT) + owner.public_key().public_bytes_raw()
    header += number(1767323045, 8) + number(expires, 8) + number(len(body) + 48, 4)
    signed = header + wrap(body, recipient, bytes(range(128, 160)), header)
    return signed + sign(b"grant", signed, seed)


ROOT = bytes(range(32))
SIGNING_SEED = bytes(range(96, 128))
IDENTITY = bytes(range(160, 192))
SEALED_DIGEST = "cipherlens 2026-11-25 v1 sealed digest"
NONCES = {"collection": bytes(16), "image": bytes(range(100, 116))}
SHAPES = [(16, 24, 8, 3), (128, 192, 8, 96), (128, 192, 16, 72)]
COLLECTION = bytes.fromhex("00112233445566778899aabbccddeeff")
PASSPHRASE = "correct horse battery staple"


def parameter_sets():
    """Return every shape in both scopes."""
    return [
        {
            "height": height,
            "width": width,
            "block_size": block,
            "substituted_blocks": substituted,
            "scope": scope,
        }
        for height, width, block, substituted in SHAPES
        for scope in SCOPES
    ]


def image_cipher_case(parameters):
    """Return sequences and a digest of the whole cipher-image, landscape and portrait."""
    nonce = NONCES[parameters["scope"]]
    drawn = sequences(ROOT, parameters, nonce)
    height, width = parameters["height"], parameters["width"]
    case = {"parameters": parameters, "nonce": nonce.hex(), **drawn}
    case["tables"] = [bytes(table).hex() for table in drawn["tables"]]
    for name, (rows, columns) in {
        "landscape": (height, width),
        "portrait": (width, height),
    }.items():
        plain = picture(rows, columns)
        pixels = encrypt(plain, drawn, parameters["block_size"])
        case[f"{name}_plain_blake3"] = blake3(flatten(plain)).hexdigest()
        case[f"{name}_pixels_blake3"] = blake3(flatten(pixels)).hexdigest()
        if height * width < 1000:
            case[f"{name}_plain"] = flatten(plain).hex()
            case[f"{name}_pixels"] = flatten(pixels).hex()
        body = cipher_image_body(parameters, ROOT, nonce, pixels)
        case[f"{name}_digest"] = cipher_image_digest(body).hex()
    return case


def image_cipher_document():
    """Return all that another implementation of the image cipher is tested against."""
    whole = cipher_image_file()
    return {
        "root": ROOT.hex(),
        "fingerprint": fingerprint(ROOT).hex(),
        "picture": "row y, column x, channel c of a plain picture: (7y + 13x + 29c + xy) mod 256",
        "cases": [image_cipher_case(each) for each in parameter_sets()],
        "file": whole.hex(),
        "must_not_read": {what: each.hex() for what, each in broken_files(whole).items()},
    }


def broken_files(whole):
    """Return what is no cipher-image file, by what is wrong with it."""

    def changed(offset, *values):
        """Return the file with other bytes in its body, under a checksum of its own."""
        body = whole[:offset] + bytes(values) + whole[offset + len(values) : -32]
        return body + blake3(body).digest()

    return {
        "a byte less": whole[:-1],
        "a byte more": whole + b"\0",
        "no more than a header": whole[:68],
        "another pixel under the old checksum": whole[:80] + bytes([whole[80] ^ 1]) + whole[81:],
        "another magic": changed(0, ord("X")),
        "format 2": changed(8, 2),
        "scheme 2": changed(10, 2),
        "preparation 2": changed(12, 2),
        "a scope that is not known": changed(14, 3),
        "the reserved byte": changed(15, 1),
        "a block size that does not divide the sides": changed(24, 7),
        "more substituted blocks than there are": changed(28, 7),
        "neither landscape nor portrait": changed(32, 12, 0, 32, 0),
        "a nonce in collection scope": changed(14, 1),
    }


def subkeys_case():
    """Return every subkey of the root, and the keys of one collection."""
    purposes = [purpose for purpose, _, _ in STREAMS.values()]
    purposes += ["subkey seal", "subkey mask", "subkey network", "subkey tag"]
    return {
        "root": ROOT.hex(),
        "fingerprint": fingerprint(ROOT).hex(),
        "subkeys": {DATE + purpose: subkey(ROOT, purpose).hex() for purpose in purposes},
        "collection_uuid": COLLECTION.hex(),
        "seal_key": seal_key(ROOT, COLLECTION).hex(),
    }


def verify_key():
    """Return the owner's public key."""
    return Ed25519PrivateKey.from_private_bytes(SIGNING_SEED).public_key().public_bytes_raw()


def sealed_case():
    """Return a sealed original with all that opens it."""
    salt, digest = bytes(range(32, 64)), companion_digest(bytes.fromhex("a5c3f00d0042"))
    key = seal_key(ROOT, COLLECTION)
    sealed = seal(b"an original", "image/png", key, salt, COLLECTION, "katze-\u00e4", 7, digest)
    return {
        "seal_key": key.hex(),
        "verify_key": verify_key().hex(),
        "collection_uuid": COLLECTION.hex(),
        "item_id": "katze-\u00e4",
        "revision": 7,
        "companion": "a5c3f00d0042",
        "companion_digest": digest.hex(),
        "media_type": "image/png",
        "plain": b"an original".hex(),
        "sealed": sealed.hex(),
        "item_key": blake3(salt, key=key).digest(length=44).hex(),
        "must_not_open": {what: each.hex() for what, each in broken_seals(sealed).items()},
    }


def broken_seals(sealed):
    """Return what must not open, by what is wrong with it; each was made by who holds the key."""
    key, salt = seal_key(ROOT, COLLECTION), bytes(range(32, 64))
    place = (COLLECTION, "katze-\u00e4", 7, companion_digest(bytes.fromhex("a5c3f00d0042")))
    header_size = 46 + len("image/png")
    header, body = sealed[:header_size], sealed[header_size:-64]
    digest = sealed_digest([header, *_bytes_of(place)], body)
    unsigned = unsigned_seal(b"an original", "image/png", key, salt, *place)
    elsewhere = seal(b"an original", "image/png", key, salt, COLLECTION, "hund", *place[2:])
    return {
        "format 1, which nobody signed": unsigned,
        "format 1 under the number of format 2": unsigned[:4] + b"\2" + unsigned[5:],
        "without the signature": sealed[:-64],
        "signed with another seed": sealed[:-64] + sign(b"sealed original", digest, bytes(32)),
        "signed as a manifest": sealed[:-64] + sign(b"manifest", digest),
        "signed as a network": sealed[:-64] + sign(b"sealed network", digest),
        "with the signature of another item": sealed[:-64] + elsewhere[-64:],
        "sealed for another item": elsewhere,
        "another tag": sealed[:-65] + bytes([sealed[-65] ^ 1]) + sealed[-64:],
        "another salt": sealed[:14] + bytes(32) + sealed[46:],
        "another media type": sealed[:46] + b"image/gif" + sealed[55:],
        "a byte more": sealed + b"\0",
        "a byte less": sealed[:-1],
    }


def _bytes_of(place):
    collection, item_id, revision, digest = place
    return [collection, item_id.encode(), number(revision, 8), digest]


def sealed_network_case():
    """Return a sealed network with the root of its key."""
    checkpoint = b"weights that stand for a network"
    sealed = seal_network(checkpoint, ROOT, bytes(range(64, 96)))
    return {"root": ROOT.hex(), "checkpoint": checkpoint.hex(), "sealed": sealed.hex()}


def grant_body(*purposes):
    """Return what a grant for some purposes wraps."""
    names = {
        "SEAL": seal_key(ROOT, COLLECTION),
        "MASK": blake3(COLLECTION, key=subkey(ROOT, "subkey mask")).digest(),
        "NETWORK": subkey(ROOT, "subkey network"),
        "PERMUTATION": subkey(ROOT, "subkey block permutation"),
        "SELECTION": subkey(ROOT, "subkey block selection"),
        **{f"SUBSTITUTION_{each}": subkey(ROOT, f"subkey substitution {each}") for each in "RGB"},
    }
    parameters = {"scheme_version": 1, "preparation_version": 1, **parameter_sets()[1]}
    secrets = {name: base64.b64encode(names[name]).decode() for name in purposes}
    return json.dumps({"parameters": parameters, "secrets": secrets}).encode()


def grant_cases():
    """Return grants that must open, and some that must not, with the reason."""
    image = ["PERMUTATION", "SELECTION", *(f"SUBSTITUTION_{each}" for each in "RGB")]
    recipient = X25519PrivateKey.from_private_bytes(IDENTITY).public_key().public_bytes_raw()
    whole = grant(2, 1, recipient, grant_body(*image, "SEAL"), expires=1800000000)
    stranger = bytes(range(1, 33))
    return {
        "identity": IDENTITY.hex(),
        "recipient": recipient.hex(),
        "must_open": {
            "search and open cipher-images": whole.hex(),
            "search codes": grant(1, 3, recipient, grant_body("MASK", "NETWORK")).hex(),
            "search vectors": grant(1, 2, recipient, grant_body("MASK")).hex(),
        },
        "must_not_open": {
            "rights raised after signing": (whole[:5] + b"\1" + whole[6:]).hex(),
            "another collection after signing": (whole[:55] + bytes(16) + whole[71:]).hex(),
            "another owner's public key": (whole[:87] + bytes(32) + whole[119:]).hex(),
            "cut short": whole[:-1].hex(),
            "magic": (b"XXXX" + whole[4:]).hex(),
            "version 2": (whole[:4] + b"\2" + whole[5:]).hex(),
            "wrapped under another header": _moved(whole).hex(),
            "rights that are not known": grant(3, 1, recipient, grant_body(*image)).hex(),
            "a signed body that is no JSON": grant(1, 1, recipient, b"no JSON").hex(),
            "a purpose that is not known": grant(
                1, 1, recipient, grant_body("MASK").replace(b"MASK", b"ROOT")
            ).hex(),
        },
        "of another recipient": grant(1, 2, public_of(stranger), grant_body("MASK")).hex(),
    }


def public_of(private):
    """Return the public key of an X25519 private key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _moved(whole):
    """Return a grant whose wrapped part is signed anew under a header of another collection."""
    signed = whole[:55] + bytes(16) + whole[71:-64]
    return signed + sign(b"grant", signed)


def mask_stream(purpose, turn, length, size):
    """Return bytes of a stream of the mask key of the collection."""
    key = blake3(COLLECTION, key=subkey(ROOT, "subkey mask")).digest()
    message = number(1, 2) + number(purpose, 1) + number(turn, 1) + number(length, 4) + bytes(24)
    return blake3(message, key=key).digest(length=size)


def mask_order(purpose, turn, length):
    data = mask_stream(purpose, turn, length, 8 * length)
    words = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(length)]
    return sorted(range(length), key=lambda i: (words[i], i))


def mask_bits(purpose, turn, length):
    data = mask_stream(purpose, turn, length, -(-length // 8))
    return [data[i // 8] >> (i % 8) & 1 for i in range(length)]


def masked_code(code, bits):
    """Return a code bit by bit under the mask."""
    plain = [code[i // 8] >> (i % 8) & 1 for i in range(bits)]
    order, flips = mask_order(1, 0, bits), mask_bits(2, 0, bits)
    result = bytearray(len(code))
    for i in range(bits):
        result[i // 8] |= (plain[order[i]] ^ flips[i]) << (i % 8)
    return bytes(result)


def masked_vector(vector):
    """Return a vector under the mask: signs, order and plain sums of a Hadamard transform."""
    length = len(vector)
    for turn in range(4):
        signs, order = mask_bits(3, turn, length), mask_order(4, turn, length)
        signed = [-each if sign else each for each, sign in zip(vector, signs, strict=True)]
        moved = [signed[i] for i in order]
        vector, start = [], 0
        for exponent in reversed(range(length.bit_length())):
            size = length & 1 << exponent
            part = moved[start : start + size]
            vector += [
                sum(-each if (i & j).bit_count() % 2 else each for j, each in enumerate(part))
                / size**0.5
                for i in range(size)
            ]
            start += size
    return vector


def masks_case():
    """Return codes and vectors, and what they become under the masks of the collection."""
    codes = {12: "a5c3"[:2] + "0c", 48: "0123456789ab", 64: "f00dfeed12345678"}
    vectors = [[(7 * i) % 11 - 5.0 for i in range(length)] for length in (1, 2, 5, 100)]
    return {
        "mask_id": "mask-1-" + fingerprint(ROOT).hex(),
        "mask_key": blake3(COLLECTION, key=subkey(ROOT, "subkey mask")).hexdigest(),
        "codes": [
            {"bits": bits, "plain": code, "masked": masked_code(bytes.fromhex(code), bits).hex()}
            for bits, code in codes.items()
        ],
        "vectors": [{"plain": each, "masked": masked_vector(each)} for each in vectors],
    }


def manifest_case():
    """Return a signed manifest, and one of the format before, which says nothing of tags."""
    made = item_tags(["holiday", "camera=x100"], "b", 2)
    tagged = ([bytes.fromhex(each) for each in made["tokens"]], bytes.fromhex(made["sealed"]))
    items = {
        "b": (2, bytes(range(32)), True, tagged),
        "a": (1, bytes(32), False, ((), b"")),
        "\u00e4": (2**64 - 1, b"\xff" * 32, True, None),
    }
    return {
        "verify_key": verify_key().hex(),
        "collection_uuid": COLLECTION.hex(),
        "counter": 5,
        "items": {
            name: [
                revision,
                digest.hex(),
                sealed,
                tags and [[t.hex() for t in tags[0]], tags[1].hex()],
            ]
            for name, (revision, digest, sealed, tags) in items.items()
        },
        "signed": manifest(COLLECTION, 5, items).hex(),
        "signed_in_format_2": manifest(COLLECTION, 5, items, version=2).hex(),
    }


def item_names():
    """Return names with ids and sealed forms, and pairs that belong to no name."""
    key = seal_key(ROOT, COLLECTION)
    names = ["a", "holidays/beach.jpg", "\u00fc \u202f\N{MICROSCOPE}.png", "x" * 31, "x" * 32]
    made = [item_name(key, name) for name in names]
    other = item_name(bytes(32), names[0])
    swapped = {"item_id": made[0]["item_id"], "sealed": made[1]["sealed"]}
    foreign = {"item_id": other["item_id"], "sealed": other["sealed"]}
    cut = {"item_id": made[0]["item_id"], "sealed": made[0]["sealed"][:-2]}
    return {"seal_key": key.hex(), "names": made, "must_fail": [swapped, foreign, cut]}


def item_tags_case():
    """Return tags with their tokens and sealed forms, and what must not open."""
    many = [f"{number:03}" + 125 * "x" for number in range(64)]
    made = [
        item_tags(["holiday"], "a", 1),
        item_tags(["camera=x100", "\u00fc \N{MICROSCOPE}", "Holiday"], "b" * 32, 2**53 - 1),
        item_tags(many, "c", 0),
    ]
    one, other = made[:2]
    return {
        "tag_key": blake3(COLLECTION, key=subkey(ROOT, "subkey tag")).hexdigest(),
        "seal_key": seal_key(ROOT, COLLECTION).hex(),
        "items": made,
        "must_fail": {
            "of another item": {**one, "item_id": "b"},
            "of another revision": {**one, "revision": 2},
            "beside another's": {**one, "sealed": other["sealed"]},
            "cut short": {**one, "sealed": one["sealed"][:-2]},
            "of another key": {**one, "sealed": siv(bytes(64), bytes(32)).hex()},
        },
    }


def keyring_text(version=2):
    """Return a keyring file with one entry and one grant."""
    entry = {
        "name": "reference",
        "root": base64.b64encode(ROOT).decode(),
        "created_at": "2026-01-02T03:04:05+00:00",
        "parameters": {"scheme_version": 1, "preparation_version": 1, **parameter_sets()[0]},
    }
    if version == 2:
        entry["signing_seed"] = base64.b64encode(SIGNING_SEED).decode()
    grants = [{"kind": "not known to this version", "kept": [1, 2, 3]}]
    salt, nonce = bytes(range(32)), bytes(range(12))
    return keyring([entry], grants, PASSPHRASE, salt, nonce, 2**14, version)


def cipher_image_file():
    """Return the cipher-image file of the small picture in image scope."""
    parameters = parameter_sets()[1]
    nonce = NONCES["image"]
    drawn = sequences(ROOT, parameters, nonce)
    pixels = encrypt(picture(16, 24), drawn, parameters["block_size"])
    body = cipher_image_body(parameters, ROOT, nonce, pixels)
    return body + blake3(body).digest()


def write_json(name, document):
    (VECTORS / name).write_text(json.dumps(document, indent=1) + "\n")


def main():
    """Write every vector of our own."""
    write_json("subkeys.json", subkeys_case())
    write_json("image_cipher.json", image_cipher_document())
    write_json("sealed_original.json", sealed_case())
    write_json("sealed_network.json", sealed_network_case())
    write_json("manifest.json", manifest_case())
    write_json("item_names.json", item_names())
    write_json("item_tags.json", item_tags_case())
    write_json("masks.json", masks_case())
    write_json("grants.json", grant_cases())
    (VECTORS / "keyring.json").write_text(keyring_text())
    (VECTORS / "keyring_v1.json").write_text(keyring_text(version=1))
    (VECTORS / "cipher_image.bin").write_bytes(cipher_image_file())


if __name__ == "__main__":
    main()
