"""What keeps a server busy does its work on a real one."""

from contextlib import closing
from itertools import islice

import pytest

from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.disturber import BATCH_ITEMS, BATCHES, INDEXING, TRAINING, UNREAD, WORK
from benchmarks.load.served import store
from cipherlens.client import Client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running(tmp_path_factory.mktemp("data")) as server:
        store(server.address, workload.codes(500))
        with Client(server.address) as client:
            yield client


def test_codes_are_written_beside_those_that_are_searched(client):
    before = client.get_collection(workload.CODES).item_count
    for _ in islice(WORK[INDEXING](client), 2):
        pass
    assert client.get_collection(workload.CODES).item_count == before + 2 * BATCH_ITEMS


def test_batches_are_answered(client):
    assert len(list(islice(WORK[BATCHES](client), 2))) == 2


def test_what_is_fetched_and_not_read_stays_under_way(client):
    with closing(WORK[UNREAD](client)) as work:
        assert len(list(islice(work, 2))) == 2
        assert client.get_collection("unread").item_count == 1024
    assert [each.name for each in client.list_collections()] == [workload.CODES]


@pytest.mark.slow
def test_lists_are_trained_and_dropped(client):
    assert len(list(islice(WORK[TRAINING](client), 1))) == 1
    assert [each.name for each in client.list_collections()] == [workload.CODES]
