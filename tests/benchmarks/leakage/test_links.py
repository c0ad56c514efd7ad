import numpy as np
import pytest

from benchmarks.leakage.blocks import blocks_of, byte_marks, equality_marks
from benchmarks.leakage.links import first, laid_over, votes, without_error
from benchmarks.leakage.owner import Owner
from cipherlens.crypto import CipherParameters, Scope

ALL = np.arange(4)


def seen(pictures, substituted, scope=Scope.IMAGE, seed=0):
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=substituted, scope=scope
    )
    return Owner(parameters, seed).seen(pictures)


def marks(pictures, of):
    return of(blocks_of(pictures, 16))


@pytest.mark.parametrize("substituted", [0, 6, 24])
def test_the_same_picture_under_fresh_keys_is_known_by_its_patterns(smooth, substituted):
    stored, asked = seen(smooth, substituted, seed=1), seen(smooth, substituted, seed=2)
    scores = votes(marks(asked, equality_marks), marks(stored, equality_marks))
    assert first(scores, ALL) == without_error(scores, ALL) == 1


def test_the_same_bytes_tell_while_a_block_is_not_substituted(smooth):
    for substituted, share in ((6, 1), (24, 0)):
        stored, asked = seen(smooth, substituted, seed=1), seen(smooth, substituted, seed=2)
        scores = votes(marks(asked, byte_marks), marks(stored, byte_marks))
        assert first(scores, ALL) == share


def test_strangers_have_nothing_in_common(noise, smooth):
    scores = votes(marks(seen(smooth, 6), equality_marks), marks(seen(noise, 6), equality_marks))
    assert (scores == 0).all()
    assert first(scores, ALL) == without_error(scores, ALL) == 0


def test_votes_of_known_marks():
    """A mark that all have counts little; the rare one decides."""
    stored = np.array([[1, 1, 2], [1, 3, 3], [1, 4, 4]], dtype=np.uint64)
    queries = np.array([[1, 3, 9]], dtype=np.uint64)
    scores = votes(queries, stored)
    assert scores.argmax() == 1
    common, rare = np.log(4 / 3), np.log(4)
    assert scores[0, 1] == pytest.approx((common**2 + rare**2) / np.hypot(common, rare))
    assert scores[0, 0] == pytest.approx(common**2 / np.hypot(common, rare))


def test_pictures_laid_over_each_other_under_one_key(noise):
    near = np.clip(noise.astype(np.int16) + 1, 0, 255).astype(np.uint8)
    stored, asked = (seen(each, 0, Scope.COLLECTION) for each in (noise, near))
    scores = laid_over(asked, stored)
    expected = -np.square(asked[1].astype(float) - stored[2]).mean()
    assert scores[1, 2] == pytest.approx(expected, rel=1e-4)
    assert first(scores, ALL) == 1


def test_a_tie_at_the_top_is_no_find():
    scores = np.array([[2.0, 2.0], [0.0, 1.0]])
    assert first(scores, np.arange(2)) == 0.5
    assert without_error(scores, np.arange(2)) == 0
