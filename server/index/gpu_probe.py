"""A search on a GPU, in a process that FAISS may abort.

`device` runs it: `python -m cipherlens.server.index.gpu_probe ORDINAL`.
"""

import sys

import numpy as np

from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device


def search_once(device: Device) -> None:
    """Search a few vectors.

    Raises:
        RuntimeError: if a row does not find itself; where FAISS cannot compute, the process ends.
    """
    index, unit_vectors = CosineIndex(8, device), np.eye(8, dtype=np.float32)
    index.append(unit_vectors)
    found = index.search(unit_vectors, 1).positions.ravel().tolist()
    if found != list(range(8)):
        raise RuntimeError(f"a search found {found}")


if __name__ == "__main__":
    search_once(Device("cuda", int(sys.argv[1])))
