"""A server listens at once, and says that it does not serve while it loads."""

import io
import signal
import socket
import subprocess
import sys
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cipherlens.server import program
from cipherlens.server.app import CipherLensServer
from cipherlens.server.engine import LoadProgress
from cipherlens.server.errors import Stopping
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1 import retrieval_service_pb2_grpc

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


@pytest.fixture
def filled(make_cloud, vectors, gaussian):
    """A stopped server with something to load."""
    cloud = make_cloud()
    cloud.create()
    cloud.index(["a", "b"], vectors=vectors(gaussian(2)))
    cloud.stop()
    return cloud


@pytest.fixture
def server(filled):
    server = CipherLensServer(filled.config, filled.transport)
    yield server
    server.stop()


@pytest.fixture
def channel(server):
    with grpc.insecure_channel(f"127.0.0.1:{server.listen()}") as channel:
        yield channel


def health_of(channel):
    request = health_pb2.HealthCheckRequest()
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=20).status


def listed(channel):
    stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
    request = pb.ListItemsRequest(collection="v")
    return [each.item_id for each in stub.ListItems(request, timeout=20).items]


def searched(channel, query):
    stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
    request = pb.SearchRequest(collection="v", k=1, vectors=query)
    return list(stub.Search(request, timeout=20).results[0].item_ids)


def test_calls_are_told_to_come_again_until_all_is_loaded(
    server, channel, failure, vectors, gaussian
):
    query = vectors(gaussian(1))
    seen = []

    def watch(progress):
        seen.append(progress)
        assert health_of(channel) == NOT_SERVING
        for call in (lambda: listed(channel), lambda: searched(channel, query)):
            code, text, details = failure(call)
            assert (code, text) == (
                grpc.StatusCode.UNAVAILABLE,
                "the server is loading its collections",
            )
            assert details["ErrorInfo"].reason == "STARTING"
            assert details["RetryInfo"].retry_delay.seconds == 1

    server.load(watch)
    assert seen == [LoadProgress("v", 1, 1, 0), LoadProgress("v", 1, 1, 2)]
    assert health_of(channel) == SERVING
    assert listed(channel) == ["a", "b"]
    assert searched(channel, query) == ["a"]


def test_a_load_that_is_given_up_closes_everything(server, channel, filled):
    def give_up(_progress):
        raise KeyError("enough")

    with pytest.raises(KeyError):
        server.load(give_up)
    filled.start()  # the data folder was let go
    assert filled.listed() == ["a", "b"]


def test_a_server_that_is_stopped_while_it_loads_ends_at_the_next_look(server, channel):
    begun, go_on = threading.Event(), threading.Event()
    ended = []

    def slow(_progress):
        begun.set()
        assert go_on.wait(20)

    def load():
        try:
            server.load(slow)
        except Stopping as error:
            ended.append(error)

    loading = threading.Thread(target=load)
    loading.start()
    assert begun.wait(20)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    while not server._has_to_stop:
        assert stopping.is_alive()
    go_on.set()
    for each in (loading, stopping):
        each.join(20)
        assert not each.is_alive()
    assert len(ended) == 1


SERVE = """
import select, sys
from pathlib import Path
from cipherlens.server import program
from cipherlens.server.config import ServerConfig

class Waiting(program._LoadWatch):
    def __call__(self, progress):
        print("loading", flush=True)
        select.select([self._stopping], [], [], 60)
        super().__call__(progress)

program._LoadWatch = Waiting
sys.exit(program.run(ServerConfig(data_dir=Path(sys.argv[1]), listen="127.0.0.1:0", device="cpu")))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_a_load(filled, number):
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(filled.config.data_dir)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "loading\n"
    process.send_signal(number)
    assert process.communicate(timeout=60)[0] == ""
    assert process.returncode == 0


def test_a_long_load_says_how_far_it_is(monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    stopping, stopped = socket.socketpair()
    quiet = program._LoadWatch(stopping)
    quiet(LoadProgress("codes", 1, 2, 4096))
    assert said.getvalue() == ""
    monkeypatch.setattr(program, "_SILENT_S", 0.0)
    watch = program._LoadWatch(stopping)
    watch(LoadProgress("codes", 1, 2, 1_204_096))
    assert said.getvalue() == (
        "cipherlens: loading collection 1 of 2, 'codes': 1,204,096 changes read\n"
    )
    stopped.send(b"x")
    with pytest.raises(program._StopSignal):
        watch(LoadProgress("codes", 2, 2, 0))
    stopping.close()
    stopped.close()
