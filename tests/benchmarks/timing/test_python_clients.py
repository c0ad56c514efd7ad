"""The tables of the Python clients, from figures that no machine measured."""

import json

import pytest

from benchmarks.timing.python_clients import tables


@pytest.fixture
def rounds():
    alone = {
        "Client": 220,
        "AsyncClient": 260,
        "Client over a socket file": 200,
        "AsyncClient over a socket file": 240,
        "gRPC's stub": 210,
        "gRPC's stub, awaited": 230,
        "pgvector, psycopg, threads": 200,
        "pgvector, psycopg, async": 250,
    }
    rates = {
        "AsyncClient: 8": 9000,
        "AsyncClient: 32": 15000,
        "pgvector, psycopg, threads: 8": 6000,
        "pgvector, psycopg, threads: 32": 5000,
        "pgvector, asyncpg, 4 connections: 8": 3000,
        "pgvector, asyncpg, 4 connections: 32": 5500,
    }
    found = {f"{name}: alone": [value - 9, value, value + 100] for name, value in alone.items()}
    return found | {way: [value, value, 1] for way, value in rates.items()}


RECALLS = {"AsyncClient": 1.0, "pgvector": 0.996}


def test_a_row_for_each_client(rounds):
    results = tables({"codes": rounds}, {"codes": RECALLS})["results"]
    assert results["Hamming 48 bits, AsyncClient"] == {
        "alone": 260,
        "8": 9000,
        "32": 15000,
        "recall@20": 1.0,
    }
    assert results["Hamming 48 bits, pgvector, psycopg, threads"]["recall@20"] == 0.996
    assert results["Hamming 48 bits, pgvector, asyncpg, 4 connections"] == {"8": 3000, "32": 5500}


def test_ratios_are_to_the_best_of_the_peers_clients(rounds):
    ratios = tables({"codes": rounds}, {"codes": RECALLS})["ratios"]
    of = {name.removeprefix("Hamming 48 bits: "): each for name, each in ratios.items()}
    assert of["AsyncClient, 8 in flight / pgvector's best"] == {"reached": 1.5, "at least": 1.0}
    assert of["AsyncClient, 32 in flight / pgvector's best"] == {"reached": 2.5, "at least": 1.3}
    assert of["AsyncClient, alone / psycopg"] == {"reached": 1.3, "at most": 1.2}
    assert of["gRPC's stub, alone / psycopg"] == {"reached": 1.05}
    assert of["AsyncClient, alone / psycopg, async"] == {"reached": 1.04}


def test_all_of_it_is_json(rounds):
    assert json.loads(json.dumps(tables({"codes": rounds}, {"codes": RECALLS}), allow_nan=False))
