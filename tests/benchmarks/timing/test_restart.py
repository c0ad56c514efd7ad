import mmap
import os

import pytest

from benchmarks.timing import restart


def test_figures_are_medians_and_bytes_an_item():
    starts = [restart.Start(1.0 + n, 2.0 + n, 3.0 + n, 1000 * n, 10 * n) for n in (0, 1, 5)]
    figures = restart._figures(restart.Size(6, 4, 3, 1), starts)
    assert list(figures.values()) == [2.0, 3.0, 4.0, 100, 1]


def test_memory_is_that_of_the_process():
    before, _ = restart._resident(os.getpid())
    with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE) as held:  # none that was freed before
        held.write(bytes(len(held)))
        after, _ = restart._resident(os.getpid())
    assert after - before > 25_000_000


@pytest.mark.slow
def test_starts_from_files_and_from_the_database(monkeypatch):
    monkeypatch.setattr(restart, "SIZES", {"quick": [restart.Size(5000, 5000, 1, 1)]})
    document = restart.run("quick")
    assert [name.rpartition(", ")[2] for name in document["results"]] == [
        restart.FROM_FILES,
        restart.FROM_DATABASE,
    ]
    for row in document["results"].values():
        assert 0 < row["ready_s"] < row["first_vector_search_s"] < row["first_code_search_s"]
