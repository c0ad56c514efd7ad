"""Our server with a workload behind each index."""

import pytest

from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.contender import grpc_contender
from benchmarks.load.served import lists_of, store, store_graph


@pytest.mark.parametrize("fill", [store, store_graph])
def test_vectors_are_stored_and_searched_by_the_index(tmp_path, fill):
    asked = workload.vectors(2500)
    with running(tmp_path / "data") as server:
        fill(server.address, asked)
        lists = lists_of(server.address, asked.kind)
        found = grpc_contender(
            address=server.address, pid=server.pid, workload=asked, folder=tmp_path / "bodies"
        )
    assert (lists[0] > 0) == (fill is store)
    assert found.recall is not None
    assert found.recall > 0.95
