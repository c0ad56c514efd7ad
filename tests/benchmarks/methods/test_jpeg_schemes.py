"""Schemes in the JPEG domain: what their servers compare is the same under any key."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.methods.block_transform import DCT, quantised, sign_changed, ycbcr
from benchmarks.methods.draws import Draws
from benchmarks.methods.encrypted_jpeg import coefficients, compressed
from benchmarks.methods.histograms import by_frequency
from benchmarks.methods.li import Li
from benchmarks.methods.liang import Liang, code_shares
from benchmarks.methods.xia_ac import XiaAC
from benchmarks.methods.zhang import Zhang


@pytest.fixture
def plain(pixels):
    return coefficients(compressed(pixels, 75))


def test_zhangs_histograms_are_those_of_the_plain_files(pixels, plain, generator) -> None:
    ranker = Zhang(limit=8).fit(None, Draws(0))
    sent = ranker.encrypt(pixels, generator)
    assert (ranker.encode(sent) == by_frequency(plain, 8)).all()
    _is_unlike(sent, pixels)
    again = coefficients(ranker.encrypt(pixels, generator))
    assert (again != coefficients(sent)).any(), "pictures have orders of their own"


def test_liangs_histograms_are_those_of_the_plain_files(pixels, plain, generator) -> None:
    ranker = Liang().fit(None, Draws(0))
    sent = ranker.encrypt(pixels, generator)
    assert (ranker.encode(sent) == code_shares(plain).reshape(len(pixels), -1)).all()
    _is_unlike(sent, pixels)


def test_xias_histograms_are_the_plain_ones_in_a_keyed_order(pixels, generator) -> None:
    one, other = (XiaAC().fit(None, Draws(seed)) for seed in (0, 1))
    sent = one.encrypt(pixels, generator)
    found, elsewhere = one.encode(sent), other.encode(other.encrypt(pixels, generator))
    planes = ycbcr(pixels)
    luma = quantised(planes[:, 0], DCT, DCT, 75, chroma=False)[..., 1:].astype(int)
    plain = [np.bincount(each.ravel() + 1024, minlength=2048) / each.size for each in luma]
    for part, expected in (
        (slice(0, 2048), plain),
        (slice(2048, 2304), [_histogram(each) for each in planes[:, 1]]),
        (slice(2304, 2560), [_histogram(each) for each in planes[:, 2]]),
    ):
        assert np.allclose(np.sort(found[:, part]), np.sort(expected))
        assert (found[:, part] != elsewhere[:, part]).any()
    # The order is the collection's: distances are those of plain histograms, under either key.
    assert np.allclose(
        one.distances(found, found), other.distances(elsewhere, elsewhere), atol=1e-5
    )
    assert not np.array_equal(sent[:, 0], luma[:, :, 0])


def test_lis_transforms_are_orthogonal_and_keep_the_even_frequencies(
    pixels, plain, generator
) -> None:
    signs = np.array(
        [[a, b, c, d] for a in (1, -1) for b in (1, -1) for c in (1, -1) for d in (1, -1)]
    )
    transforms = sign_changed(signs)
    assert np.allclose(transforms @ np.swapaxes(transforms, 1, 2), np.eye(8))
    assert np.allclose(transforms[0], DCT)
    assert len(np.unique(transforms.round(6), axis=0)) == 16
    planes = ycbcr(pixels)[:, 0]
    # The library's integers and ours differ by one now and then.
    assert np.abs(quantised(planes, DCT, DCT, 75, chroma=False) - plain[:, 0]).max() <= 1
    ranker = Li(limit=8).fit(None, Draws(0))
    sent = ranker.encrypt(pixels, generator)
    found = ranker.encode(sent).reshape(len(pixels), 3, 64, 17)
    expected = by_frequency(plain, 8).reshape(found.shape)
    first_even = [0, 3, 5]  # in zigzag order: (0, 0), (2, 0) and (0, 2)
    assert np.abs(found[:, :, first_even] - expected[:, :, first_even]).max() < 0.05
    assert np.abs(found - expected).max() > 0.2
    assert (coefficients(sent)[..., 1:] != plain[..., 1:]).mean() > 0.05


def _histogram(values):
    return np.bincount(values.ravel(), minlength=256) / values.size


def _is_unlike(files, pixels) -> None:
    """Check that a viewer shows something else."""
    shown = np.stack([np.asarray(Image.open(io.BytesIO(file))) for file in files])
    assert shown.shape == pixels.shape
    assert np.square(shown.astype(float) - pixels).mean() > 500
