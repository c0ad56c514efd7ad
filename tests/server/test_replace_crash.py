"""A real server process, killed while one collection takes the place of another: all or nothing."""

import contextlib
import random
import threading

import grpc
import pytest

from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.server.test_crash import Child

VECTOR = collection_pb2.COLLECTION_KIND_VECTOR
OLD, NEW = [f"old{n}" for n in range(300)], [f"new{n}" for n in range(200)]


def made(child, name, ids, vectors, rows):
    """Make a collection with items, and return its UUID."""
    request = pb.CreateCollectionRequest(name=name, kind=VECTOR, dimension=16)
    uuid = child.stub.CreateCollection(request, timeout=30).collection.uuid
    for start in range(0, len(ids), 100):
        part = ids[start : start + 100]
        child.stub.Index(
            pb.IndexRequest(
                collection=name,
                items=[pb.IndexItem(item_id=each, revision=1) for each in part],
                vectors=vectors(rows[: len(part)]),
            ),
            timeout=30,
        )
    return uuid


def state(child):
    """Return UUID and number of items of every collection, by name."""
    found = child.stub.ListCollections(pb.ListCollectionsRequest(), timeout=30).collections
    return {each.name: (each.uuid, each.item_count, each.damaged_count) for each in found}


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_a_killed_server_has_the_one_or_the_other_whole(tmp_path, vectors, gaussian):
    rows, chance, answered = gaussian(100), random.Random(11), 0
    for number in range(10):
        child = Child(tmp_path / str(number))
        old, new = (
            made(child, "v", OLD, vectors, rows),
            made(child, "w", NEW, vectors, rows),
        )
        before = {"v": (old, len(OLD), 0), "w": (new, len(NEW), 0)}
        after = {"v": (new, len(NEW), 0)}
        outcome = []

        def replace(stub=child.stub, outcome=outcome):
            request = pb.ReplaceCollectionRequest(name="v", replacement="w", sequence=len(OLD))
            with contextlib.suppress(grpc.RpcError):
                outcome.append(stub.ReplaceCollection(request, timeout=30))

        caller = threading.Thread(target=replace)
        caller.start()
        caller.join(chance.uniform(0, 0.008))
        child.end(callers=[caller])
        answered += len(outcome)
        again = Child(tmp_path / str(number))
        found = state(again)
        assert found in (before, after)
        assert not outcome or found == after, "what was acknowledged is undone"
        request = pb.SearchRequest(collection="v", k=5, vectors=vectors(rows[:1]))
        hits = again.stub.Search(request, timeout=30).results[0].item_ids
        assert len(hits) == 5
        assert all(each.startswith("old" if found == before else "new") for each in hits)
        again.end()
    assert answered < 10, "the kill never came in time"
