"""What is sealed for the doors is the same at every run: what was kept before is still genuine."""

import pytest

from tests.fuzz.registry import opened


@pytest.mark.parametrize("name", ["sealed-original", "sealed-head", "sealed-network"])
def test_seeds_are_the_same_at_every_run(name):
    with opened(name) as first, opened(name) as second:
        assert first.seeds == second.seeds
