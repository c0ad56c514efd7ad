"""Callers who say nothing, read nothing or send nonsense: they keep out nobody, and end."""

import contextlib
import resource
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cipherlens.server.config import Limits, Timeouts
from cipherlens.server.engine.items import Items
from cipherlens.server.transport import native
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1 import retrieval_service_pb2_grpc

SERVICE = "/cipherlens.v1.RetrievalService/"
NAMES = [f"i{number}" for number in range(40)]


@pytest.fixture
def silent():
    """Return a function that begins calls which send no message; they end with the test."""
    said_nothing = threading.Event()

    def nothing():
        said_nothing.wait()
        yield from ()

    begun = []  # a call that nobody holds is cancelled

    def begin(channel, path, count):
        method = channel.stream_unary(path)
        begun.extend(method.future(nothing(), timeout=60) for _ in range(count))

    yield begin
    said_nothing.set()


@pytest.mark.parametrize("path", [SERVICE + "Search", SERVICE + "PushModel"])
def test_calls_whose_message_never_comes_stop_neither_health_nor_searches(
    cloud, vectors, gaussian, silent, path
):
    """Where each held a thread, 68 of them on one connection stopped everything."""
    cloud.create()
    rows = gaussian(3)
    cloud.index(["a", "b", "c"], vectors=vectors(rows))
    silent(cloud.channel, path, 150)
    silent(cloud.channel, "/grpc.health.v1.Health/Check", 50)
    silent(cloud.channel, "/grpc.health.v1.Health/Watch", 50)
    health = health_pb2_grpc.HealthStub(cloud.channel)
    for _ in range(300):  # long enough that all of them have come
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert cloud.ids_found(vectors=vectors(rows), k=1) == [["a"], ["b"], ["c"]]
    assert cloud.index(["d"], vectors=vectors(rows[0])).written_count == 1


def test_a_stream_that_falls_silent_is_ended(make_cloud, failure):
    cloud = make_cloud(timeouts=Timeouts(receive_s=0.2))
    never = threading.Event()

    def half():
        yield pb.PushModelRequest(
            header=pb.ModelHeader(size_bytes=10, digest=bytes(32), collection="")
        )
        never.wait()

    code, _, _ = failure(cloud.stub.PushModel, half(), timeout=60)
    never.set()
    assert code is grpc.StatusCode.CANCELLED
    health = health_pb2_grpc.HealthStub(cloud.channel)
    while cloud.server._admission._under_way:
        health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert list((cloud.config.data_dir / "models").iterdir()) == []


def test_a_reflection_that_falls_silent_is_ended(make_cloud):
    cloud = make_cloud(timeouts=Timeouts(receive_s=0.2))
    never = threading.Event()

    def one_and_no_more():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        never.wait()

    stub = reflection_pb2_grpc.ServerReflectionStub(cloud.channel)
    answers = stub.ServerReflectionInfo(one_and_no_more(), timeout=60)
    assert next(answers).list_services_response.service
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    never.set()
    assert caught.value.code() is grpc.StatusCode.CANCELLED


def test_a_caller_who_does_not_read_is_ended(make_cloud, vectors, gaussian):
    limits = Limits(max_concurrent_calls=4)
    cloud = make_cloud(limits=limits, timeouts=Timeouts(send_s=0.2))
    cloud.create()
    for start in range(0, 40, 10):
        names, rows = NAMES[start : start + 10], gaussian(10, seed=start)
        cloud.index(names, vectors=vectors(rows), sealed=b"s" * 1_000_000)
    fetching = [
        cloud.stub.Fetch(pb.FetchRequest(collection="v", item_ids=NAMES), timeout=60)
        for _ in range(3)
    ]
    assert [next(each).item_id for each in fetching] == ["i0"] * 3
    health = health_pb2_grpc.HealthStub(cloud.channel)
    while cloud.server._admission._under_way:
        health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert cloud.collection().item_count == 40


def test_messages_that_do_not_decode_write_no_log(cloud, failure, caplog, capfd):
    for path in (SERVICE + "Delete", SERVICE + "Search", "/grpc.health.v1.Health/Check"):
        raw = cloud.channel.unary_unary(path)
        for _ in range(20):
            code, text, details = failure(raw, b"\x0a\x02\xff\xfe", timeout=20)
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert text.startswith("request: does not decode as a ")
            assert details["ErrorInfo"].metadata["field"] == "request"
    upload = cloud.channel.stream_unary(SERVICE + "PushModel")
    code, _, _ = failure(upload, iter([b"\xff\xff"]), timeout=20)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert caplog.records == []
    assert capfd.readouterr().err == ""


