from dataclasses import replace

import numpy as np
import pytest

from benchmarks.methods.draws import Draws
from benchmarks.methods.literature import OF_CIPHERTEXT, TITLES
from benchmarks.methods.xia_colour import XiaCSD
from benchmarks.timing import scheme_time
from benchmarks.timing.growth import SIZES, TABLE_3
from benchmarks.timing.scheme_time import (
    BUILT,
    CODES,
    MADE,
    OVER_CODES,
    collections,
    indexes,
    parts,
    searches,
    tables,
)
from benchmarks.timing.schemes import (
    CSD,
    DLHEIR,
    EVIT,
    QIN,
    QSMIH_CODES,
    SCD,
    VIT,
    Hidden,
    K,
    code_collection,
    comparators,
    shortened,
)


@pytest.fixture(scope="module")
def dotted(make_pictures):
    """Twenty-four pictures with edges enough for local features."""
    data = make_pictures(64, 96, 24)
    images = [np.kron(each[::8, ::8], np.ones((8, 8, 1), np.uint8)) for each in data.images]
    return replace(data, images=tuple(images))


@pytest.fixture(scope="module")
def compared(dotted):
    return comparators(dotted)


def test_every_row_stands_beside_the_papers() -> None:
    factors = {**dict.fromkeys(TABLE_3, 1), CSD: 8, SCD: 7, QIN: 3, EVIT: 9, QSMIH_CODES: 1}
    times = {
        (name, size): 100.0 * factor * size / 2000
        for name, factor in (factors | {VIT: 20}).items()
        for size in SIZES
    }
    made = {
        (name, part): 1.5
        for name in (DLHEIR, VIT, CSD, SCD, QIN, QSMIH_CODES, EVIT)
        for part in ("features", "trapdoor")
    }
    document = tables(times, {key: each for key, each in times.items() if key[0] != VIT}, made)
    assert document["results"][CSD]["10,000"] == 4000
    assert document["results"][CSD]["growth"] == 5
    beside = document["tables"][OVER_CODES]
    assert beside[CSD] == {"ours": 8.0, "paper": 8.4}
    assert beside[SCD]["paper"] == 7.03
    assert beside[QIN]["paper"] == 2.91
    assert beside[EVIT] == {"ours": 9.0}
    assert set(document["paper"]) == set(TABLE_3)
    assert VIT not in document["tables"][BUILT]
    assert document["tables"][MADE][DLHEIR] == {"features": 1.5, "trapdoor": 1.5}
    features = document["plots"]["scheme-parts"]["panels"][0]["lines"][DLHEIR]
    assert features == [list(SIZES), [3, 6, 9, 12, 15]]


def test_a_hidden_search_finds_what_a_plain_one_does(dotted) -> None:
    scheme = Hidden(ranker=XiaCSD(cells=256).fit(dotted, Draws(0)))
    plain = np.random.default_rng(0).integers(0, 256, (60, 256)).astype(float)
    held = scheme.collection(plain)
    apart = np.square(plain - plain[7]).sum(axis=1)
    assert held.built(60)(held.queries[7:8]).tolist() == np.argsort(apart)[:K].tolist()


def test_codes_are_as_near_as_their_first_bits() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (50, 32), dtype=np.uint8)
    short = shortened(codes, 12)
    assert short.shape == (50, 2)
    assert not (short[:, 1] & 0xF0).any()
    found = code_collection(short, 12).built(50)(short[3:4])
    differing = np.unpackbits(short ^ short[3], axis=1).sum(axis=1)
    assert found.scores[0].tolist() == np.sort(differing)[:K].tolist()


def test_every_scheme_of_ciphertext_finds_itself(compared, dotted) -> None:
    pixels = np.stack(dotted.images)
    for name in (EVIT, *map(TITLES.__getitem__, OF_CIPHERTEXT)):
        held = compared[name].collection(compared[name].features(pixels))
        assert not held.makes_index
        assert held.built(24)(held.queries[5:6])[0] == 5, name


def test_all_contenders_answer(compared, dotted, monkeypatch) -> None:
    monkeypatch.setattr(scheme_time, "SIZES", (40, 80))
    pixels = dict.fromkeys(compared, np.stack(dotted.images))
    found = collections(compared, pixels)
    assert set(found) == {*TABLE_3, *compared}
    asked = searches(found)
    assert set(asked) == {(name, size) for name in found for size in (40, 80)}
    for search in asked.values():
        search()
    built = indexes(found)
    assert {name for name, _ in built} == {*TABLE_3, QSMIH_CODES}
    for milliseconds in (*built.values(), *parts(compared, pixels).values()):
        assert milliseconds() > 0
    assert CODES in found
