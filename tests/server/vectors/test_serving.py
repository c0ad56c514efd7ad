"""A server whose vectors are in an engine: what callers see while either side is lost and found."""

import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import IvfSettings, OwnDatabase, ServerConfig, VectorsUrl
from cipherlens.server.engine import item_index
from cipherlens.server.errors import StartupError
from cipherlens.server.storage.reading import ItemReader
from cipherlens.v1 import retrieval_service_pb2 as pb

RARE, HALF = b"r" * 16, b"h" * 16
ROWS = 900
IDS = [f"i{number:04}" for number in range(ROWS)]
IVF = IvfSettings(minimum_rows=5000)  # every search compares with all


@pytest.fixture
def rows(unit):
    return unit(ROWS)


@pytest.fixture
def serving(make_cloud, engine, settled):
    """Return a function that starts a server with an engine, and waits until that has the rows."""
    clouds = []

    def start(folder="data", **settings):
        cloud = make_cloud(folder, vectors=engine.setting, ivf=IVF, metrics_listen="0", **settings)
        clouds.append(cloud)
        return cloud

    yield start
    for cloud in clouds:
        for name in [each for each in ("v", "c") if cloud.engine._registry._live.get(each)]:
            cloud.engine.collections.drop(name)
        settled(lambda cloud=cloud: not tables_of(cloud))


def tables_of(cloud):
    tables = cloud.engine._vectors
    return tables._store.names(tables._prefix)


def index_of(cloud, name="v"):
    return cloud.engine._registry.find(name).serving.vectors


def keys_there(cloud):
    """Return how many rows the engine itself has."""
    return len(index_of(cloud)._table.keys())


def filled(cloud, rows, vectors):
    cloud.create()
    for first in range(0, ROWS, 300):
        part = slice(first, first + 300)
        cloud.index(IDS[part], vectors=vectors(rows[part]))


def first_hits(cloud, rows, vectors):
    return [ids[0] for ids in cloud.ids_found(vectors=vectors(rows), k=1)]


def readiness(cloud):
    try:
        url = f"http://127.0.0.1:{cloud.server.metrics_port}/readyz"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_same_hits_as_without_an_engine(serving, make_cloud, rows, vectors, settled):
    found = []
    for cloud in (make_cloud("plain"), serving()):
        filled(cloud, rows, vectors)
        cloud.delete(IDS[::5])
        cloud.index(IDS[1:40:5], revision=2, vectors=vectors(rows[1:40:5] * -1))
        found.append(cloud.search(vectors=vectors(rows[:100]), k=20))
    settled(lambda: index_of(cloud).describe().covered and not index_of(cloud).wants_training)
    found.append(cloud.search(vectors=vectors(rows[:100]), k=20))
    for other in found[1:]:
        for ours, theirs in zip(found[0].results, other.results, strict=True):
            assert ours.item_ids == theirs.item_ids
            np.testing.assert_allclose(ours.similarities, theirs.similarities, atol=1e-5)


def test_what_is_written_is_acknowledged_while_the_engine_is_gone(
    serving, engine, rows, vectors, failure, settled
):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    assert readiness(cloud) == (200, "ready\n")
    engine.kill()
    try:
        code, text, details = failure(cloud.search, vectors=vectors(rows[:1]))
        assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "VECTORS_UNAVAILABLE")
        assert details["RetryInfo"].retry_delay.seconds == 1
        assert "secret" not in text
        assert readiness(cloud) == (503, "not ready: the engine of the vectors does not answer\n")
        cloud.delete(IDS[:10])
        cloud.index(["late"], vectors=vectors(-rows[:1]))
        cloud.create("other")  # a collection, too
        cloud.index(["else"], "other", vectors=vectors(rows[:1]))
        assert [*cloud.fetch(IDS[20:22])] == IDS[20:22]
    finally:
        engine.start()
    settled(lambda: not index_of(cloud).wants_training and not cloud.engine.role.unready())
    assert first_hits(cloud, -rows[:1], vectors) == ["late"]
    found = cloud.ids_found(vectors=vectors(rows[:20]), k=900)
    assert all(not set(IDS[:10]) & set(ids) and len(ids) == ROWS - 9 for ids in found)
    assert readiness(cloud)[0] == 200
    cloud.delete(["else"], "other")
    cloud.engine.collections.drop("other")


