"""Which index compares the items of which kind of collection."""

from collections.abc import Callable

from cipherlens.base import IndexChoice, Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device
from cipherlens.server.index.hamming import HammingIndex
from cipherlens.server.index.protocol import VectorIndex

INDEXES: dict[Kind, Callable[[int, Device, IvfSettings, IndexChoice], VectorIndex]] = {
    Kind.CIPHER: CosineIndex,
    Kind.VECTOR: CosineIndex,
    Kind.CODE: lambda bits, _device, ivf, choice: HammingIndex(bits, ivf, choice),
}


def new_index(
    kind: Kind, length: int, device: Device, ivf: IvfSettings, choice: IndexChoice
) -> VectorIndex:
    """Return an empty index; what is nearest to the choice where the device has no such one.

    Args:
        kind: of the collection.
        length: numbers in a vector, or bits in a code.
        device: where vectors live; codes are on the CPU.
        ivf: when it is trained, and how well a search must then do.
        choice: what the collection's maker asked for.
    """
    return INDEXES[kind](length, device, ivf, choice)


def obstacle(kind: Kind, choice: IndexChoice, device: Device) -> str | None:
    """Return why a collection of the kind cannot have the index asked for here, None if it can."""
    if kind is Kind.CODE and choice is IndexChoice.HNSW:
        return "codes have no graph: take auto, flat or ivf"
    if choice is IndexChoice.HNSW and device.kind != "cpu":
        return f"graphs have no GPU form, and this server's vectors are on {device}: take auto"
    return None
