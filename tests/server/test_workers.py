"""Several processes behind one port: real ones, some of which are killed."""

import itertools
import os
import random
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import grpc
import numpy as np
import pytest

from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import ServerError, StartupError
from cipherlens.server.storage import Database
from cipherlens.server.storage.opening import open_dialect
from cipherlens.server.worker import Worker
from cipherlens.server.workers import run
from cipherlens.v1 import collection_pb2, representation_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this needs /proc")

DIMENSION = 8
_PATIENCE_S = 60.0


class Workers:
    """`cipherlens serve --workers`, and the processes below it."""

    def __init__(self, folder, log, *options, address=None, workers=2):
        self.log = log
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if address is not None:
            environment["CIPHERLENS_SERVE_DATABASE"] = address.revealed()
        command = ["serve", "--data-dir", folder, "--workers", str(workers), "--device", "cpu"]
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cipherlens.client.cli", *command, *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )

    def target(self):
        line = self.process.stdout.readline()
        assert line.startswith("cipherlens: listening on "), self.log.read_text()
        return line.split()[3]

    def pids(self):
        pid = self.process.pid
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def end(self):
        """End it in good order, and return its code."""
        self.process.terminate()
        code = self.process.wait(_PATIENCE_S)
        self.process.stdout.close()
        return code


@pytest.fixture
def start(tmp_path):
    """Return a function that starts workers; what still runs at the end is killed."""
    started = []

    def start(*options, **settings):
        listen = ("--listen", "127.0.0.1:0")
        started.append(Workers(tmp_path / "data", tmp_path / "log", *listen, *options, **settings))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()  # its workers end by themselves then
            each.process.wait()
        each.process.stdout.close()


class Caller:
    """Calls over connections of which each is a new one: the system chooses who gets it."""

    def __init__(self, target):
        self.target = target

    def call(self, name, request):
        """Return the answer, once there is one: what is asked may be asked again."""
        for _ in range(200):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(self.target, options=options) as channel:
                stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
                try:
                    return getattr(stub, name)(request, timeout=20)
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
            time.sleep(0.1)
        raise AssertionError(f"{name} finds nobody")

    def create(self):
        kind = collection_pb2.COLLECTION_KIND_VECTOR
        self.call(
            "CreateCollection",
            pb.CreateCollectionRequest(name="v", kind=kind, dimension=DIMENSION),
        )

    def index(self, number):
        item = pb.IndexItem(item_id=f"i{number}", revision=1)
        request = pb.IndexRequest(collection="v", items=[item], vectors=vector(number))
        return self.call("Index", request).sequence

    def found(self, number, min_sequence):
        request = pb.SearchRequest(
            collection="v", k=1, vectors=vector(number), min_sequence=min_sequence
        )
        (hits,) = self.call("Search", request).results
        return list(hits.item_ids)


def read(address):
    with urlopen(address, timeout=20) as response:
        return response.read().decode()


def vector(number):
    row = np.random.default_rng(number).normal(size=DIMENSION).astype("<f4")
    return representation_pb2.Vectors(dimension=DIMENSION, data=row.tobytes())


class Writer:
    """Writes one item after the other over new connections, and remembers what was acknowledged."""

    def __init__(self, caller):
        self.caller = caller
        self.acknowledged = {}  # sequences, by numbers of items
        self.changed = threading.Condition()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.write)
        self.thread.start()

    def write(self):
        for number in itertools.count():
            sequence = self.caller.index(number)
            with self.changed:
                self.acknowledged[number] = sequence
                self.changed.notify_all()
            if self.ended.is_set():
                return

    def more(self, count):
        """Return when so many more are acknowledged."""
        with self.changed:
            wanted = len(self.acknowledged) + count
            assert self.changed.wait_for(lambda: len(self.acknowledged) >= wanted, _PATIENCE_S)

    def end(self):
        self.ended.set()
        self.thread.join()
        return self.acknowledged


def kill_some(workers, rounds, rng):
    """Kill workers while there is writing, and look that all that was acknowledged is there."""
    caller = Caller(workers.target())
    caller.create()
    writing = Writer(caller)
    for _ in range(rounds):
        writing.more(rng.randint(1, 8))
        os.kill(rng.choice(workers.pids()), signal.SIGKILL)
    writing.more(5)
    acknowledged = writing.end()
    last = max(acknowledged.values())
    for number in acknowledged:
        assert caller.found(number, last) == [f"i{number}"]
    counted = caller.call("Count", pb.CountRequest(collection="v", min_sequence=last))
    assert counted.item_count >= len(acknowledged)
    assert workers.end() == 0


