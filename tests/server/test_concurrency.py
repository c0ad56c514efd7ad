"""Many callers at once: orders that must agree, and names that are fought over."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


def together(*calls):
    """Run the calls at the same time and return what each returned or raised."""
    ready = threading.Barrier(len(calls))

    def run(call):
        ready.wait(20)
        try:
            return call()
        except grpc.RpcError as error:
            return error.code()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_the_order_of_sequences_is_the_order_of_commits(cloud, codes):
    cloud.create_codes()

    def write(writer):
        return [
            cloud.index(
                [f"{writer}/{n}", f"{writer}/{n}b"], "c", codes=codes([[0, 0]] * 2)
            ).sequence
            for n in range(15)
        ]

    taken = together(*(lambda writer=writer: write(writer) for writer in range(6)))
    assert sorted(each for of_writer in taken for each in of_writer) == list(range(2, 181, 2))
    assert all(of_writer == sorted(of_writer) for of_writer in taken)
    # Equal distances come in the order of sequences: the index has the order of the database.
    (served,) = cloud.ids_found("c", codes=codes([[0, 0]]), k=180)
    stored = cloud.fetch(served[:90], "c") | cloud.fetch(served[90:], "c")
    assert [stored[each].item.sequence for each in served] == list(range(1, 181))
    cloud.restart()
    assert cloud.ids_found("c", codes=codes([[0, 0]]), k=180) == [served]


def test_of_many_that_make_a_collection_one_succeeds(cloud):
    found = together(*[cloud.create] * 6)
    assert sum(isinstance(each, collection_pb2.Collection) for each in found) == 1
    assert found.count(grpc.StatusCode.ALREADY_EXISTS) == 5


def test_one_item_written_by_many_ends_as_one_of_them(cloud, vectors, gaussian):
    cloud.create()
    rows = gaussian(6)
    found = together(
        *(
            lambda row=row: cloud.index(["a"], revision=1, vectors=vectors(row)).written_count
            for row in rows
        )
    )
    assert sorted(map(str, found)) == sorted(["1", *["StatusCode.FAILED_PRECONDITION"] * 5])
    winner = rows[found.index(1)]
    vector = np.frombuffer(cloud.fetch(["a"])["a"].item.vector, "<f4")
    np.testing.assert_allclose(vector, winner / np.linalg.norm(winner), atol=1e-6)


def test_names_dropped_and_made_again_while_others_use_them(cloud, vectors, gaussian):
    cloud.create()
    over = threading.Event()

    def churn():
        for _ in range(15):
            cloud.stub.DeleteCollection(pb.DeleteCollectionRequest(name="v"), timeout=20)
            cloud.create()
        over.set()

    def use(call):
        codes = set()
        while not over.is_set():
            try:
                call()
            except grpc.RpcError as error:
                codes.add(error.code())
        return codes

    found = together(
        churn,
        lambda: use(lambda: cloud.index(["a", "b"], vectors=vectors(gaussian(2)))),
        lambda: use(lambda: cloud.search(vectors=vectors(gaussian(1)), item_budget_bytes=9999)),
        lambda: use(cloud.listed),
        lambda: use(lambda: cloud.delete(["a"])),
        lambda: use(lambda: cloud.stub.ListCollections(pb.ListCollectionsRequest(), timeout=20)),
    )
    # The writer may meet its own deleted item: that is stale, and no other failure is.
    allowed = {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}
    assert set().union(*(each for each in found if each is not None)) <= allowed
    (hits,) = cloud.ids_found(vectors=vectors(gaussian(1)))
    assert sorted(hits) == cloud.listed()
