import sqlite3

import numpy as np
import pytest

from benchmarks.timing import ingest
from benchmarks.timing.bare_rows import BareDatabase, batches_of
from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Engine, NewCollection


def test_the_floor_writes_just_what_the_engine_has_written(tmp_path):
    engine = Engine(ServerConfig(data_dir=tmp_path / "engine", device="cpu"))
    engine.load()
    engine.collections.create(NewCollection(name="c", kind=Kind.CODE, bits=ingest.BITS))
    database = tmp_path / "engine" / "cipherlens.sqlite3"
    bare = BareDatabase(tmp_path / "bare.sqlite3", database)
    case = ingest.Case(Kind.CODE, 10, 1)
    for number in range(5):
        engine.items.index("c", *ingest._job(case, number)[:2], b"", Call())
    batches = batches_of(database, 10, 50, 10)
    assert [(len(each.items), each.sequence) for each in batches] == [
        (10, sequence) for sequence in (20, 30, 40, 50)
    ]
    bare.write(batches_of(database, 0, 10, 10))
    bare.write(batches)
    bare.close()
    engine.close()
    for table in ("items", "representations"):
        rows = [
            sqlite3.connect(path).execute(f"SELECT * FROM {table} ORDER BY item_id").fetchall()
            for path in (database, tmp_path / "bare.sqlite3")
        ]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 50


def test_batches_are_the_same_each_time_and_never_the_same_twice():
    case = ingest.Case(Kind.VECTOR, 3, 1)
    one, again, other = (ingest._job(case, number) for number in (1, 1, 2))
    assert one.encoded == again.encoded != other.encoded
    np.testing.assert_allclose(np.linalg.norm(one.content.rows, axis=1), 1, rtol=1e-5)


@pytest.mark.slow
def test_all_three_are_measured(monkeypatch):
    monkeypatch.setattr(ingest, "CODES", {10: 100})
    monkeypatch.setattr(ingest, "VECTORS", {10: 100})
    monkeypatch.setattr(ingest, "CALLERS", (1, 4))
    document = ingest.run("quick")
    assert len(document["results"]) == 4
    for row in document["results"].values():
        assert set(row) == {
            *("engine, items/s", "gRPC, items/s", "bare, items/s"),
            *("engine / bare", "gRPC / bare"),
        }
        assert all(figure > 0 for figure in row.values())
