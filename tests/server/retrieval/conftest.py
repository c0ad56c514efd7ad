"""The service knows no transport: its tests run on gRPC and in memory alike."""

import pytest

from cipherlens.server.transport.grpcio import GrpcioTransport
from tests.server.memory_transport import MemoryTransport


@pytest.fixture(scope="module", params=[GrpcioTransport, MemoryTransport], ids=["grpcio", "memory"])
def transport(request):
    return request.param
