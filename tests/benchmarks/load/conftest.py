"""A bare server with a small workload, checked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load import workload
from benchmarks.load.contender import GrpcContender, grpc_contender
from benchmarks.load.served import bare


@pytest.fixture(params=["native", "grpcio"])
def contender(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GrpcContender]:
    """Return a bare server over 500 codes, on either transport."""
    asked = workload.codes(500)
    with bare(request.param, asked, tmp_path) as server:
        yield grpc_contender(
            address=server.address, pid=server.pid, workload=asked, folder=tmp_path / "bodies"
        )
