"""The service knows no transport: its tests run on gRPC and in memory alike."""

import pytest

from cipherlens.server.transport.grpcio import GrpcioTransport
from cipherlens.server.transport.native import NativeTransport
from tests.server.memory_transport import MemoryTransport


@pytest.fixture(
    scope="module",
    params=[GrpcioTransport, NativeTransport, MemoryTransport],
    ids=["grpcio", "native", "memory"],
)
def transport(request):
    return request.param
