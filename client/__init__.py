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
    EncImg   client.index_codes("photos", ids, codes, originals=originals)  seals and stores
    HashGen  codes = encoder(pictures)        the owner's network; (n, ceil(bits / 8)) uint8
    TrapGen  trapdoors = encoder([query])     the same network, run by the authorised user
    Search   hits = client.search_codes("photos", trapdoors, k=20, with_items=True)[0]
    Dec      original = client.open_original(hits[0].item)

`encoder` is whatever makes codes of pictures; `pack_bits` packs its bits for the wire.
"""

from cipherlens.client.channel import Deadlines
from cipherlens.client.client import Client
from cipherlens.client.collection import (
    Collection,
    Generation,
    IndexStatus,
    Kind,
    Limits,
    Model,
    Profile,
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
from cipherlens.client.features import pack_bits
from cipherlens.client.folder import FolderIndexer, index_folder
from cipherlens.client.indexing import IndexResult
from cipherlens.client.item import Fetched, Hit, Hits, Item, ItemState, ItemSummary
from cipherlens.client.picture import EncryptedPicture, Picture, Place, PreparedPicture
from cipherlens.client.searching import SearchOptions
from cipherlens.client.tally import FolderReport, Progress, Waiting
from cipherlens.client.walk import Skipped

__all__ = [
    "AlreadyExists",
    "Cancelled",
    "CipherLensError",
    "Client",
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
    "Profile",
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
    "pack_bits",
]
