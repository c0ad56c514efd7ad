import numpy as np
from scipy import stats

from benchmarks.methods.draws import Draws


def test_streams_differ_by_seed_purpose_and_nonce() -> None:
    streams = {
        Draws(seed).stream(purpose, 32, nonce)
        for seed in (0, 1)
        for purpose in ("places", "values")
        for nonce in (b"", b"one", b"two")
    }
    assert len(streams) == 12
    assert Draws(0).stream("places", 32) == Draws(0).stream("places", 64)[:32]


def test_permutations_are_uniform() -> None:
    found = Draws(0).permutations("places", (24_000, 4))
    assert (np.sort(found, axis=1) == np.arange(4)).all()
    orders = np.unique(found, axis=0, return_counts=True)[1]
    assert len(orders) == 24
    # The draws of this seed are always the same: the test cannot fail by chance.
    assert stats.chisquare(orders).pvalue > 0.01