def test_an_engine_that_has_lost_all_is_filled_from_the_database(
    serving, engine, rows, vectors, failure, settled
):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    covered = index_of(cloud)
    engine.lose_all()
    assert failure(cloud.search, vectors=vectors(rows[:1]))[0].name == "UNAVAILABLE"
    settled(lambda: index_of(cloud) is not covered)
    assert first_hits(cloud, rows, vectors) == IDS
    settled(lambda: keys_there(cloud) >= 600)


def test_an_engine_that_has_lost_all_while_the_server_was_down(
    serving, engine, rows, vectors, settled
):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.stop()
    engine.lose_all()
    cloud.start()
    assert first_hits(cloud, rows, vectors) == IDS


def test_an_engine_ahead_of_a_restored_database(serving, engine, rows, vectors, settled, tmp_path):
    cloud = serving()
    filled(cloud, rows, vectors)
    cloud.stop()
    shutil.copytree(tmp_path / "data", tmp_path / "saved")
    cloud.start()
    more = [f"m{number:04}" for number in range(ROWS)]
    for first in range(0, ROWS, 300):
        part = slice(first, first + 300)
        cloud.index(more[part], vectors=vectors(-rows[part]))
    cloud.delete(IDS[:300])
    cloud.index(IDS[300:600], revision=2, vectors=vectors(rows[:300]))
    settled(lambda: not index_of(cloud).wants_training)
    cloud.stop()
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(tmp_path / "saved", tmp_path / "data")
    cloud.start()
    assert first_hits(cloud, rows, vectors) == IDS  # what was deleted since is there again
    found = cloud.ids_found(vectors=vectors(-rows[:20]), k=900)
    assert all(set(ids) == set(IDS) for ids in found)
    settled(lambda: not index_of(cloud).wants_training)
    assert keys_there(cloud) <= ROWS


def test_a_start_takes_the_rows_that_the_engine_has(serving, rows, vectors, settled):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.restart()
    assert index_of(cloud).describe().covered >= 600
    assert first_hits(cloud, rows, vectors) == IDS


@pytest.fixture
def asked(monkeypatch):
    """The sequences that the database was asked from; every index is kept in a file."""
    monkeypatch.setattr(item_index, "_FEWEST_KEPT", 1)
    after, changes = [], ItemReader.changes

    def noted(self, *args, **kwargs):
        after.append(kwargs["after"])
        return changes(self, *args, **kwargs)

    monkeypatch.setattr(ItemReader, "changes", noted)
    return after


def test_a_start_from_an_index_file(serving, rows, vectors, settled, asked):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.delete(IDS[:3])
    cloud.stop()
    asked.clear()
    cloud.start()
    assert min(asked) == ROWS + 3
    assert first_hits(cloud, rows[3:], vectors) == IDS[3:]
    assert not set(IDS[:3]) & set(cloud.ids_found(vectors=vectors(rows[:1]), k=900)[0])


def test_an_index_file_of_rows_that_the_engine_has_lost(
    serving, engine, rows, vectors, settled, asked
):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.stop()
    engine.lose_all()
    asked.clear()
    cloud.start()
    assert asked[0] == 0
    assert first_hits(cloud, rows, vectors) == IDS


def test_tags_are_not_the_engines_business(serving, rows, vectors, settled):
    cloud = serving()
    cloud.create()
    items = [
        pb.IndexItem(
            item_id=each, revision=1, tag_tokens=[RARE] * (n % 300 == 7) + [HALF] * (n % 2)
        )
        for n, each in enumerate(IDS)
    ]
    cloud.stub.Index(pb.IndexRequest(collection="v", items=items, vectors=vectors(rows)))
    settled(lambda: index_of(cloud).describe().covered == ROWS)
    rare = cloud.ids_found(vectors=vectors(rows[:5]), filter=pb.TagFilter(any_of=[RARE]))
    assert all(sorted(ids) == [IDS[7], IDS[307], IDS[607]] for ids in rare)
    half = cloud.ids_found(vectors=vectors(rows[:5]), filter=pb.TagFilter(none_of=[HALF]), k=20)
    assert all(len(ids) == 20 and not any(int(each[1:]) % 2 for each in ids) for ids in half)
    request = pb.CountRequest(collection="v", filter=pb.TagFilter(all_of=[HALF]))
    assert cloud.stub.Count(request).item_count == ROWS // 2


