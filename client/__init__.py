"""The library that services and people use: encrypt, index, search, fetch, decrypt.

The cipher pipeline, from keys to pictures:

    from cipherlens.client import Client
    from cipherlens.crypto import CipherParameters, KeyEntry

    key = KeyEntry.generate("photos", CipherParameters())
    with Client("127.0.0.1:50051", key=key) as client:
        client.create_cipher_collection("photos")
        client.push_model("photos.safetensors", collection="photos")
        client.index_images("photos", ids, paths)
        hits = client.search_image("photos", query_path, k=20, with_items=True)
        original = client.open_original(hits[0].item)

The hash pipeline, by the names of the six functions of the DLHEIR paper (section 3):

    KeyGen   key = KeyEntry.generate("photos", CipherParameters())
    HashGen  codes = make_codes(pictures, encoder)
    EncImg   client.index_codes("photos", ids, codes, originals=pictures)  seals and stores
    TrapGen  trapdoors = make_codes([query], encoder)
    Search   hits = client.search_codes("photos", trapdoors, k=20, with_items=True)[0]
    Dec      original = client.open_original(hits[0].item)

`encoder` is the owner's hash network at work, which the authorised user is given sealed:

    from cipherlens.crypto import Keyring, read_network
    from cipherlens.model.hash_encoder import HashEncoder

    encoder = HashEncoder(read_network(Path("hash.sealed").read_bytes(), Keyring([key])))

Any other object with the attributes of a `CodeMaker` does as well; `pack_bits` packs ready bits.
A user without network and key asks the owner's service for trapdoors, and searches by them:

    where = client.get_collection("photos")
    trapdoors = EncryptionClient("127.0.0.1:50052").trapdoor_codes([query], where=where)
    client.search_codes(where, trapdoors, options=SearchOptions(mask_id=where.mask_id))

A user without a key has those of his hits released: `EncryptionClient.release_keys(items)`.
`index_folder(client, "photos", folder, encoder=encoder)` is HashGen and EncImg for a whole folder.
"""

import ast
from importlib import import_module
from pathlib import Path


def _homes() -> dict[str, str]:
    """Return the module of every public name, in order, as the stub beside this file lists them."""
    listed = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")).body
    imports = (each for each in listed if isinstance(each, ast.ImportFrom))
    homes = {name.name: each.module or "" for each in imports for name in each.names}
    return dict(sorted(homes.items(), key=lambda home: (home[0][0].islower(), home[0])))


# Loaded when they are first used: `cipherlens serve` lives in this package too, and the process of
# a cloud server must never load the code of keys.
_HOMES = _homes()

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Return a public name from the module it is defined in."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
