"""Which index compares the items of which kind of collection."""

from collections.abc import Callable

from cipherlens.base import Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device
from cipherlens.server.index.hamming import HammingIndex
from cipherlens.server.index.protocol import VectorIndex

INDEXES: dict[Kind, Callable[[int, Device, IvfSettings], VectorIndex]] = {
    Kind.CIPHER: CosineIndex,
    Kind.VECTOR: CosineIndex,
    Kind.CODE: HammingIndex,
}


def new_index(kind: Kind, length: int, device: Device, ivf: IvfSettings) -> VectorIndex:
    """Return an empty index.

    Args:
        kind: of the collection.
        length: numbers in a vector, or bits in a code.
        device: where it lives.
        ivf: when it is trained, and how well a search must then do.
    """
    return INDEXES[kind](length, device, ivf)
