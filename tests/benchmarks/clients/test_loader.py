import sys

import pytest

from benchmarks.clients.loader import loading

COUNTING = "tests.benchmarks.clients.counting"


def test_a_process_measures_what_it_is_told():
    with loading(sys.executable, COUNTING) as loader:
        assert loader.ways == ["count", "asked", "exit"]
        assert loader.facts == {"version": 1}
        assert loader.measure("asked", 0) == [[], 0]
        assert loader.measure("count", 0.01) > 0
        first, starts = loader.measure("asked", 0)
        assert first == [0, 1, 2]
        assert starts == 2  # the first to be warm


def test_a_process_that_ends_is_no_endless_wait():
    with (
        loading(sys.executable, COUNTING) as loader,
        pytest.raises(RuntimeError, match="exit code 3"),
    ):
        loader.measure("exit", 2)


def test_a_process_that_does_not_start():
    with (
        pytest.raises(RuntimeError, match="exit code 1"),
        loading(sys.executable, "tests.benchmarks.clients.nothing"),
    ):
        pass
