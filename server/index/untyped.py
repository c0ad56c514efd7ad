"""FAISS as a module of type Any.

Its own stubs leave out the brute-force kernels, the GPU classes and the keyword arguments of the
search parameters, and some releases ship none at all.
"""

from typing import Any

import faiss as _faiss

faiss: Any = _faiss
