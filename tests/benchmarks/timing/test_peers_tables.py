"""The tables and plots of peers, from figures that no machine measured."""

import json

import pytest

from benchmarks.harness.errors import NotHereError
from benchmarks.timing import peers


def row(**values):
    base = {"kind": "codes", "size": 2000, "index": "hnsw", "knob": 1, "recall": 0.9, "rate": 10.4}
    return {**base, "p50_us": 90.6, **values}


ENTRIES = {
    "ours": {
        "measured_at": "now",
        "rows": [row(), row(knob=2, recall=0.995, rate=5.0, serves=True, threads=20.2)],
        "missing": [],
    },
    "pgvector": {
        "measured_at": "then",
        "rows": [row(serves=True, c_load=77.7, generator="pgbench"), row(size=10_000)],
        "missing": ["too slow"],
    },
}


def test_what_serves_has_its_row():
    table = peers.tables(ENTRIES)["tables"]["Hamming 48 bits, 2,000 rows"]
    assert list(table) == ["CipherLens, hnsw", "pgvector, hnsw"]
    assert table["CipherLens, hnsw"]["recall@20"] == 0.995
    assert table["CipherLens, hnsw"]["8 threads"] == 20
    assert table["pgvector, hnsw"]["C load, 8 connections"] == 78


def test_plots_have_every_setting():
    plot = peers.tables(ENTRIES)["plots"]["peers-codes-2000"]
    assert plot["panels"][0]["lines"]["CipherLens, hnsw"] == [[0.9, 0.995], [10.4, 5.0]]


def test_it_is_json():
    assert json.loads(json.dumps(peers.tables(ENTRIES), allow_nan=False))


def test_an_unknown_peer_is_refused(monkeypatch):
    monkeypatch.setenv("PEERS", "ours,oracle")
    with pytest.raises(NotHereError, match="PEERS names 'oracle'"):
        peers.run("quick")
