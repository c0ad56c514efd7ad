"""How alike two pictures look, and how much like noise one is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmarks.leakage.blocks import Pixels

Values = NDArray[np.float64]

_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(errors: Values) -> Values:
    """Return the peak signal-to-noise ratio, dB, of mean squared errors of 8-bit pixels."""
    ratios: Values = 10 * np.log10(255**2 / errors)
    return ratios


def squared_errors(first: Pixels, second: Pixels) -> Values:
    """Return the mean squared error, (n,), of pairs of (n, h, w, 3) pictures."""
    errors: Values = np.square(first.astype(np.float64) - second).mean(axis=(1, 2, 3))
    return errors


def ssim(first: Pixels, second: Pixels) -> Values:
    """Return the structural similarity, (n,), of pairs of pictures, from -1 to 1 for equal ones.

    Wang et al. 2004: Gaussian windows of 1.5 pixels, over the luminance.
    """
    one, two = _luminance(first), _luminance(second)
    mean_1, mean_2 = _smooth(one), _smooth(two)
    spread_1 = _smooth(one**2) - mean_1**2
    spread_2 = _smooth(two**2) - mean_2**2
    together = _smooth(one * two) - mean_1 * mean_2
    likeness = (2 * mean_1 * mean_2 + _C1) * (2 * together + _C2)
    scale = (mean_1**2 + mean_2**2 + _C1) * (spread_1 + spread_2 + _C2)
    found: Values = (likeness / scale).mean(axis=(1, 2))
    return found


def entropy(pictures: Pixels) -> Values:
    """Return the entropy of the values of each picture, (n,) bits a byte: 8 is the most."""
    counts = np.stack([np.bincount(each.ravel(), minlength=256) for each in pictures])
    shares = counts / counts.sum(axis=1, keepdims=True)
    found: Values = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
    return found


def chi_square(pictures: Pixels) -> Values:
    """Return how far each histogram is from an even one, (n,): noise has about 255."""
    counts = np.stack([np.bincount(each.ravel(), minlength=256) for each in pictures])
    even = counts.sum(axis=1, keepdims=True) / 256
    found: Values = ((counts - even) ** 2 / even).sum(axis=1)
    return found


def neighbour_correlations(pictures: Pixels) -> dict[str, float]:
    """Return the correlation of neighbouring pixels in three directions, over all pictures."""
    pairs = {
        "across": (pictures[:, :, 1:], pictures[:, :, :-1]),
        "down": (pictures[:, 1:], pictures[:, :-1]),
        "diagonal": (pictures[:, 1:, 1:], pictures[:, :-1, :-1]),
    }
    return {name: _correlation(*each) for name, each in pairs.items()}


def npcr(first: Pixels, second: Pixels) -> float:
    """Return the share of bytes that differ, percent: two draws of noise have 99.61."""
    return float((first != second).mean() * 100)


def uaci(first: Pixels, second: Pixels) -> float:
    """Return the mean difference of bytes, percent of 255: two draws of noise have 33.46."""
    return float(np.abs(first.astype(np.int16) - second).mean() / 255 * 100)


def _correlation(first: NDArray[Any], second: NDArray[Any]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def _luminance(pictures: Pixels) -> Values:
    found: Values = pictures @ np.array([0.299, 0.587, 0.114])
    return found


def _smooth(maps: Values) -> Values:
    smoothed: Values = gaussian_filter(maps, (0, _SIGMA, _SIGMA), truncate=3.5)
    return smoothed
