from dataclasses import replace

import numpy as np

from benchmarks.timing import scheme_time
from benchmarks.timing.growth import SIZES
from benchmarks.timing.scheme_time import (
    CODES,
    CSD,
    QIN,
    SCD,
    described,
    fitted,
    indexes,
    nearest,
    searches,
    tables,
)


def test_every_row_stands_beside_the_papers() -> None:
    times = {
        (name, size): 100.0 * factor * size / 2000
        for name, factor in ((CSD, 8), (SCD, 7), (QIN, 3), (CODES, 1))
        for size in SIZES
    }
    document = tables(times, times, {"Qin, code": 1.5})
    assert document["results"][CSD]["10,000"] == 4000
    assert document["results"][CSD]["growth"] == 5
    beside = document["tables"]["Over the time of 48 bits at 10,000 images"]
    assert beside[CSD] == {"ours": 8.0, "paper": 8.4}
    assert beside[SCD]["paper"] == 7.03
    assert beside[QIN]["paper"] == 2.91
    assert set(document["paper"]) == {CSD, SCD, QIN, CODES}


def test_a_hidden_search_finds_what_a_plain_one_does(make_pictures) -> None:
    rankers = fitted(make_pictures(32, 32, 12))
    generator = np.random.default_rng(0)
    plain = generator.integers(0, 256, (60, 256)).astype(float)
    key = rankers[CSD].key
    found = nearest(key.index(plain, generator), key.trapdoor(plain[:1] + 1, generator))
    apart = np.square(plain - plain[0] - 1).sum(axis=1)
    assert found.tolist() == np.argsort(apart)[: scheme_time.K].tolist()


def test_all_contenders_answer(make_pictures, monkeypatch) -> None:
    monkeypatch.setattr(scheme_time, "SIZES", (40, 80))
    data = make_pictures(64, 96, 24)
    dotted = [np.kron(each[::8, ::8], np.ones((8, 8, 1), np.uint8)) for each in data.images]
    data = replace(data, images=tuple(dotted))
    rankers = fitted(data)
    plain = described(rankers, data)
    found = searches(rankers, plain)
    assert set(found) == {(name, size) for name in (CSD, SCD, QIN, CODES) for size in (40, 80)}
    for search in found.values():
        search()
    for milliseconds in indexes(rankers, plain).values():
        assert milliseconds() > 0
