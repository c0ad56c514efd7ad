"""A `VectorIndex` of plain NumPy: what another type of index has to bring."""

import threading

import numpy as np

from cipherlens.server.index import IndexDescription, IndexState
from tests.server.oracle import exact_cosine


class NumpyIndex:
    """Unit vectors, compared one by one."""

    row_type = np.dtype("<f4")
    wants_training = False
    lacks_rows = False

    def __init__(self, dimension, device=None, ivf=None, choice=None):
        self._lock = threading.Lock()  # held by writers; readers take _state as it is
        self._state = (np.empty((0, dimension), np.float32), np.empty(0, bool))

    def append(self, rows, sequences=None):
        with self._lock:
            known, alive = self._state
            self._state = (np.concatenate([known, rows]), np.append(alive, [True] * len(rows)))

    def mask(self, positions):
        with self._lock:
            known, alive = self._state
            alive = alive.copy()
            alive[positions] = False
            self._state = (known, alive)

    def search(self, queries, k, parameters=None, rows=None):
        known, alive = self._state
        kept = alive if rows is None else alive & rows.mask(len(known))
        return exact_cosine(known, queries, k, kept)

    def count(self, rows, sequences=None):
        known, alive = self._state
        return int((alive & rows.mask(len(known))).sum())

    def train(self, seed):
        pass

    def reads_bytes(self, parameters=None, rows=None):
        return self._state[0].nbytes

    def state(self):
        rows, alive = self._state
        return IndexState(facts={"metric": "numpy"}, arrays={"rows": rows, "alive": alive})

    def restore(self, state):
        state.check(metric="numpy")
        rows = state.array("rows", self.row_type, (None, self._state[0].shape[1]))
        self._state = (rows, state.arrays.get("alive", np.ones(len(rows), bool)))

    def __len__(self):
        return len(self._state[0])

    @property
    def live_count(self):
        return int(self._state[1].sum())

    @property
    def dead_fraction(self):
        return 1 - self.live_count / len(self) if len(self) else 0.0

    def describe(self):
        rows, live = self._state[0], self.live_count
        size = {"rows": len(rows), "live": live, "memory_bytes": rows.nbytes}
        return IndexDescription(kind="numpy", device="cpu", **size)
