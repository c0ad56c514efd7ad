"""A real server process, killed while clients write: what was acknowledged is there afterwards."""

import contextlib
import itertools
import signal
import subprocess
import sys
import threading

import grpc
import numpy as np
import pytest

from cipherlens.v1 import collection_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

SERVE = """
import sys
from pathlib import Path
from cipherlens.server.app import run
from cipherlens.server.config import ServerConfig
sys.exit(run(ServerConfig(
    data_dir=Path(sys.argv[1]), listen="127.0.0.1:0", keep_tombstones_s=0.0)))
"""
PER_BATCH = 20
DIMENSION = 32


class Child:
    """A server process and a stub to call it with."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert line.startswith("cipherlens: listening on 127.0.0.1:"), line
        self.channel = grpc.insecure_channel(line.split()[3])
        self.stub = retrieval_service_pb2_grpc.RetrievalServiceStub(self.channel)

    def end(self, number=signal.SIGKILL, callers=()):
        """End the server, wait for the threads that call it, and only then close the channel."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        for caller in callers:
            caller.join()
        self.channel.close()
        return code


def row(item_id):
    """Return the vector of an item, known from its id alone."""
    writer, batch, place = (int(each) for each in item_id.split("/"))
    return np.random.default_rng([writer, batch, place]).normal(size=DIMENSION).astype("<f4")


def batch_ids(writer, batch):
    return [f"{writer}/{batch}/{place}" for place in range(PER_BATCH)]


def batch_request(vectors, writer, batch):
    ids = batch_ids(writer, batch)
    return pb.IndexRequest(
        collection="v",
        items=[
            pb.IndexItem(item_id=each, revision=1, sealed_original=each.encode()) for each in ids
        ],
        vectors=vectors([row(each) for each in ids]),
    )


class Writer(threading.Thread):
    """Writes batches, each in turn deleting the one four before, until the server is gone."""

    def __init__(self, stub, vectors, number, first, wanted):
        super().__init__()
        self.written, self.deleted, self.begun, self.gone = set(), set(), set(), set()
        self._stub, self._vectors = stub, vectors
        self._number, self._first, self._wanted = number, first, wanted

    def run(self):
        with contextlib.suppress(grpc.RpcError):
            for batch in itertools.count(self._first):
                self.begun.add(batch)
                request = batch_request(self._vectors, self._number, batch)
                sequence = self._stub.Index(request, timeout=30).sequence
                self.written.add(batch)
                self._wanted.release()
                if batch % 4 == 3:
                    self.begun.discard(batch - 3)
                    self.deleted.add(batch - 3)  # from here on it may be there or not
                    ids = batch_ids(self._number, batch - 3)
                    deletion = pb.DeleteRequest(
                        collection="v", item_ids=ids, up_to_sequence=sequence
                    )
                    self._stub.Delete(deletion, timeout=30)
                    self.written.discard(batch - 3)
                    self.gone.add(batch - 3)


class Passing(threading.Thread):
    """Makes collections, fills them and drops every other one, until the server is gone."""

    def __init__(self, stub, vectors, prefix):
        super().__init__()
        self.filled, self.dropped, self.unsure = set(), set(), set()
        self._stub, self._vectors, self._prefix = stub, vectors, prefix

    def run(self):
        kind = collection_pb2.COLLECTION_KIND_VECTOR
        with contextlib.suppress(grpc.RpcError):
            for number in itertools.count():
                name = f"{self._prefix}.{number}"
                request = batch_request(self._vectors, 9, number)
                request.collection = name
                self.unsure.add(name)  # from here on it may be there or not
                new = pb.CreateCollectionRequest(name=name, kind=kind, dimension=DIMENSION)
                self._stub.CreateCollection(new, timeout=30)
                self._stub.Index(request, timeout=30)
                if number % 2:
                    self.filled.add(name)
                else:
                    self._stub.DeleteCollection(pb.DeleteCollectionRequest(name=name), timeout=30)
                    self.dropped.add(name)
                self.unsure.discard(name)


