"""The table and the ratios of the load benchmark, from figures that no machine measured."""

import json

from benchmarks.load.contender import Driven
from benchmarks.timing import load


def contenders(**rates):
    """Return what contenders did, at the same rate under all arrangements."""
    return {
        name: {
            each.name: [
                Driven(rate=rate * factor, cpu_us=1e6 / rate) for factor in (0.5, 1.0, 40.0)
            ]
            for each in load.ARRANGEMENTS
        }
        for name, rate in rates.items()
    }


def found():
    rates = {load.NATIVE: 20_000, load.PGVECTOR: 10_000, load.BARE: 25_000}
    names = dict(enumerate(rates))
    measured = contenders(**{f"n{number}": rates[name] for number, name in names.items()})
    measured = {names[int(name[1:])]: each for name, each in measured.items()}
    return load.tables({"codes": measured}, {"codes": dict.fromkeys(measured, 0.995)})


def test_medians_of_the_rounds_are_told():
    row = found()["results"]["Hamming 48 bits, CipherLens"]
    assert row["8 connections"] == 20_000
    assert row["CPU us, 4 x 8"] == 50
    assert row["recall@20"] == 0.995


def test_ratios_stand_beside_what_was_asked():
    ratios = found()["ratios"]
    assert ratios["Hamming 48 bits: 8 connections / pgvector, hnsw"] == {
        "reached": 2.0,
        "at least": 1.1,
    }
    assert ratios["Hamming 48 bits: CPU, 4 x 8, / bare native"] == {
        "reached": 1.25,
        "at most": 1.4,
    }


def test_it_is_json():
    assert json.loads(json.dumps(found(), allow_nan=False))
