"""The call that a thread works on, and how long each stage of it takes."""

import time
from contextvars import ContextVar, Token
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple


class Stage(StrEnum):
    """A part of a call's way.

    QUEUE: images wait for a model. EMBED: they go through it. SEARCH: the index ranks. FETCH: items
    are read. COMMIT: a change waits for its turn, goes to disk, and the index follows.
    """

    QUEUE = "queue"
    EMBED = "embed"
    SEARCH = "search"
    FETCH = "fetch"
    COMMIT = "commit"


class Span(NamedTuple):
    """A stage, from `begin_s` on the performance counter for so many seconds."""

    stage: Stage
    begin_s: float
    seconds: float


class SeenCall:
    """A call under way.

    Attributes:
        service, method: such as "cipherlens.v1.RetrievalService" and "Search".
        request_id: the caller's, or one that was made; empty for calls that are answered as one.
        begin_s: when it began, on the performance counter.
        spans: its stages so far.
    """

    __slots__ = ("_token", "begin_s", "method", "request_id", "service", "spans")

    def __init__(self, service: str, method: str, request_id: str = "") -> None:
        self.service = service
        self.method = method
        self.request_id = request_id
        self.begin_s = time.perf_counter()
        self.spans: list[Span] = []
        self._token: Token[SeenCall | None] | None = None

    def __enter__(self) -> "SeenCall":
        """Be the call that this thread works on."""
        self._token = _CURRENT.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Be it no more."""
        if self._token is not None:
            _CURRENT.reset(self._token)

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return time.perf_counter() - self.begin_s


_CURRENT: ContextVar[SeenCall | None] = ContextVar("cipherlens_call", default=None)


def current_call() -> SeenCall | None:
    """Return the call that this thread works on, if one is observed."""
    return _CURRENT.get()


def noted(stage: Stage, begin_s: float, end_s: float) -> None:
    """Note a stage of this thread's call, between two times of the performance counter."""
    if (seen := _CURRENT.get()) is not None:
        seen.spans.append(Span(stage, begin_s, end_s - begin_s))


class timed:  # noqa: N801 - reads as the function that it stands for; a class is quicker
    """Note how long a block takes, as a stage of this thread's call."""

    __slots__ = ("_begin_s", "_stage")

    def __init__(self, stage: Stage) -> None:
        """Take the stage."""
        self._stage = stage

    def __enter__(self) -> None:
        """Begin."""
        self._begin_s = time.perf_counter()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Note it, also where it failed."""
        noted(self._stage, self._begin_s, time.perf_counter())
