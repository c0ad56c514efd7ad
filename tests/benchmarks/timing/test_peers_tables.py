"""The tables and plots of peers, from figures that no machine measured."""

import json

import pytest

from benchmarks.harness.errors import NotHereError
from benchmarks.timing import peers


def row(**values):
    base = {"kind": "codes", "size": 2000, "index": "hnsw", "knob": 1, "recall": 0.9, "rate": 10.4}
    return {**base, "p50_us": 90.6, **values}


def found(when, *rows):
    return {"measured_at": when, "rows": list(rows), "missing": []}


SERVING = {"rate": 5.0, "serves": True, "threads": 20.2}
ENTRIES = {
    "ours": {"2000": found("now", row(), row(knob=2, recall=0.995, **SERVING))},
    "pgvector": {
        "2000": found("then", row(serves=True, c_load=77.7, generator="pgbench")),
        "10000": found("now", row(size=10_000)),
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


def test_each_peer_says_when_each_size_was_measured():
    results = peers.tables(ENTRIES)["results"]
    assert results["CipherLens"]["measured"] == "now"
    assert results["pgvector"]["measured"] == "then, now"


def test_it_is_json():
    assert json.loads(json.dumps(peers.tables(ENTRIES), allow_nan=False))


def test_an_unknown_peer_is_refused(monkeypatch):
    monkeypatch.setenv("PEERS", "ours,oracle")
    with pytest.raises(NotHereError, match="PEERS names 'oracle'"):
        peers.run("quick")


def test_an_unknown_size_is_refused(monkeypatch):
    monkeypatch.setenv("ROWS", "100000")
    with pytest.raises(NotHereError, match=r"ROWS names '100000', which is none of 2000, 10000"):
        peers.run("quick")


def test_the_full_profile_keeps_what_the_quick_one_has_found(monkeypatch):
    monkeypatch.setattr(
        peers, "trial", lambda *_: ([{"index": "hnsw", "recall": 1, "rate": 1}], "")
    )
    documents = {"quick": {"peers": ENTRIES}, "full": None}
    monkeypatch.setattr(peers, "kept_at", lambda _, profile: documents[profile])
    monkeypatch.setenv("PEERS", "ours")
    monkeypatch.setenv("ROWS", "100000")
    kept = peers.run("full")["peers"]
    assert list(kept) == ["ours", "pgvector"]
    assert list(kept["ours"]) == ["2000", "100000"]
    assert kept["pgvector"] == ENTRIES["pgvector"]