def test_codes(serving, random_codes, codes, settled):
    cloud = serving()
    rows = random_codes(ROWS)
    cloud.create_codes(bits=48)
    cloud.index(IDS, "c", codes=codes(rows, 48))
    settled(lambda: index_of(cloud, "c").describe().covered == ROWS)
    found = cloud.ids_found("c", codes=codes(rows[:50], 48), k=1)
    assert found == [[each] for each in IDS[:50]]
    assert cloud.collection("c").index.kind.startswith("hamming-")


def test_a_dropped_collection_leaves_no_table(serving, rows, vectors, settled):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: len(tables_of(cloud)) == 1)
    cloud.engine.collections.drop("v")
    settled(lambda: not tables_of(cloud))


def test_replaced_and_compacted(serving, rows, vectors, settled):
    cloud = serving()
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.delete(IDS[:450])
    settled(lambda: len(index_of(cloud)) == 450)
    settled(lambda: not index_of(cloud).wants_training)
    assert first_hits(cloud, rows[450:], vectors) == IDS[450:]
    assert keys_there(cloud) <= 450


def test_the_database_of_the_rows_has_the_vectors_too(make_cloud, postgres, rows, vectors, settled):
    cloud = make_cloud(database=postgres.vector_database(), vectors=OwnDatabase(), ivf=IVF)
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    assert cloud.collection().index.device == "pgvector"
    assert first_hits(cloud, rows, vectors) == IDS
    cloud.restart()
    assert first_hits(cloud, rows, vectors) == IDS


def test_milvus_in_short(make_cloud, milvus, rows, vectors, settled):
    cloud = make_cloud(vectors=VectorsUrl(milvus.url), ivf=IVF)
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    cloud.delete(IDS[:20])
    cloud.index(["late"], vectors=vectors(-rows[:1]))
    assert first_hits(cloud, rows[20:], vectors) == IDS[20:]
    cloud.restart()
    assert first_hits(cloud, -rows[:1], vectors) == ["late"]
    assert not set(IDS[:20]) & set(cloud.ids_found(vectors=vectors(rows[:1]), k=900)[0])
    cloud.engine.collections.drop("v")
    settled(lambda: not tables_of(cloud))


def test_an_engine_that_says_nothing(make_cloud, milvus, rows, vectors, failure, settled):
    cloud = make_cloud(vectors=VectorsUrl(milvus.url), ivf=IVF)
    filled(cloud, rows, vectors)
    settled(lambda: index_of(cloud).describe().covered >= 600)
    milvus.freeze()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("cipherlens.server.vectors.milvus._PATIENCE_S", 1.0)
            code, _, details = failure(cloud.search, vectors=vectors(rows[:1]))
        assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "VECTORS_UNAVAILABLE")
        cloud.index(["late"], vectors=vectors(-rows[:1]))
    finally:
        milvus.thaw()
    settled(lambda: not index_of(cloud).wants_training and not cloud.engine.role.unready())
    assert first_hits(cloud, -rows[:1], vectors) == ["late"]
    cloud.engine.collections.drop("v")
    settled(lambda: not tables_of(cloud))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("milvus://127.0.0.1:9", "Milvus at milvus://127.0.0.1:9 cannot be used"),
        ("postgresql://u:hush@127.0.0.1:9/v", "database postgresql://u:***@127.0.0.1:9/v cannot"),
    ],
)
def test_an_engine_that_cannot_be_reached_at_the_start(tmp_path, url, told):
    config = ServerConfig(data_dir=tmp_path, listen="127.0.0.1:0", vectors=VectorsUrl(url))
    with pytest.raises(StartupError) as caught:
        CipherLensServer(config)
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)


def test_servers_that_follow_go_without_an_engine(tmp_path):
    url = VectorsUrl("milvus://127.0.0.1:9")
    config = ServerConfig(data_dir=tmp_path, listen="127.0.0.1:0", vectors=url, follow=True)
    with pytest.raises(StartupError, match="servers that follow"):
        CipherLensServer(config)


def test_a_database_without_pgvector(tmp_path, postgres):
    url = VectorsUrl(postgres.bare_database().revealed())
    config = ServerConfig(data_dir=tmp_path, listen="127.0.0.1:0", vectors=url)
    with pytest.raises(StartupError, match="must CREATE EXTENSION vector"):
        CipherLensServer(config)
