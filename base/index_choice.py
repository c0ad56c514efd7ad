"""The index that a collection's maker may ask for."""

from enum import StrEnum


class IndexChoice(StrEnum):
    """How a collection is searched; stated when it is made, for good."""

    AUTO = "auto"
    """What is fastest for its kind and size at a recall of .99: `ivf` once there is enough."""

    FLAT = "flat"
    """Every item is compared: exact, and slower the more there are."""

    IVF = "ivf"
    """Inverted lists, of which a search probes some."""

    HNSW = "hnsw"
    """A graph of near neighbours; for vectors and cipher-images, without a GPU."""
