"""Durable ingest: items a second through the engine and through gRPC, beside bare SQLite.

Bare SQLite writes the very rows that the engine has written, a transaction for each batch, on one
thread. Through gRPC the load is Python's, with requests encoded beforehand, on the same cores.
"""

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from benchmarks.harness.progress import told
from benchmarks.harness.server import serving
from benchmarks.timing.bare_rows import BareDatabase, batches_of
from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import CodeBatch, Engine, ItemHead, NewCollection, VectorBatch
from cipherlens.v1 import collection_pb2, representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

PLACE = 4.5
NOTES = """
A ratio is the median over rounds in which the three take turns. Several callers share transactions,
which bare SQLite, a transaction for each batch, does not; it has its own defaults, where the server
copies its write-ahead log back a quarter as often. Vectors are put into lists in the
background meanwhile, as always.
"""

BITS, DIMENSION = 64, 768
CALLERS = (1, 4, 16)
# Items that a contender writes in a round, by batch.
CODES = {1: 400, 100: 6_400, 1000: 16_000}
VECTORS = {1: 400, 100: 3_200, 1000: 16_000}
ROUNDS = {"quick": 3, "full": 7}
SEED = 1
_DATABASE = "cipherlens.sqlite3"
_METHOD = "/cipherlens.v1.RetrievalService/Index"


class Case(NamedTuple):
    """Items of a kind, how many go into a batch, and how many callers send batches."""

    kind: Kind
    batch: int
    callers: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        what = f"codes of {BITS} bits" if self.kind is Kind.CODE else f"vectors of {DIMENSION}"
        return f"{what}, batches of {self.batch}, callers: {self.callers}"


class Job(NamedTuple):
    """A batch as the engine takes it, and as it travels."""

    heads: list[ItemHead]
    content: CodeBatch | VectorBatch
    encoded: bytes


def run(profile: str) -> dict[str, Any]:
    """Return medians in items a second, and their ratios to bare SQLite's."""
    kinds = {Kind.CODE: CODES, Kind.VECTOR: VECTORS}
    cases = [
        Case(kind, batch, callers)
        for kind, counts in kinds.items()
        for batch in counts
        for callers in CALLERS
    ]
    raw = {
        case.name: _measured(case, kinds[case.kind][case.batch], ROUNDS[profile])
        for case in told("ingest", cases)
    }
    return {
        "seed": SEED,
        "rounds": raw,
        "results": {name: _figures(rounds) for name, rounds in raw.items()},
    }


def _figures(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    median = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    ratios = {
        f"{name} / bare": round(statistics.median(each[name] / each["bare"] for each in rounds), 2)
        for name in ("engine", "gRPC")
    }
    return {f"{name}, items/s": round(rate) for name, rate in median.items()} | ratios


def _measured(case: Case, count: int, rounds: int) -> list[dict[str, float]]:
    """Return the items a second of each contender in each round."""
    with tempfile.TemporaryDirectory() as name, _contenders(case, Path(name)) as (contenders, bare):
        found = []
        numbers = itertools.count()
        for number in range(rounds):
            jobs = [_job(case, next(numbers)) for _ in range(count // case.batch)]
            taken = {
                each: _seconds(write, jobs, case.callers) for each, write in contenders.items()
            }
            taken["bare"] = bare(number * count, (number + 1) * count)
            found.append({each: round(count / seconds, 1) for each, seconds in taken.items()})
        return found


@contextmanager
def _contenders(
    case: Case, folder: Path
) -> Iterator[tuple[dict[str, Callable[[Job], object]], Callable[[int, int], float]]]:
    """Give what writes a job, by name, and what writes the same rows and says how long it took."""
    new = NewCollection(
        name="c",
        kind=case.kind,
        bits=BITS if case.kind is Kind.CODE else 0,
        dimension=DIMENSION if case.kind is Kind.VECTOR else 0,
    )
    with (
        closing(Engine(ServerConfig(data_dir=folder / "engine", device="cpu"))) as engine,
        serving(folder / "served") as address,
        grpc.insecure_channel(address) as channel,
    ):
        engine.load()
        engine.collections.create(new)
        _create(channel, new)
        index: Any = channel.unary_unary(_METHOD)
        database = folder / "engine" / _DATABASE
        with closing(BareDatabase(folder / "bare.sqlite3", database)) as bare:

            def bare_seconds(after: int, until: int) -> float:
                batches = batches_of(database, after, until, case.batch)
                start = time.perf_counter()
                bare.write(batches)
                return time.perf_counter() - start

            yield (
                {
                    "engine": lambda job: engine.items.index("c", *job[:2], b"", Call()),
                    "gRPC": lambda job: index(job.encoded),
                },
                bare_seconds,
            )


def _create(channel: grpc.Channel, new: NewCollection) -> None:
    kind = (
        collection_pb2.COLLECTION_KIND_CODE
        if new.kind is Kind.CODE
        else collection_pb2.COLLECTION_KIND_VECTOR
    )
    request = pb.CreateCollectionRequest(
        name=new.name, kind=kind, bits=new.bits, dimension=new.dimension
    )
    RetrievalServiceStub(channel).CreateCollection(request)


def _seconds(write: Callable[[Job], object], jobs: Sequence[Job], callers: int) -> float:
    """Return how long so many callers, each with a job in hand at all times, take for all jobs."""
    waiting = iter(jobs)
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                job = next(waiting, None)
            if job is None:
                return
            write(job)

    threads = [threading.Thread(target=work) for _ in range(callers)]
    start = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return time.perf_counter() - start


def _job(case: Case, number: int) -> Job:
    """Return a batch of items that no other has."""
    draw = np.random.default_rng([SEED, number])
    ids = [f"item-{number:06}-{place:04}" for place in range(case.batch)]
    heads = [ItemHead(each, 1, b"", b"") for each in ids]
    request = pb.IndexRequest(
        collection="c", items=[pb.IndexItem(item_id=each, revision=1) for each in ids]
    )
    if case.kind is Kind.CODE:
        codes = draw.integers(0, 256, (case.batch, BITS // 8), dtype=np.uint8)
        request.codes.CopyFrom(representation_pb2.Codes(bits=BITS, data=codes.tobytes()))
        return Job(heads, CodeBatch(codes, BITS), request.SerializeToString())
    sent = draw.standard_normal((case.batch, DIMENSION), dtype=np.float32)
    request.vectors.CopyFrom(representation_pb2.Vectors(dimension=DIMENSION, data=sent.tobytes()))
    rows = sent / np.linalg.norm(sent, axis=1, keepdims=True)
    return Job(heads, VectorBatch(rows, sent), request.SerializeToString())
