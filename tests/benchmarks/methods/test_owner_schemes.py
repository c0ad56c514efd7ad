"""Schemes whose owner makes the features: what the server ranks by is the plain order."""

from dataclasses import replace

import numpy as np

from benchmarks.methods.colour_structure import colour_structure
from benchmarks.methods.draws import Draws
from benchmarks.methods.qin import Qin, fingerprints, sift, simhash
from benchmarks.methods.xia_colour import XiaCSD, XiaSCD


def test_hidden_descriptors_rank_as_plain_ones(pixels, generator) -> None:
    ranker = XiaCSD(cells=64).fit(None, Draws(0))
    hidden = ranker.encode(ranker.encrypt(pixels, generator))
    plain = colour_structure(pixels, 64)
    apart = np.square(plain[:, None] - plain).sum(axis=2)
    found = ranker.distances(hidden, hidden)
    for row, expected in zip(found, apart, strict=True):
        assert (np.diff(expected[np.argsort(row)]) >= 0).all()
    assert (found.argmin(axis=1) == np.arange(len(pixels))).all()
    assert XiaSCD().fit(None, Draws(0)).encrypt(pixels, generator).shape == (6, 2, 514)


def test_bits_of_simhash_differ_as_often_as_the_angle_says() -> None:
    """The chance that a bit differs is the angle over pi (Charikar, STOC 2002).

    With signs for Gaussian numbers it holds for counts of many words.
    """
    generator = np.random.default_rng(0)
    counts = generator.poisson(3, (8, 512)).astype(np.int64)
    counts[4:] += generator.poisson(6, 512) * np.array([0, 1, 2, 4])[:, None]
    codes = simhash(counts, fingerprints(512, 8192, Draws(0)))
    bits = np.unpackbits(codes, axis=1, bitorder="little")
    lengths = np.linalg.norm(counts, axis=1)
    angles = np.arccos(np.clip(counts @ counts.T / np.outer(lengths, lengths), -1, 1))
    found = (bits[:, None] != bits).mean(axis=2)
    # Three standard deviations of 8,192 bits, and the same draws at every run.
    assert np.abs(found - angles / np.pi).max() < 3 * np.sqrt(0.25 / 8192) + 0.005


def test_qins_codes_are_keyed_and_near_for_near_pictures(make_pictures, pixels, generator) -> None:
    data = make_pictures(64, 96, 6)
    training = replace(data, images=tuple(pixels))
    ranker = Qin(words=32, bits=256).fit(training, Draws(0))
    codes = ranker.encrypt(pixels, generator)
    assert codes.shape == (6, 32)
    darker = ranker.encrypt((pixels * 0.9).astype(np.uint8), generator)
    apart = ranker.distances(darker, codes)
    assert (apart.argmin(axis=1) == np.arange(6)).mean() > 0.6
    other = Qin(words=32, bits=256).fit(training, Draws(1)).encrypt(pixels, generator)
    assert (other != codes).any()
    blank = np.zeros((1, 64, 96, 3), np.uint8)
    assert len(sift(blank[0])) == 0
    assert not ranker.encrypt(blank, generator).any()