def check_passing(child, passing):
    """Collections that were filled are there in full, and those that were dropped are not."""
    found = child.stub.ListCollections(pb.ListCollectionsRequest(), timeout=30).collections
    there = {each.name: each.item_count for each in found if each.name != "v"}
    for each in passing:
        assert all(there.get(name) == PER_BATCH for name in each.filled), "a collection is lost"
        assert not there.keys() & each.dropped, "a dropped collection is back"
        assert all(there.get(name, 0) in (0, PER_BATCH) for name in each.unsure)


def all_items(stub):
    found, token = {}, ""
    while True:
        page = stub.ListItems(pb.ListItemsRequest(collection="v", page_token=token), timeout=30)
        found.update({each.item_id: each for each in page.items})
        token = page.next_page_token
        if not token:
            return found


def check(child, vectors, writers):
    """Everything acknowledged is there, with its content, and found; no batch is there in part."""
    there = all_items(child.stub)
    batches = {}
    for item_id in there:
        writer, batch, _ = item_id.split("/")
        batches.setdefault((int(writer), int(batch)), []).append(item_id)
    assert all(len(ids) == PER_BATCH for ids in batches.values()), "a batch is there in part"
    for number, writer in enumerate(writers):
        have = {batch for owner, batch in batches if owner == number}
        assert writer.written - writer.deleted <= have, "an acknowledged batch is lost"
        assert not have & writer.gone, "an acknowledged deletion is undone"
        assert have <= writer.begun | writer.written | writer.deleted
    made = child.stub.GetCollection(pb.GetCollectionRequest(name="v"), timeout=30).collection
    assert (made.item_count, made.damaged_count) == (len(there), 0)
    assert made.index.sequence == made.sequence
    for start in range(0, len(there), 500):
        wanted = list(there)[start : start + 500]
        for answer in child.stub.Fetch(
            pb.FetchRequest(collection="v", item_ids=wanted), timeout=30
        ):
            assert answer.item.sealed_original == answer.item_id.encode()
        queries = vectors([row(each) for each in wanted])
        request = pb.SearchRequest(
            collection="v", k=1, vectors=queries, parameters=pb.SearchParameters(exact=True)
        )
        found = child.stub.Search(request, timeout=30)
        assert [each.item_ids[0] for each in found.results] == wanted


def rounds(tmp_path, vectors, count, seed):
    rng = np.random.default_rng(seed)
    child = Child(tmp_path / "data")
    child.stub.CreateCollection(
        pb.CreateCollectionRequest(
            name="v", kind=collection_pb2.COLLECTION_KIND_VECTOR, dimension=DIMENSION
        )
    )
    sums, passing = None, []
    for turn in range(count):
        acknowledged = threading.Semaphore(0)
        writers = [
            Writer(child.stub, vectors, number, 1000 * turn, acknowledged) for number in range(2)
        ]
        passing.append(Passing(child.stub, vectors, f"p{turn}"))
        for each in (*writers, passing[-1]):
            each.start()
        for _ in range(int(rng.integers(3, 25))):
            assert acknowledged.acquire(timeout=30)
        assert child.end(callers=[*writers, passing[-1]]) == -signal.SIGKILL
        sums = writers if sums is None else merged(sums, writers)
        child = Child(tmp_path / "data")
        check(child, vectors, sums)
        check_passing(child, passing)
    assert child.end(signal.SIGTERM) == 0
    child = Child(tmp_path / "data")
    check(child, vectors, sums)
    child.end(signal.SIGTERM)


def merged(earlier, later):
    for old, new in zip(earlier, later, strict=True):
        new.written |= old.written
        new.deleted |= old.deleted
        new.begun |= old.begun
        new.gone |= old.gone
    return later


def test_what_was_acknowledged_survives_a_kill(tmp_path, vectors):
    rounds(tmp_path, vectors, 1, seed=0)


@pytest.mark.crash
def test_what_was_acknowledged_survives_many_kills(tmp_path, vectors):
    rounds(tmp_path, vectors, 12, seed=1)
