"""Schemes with bags of words: local features are the plain ones in a keyed order."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.methods.bag_of_words import bag_of_words
from benchmarks.methods.blocks import blocks_of, padded
from benchmarks.methods.draws import Draws
from benchmarks.methods.wang import WangCipher
from benchmarks.methods.xia_boew import BOEWCipher
from benchmarks.methods.xia_lbp import LBPCipher, nested, patterns
from benchmarks.methods.xu import XuCipher


@pytest.fixture
def draws() -> Draws:
    return Draws(0)


def test_blocks_are_in_raster_order() -> None:
    pixels = np.arange(2 * 4 * 6).reshape(2, 4, 6, 1)
    found = blocks_of(pixels, 2)
    assert found.shape == (2, 6, 4, 1)
    assert found[0, 1, :, 0].tolist() == [2, 3, 8, 9]
    assert found[1, 3, :, 0].tolist() == [36, 37, 42, 43]
    with pytest.raises(ValueError, match="got 4 for 4x6"):
        blocks_of(pixels, 4)
    assert padded(pixels, 4)[0, 3, 6:, 0].tolist() == [23, 23]


def test_boews_local_histograms_are_the_plain_blocks(pixels, draws, generator) -> None:
    cipher = BOEWCipher(side=8, draws=draws)
    sent = cipher.encrypt(pixels, generator)
    found = cipher.local_features(sent).reshape(6, 96, 3, 256)
    tables = draws.permutations("values", (3, 256))
    plain = blocks_of(pixels, 8)
    expected = [
        [
            [np.bincount(tables[c][block[:, c]], minlength=256) / 64 for c in range(3)]
            for block in picture
        ]
        for picture in plain
    ]
    assert np.allclose(_rows_sorted(found), _rows_sorted(np.array(expected)))
    assert not np.allclose(found, expected), "blocks are permuted"


def test_tables_of_lbp_are_increasing_and_differ(draws) -> None:
    tables = LBPCipher(side=12, draws=draws)._tables(40, b"nonce").astype(int)
    assert (np.diff(tables, axis=1) > 0).all()
    assert len(np.unique(tables, axis=0)) == 40
    # No step of 256 can pass what 16 bits hold, whatever is drawn.
    assert (np.diff(tables, axis=1) <= 256).all()
    assert tables.max() < 2**16


def test_patterns_of_a_block_written_by_hand() -> None:
    block = np.array([9, 1, 5, 4, 5, 6, 2, 8, 5])[:, None]
    assert patterns(block).tolist() == [0b11010101]


def test_secure_patterns_are_the_plain_ones_in_a_keyed_order(pixels, draws, generator) -> None:
    cipher = LBPCipher(side=24, draws=draws)
    found = cipher.local_features(cipher.encrypt(pixels, generator)).reshape(6, 12, 3, 256)
    plain = patterns(nested(padded(pixels, 24), 24)[..., cipher.order(), :])
    expected = np.array(
        [
            [[np.bincount(big[:, c], minlength=256) / 64 for c in range(3)] for big in picture]
            for picture in plain
        ]
    )
    assert np.allclose(_rows_sorted(found), _rows_sorted(expected))
    assert cipher.order()[4] == 4
    # The order moves bits of a pattern: it has as many.
    bits = [
        np.bitwise_count(patterns(nested(padded(pixels, 24), 24)[..., order, :])).sum()
        for order in (cipher.order(), np.arange(9))
    ]
    assert bits[0] == bits[1]


@pytest.mark.parametrize("clear", [16, 32])
def test_xus_clear_part_is_a_projection_and_the_whole_decrypts(
    clear, pixels, draws, generator
) -> None:
    cipher = XuCipher(clear=clear, draws=draws)
    sent = cipher.encrypt(pixels, generator)
    plain = np.swapaxes(blocks_of(pixels, 8), -1, -2)
    assert (cipher.decrypt(sent) == plain).all()
    basis = cipher.basis()
    assert np.allclose(basis @ basis.T, np.eye(64), atol=1e-5)
    found = cipher.local_features(sent).reshape(6, 96, 3, clear)
    assert np.allclose(found, plain @ basis[:clear].T, atol=0.01)
    # Nonces are each picture's own, so that equal pictures have unlike ciphertext ...
    again = cipher.encrypt(pixels, generator)
    end = 16 + (sent.shape[1] - 16) * clear // 64
    assert (sent[:, end:] != again[:, end:]).mean() > 0.95
    # ... and equal clear parts.
    assert (sent[:, 16:end] == again[:, 16:end]).all()


def test_aes_keeps_which_blocks_are_equal_and_nothing_else(draws, generator) -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    pixels[0, 4:, 4:] = 200
    pixels[0, 4, 4, 1] = 201
    sent = WangCipher(draws=draws).encrypt(pixels, generator)[0]
    assert sent.shape == (12, 16)
    # Nine black blocks, two of 200, one of which a pixel differs.
    _, counts = np.unique(sent, axis=0, return_counts=True)
    assert sorted(counts) == [1, 2, 9]
    other = WangCipher(draws=Draws(1)).encrypt(pixels, generator)[0]
    assert (sent != other).any(axis=1).all()


def test_words_find_clusters_that_are_far_apart(make_pictures, draws, generator) -> None:
    """Pictures of one value each: a word for each value, under a key that nobody told."""
    data = make_pictures(8, 8, 30)
    flat = [np.full((8, 8, 3), 60 * label + 30, np.uint8) for label in data.labels]
    bag = bag_of_words(BOEWCipher(side=8, draws=draws), _with(data, flat), 3, draws)
    found = bag.encode(bag.encrypt(np.stack(flat), generator))
    assert np.unique(found, axis=0).shape == (3, 3)
    apart = bag.distances(found, found)
    assert ((apart == 0) == (data.labels[:, None] == data.labels)).all()


def _with(data, images):
    return replace(data, images=tuple(images))


def _rows_sorted(features):
    """Return the places of each picture in an order of their features, which tells them apart."""
    flat = features.reshape(*features.shape[:2], -1)
    return np.stack([each[np.lexsort(each.round(6).T)] for each in flat])