EACH = pytest.mark.parametrize(
    ("transport", "dialect"),
    [("native", "sqlite"), ("grpcio", "sqlite"), ("native", "postgres")],
)


@EACH
def test_whoever_is_killed_is_replaced_and_nothing_acknowledged_is_lost(start, transport, address):
    workers = start("--transport", transport, address=address)
    kill_some(workers, 2, random.Random(1))


@pytest.mark.parametrize("transport", ["native", "grpcio"])
def test_connections_are_spread_over_all_workers(start, transport):
    workers = start("--transport", transport, "--metrics-listen", "0")
    caller = Caller(workers.target())
    for _ in range(40):  # all would go to one of two once in 2^39 times
        caller.call("ListCollections", pb.ListCollectionsRequest())
    ports = re.findall(r"by HTTP on port (\d+)", workers.log.read_text())
    pages = [read(f"http://127.0.0.1:{each}/metrics") for each in ports]
    answered = [re.findall(r'seconds_count{.*"ListCollections".*} (\d+)', each) for each in pages]
    assert len(answered) == 2
    assert sum(int(count) for (count,) in answered) == 40  # each has had some
    leads = [re.findall(r"^cipherlens_leads (\S+)", each, re.MULTILINE) for each in pages]
    assert sorted(leads) == [["0.0"], ["1.0"]]


def test_workers_end_with_the_one_that_started_them(start):
    workers = start()
    workers.target()
    pids = workers.pids()
    assert len(pids) == 2
    workers.process.kill()
    for pid in pids:
        wait_for_end(pid)


def wait_for_end(pid):
    """Return once a process that is no child of this one has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], _PATIENCE_S)[0]
    finally:
        os.close(descriptor)


def test_a_port_that_another_program_has_is_not_shared(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        workers = Workers(tmp_path / "data", tmp_path / "log", "--listen", listen)
        assert workers.process.wait(_PATIENCE_S) == 1
        workers.process.stdout.close()
    assert f"cannot listen on {listen}" in (tmp_path / "log").read_text()


def test_what_the_first_worker_cannot_start_with_is_told_once(start, tmp_path):
    (tmp_path / "data").write_bytes(b"")
    workers = start()
    assert workers.process.wait(_PATIENCE_S) == 1
    assert (tmp_path / "log").read_text().count("is a file") == 1


def test_what_cannot_be_shared_is_refused(tmp_path):
    with pytest.raises(StartupError, match="workers: 2 cannot share unix:/x"):
        run(ServerConfig(data_dir=tmp_path, workers=2, listen="unix:/x"))
    with pytest.raises(StartupError, match="workers: 2 need the role cloud"):
        run(ServerConfig(data_dir=tmp_path, workers=2, role="all", keyring=tmp_path))
    with pytest.raises(StartupError, match="workers: 2 cannot share unix:/x"):
        run(
            ServerConfig(
                data_dir=tmp_path, workers=2, listen="127.0.0.1:0", follow_listen="unix:/x"
            )
        )
    for name in ("follow_listen", "metrics_listen"):
        with pytest.raises(
            StartupError, match=f"{name}: 127.0.0.1:65534 and the next of 3 workers"
        ):
            run(ServerConfig(data_dir=tmp_path, workers=3, **{name: "127.0.0.1:65534"}))


def test_a_worker_has_the_port_of_all_and_one_of_its_own_for_metrics(tmp_path):
    config = ServerConfig(data_dir=tmp_path, workers=2, metrics_listen="9000")
    assert not config.follow
    found = Worker(1, "127.0.0.1:5000", "", 3, 4).config(config)
    assert (found.follow, found.listen, found.metrics_listen) == (True, "127.0.0.1:5000", "9001")


@pytest.mark.parametrize("dialect", ["postgres"])
def test_one_that_lost_the_database_is_started_again_and_follows(
    start, address, postgres, tmp_path
):
    workers = start(address=address, workers=2)
    caller = Caller(workers.target())
    caller.create()
    before = set(workers.pids())
    other = Database(open_dialect(tmp_path / "other", address, "unix:nobody"))

    def take():  # until it was quicker than the one that leads, and the one that follows
        while not leads():
            postgres.end_sessions(address)

    def leads():
        with suppress(ServerError):  # as its own sessions end, too
            return other.try_to_lead()

    taking = threading.Thread(target=take)
    taking.start()
    taking.join(_PATIENCE_S)
    assert not taking.is_alive()
    wait_for_change(lambda: before - set(workers.pids()))
    other.close()
    assert caller.index(1) == 1
    assert "another server has taken the database over" in workers.log.read_text()


def wait_for_change(found):
    until = time.monotonic() + _PATIENCE_S
    while not found():
        assert time.monotonic() < until
        time.sleep(0.05)
