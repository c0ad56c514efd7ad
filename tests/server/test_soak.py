"""Minutes of index, search, delete, drop and restart: what the server holds must stay level.

`CIPHERLENS_SOAK_S` shortens it, `CIPHERLENS_SOAK_OUT` names a JSON file for what was measured; a
plot of it lies beside. The last ten minutes are in `benchmarks/results/soak.json`.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest

from cipherlens.v1 import collection_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

DIMENSION = 64
ITEMS = 20_000
PER_BATCH = 200
SEARCHERS = 2
# In this time caches fill, lists are trained and the allocator has what it keeps.
WARM_PART = 0.4
LEVEL = 1.10
MIB = 2**20


class Child:
    """A server in a process of its own."""

    def __init__(self, folder):
        command = [sys.executable, "-m", "cipherlens.client.cli", "serve", "--device", "cpu"]
        command += ["--data-dir", folder, "--listen", "127.0.0.1:0", "--keep-tombstones-s", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{line.partition(' (')[0].rpartition(':')[2]}"
        )
        self.stub = retrieval_service_pb2_grpc.RetrievalServiceStub(self.channel)

    def resident_bytes(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [each for each in status.splitlines() if each.startswith("VmRSS")]
        return int(line.split()[1]) * 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))  # noqa: PTH208

    def stop(self):
        self.channel.close()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self.process.stdout.close()


def create(stub, name):
    kind = collection_pb2.COLLECTION_KIND_VECTOR
    stub.CreateCollection(
        pb.CreateCollectionRequest(name=name, kind=kind, dimension=DIMENSION), timeout=60
    )


class Work:
    """Writes what replaces, deletes and drops as much as it adds, while others search."""

    def __init__(self, vectors):
        self.child = None
        self.failed = []
        self.searches = self.writes = self.revision = 0
        self._vectors = vectors
        self._rng = np.random.default_rng(0)

    def rows(self, count):
        return self._vectors(self._rng.normal(size=(count, DIMENSION)).astype(np.float32))

    def index(self, name, first):
        self.revision += 1
        items = [
            pb.IndexItem(item_id=f"i{n}", revision=self.revision, sealed_original=b"s" * 2000)
            for n in range(first, first + PER_BATCH)
        ]
        request = pb.IndexRequest(collection=name, items=items, vectors=self.rows(PER_BATCH))
        self.writes += PER_BATCH
        return self.child.stub.Index(request, timeout=60).sequence

    def fill(self):
        create(self.child.stub, "kept")
        for first in range(0, ITEMS, PER_BATCH):
            self.index("kept", first)

    def round(self, number):
        """Replace a batch, delete one and write it again, make, fill and drop a collection."""
        first = number * PER_BATCH % ITEMS
        self.index("kept", first)
        other = (first + ITEMS // 2) % ITEMS
        sequence = self.index("kept", other)
        ids = [f"i{n}" for n in range(other, other + PER_BATCH)]
        self.child.stub.Delete(
            pb.DeleteRequest(collection="kept", item_ids=ids, up_to_sequence=sequence), timeout=60
        )
        self.index("kept", other)
        create(self.child.stub, "passing")
        self.index("passing", 0)
        self.child.stub.DeleteCollection(pb.DeleteCollectionRequest(name="passing"), timeout=60)

    def search(self, stop):
        rng = np.random.default_rng(threading.get_ident())
        while not stop.is_set():
            query = self._vectors(rng.normal(size=(1, DIMENSION)).astype(np.float32))
            request = pb.SearchRequest(collection="kept", k=10, vectors=query)
            try:
                found = self.child.stub.Search(request, timeout=60)
                assert len(found.results[0].item_ids) == 10
                self.searches += 1
            except Exception as error:  # noqa: BLE001 - shown by the test
                self.failed.append(error)
                return


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_what_a_server_holds_stays_level(tmp_path, vectors):
    lasts_s = float(os.environ.get("CIPHERLENS_SOAK_S", "600"))
    work, measured, number = Work(vectors), [], 0
    for life in range(2):  # with a restart between, from which it goes on
        work.child = Child(tmp_path)
        if life == 0:
            work.fill()
        stop = threading.Event()
        searchers = [threading.Thread(target=work.search, args=[stop]) for _ in range(SEARCHERS)]
        for each in searchers:
            each.start()
        began = time.monotonic()
        while (at := time.monotonic() - began) < lasts_s / 2 and not work.failed:
            work.round(number)
            number += 1
            if number % 5 == 0:
                measured.append(measure(work.child, tmp_path, life, at))
        stop.set()
        for each in searchers:
            each.join(60)
        work.child.stop()
    keep(measured, work, lasts_s)
    assert work.failed == []
    for life in range(2):
        for name in ("resident_bytes", "folder_bytes", "open_files", "threads"):
            check_level(name, [each for each in measured if each["life"] == life], lasts_s / 2)


def measure(child, folder, life, at):
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return {
        "life": life,
        "at_s": round(at, 1),
        "resident_bytes": child.resident_bytes(),
        "folder_bytes": sum(sizes),
        "open_files": child.open_files(),
        "threads": child.threads(),
    }


def check_level(name, measured, lasts_s):
    """The median of the last fifth is hardly above that of as long a time after the warm part."""
    early = [
        each[name] for each in measured if WARM_PART <= each["at_s"] / lasts_s < WARM_PART + 0.2
    ]
    late = [each[name] for each in measured if each["at_s"] / lasts_s >= 0.8]
    assert np.median(late) <= LEVEL * np.median(early), (name, early, late)


def keep(measured, work, lasts_s):
    if out := os.environ.get("CIPHERLENS_SOAK_OUT"):
        document = {
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "lasts_s": lasts_s,
            "writes": work.writes,
            "searches": work.searches,
            "measured": measured,
        }
        rows = ",\n ".join(map(json.dumps, document.pop("measured")))
        text = json.dumps(document).removesuffix("}")
        Path(out).write_text(f'{text}, "measured": [\n {rows}\n]}}\n')
        plot(measured, Path(out).with_suffix(".png"))


def plot(measured, path):
    """Draw what the process and its folder held, one life behind the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots()
    length = max(each["at_s"] for each in measured)
    at = [(each["life"] * length + each["at_s"]) / 60 for each in measured]
    for name, label in (("resident_bytes", "memory"), ("folder_bytes", "data folder")):
        axes.plot(at, [each[name] / MIB for each in measured], label=label)
    axes.axvline(length / 60, color="grey", linestyle=":", label="restart")
    axes.set(xlabel="minutes", ylabel="MiB", ylim=(0, None))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
