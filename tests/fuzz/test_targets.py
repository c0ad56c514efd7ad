"""Every door, with inputs from a seed: the short form of `make fuzz`, which goes on for hours."""

import pytest

from tests.fuzz.memory import bounded
from tests.fuzz.plain import run
from tests.fuzz.registry import TARGETS, opened

INPUTS = 500
# Of those that take milliseconds each.
FEWER = {
    "keyring-protected": 40,
    "checkpoint": 150,
    "snapshot-manifest": 250,
    "retrieval": 300,
    "encryption": 200,
}
MORE_BYTES = 2 * 2**30


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # which Pillow gives for odd pictures
@pytest.mark.parametrize("name", TARGETS)
def test_nothing_comes_of_it_but_what_is_documented(name):
    with opened(name) as target, bounded(MORE_BYTES):
        ran = run(target, FEWER.get(name, INPUTS), seed=1)
    assert ran.findings == {}
    assert ran.taken > 0
