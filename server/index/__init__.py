"""Search over one collection's vectors or codes: a cache of the database, in sequence order."""

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device, check_faiss_installation, resolve_device
from cipherlens.server.index.errors import (
    DeviceUnavailableError,
    FaissInstallationError,
    UnfitStateError,
    VectorIndexError,
)
from cipherlens.server.index.factory import new_index, obstacle
from cipherlens.server.index.filtering import RowFilter
from cipherlens.server.index.hamming import HammingIndex
from cipherlens.server.index.protocol import (
    IndexDescription,
    SearchParameters,
    SearchResult,
    VectorIndex,
)
from cipherlens.server.index.state import IndexState, live_only
from cipherlens.server.index.threads import use_one_thread

__all__ = [
    "CosineIndex",
    "Device",
    "DeviceUnavailableError",
    "FaissInstallationError",
    "HammingIndex",
    "IndexDescription",
    "IndexState",
    "IvfSettings",
    "RowFilter",
    "SearchParameters",
    "SearchResult",
    "UnfitStateError",
    "VectorIndex",
    "VectorIndexError",
    "check_faiss_installation",
    "live_only",
    "new_index",
    "obstacle",
    "resolve_device",
    "use_one_thread",
]
