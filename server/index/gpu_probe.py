"""A search of vectors and one of codes on a GPU, in a process that FAISS may abort.

`device` runs it: `python -m cipherlens.server.index.gpu_probe ORDINAL`.
"""

import sys

import numpy as np

from cipherlens.server.index.cosine import CosineIndex
from cipherlens.server.index.device import Device
from cipherlens.server.index.hamming import HammingIndex


def search_once(device: Device) -> None:
    """Search a few rows of either kind.

    Raises:
        RuntimeError: if a row does not find itself; where FAISS cannot compute, the process ends.
    """
    vectors, codes = CosineIndex(8, device), HammingIndex(64, device)
    unit_vectors = np.eye(8, dtype=np.float32)
    distinct_codes = np.arange(64, dtype=np.uint8).reshape(8, 8)
    vectors.append(unit_vectors)
    codes.append(distinct_codes)
    for found in (vectors.search(unit_vectors, 1), codes.search(distinct_codes, 1)):
        if found.positions.ravel().tolist() != list(range(8)):
            raise RuntimeError(f"a search found {found.positions.ravel().tolist()}")


if __name__ == "__main__":
    search_once(Device("cuda", int(sys.argv[1])))
