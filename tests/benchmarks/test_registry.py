"""The benchmarks that are named are there."""

import pytest

from benchmarks.registry import NAMES, module_of


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_runs_and_says_what_it_measures(name):
    module = module_of(name)
    assert callable(module.run)
    assert module.__doc__
