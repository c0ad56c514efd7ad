"""Connections that nobody is behind any more, or that nobody uses, do not stay."""

import socket
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cipherlens.server.config import Timeouts
from cipherlens.server.transport import grpcio

# RFC 9113: the preface, an empty frame SETTINGS, and the acknowledgement of the other side's.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
ACKNOWLEDGED = bytes.fromhex("000000040100000000")


def until_closed(connection: socket.socket) -> int:
    """Read and say nothing; return how many bytes came before the other side closed."""
    size = 0
    while data := connection.recv(65536):
        size += len(data)
    return size


def test_a_connection_that_is_dead_is_closed(make_cloud):
    """Who answers no ping is gone; nobody else is closed by that."""
    short = Timeouts(keepalive_s=0.2, keepalive_answer_s=0.2, idle_s=1.0)
    cloud = make_cloud(timeouts=short)
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=60) as dead:
        dead.sendall(PREFACE + ACKNOWLEDGED)
        assert until_closed(dead) > 0
    health = health_pb2_grpc.HealthStub(cloud.channel)
    assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status


@pytest.mark.parametrize("limit", ["idle_s", "connection_age_s"])
def test_idle_and_old_connections_are_closed_where_grpcio_listens(make_cloud, transport, limit):
    if transport is not grpcio.GrpcioTransport:
        pytest.skip("only grpcio closes connections that answer")
    cloud = make_cloud(timeouts=Timeouts(**{limit: 0.5}))
    closed = threading.Event()
    was_ready = threading.Event()

    def see(state):
        if state is grpc.ChannelConnectivity.READY:
            was_ready.set()
        elif was_ready.is_set():
            closed.set()

    with grpc.insecure_channel(
        f"127.0.0.1:{cloud.port}", [("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        channel.subscribe(see, try_to_connect=True)
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status
        assert closed.wait(60)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status  # a new one
