"""Search over one collection's vectors or codes: a cache of the database, in sequence order."""

from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device, check_faiss_installation, resolve_device
from cipherlens.server.index.errors import (
    DeviceUnavailableError,
    FaissInstallationError,
    VectorIndexError,
)
from cipherlens.server.index.hamming import HammingIndex
from cipherlens.server.index.ivf import IvfPlan, IvfSettings, TrainedIvf, train_ivf
from cipherlens.server.index.protocol import SearchParameters, SearchResult, VectorIndex
from cipherlens.server.index.threads import use_one_thread

__all__ = [
    "CosineIndex",
    "Device",
    "DeviceUnavailableError",
    "FaissInstallationError",
    "HammingIndex",
    "IvfPlan",
    "IvfSettings",
    "SearchParameters",
    "SearchResult",
    "TrainedIvf",
    "VectorIndex",
    "VectorIndexError",
    "check_faiss_installation",
    "resolve_device",
    "train_ivf",
    "use_one_thread",
]
