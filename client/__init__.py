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
A user without the network asks the owner's service: `EncryptionClient.trapdoor_codes([query])`.
`index_folder(client, "photos", folder, encoder=encoder)` is HashGen and EncImg for a whole folder.
"""

# Names are loaded when they are first used: `cipherlens serve` lives in this package too, and the
# process of a cloud server must never load the code of keys.
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cipherlens.base import CipherProfile, Kind, pack_bits
    from cipherlens.client.channel import Deadlines
    from cipherlens.client.client import Client
    from cipherlens.client.coding import CodeMaker, make_codes
    from cipherlens.client.collection import (
        Collection,
        Generation,
        IndexStatus,
        Limits,
        Model,
        ServerInfo,
    )
    from cipherlens.client.encryption_client import EncryptionClient, KeyInfo
    from cipherlens.client.errors import (
        AlreadyExists,
        Cancelled,
        CipherLensError,
        DataLoss,
        DeadlineExceeded,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        PermissionDenied,
        ResourceExhausted,
        ServerFailure,
        Unauthenticated,
        Unavailable,
        Unimplemented,
        UnreadableAnswer,
    )
    from cipherlens.client.folder import FolderIndexer, index_folder
    from cipherlens.client.indexing import IndexResult
    from cipherlens.client.item import Fetched, Hit, Hits, Item, ItemState, ItemSummary
    from cipherlens.client.picture import (
        CodedPicture,
        EncryptedPicture,
        Picture,
        Place,
        PreparedPicture,
    )
    from cipherlens.client.searching import SearchOptions
    from cipherlens.client.tally import FolderReport, Progress, Waiting
    from cipherlens.client.walk import Skipped

__all__ = [
    "AlreadyExists",
    "Cancelled",
    "CipherLensError",
    "CipherProfile",
    "Client",
    "CodeMaker",
    "CodedPicture",
    "Collection",
    "DataLoss",
    "DeadlineExceeded",
    "Deadlines",
    "EncryptedPicture",
    "EncryptionClient",
    "FailedPrecondition",
    "Fetched",
    "FolderIndexer",
    "FolderReport",
    "Generation",
    "Hit",
    "Hits",
    "IndexResult",
    "IndexStatus",
    "InvalidArgument",
    "Item",
    "ItemState",
    "ItemSummary",
    "KeyInfo",
    "Kind",
    "Limits",
    "Model",
    "NotFound",
    "PermissionDenied",
    "Picture",
    "Place",
    "PreparedPicture",
    "Progress",
    "ResourceExhausted",
    "SearchOptions",
    "ServerFailure",
    "ServerInfo",
    "Skipped",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "UnreadableAnswer",
    "Waiting",
    "index_folder",
    "make_codes",
    "pack_bits",
]

_HOMES = {
    "cipherlens.base": "CipherProfile Kind pack_bits",
    "cipherlens.client.channel": "Deadlines",
    "cipherlens.client.client": "Client",
    "cipherlens.client.coding": "CodeMaker make_codes",
    "cipherlens.client.collection": "Collection Generation IndexStatus Limits Model ServerInfo",
    "cipherlens.client.encryption_client": "EncryptionClient KeyInfo",
    "cipherlens.client.errors": "AlreadyExists Cancelled CipherLensError DataLoss DeadlineExceeded "
    "FailedPrecondition InvalidArgument NotFound PermissionDenied ResourceExhausted "
    "ServerFailure Unauthenticated Unavailable Unimplemented UnreadableAnswer",
    "cipherlens.client.folder": "FolderIndexer index_folder",
    "cipherlens.client.indexing": "IndexResult",
    "cipherlens.client.item": "Fetched Hit Hits Item ItemState ItemSummary",
    "cipherlens.client.picture": "CodedPicture EncryptedPicture Picture Place PreparedPicture",
    "cipherlens.client.searching": "SearchOptions",
    "cipherlens.client.tally": "FolderReport Progress Waiting",
    "cipherlens.client.walk": "Skipped",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Return a public name from the module it is defined in."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
