import numpy as np
import pytest

from benchmarks.leakage.block_words import BlockWords
from benchmarks.leakage.edits import edits
from benchmarks.leakage.links import first
from benchmarks.leakage.owner import Owner
from cipherlens.crypto import CipherParameters


def under_fresh_keys(pictures, substituted, seed):
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=substituted
    )
    return Owner(parameters, seed).seen(pictures)


@pytest.mark.parametrize("edit", ["JPEG 90", "brighter by 1/10"])
def test_an_edited_picture_is_known_by_blocks_that_only_moved(smooth, edit):
    edited = np.stack([edits(16)[edit](each) for each in smooth])
    words = BlockWords(smooth, 16)
    scores = words.likeness(under_fresh_keys(edited, 0, 1), under_fresh_keys(smooth, 0, 2))
    assert first(scores, np.arange(4)) == 1


def test_likenesses_are_cosines(smooth):
    words = BlockWords(smooth, 16)
    scores = words.likeness(smooth, smooth)
    assert np.diag(scores) == pytest.approx(np.ones(4))
    assert scores.min() >= 0
    assert scores.max() <= 1 + 1e-9
