"""Many readers beside one writer; bounded by the writer's work, about two seconds in all."""

import threading

import numpy as np
import pytest

from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    IvfSettings,
    SearchParameters,
    use_one_thread,
)

READERS = 4


def run_beside(writer, read):
    """Run writer once while READERS threads repeat read; raise the first error of any."""
    stop = threading.Event()
    errors = []
    rounds = []

    def keep_reading(seed):
        rng = np.random.default_rng(seed)
        count = 0
        try:
            while not stop.is_set():
                read(rng)
                count += 1
        except Exception as error:  # noqa: BLE001 handed to the test's own thread
            errors.append(error)
        rounds.append(count)

    threads = [threading.Thread(target=keep_reading, args=(seed,)) for seed in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        writer()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    assert min(rounds) > 0


def test_cosine_reads_stay_right_while_rows_masks_and_lists_change(cpu, clustered):
    rows = clustered(6000, 32, seed=1)
    index = CosineIndex(32, cpu, IvfSettings(minimum_rows=300))
    index.append(rows[:100])
    published, masked = [100], set()

    def write():
        for start in range(100, 6000, 25):
            index.append(rows[start : start + 25])
            published[0] = start + 25
            if start % 200 == 0:
                index.mask(np.array([start, start + 1]))
                masked.update((start, start + 1))
            if index.wants_training:
                index.train(start)

    def read(rng):
        hidden, end = frozenset(tuple(masked)), published[0]
        wanted = rng.integers(0, end, 3)
        exact = bool(rng.integers(0, 2))
        found = index.search(rows[wanted], 5, SearchParameters(exact=exact))
        assert not hidden & set(found.positions.ravel().tolist())
        assert (np.diff(found.scores, axis=1) <= 0).all()
        for query, positions, scores in zip(
            rows[wanted], found.positions, found.scores, strict=True
        ):
            assert len(set(positions.tolist())) == 5
            np.testing.assert_allclose(rows[positions] @ query, scores, atol=2e-6)
        for position, best in zip(wanted, found.positions[:, 0], strict=True):
            assert best == position or position in masked

    run_beside(write, read)
    assert index.describe().kind == "cosine-ivf"
    assert len(index) == 6000


def test_hamming_reads_see_a_prefix_while_rows_are_added_and_masked(cpu):
    """All codes are equal, so a search returns the first live positions of some moment."""
    index = HammingIndex(12)
    batch = np.zeros((7, 2), np.uint8)
    index.append(batch)
    masked = [0]

    def write():
        for step in range(4000):
            index.append(batch)
            if step % 10 == 0:
                index.mask(np.array([masked[0]]))
                masked[0] += 1

    def read(_):
        first, last = masked[0], len(index)
        found = index.search(np.zeros((1, 2), np.uint8), 50).positions[0]
        found = found[found >= 0]
        assert first <= found[0] <= masked[0] + 1
        assert (np.diff(found) == 1).all()
        assert len(found) == 50 or found[-1] >= last - 1

    run_beside(write, read)


def test_one_thread_binds_the_caller_only():
    faiss = pytest.importorskip("faiss")
    seen = {}

    def worker():
        faiss.omp_set_num_threads(2)
        seen["before"] = faiss.omp_get_max_threads()
        use_one_thread()
        seen["after"] = faiss.omp_get_max_threads()

    faiss.omp_set_num_threads(2)
    thread = threading.Thread(target=worker)
    thread.start()
    thread.join()
    assert seen == {"before": 2, "after": 1}
    assert faiss.omp_get_max_threads() == 2
    use_one_thread()
