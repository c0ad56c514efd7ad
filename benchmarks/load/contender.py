"""A server under load: anything that answers searches and can be driven by a C program."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import grpc
import numpy as np

from benchmarks.harness.processor_time import cpu_s
from benchmarks.harness.progress import told
from benchmarks.load.arrangement import Arrangement
from benchmarks.load.h2load import SEARCH, Body, Process, answered, framed
from benchmarks.load.workload import K, Workload, codes, vectors
from cipherlens.v1 import retrieval_service_pb2 as pb

_BODIES_IN_TURN = 4
"""Bodies that take turns where one call is in flight: h2load repeats one."""
_CHECK_TIMEOUT_S = 30.0
_NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Driven:
    """What a contender did under load: right answers a second, processor time for each."""

    rate: float
    cpu_us: float


class Contender(Protocol):
    """A server with a workload that has been stored and checked."""

    @property
    def recall(self) -> float | None:
        """Which part of the exact hits its answers hold; None if it does not search."""

    def drive(self, arrangement: Arrangement, seconds: float, turn: int) -> Driven:
        """Load it for so long; turns bring other queries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GrpcContender:
    """A gRPC server at a URL, its process, and the bodies that it answered right."""

    url: str
    pid: int
    bodies: list[Body]
    recall: float | None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def drive(self, arrangement: Arrangement, seconds: float, turn: int) -> Driven:
        """Load it by h2load."""
        before_s = cpu_s(self.pid)
        answers = sum(
            answered(self.url, processes, share_s, metadata=self.metadata)
            for processes, share_s in self._loads(arrangement, seconds, turn)
        )
        spent_s = cpu_s(self.pid) - before_s
        return Driven(rate=answers / seconds, cpu_us=spent_s * 1e6 / answers)

    def _loads(
        self, arrangement: Arrangement, seconds: float, turn: int
    ) -> Iterator[tuple[list[Process], float]]:
        """Yield what to run at once and for how long."""
        if arrangement.in_flight == 1:
            for body in self._bodies(_BODIES_IN_TURN, turn):
                yield [Process(body=body, connections=1, streams=1)], seconds / _BODIES_IN_TURN
            return
        yield (
            [
                Process(body=body, connections=1, streams=arrangement.streams)
                for body in self._bodies(arrangement.processes, turn)
            ],
            seconds,
        )

    def _bodies(self, count: int, turn: int) -> list[Body]:
        return [self.bodies[(turn * count + i) % len(self.bodies)] for i in range(count)]


def grpc_contender(
    *,
    address: str,
    pid: int,
    workload: Workload,
    folder: Path,
    batch: int = 1,
    empty: bool = False,
    credentials: grpc.ChannelCredentials | None = None,
    metadata: Mapping[str, str] = _NO_METADATA,
) -> GrpcContender:
    """Ask every query once, check the answers, and return the server as a contender.

    Each answer must have status OK and K hits for each query; `batch` of them make a request. Of
    an empty call there is no recall.
    """
    requests = workload.requests(batch)
    bodies, answers = checked_bodies(address, requests, folder, credentials, metadata)
    found = np.array([row for answer in answers for row in _rows(answer)])
    return GrpcContender(
        url=_url(address, is_secure=credentials is not None),
        pid=pid,
        bodies=bodies,
        recall=None if empty else workload.recall(found),
        metadata=metadata,
    )


def _url(address: str, *, is_secure: bool) -> str:
    """Return what h2load takes: the address itself for a socket file."""
    if address.startswith("unix:"):
        return address
    return f"{'https' if is_secure else 'http'}://{address}"


def checked_bodies(
    address: str,
    requests: Sequence[pb.SearchRequest],
    folder: Path,
    credentials: grpc.ChannelCredentials | None = None,
    metadata: Mapping[str, str] = _NO_METADATA,
) -> tuple[list[Body], list[pb.SearchResponse]]:
    """Ask each request once; return bodies that lie in the folder, and the answers.

    Raises grpc.RpcError for a status that is not OK.
    """
    with _channel(address, credentials) as channel:
        grpc.channel_ready_future(channel).result(_CHECK_TIMEOUT_S)
        search: Callable[..., bytes] = channel.unary_unary(SEARCH)
        messages = [each.SerializeToString() for each in requests]
        brought = tuple(metadata.items())
        answers = [search(each, timeout=_CHECK_TIMEOUT_S, metadata=brought) for each in messages]
    bodies = [
        Body(path=_write(folder, number, message), answer_bytes=len(answer))
        for number, (message, answer) in enumerate(zip(messages, answers, strict=True))
    ]
    return bodies, [pb.SearchResponse.FromString(each) for each in answers]


def _channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
    options = [("grpc.max_receive_message_length", -1)]
    if credentials:
        return grpc.secure_channel(address, credentials, options)
    return grpc.insecure_channel(address, options)


def _rows(response: pb.SearchResponse) -> list[list[int]]:
    """Return the numbers of the rows found for each query; their ids end with them."""
    return [_row_numbers(each.item_ids) for each in response.results]


def _row_numbers(ids: Sequence[str]) -> list[int]:
    if len(set(ids)) != K:
        raise RuntimeError(f"{K} hits were wanted, {len(set(ids))} came")
    return [int(each.rpartition("-")[2]) for each in ids]


def _write(folder: Path, number: int, request: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number}.body"
    path.write_bytes(framed(request))
    return path


def rate_of(driven: Sequence[Driven]) -> float:
    """Return the median rate of the rounds."""
    return statistics.median(each.rate for each in driven)


def cpu_us_of(driven: Sequence[Driven]) -> float:
    """Return the median processor time of the rounds, in microseconds an answer."""
    return statistics.median(each.cpu_us for each in driven)


Measured = Mapping[str, Mapping[str, list[Driven]]]
"""What each contender did, by its name and the arrangement's, in every round."""


def in_turn(
    contenders: Mapping[str, Contender],
    arrangements: tuple[Arrangement, ...],
    *,
    rounds: int,
    seconds: float,
) -> Measured:
    """Return what every contender did under every arrangement; all take turns in each round."""
    found: dict[str, dict[str, list[Driven]]] = {
        name: {each.name: [] for each in arrangements} for name in contenders
    }
    for turn in told("rounds", range(rounds)):
        for arrangement in arrangements:
            for name, contender in contenders.items():
                driven = contender.drive(arrangement, seconds, turn)
                found[name][arrangement.name].append(driven)
    return found


def of_both_kinds(
    contenders: Callable[[Workload, Path, ExitStack], Mapping[str, Contender]],
    rows: int,
    arrangements: tuple[Arrangement, ...],
    *,
    rounds: int,
    seconds: float,
) -> dict[str, Measured]:
    """Return by kind what contenders for codes and for vectors did, each started for it alone.

    `contenders` starts them on a workload, in a folder, until the stack is closed.
    """
    measured: dict[str, Measured] = {}
    for make in (codes, vectors):
        asked = make(rows)
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            started = contenders(asked, Path(folder), stack)
            measured[asked.kind] = in_turn(started, arrangements, rounds=rounds, seconds=seconds)
    return measured