def test_large_messages_are_bounded_by_their_bytes(make_cloud, vectors, monkeypatch, failure):
    limits = Limits(max_message_bytes=1 << 20, max_sealed_bytes=1 << 20)
    cloud = make_cloud(limits=limits)
    cloud.create()
    go_on, begun = threading.Event(), threading.Semaphore(0)
    index = Items.index

    def held_up(*arguments, **named):
        begun.release()
        assert go_on.wait(20)
        return index(*arguments, **named)

    monkeypatch.setattr(Items, "index", held_up)
    sealed = b"s" * 1_000_000  # eight of them are just below eight full messages
    row = vectors([1.0] * 16)
    with ThreadPoolExecutor(8) as threads:
        written = [
            threads.submit(cloud.index, [f"i{n}"], vectors=row, sealed=sealed) for n in range(8)
        ]
        try:
            for _ in written:
                assert begun.acquire(timeout=20)
            code, text, details = failure(cloud.index, ["x"], vectors=row, sealed=sealed)
            assert cloud.listed() == []  # small ones go on
        finally:
            go_on.set()
        assert (code.name, details["ErrorInfo"].reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert text.startswith(f"requests of {8 << 20} bytes are under way")
        assert details["RetryInfo"].retry_delay.nanos > 0
        assert [each.result().written_count for each in written] == [1] * 8
    assert cloud.index(["x"], vectors=row, sealed=sealed).written_count == 1


def test_watching_health_is_told_of_and_bounded(cloud):
    channels = [
        grpc.insecure_channel(f"127.0.0.1:{cloud.port}", [("grpc.use_local_subchannel_pool", 1)])
        for _ in range(2)
    ]
    with contextlib.ExitStack() as opened:
        for each in channels:
            opened.enter_context(each)
        stubs = [health_pb2_grpc.HealthStub(each) for each in channels]
        watching = []
        for number in range(64):
            watching.append(stubs[number % 2].Watch(health_pb2.HealthCheckRequest(), timeout=60))
            assert next(watching[-1]).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(stubs[0].Watch(health_pb2.HealthCheckRequest(), timeout=60))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert stubs[0].Check(health_pb2.HealthCheckRequest(), timeout=20).status


def test_watchers_that_come_and_go_while_it_changes_stop_nothing(make_cloud):
    """grpcio's own servicer held a lock there that its only thread of events waited for."""
    cloud = make_cloud()
    stop = threading.Event()

    def come_and_go():
        with grpc.insecure_channel(f"127.0.0.1:{cloud.port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while not stop.is_set():
                watching = stub.Watch(health_pb2.HealthCheckRequest(), timeout=60)
                next(watching)
                watching.cancel()

    with ThreadPoolExecutor(8) as threads:
        ended = [threads.submit(come_and_go) for _ in range(8)]
        try:
            for _ in range(200):
                cloud.server._transports[0].stop_serving()
                cloud.server._transports[0].serve()
                health_pb2_grpc.HealthStub(cloud.channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=20
                )
        finally:
            stop.set()
        for each in ended:
            each.result(60)


def test_two_thousand_idle_connections_keep_out_nobody(tmp_path, transport, vectors, gaussian):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 4096:
        pytest.skip(f"a process may have {most} files open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    name = "native" if transport is native.NativeTransport else "grpcio"
    command = ["sh", "-c", 'ulimit -Sn 1024; exec "$@"', "sh", sys.executable, "-m"]
    command += ["cipherlens.client.cli", "serve", "--data-dir", tmp_path, "--device", "cpu"]
    command += ["--listen", "127.0.0.1:0", "--transport", name]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = int(child.stdout.readline().partition(" (")[0].rpartition(":")[2])
        with contextlib.ExitStack() as opened:
            for _ in range(2000):
                opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            channel = opened.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))
            stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
            stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=30)
    finally:
        child.terminate()
        assert child.wait(30) == 0
        child.stdout.close()
