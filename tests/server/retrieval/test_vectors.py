"""Vector and code collections, end to end through a real server."""

import time

import grpc
import numpy as np
import pytest

from cipherlens.server.config import Limits
from cipherlens.server.index import CosineIndex
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb


def ids(count, prefix="i"):
    return [f"{prefix}{n}" for n in range(count)]


def test_the_server_describes_itself(small_cloud):
    info = small_cloud.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=20)
    assert list(info.roles) == ["cloud"]
    assert (info.index_device, info.model_device) == ("cpu", "cpu")
    assert info.limits.max_k == 20
    assert info.limits.max_message_bytes == 1 << 20
    assert {"grpcio", "numpy", "SQLAlchemy"} <= set(info.library_versions)


def test_a_search_ranks_as_plain_numpy_does(cloud, gaussian, vectors):
    rows, queries = gaussian(300), gaussian(5, seed=1)
    made = cloud.create()
    assert (made.kind, made.dimension, made.item_count) == (
        collection_pb2.COLLECTION_KIND_VECTOR,
        16,
        0,
    )
    answer = cloud.index(ids(300), vectors=vectors(rows * 7))
    assert (answer.sequence, answer.written_count, answer.unchanged_count) == (300, 300, 0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosine = queries @ unit.T / np.linalg.norm(queries, axis=1, keepdims=True)
    found = cloud.search(vectors=vectors(queries), k=10)
    for hits, row in zip(found.results, cosine, strict=True):
        best = np.argsort(-row)[:10]
        assert list(hits.item_ids) == [f"i{n}" for n in best]
        np.testing.assert_allclose(hits.similarities, row[best], atol=1e-6)
        assert list(hits.revisions) == [1] * 10
    assert (found.sequence, found.generation) == (300, made.active_generation.id)


@pytest.mark.parametrize("bits", [12, 24, 32, 48, 64, 128, 256])
def test_codes_rank_by_distance_and_then_by_sequence(cloud, codes, bits):
    cloud.create_codes(bits=bits)
    rng = np.random.default_rng(bits)
    rows = rng.integers(0, 256, (200, (bits + 7) // 8), np.uint8)
    if bits % 8:
        rows[:, -1] &= (1 << bits % 8) - 1
    cloud.index(ids(200), "c", codes=codes(rows, bits))
    found = cloud.search("c", codes=codes(rows[:3], bits), k=50)
    for query, hits in zip(rows, found.results, strict=False):
        distances = np.unpackbits(rows ^ query, axis=1).sum(axis=1)
        best = np.argsort(distances, kind="stable")[:50]
        assert list(hits.item_ids) == [f"i{n}" for n in best]
        assert list(hits.distances) == distances[best].tolist()


def test_a_replaced_item_is_found_as_it_is_now_and_once(cloud, vectors):
    cloud.create()
    axes = np.eye(16, dtype=np.float32)
    cloud.index(["a", "b"], vectors=vectors(axes[:2]))
    cloud.index(["a"], revision=2, vectors=vectors(axes[5]))
    (hits,) = cloud.search(vectors=vectors(axes[5])).results
    assert list(hits.item_ids) == ["a", "b"]
    assert (hits.similarities[0], list(hits.revisions)) == (1.0, [2, 1])
    cloud.restart()
    assert cloud.ids_found(vectors=vectors(axes[5])) == [["a", "b"]]


def test_a_deleted_item_is_gone_and_stays_gone(cloud, vectors, gaussian):
    cloud.create()
    rows = gaussian(20)
    cloud.index(ids(20), vectors=vectors(rows))
    answer = cloud.delete(["i3", "i4", "nobody"])
    assert (answer.sequence, answer.deleted_count) == (22, 2)
    for _ in range(2):
        (found,) = cloud.ids_found(vectors=vectors(rows[3]), k=20)
        assert sorted(found) == sorted(set(ids(20)) - {"i3", "i4"})
        assert cloud.listed(size=7) == sorted(found)
        cloud.restart()


def test_a_retried_deletion_spares_what_was_written_since(cloud, vectors, gaussian):
    """The first answer was lost, the owner wrote anew, and then the request comes again."""
    cloud.create()
    rows = gaussian(3)
    seen = cloud.index(ids(3), vectors=vectors(rows)).sequence
    assert cloud.delete(["i0", "i1"], up_to=seen).deleted_count == 2
    written = cloud.index(["i1"], revision=2, vectors=vectors(rows[1])).sequence
    again = cloud.delete(["i0", "i1"], up_to=seen)
    assert (again.sequence, again.deleted_count) == (written, 1)
    assert cloud.ids_found(vectors=vectors(rows[1])) == [["i1", "i2"]]
    cloud.restart()
    assert cloud.listed() == ["i1", "i2"]


def test_a_deletion_says_up_to_where(cloud, failure):
    cloud.create()
    code, text, _ = failure(
        cloud.stub.Delete, pb.DeleteRequest(collection="v", item_ids=["a"]), timeout=20
    )
    assert (code, text) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "up_to_sequence: is required: what was written after it stays",
    )


def test_an_item_written_under_a_clock_far_ahead_can_be_deleted_and_written_again(
    cloud, vectors, monkeypatch
):
    """As where the server's own clock was ten years ahead, and was set right since."""
    cloud.create()
    ahead_us = time.time_ns() // 1000 + 10 * 365 * 86400 * 10**6
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time_ns", lambda: ahead_us * 1000)
        cloud.index(["a"], revision=ahead_us, vectors=vectors([1.0] * 16))
    cloud.delete(["a"])
    now_us = time.time_ns() // 1000
    answer = cloud.index(["a"], revision=now_us, vectors=vectors([2.0] * 16))
    assert answer.written_count == 1


def test_a_retry_changes_nothing(cloud, vectors, gaussian):
    cloud.create()
    rows = gaussian(8)
    first = cloud.index(ids(8), vectors=vectors(rows))
    # In another batch and order, as a client that was cut off would send them.
    again = cloud.index(["i5", "i2"], vectors=vectors(rows[[5, 2]]))
    assert (again.sequence, again.written_count, again.unchanged_count) == (first.sequence, 0, 2)
    assert cloud.collection().item_count == 8


def test_a_batch_is_written_whole_or_not_at_all(cloud, vectors, gaussian, failure):
    cloud.create()
    rows = gaussian(4)
    cloud.index(["a"], revision=3, vectors=vectors(rows[0]))
    before = cloud.state()
    code, text, details = failure(
        cloud.index, ["x", "a", "y"], revision=2, vectors=vectors(rows[:3])
    )
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details["ErrorInfo"].reason == "STALE_REVISION"
    assert details["ErrorInfo"].metadata["stored"] == "3"
    assert "'a'" in text
    assert cloud.state() == before
    assert cloud.ids_found(vectors=vectors(rows)) == [["a"]] * 4


def test_min_sequence_is_waited_for(cloud, vectors, gaussian, failure):
    cloud.create()
    rows = gaussian(2)
    first = cloud.index(["a"], vectors=vectors(rows[0])).sequence
    assert cloud.search(vectors=vectors(rows[0]), min_sequence=first).sequence == first
    waiting = cloud.stub.Search.future(
        pb.SearchRequest(collection="v", k=5, vectors=vectors(rows[1]), min_sequence=first + 1),
        timeout=20,
    )
    cloud.index(["b"], vectors=vectors(rows[1]))
    assert list(waiting.result().results[0].item_ids) == ["b", "a"]
    code, _, _ = failure(
        cloud.search, vectors=vectors(rows[0]), min_sequence=first + 9, timeout=0.2
    )
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_searches_that_wait_keep_out_neither_others_nor_the_change(
    make_cloud, vectors, gaussian, failure
):
    cloud = make_cloud(limits=Limits(max_concurrent_calls=8))
    cloud.create()
    rows = gaussian(2)
    first = cloud.index(["a"], vectors=vectors(rows[0])).sequence
    question = pb.SearchRequest(
        collection="v", k=5, vectors=vectors(rows[1]), min_sequence=first + 1
    )
    waiting = [cloud.stub.Search.future(question, timeout=20) for _ in range(2)]
    while cloud.engine.searches._waiters._places._value:
        cloud.listed()
    code, text, details = failure(cloud.stub.Search, question, timeout=20)
    assert (code.name, details["ErrorInfo"].reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert text.startswith("min_sequence: 2 searches wait")
    assert cloud.ids_found(vectors=vectors(rows[0])) == [["a"]]
    cloud.index(["b"], vectors=vectors(rows[1]))
    for each in waiting:
        assert list(each.result().results[0].item_ids) == ["b", "a"]
    assert cloud.search(vectors=vectors(rows[1]), min_sequence=first + 1).sequence == first + 1


def test_a_collection_dropped_while_a_search_waits_ends_the_wait(cloud, vectors, gaussian, failure):
    cloud.create()
    waiting = cloud.stub.Search.future(
        pb.SearchRequest(collection="v", k=5, vectors=vectors(gaussian(1)), min_sequence=1),
        timeout=20,
    )
    cloud.stub.DeleteCollection(pb.DeleteCollectionRequest(name="v"), timeout=20)
    code, text, _ = failure(waiting.result)
    assert (code, text) == (grpc.StatusCode.NOT_FOUND, "no collection named 'v'")


def test_a_dropped_name_can_be_given_anew(cloud, vectors, gaussian):
    old = cloud.create()
    cloud.index(ids(3), vectors=vectors(gaussian(3)))
    cloud.stub.DeleteCollection(pb.DeleteCollectionRequest(name="v"), timeout=20)
    new = cloud.create()
    assert new.uuid != old.uuid
    assert new.active_generation.id > old.active_generation.id
    assert cloud.ids_found(vectors=vectors(gaussian(1))) == [[]]
    cloud.restart()
    assert (cloud.collection().uuid, cloud.collection().item_count) == (new.uuid, 0)


def test_collections_are_listed_by_name(cloud):
    for name in ("b", "a", "c"):
        cloud.create(name)
    found = cloud.stub.ListCollections(pb.ListCollectionsRequest(), timeout=20).collections
    assert [each.name for each in found] == ["a", "b", "c"]


def test_ids_of_any_script(cloud, vectors, gaussian):
    cloud.create()
    names = ["a/b/c.png", "äöü", "\U0001f5bc", " ", "'; DROP TABLE items; --", "\u202eabc", "%25"]
    rows = gaussian(len(names))
    cloud.index(names, vectors=vectors(rows))
    cloud.restart()
    assert [each[0] for each in cloud.ids_found(vectors=vectors(rows), k=1)] == names
    assert cloud.listed(size=2) == sorted(names, key=str.encode)
    assert set(cloud.fetch(names)) == set(names)


def test_a_view_leaves_out_what_was_not_asked_for(cloud, vectors, gaussian):
    cloud.create()
    cloud.index(["a"], vectors=vectors(gaussian(1)), sealed=b"sealed")

    def fetched(view):
        request = pb.FetchRequest(collection="v", item_ids=["a", "nobody"], view=view)
        present, missing = cloud.stub.Fetch(request, timeout=20)
        assert missing.state == pb.ITEM_STATE_MISSING
        return present.item

    whole = fetched(pb.ITEM_VIEW_UNSPECIFIED)
    content, head = fetched(pb.ITEM_VIEW_CONTENT), fetched(pb.ITEM_VIEW_HEAD)
    assert (whole.sealed_original, content.sealed_original) == (b"sealed", b"")
    assert content.vector == whole.vector
    assert head.WhichOneof("content") is None
    assert (head.item_id, head.revision, head.sequence) == ("a", 1, 1)
    with pytest.raises(grpc.RpcError, match="view: is none of ItemView, got 9"):
        fetched(9)


def test_fetch_tells_what_became_of_each_id_in_the_order_asked(cloud, vectors, gaussian):
    cloud.create()
    rows = gaussian(20)
    cloud.index(ids(20), vectors=vectors(rows), sealed=b"sealed")
    cloud.delete(["i7"])
    wanted = ["i9", "nobody", "i7", *ids(7)]
    answers = list(cloud.stub.Fetch(pb.FetchRequest(collection="v", item_ids=wanted), timeout=20))
    assert [each.item_id for each in answers] == wanted
    states = [each.state for each in answers]
    assert states[:3] == [pb.ITEM_STATE_PRESENT, pb.ITEM_STATE_MISSING, pb.ITEM_STATE_MISSING]
    item = answers[0].item
    assert (item.revision, item.sequence, item.sealed_original) == (1, 10, b"sealed")
    vector = np.frombuffer(item.vector, "<f4")
    np.testing.assert_allclose(vector, rows[9] / np.linalg.norm(rows[9]), rtol=1e-6)
    assert not answers[1].HasField("item")


def test_hits_come_along_best_first_within_the_budget(cloud, vectors, gaussian):
    cloud.create()
    rows = gaussian(12)
    cloud.index(ids(12), vectors=vectors(rows), sealed=b"s" * 1000)
    everything = cloud.search(vectors=vectors(rows[:2]), k=12, item_budget_bytes=1 << 20)
    assert sorted(each.item_id for each in everything.items) == sorted(ids(12))
    some = cloud.search(vectors=vectors(rows[:2]), k=12, item_budget_bytes=3500)
    first, second = (list(each.item_ids) for each in some.results)
    by_rank = list(dict.fromkeys(each for pair in zip(first, second, strict=True) for each in pair))
    assert [each.item_id for each in some.items] == by_rank[:3]
    assert not cloud.search(vectors=vectors(rows[:1]), item_budget_bytes=100).items
    assert not cloud.search(vectors=vectors(rows[:1])).items


def test_an_answer_never_outgrows_a_message(small_cloud, vectors, gaussian):
    small_cloud.create()
    rows = gaussian(8)
    for start in range(0, 8, 2):
        small_cloud.index(
            ids(8)[start : start + 2], vectors=vectors(rows[start : start + 2]), sealed=b"s" * 1000
        )
    found = small_cloud.search(vectors=vectors(rows[:4]), k=8, item_budget_bytes=2**63)
    assert len(found.items) == 8


def test_lists_are_trained_beside_the_searches(cloud, vectors, gaussian, settled):
    cloud.create()
    rows = gaussian(3000)
    for start in range(0, 3000, 1000):
        cloud.index(ids(3000)[start : start + 1000], vectors=vectors(rows[start : start + 1000]))
    settled(lambda: cloud.collection().index.kind == "cosine-ivf")
    index = cloud.collection().index
    assert (index.nlist > 1, index.nprobe >= 1, index.sequence) == (True, True, 3000)
    for parameters in (
        pb.SearchParameters(),
        pb.SearchParameters(nprobe=10**6),
        pb.SearchParameters(exact=True),
    ):
        found = cloud.ids_found(vectors=vectors(rows[:5]), k=1, parameters=parameters)
        assert found == [[f"i{n}"] for n in range(5)]


def test_dead_rows_leave_the_index_while_it_keeps_its_centroids(
    cloud, vectors, gaussian, settled, monkeypatch
):
    cloud.create()
    rows = gaussian(3000)
    for start in range(0, 3000, 1000):
        cloud.index(ids(3000)[start : start + 1000], vectors=vectors(rows[start : start + 1000]))
    live = cloud.engine._registry.find("v")
    settled(lambda: live.serving.vectors.describe().covered == 3000)
    centroids = live.serving.vectors.state().arrays["centroids"]
    restore = CosineIndex.restore

    def meanwhile(index, state):
        """Let writes come between the moment that is kept and the index made of it."""
        restore(index, state)
        if len(live.serving.vectors) == 3000:
            cloud.index(["i2500", "new"], revision=2, vectors=vectors(-rows[:2]))
            cloud.delete(["i2600"])

    monkeypatch.setattr(CosineIndex, "restore", meanwhile)
    cloud.delete(ids(1000))
    settled(lambda: len(live.serving.vectors) == 2002)
    kept = live.serving.vectors.state().arrays["centroids"]
    np.testing.assert_array_equal(kept, centroids)
    every = {f"i{number}" for number in range(1000, 3000)} - {"i2600"} | {"new"}
    exact = pb.SearchParameters(exact=True)
    (found,) = cloud.ids_found(vectors=vectors(rows[1500]), k=2100, parameters=exact)
    assert (found[0], set(found), len(found)) == ("i1500", every, 2000)
    assert cloud.ids_found(vectors=vectors(-rows[0]), k=1) == [["i2500"]]
    assert cloud.collection().item_count == 2000


def test_dead_rows_are_rebuilt_away(cloud, vectors, gaussian, settled):
    cloud.create()
    rows = gaussian(300)
    cloud.index(ids(300), vectors=vectors(rows))
    cloud.delete(ids(200))
    live = cloud.engine._registry.find("v")
    settled(lambda: len(live.serving.vectors) == 100)
    assert cloud.collection().index.sequence == 500
    (found,) = cloud.ids_found(vectors=vectors(rows[250]), k=300)
    assert (found[0], len(found)) == ("i250", 100)


@pytest.mark.parametrize(
    ("asked", "stated"),
    [
        (collection_pb2.INDEX_CHOICE_UNSPECIFIED, collection_pb2.INDEX_CHOICE_AUTO),
        (collection_pb2.INDEX_CHOICE_FLAT, collection_pb2.INDEX_CHOICE_FLAT),
        (collection_pb2.INDEX_CHOICE_HNSW, collection_pb2.INDEX_CHOICE_HNSW),
    ],
)
def test_the_index_asked_for_is_stated_and_outlives_a_start(make_cloud, asked, stated):
    cloud = make_cloud("asked")
    cloud.create(kind=collection_pb2.COLLECTION_KIND_VECTOR, dimension=16, index=asked)
    assert cloud.collection().index_choice == stated
    cloud.stop()
    assert make_cloud("asked").collection().index_choice == stated


def test_the_index_asked_for_is_the_one_that_answers(cloud, vectors, gaussian, settled):
    cloud.create(
        kind=collection_pb2.COLLECTION_KIND_VECTOR,
        dimension=16,
        index=collection_pb2.INDEX_CHOICE_HNSW,
    )
    rows = gaussian(2000)
    for start in range(0, 2000, 1000):
        cloud.index(ids(2000)[start : start + 1000], vectors=vectors(rows[start : start + 1000]))
    settled(lambda: cloud.collection().index.kind == "cosine-hnsw")
    assert cloud.ids_found(vectors=vectors(rows[:5]), k=1) == [[f"i{n}"] for n in range(5)]


def test_an_index_that_a_kind_does_not_have_is_refused(cloud, failure):
    for index, told in ((collection_pb2.INDEX_CHOICE_HNSW, "codes have no graph"), (9, "AUTO")):
        code, text, _ = failure(
            cloud.create, kind=collection_pb2.COLLECTION_KIND_CODE, bits=48, index=index
        )
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert "index" in text
        assert told in text


def test_an_encoder_digest_is_checked_where_it_was_stated(cloud, vectors, gaussian, failure):
    kind = collection_pb2.COLLECTION_KIND_VECTOR
    cloud.create(kind=kind, dimension=16, encoder_digest=b"e" * 32)
    cloud.index(["a"], vectors=vectors(gaussian(1)), model_digest=b"e" * 32)
    code, _, details = failure(
        cloud.index, ["b"], vectors=vectors(gaussian(1)), model_digest=b"x" * 32
    )
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert details["ErrorInfo"].reason == "MODEL_MISMATCH"
    assert details["ErrorInfo"].metadata["active"] == (b"e" * 32).hex()
