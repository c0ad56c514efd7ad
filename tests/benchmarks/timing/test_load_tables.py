"""The tables and ratios of the load benchmarks, from figures that no machine measured."""

import json

from benchmarks.load.contender import Driven
from benchmarks.timing import (
    load,
    load_batches,
    load_before,
    load_beside,
    load_observed,
    load_sizes,
    load_tls,
    load_workers,
)


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


def test_before_and_now_are_compared_in_rate():
    before, now = contenders(before=2000, now=18_000).values()
    measured = {"codes": {load_before.NOW: now, "017d16d": before}}
    found = load_before.tables(measured, "017d16d")
    assert found["ratios"]["Hamming 48 bits: 4 connections x 8 streams, now / 017d16d"] == {
        "reached": 9.0,
        "at least": 9,
    }
    assert found["results"]["Hamming 48 bits, 017d16d"]["1 in flight"] == 2000


def test_growth_is_asked_of_codes_alone():
    found = load_sizes.tables(
        {"Hamming 48 bits": {2000: 100.0, 10_000: 105.0}, "empty": {10_000: 90.0}}
    )
    assert found["ratios"] == {
        "Hamming 48 bits: p50 at 10,000 / at 2,000": {"reached": 1.05, "at most": 1.1}
    }
    assert found["results"]["empty"] == {"10,000": 90.0}


def test_batches_are_compared_with_as_many_threads():
    rates = {
        ("codes", way): [rate, rate, 1e9]
        for way, rate in {
            "CipherLens, 1 in flight": 32_000.0,
            "CipherLens, 4 in flight": 48_000.0,
            "raw FAISS, 1 threads": 40_000.0,
            "raw FAISS, 2 threads": 80_000.0,
        }.items()
    }
    reached = [each["reached"] for each in load_batches.tables(rates)["ratios"].values()]
    assert reached == [0.8, 0.6]


def test_tls_is_compared_under_the_heaviest_load():
    names = {"a": load_tls.BEHIND, "b": load_tls.OPEN, "c": load_tls.BARE}
    measured = {names[key]: each for key, each in contenders(a=10_000, b=20_000, c=4000).items()}
    (ratio,) = load_tls.tables(measured)["ratios"].values()
    assert ratio == {"reached": 2.5, "at least": 2.5}


def test_each_way_is_compared_with_nothing_on_its_own_transport():
    off, tokens, everything = load_observed.OFF, load_observed.TOKENS, load_observed.ALL
    rates = {f"native, {off}": 20_000, f"native, {tokens}": 19_000, f"native, {everything}": 18_000}
    rates |= {f"grpcio, {off}": 2000, f"grpcio, {tokens}": 1000, f"grpcio, {everything}": 500}
    measured = dict(zip(rates, contenders(**named(rates)).values(), strict=True))
    found = load_observed.tables({"codes": measured})
    reached = {
        name.removeprefix("Hamming 48 bits, "): each["reached"]
        for name, each in found["ratios"].items()
        if "8 connections" in name
    }
    assert reached == {
        "native, 8 connections: tokens / nothing": 0.95,
        f"native, 8 connections: {everything} / nothing": 0.9,
        "grpcio, 8 connections: tokens / nothing": 0.5,
        f"grpcio, 8 connections: {everything} / nothing": 0.25,
    }
    assert len(found["results"]) == 6


def test_workers_are_compared_with_one_process_on_its_own_transport():
    one, two = load_workers.ONE, load_workers.TWO
    rates = {f"native, {one}": 20_000, f"native, {two}": 30_000}
    rates |= {f"grpcio, {one}": 2000, f"grpcio, {two}": 1000}
    measured = dict(zip(rates, contenders(**named(rates)).values(), strict=True))
    found = load_workers.tables({"codes": measured})
    reached = {
        name.removeprefix("Hamming 48 bits, "): each["reached"]
        for name, each in found["ratios"].items()
        if "8 connections" in name
    }
    assert reached == {
        "native, 8 connections: 2 workers / 1 process": 1.5,
        "grpcio, 8 connections: 2 workers / 1 process": 0.5,
    }
    assert len(found["results"]) == 4


def named(rates):
    """Return rates under names that an argument can have."""
    return {f"n{number}": rate for number, rate in enumerate(rates.values())}


def test_disturbed_tails_are_told_over_the_quiet_one():
    tails = {load_beside.QUIET: [(200.0, 400.0)] * 3, "while": [(210.0, 1200.0)] * 3}
    found = load_beside.tables(tails)
    assert found["ratios"] == {"p99 while / quiet": {"reached": 3.0, "at most": 3}}
    assert found["results"]["while"] == {"p50": 210.0, "p99": 1200.0}
