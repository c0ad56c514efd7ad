import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.leakage.blocks import (
    blocks_of,
    byte_marks,
    equality_marks,
    pictures_of,
)


def test_blocks_stand_in_raster_order(noise):
    blocks = blocks_of(noise, 16)
    assert blocks.shape == (4, 24, 256, 3)
    assert (blocks[1, 7].reshape(16, 16, 3) == noise[1, 16:32, 16:32]).all()


def test_pictures_come_back(noise):
    assert (pictures_of(blocks_of(noise, 8), 64, 96) == noise).all()


def test_marks_of_equal_pixels_are_equal_for_equal_patterns_alone():
    """Against plain loops: every pattern of four pixels in one channel."""
    blocks = np.zeros((256, 4, 3), dtype=np.uint8)
    blocks[:, :, 0] = list(itertools.product(range(4), repeat=4))
    patterns = [tuple(list(each).index(value) for value in each) for each in blocks[:, :, 0]]
    marks = equality_marks(blocks)
    for one, two in itertools.combinations(range(256), 2):
        assert (marks[one] == marks[two]) == (patterns[one] == patterns[two])


def test_channels_are_not_taken_for_each_other():
    block = np.zeros((3, 4, 3), dtype=np.uint8)
    for channel in range(3):
        block[channel, 2:, channel] = 1
    assert len(set(equality_marks(block))) == 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 256))
def test_no_table_changes_the_marks_of_equal_pixels(seed, levels):
    draw = np.random.default_rng(seed)
    blocks = draw.integers(0, levels, (3, 16, 3), dtype=np.uint8)
    tables = np.stack([draw.permutation(256) for _ in range(3)]).astype(np.uint8)
    assert (equality_marks(tables[np.arange(3), blocks]) == equality_marks(blocks)).all()


def test_marks_tell_blocks_apart(noise):
    blocks = blocks_of(noise, 8)
    assert len(np.unique(byte_marks(blocks))) == blocks.shape[0] * blocks.shape[1]
    assert len(np.unique(equality_marks(blocks))) == blocks.shape[0] * blocks.shape[1]
    assert (byte_marks(blocks) == byte_marks(blocks.copy())).all()
