"""Grants, manifests and the texts of public keys: what an owner signed, and what names a user."""

import json
import struct
import uuid
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from cipherlens.base import Kind
from cipherlens.crypto import (
    CryptoError,
    FormatError,
    Grant,
    GrantError,
    Keyring,
    ListedItem,
    ListedTags,
    Manifest,
    ManifestError,
    Rights,
    StaleItem,
    recipient_from,
    recipient_text,
)
from cipherlens.crypto.grant import _HEADER as GRANT_HEADER
from cipherlens.crypto.signing import SIGNATURE_SIZE, Signed
from tests.fuzz.doors.keys import COLLECTION, OWNER, USER
from tests.fuzz.mutation import mutated_bytes, mutated_json
from tests.fuzz.target import Target

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def grant(_folder):
    """A grant's bytes: read, opened, and taken into a keyring; what an owner signs may be odd."""
    expiry = datetime(2999, 1, 1, tzinfo=UTC)
    grants = [
        Grant.make(OWNER, USER.recipient, COLLECTION, kind, rights, expiry)
        for kind in Kind
        for rights in Rights
    ]
    return Target(
        name="grant", seeds=[each.data for each in grants], attempt=_granted, mutate=_other_grant
    )


def _granted(data):
    try:
        found = Grant.read(data)
    except (FormatError, GrantError):
        return False
    assert found.data == data
    keyring = Keyring(identities=[USER])
    try:
        key = keyring.received.add(found, "mine")
    except CryptoError:
        return False
    assert not key.may_sign
    assert [each.grant_id for each in keyring.received.granted()] == [found.grant_id]
    try:
        key.seal_key(uuid.UUID(int=8))
    except CryptoError:
        return True
    raise AssertionError("a grant gave the seal key of another collection")


def _other_grant(data, rng):
    """Return a grant that was changed: its header, what is wrapped, or any of its bytes."""
    if rng.random() < 0.2 or len(data) < GRANT_HEADER.size + SIGNATURE_SIZE:
        return mutated_bytes(data, rng)
    header, wrapped = data[: GRANT_HEADER.size], data[GRANT_HEADER.size : -SIGNATURE_SIZE]
    if rng.random() < 0.6:
        header, wrapped = _other_secrets(header, wrapped, rng)
    else:
        header = mutated_bytes(header, rng)
    body = header + wrapped
    return body + OWNER.sign(Signed.GRANT, body)


def _other_secrets(header, wrapped, rng):
    try:
        text = _SUITE.decrypt(wrapped, USER.secret(), header)
        text = json.dumps(mutated_json(json.loads(text), rng)).encode()
    except (InvalidTag, ValueError, TypeError):
        text = rng.randbytes(20)
    if rng.random() < 0.2:
        text = mutated_bytes(text, rng)
    header = header[:-4] + struct.pack("<I", len(text) + 48)
    public = X25519PublicKey.from_public_bytes(USER.recipient)
    return header, _SUITE.encrypt(text, public, header)


def manifest(_folder):
    """A manifest's bytes; half of them signed by the owner, who may have signed nonsense."""
    listed = {
        name: ListedItem(number, bytes([number]) * 32, bool(number % 2), tags)
        for number, (name, tags) in enumerate(
            {
                "a": None,
                "ä/b.png": ListedTags(),
                "z" * 300: ListedTags.of([bytes(16), bytes(range(16))], b"sealed"),
            }.items()
        )
    }
    manifests = [
        Manifest(collection_uuid=COLLECTION, counter=4, items=listed),
        Manifest(collection_uuid=COLLECTION, counter=0, items={}),
    ]
    return Target(
        name="manifest",
        seeds=[each.sign(OWNER) for each in manifests],
        attempt=_verified,
        mutate=_signed_again,
    )


def _verified(data):
    try:
        found = Manifest.verify(data, OWNER.verify_key)
    except (ManifestError, FormatError, StaleItem):
        return False
    again = found.sign(OWNER)
    # Format 2 ends each item before its tags, and is written as format 3.
    assert again == data or (data[4] == 2 and Manifest.verify(again, OWNER.verify_key) == found)
    return True


def _signed_again(data, rng):
    if rng.random() < 0.3:
        return mutated_bytes(data, rng)
    body = mutated_bytes(data[:-SIGNATURE_SIZE], rng)
    return body + OWNER.sign(Signed.MANIFEST, body)


def recipient(_folder):
    """The text of a public key: a ValueError, or a key whose text it is."""

    def attempt(data):
        try:
            found = recipient_from(data.decode(errors="surrogateescape"))
        except ValueError:
            return False
        assert recipient_text(found).encode() == data
        return True

    texts = [recipient_text(each) for each in (USER.recipient, bytes(32), bytes(range(32)))]
    return Target(name="recipient", seeds=[each.encode() for each in texts], attempt=attempt)
