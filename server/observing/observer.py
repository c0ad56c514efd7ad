"""Calls as they end: counted, and if it is wanted logged and told to a tracer."""

import re
from collections.abc import Callable
from operator import itemgetter
from uuid import uuid4

from cipherlens.server.call import Metadata
from cipherlens.server.config import ServerConfig
from cipherlens.server.observing.access_log import AccessLog, Sizes, TokenId
from cipherlens.server.observing.counts import Counts
from cipherlens.server.observing.seen import SeenCall, current_call
from cipherlens.server.observing.tracing import TRACE_PARENT, Tracer, tracer_of

REQUEST_ID = "x-request-id"
"""Metadata with an id that the caller gives a call; it comes back as a trailer of that name."""

SERVER_TIMING = "x-server-timing"
"""Metadata that asks for the trailer `server-timing`, with the time of each stage."""

_KEY = itemgetter(0)
_fits = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}").fullmatch

Each = Callable[[int], tuple[str, Metadata, Sizes]]
"""Gives request id, metadata and sizes of one of several calls."""


class Observer:
    """Takes in what calls come to; any method may be called from any thread.

    calls: durations by service, method and code. stages: durations by stage and method.
    """

    def __init__(self, access_log: AccessLog, tracer: Tracer | None) -> None:
        """Take where lines and spans go."""
        self.calls = Counts()
        self.stages = Counts()
        self._access_log = access_log
        self._tracer = tracer
        self._alone = frozenset({SERVER_TIMING} | ({TRACE_PARENT} if tracer else set()))

    def begin(self, service: str, method: str, metadata: Metadata) -> SeenCall:
        """Return a call that begins, with the id that the caller gave or a new one."""
        return SeenCall(service, method, given_id(metadata) or uuid4().hex)

    def wants_alone(self, metadata: Metadata) -> bool:
        """Return whether a call asks for more than an answer: it cannot share one look."""
        return not self._alone.isdisjoint(map(_KEY, metadata))  # at half the price of a loop

    def end(self, seen: SeenCall, code: str, metadata: Metadata, sizes: Sizes) -> None:
        """Take in a call that has ended with a code, such as "OK"."""
        seconds = seen.seconds
        self._count(seen, code, seconds, 1)
        if self._access_log.admits():
            self._access_log.write(seen, code, metadata, sizes)
        if self._tracer is not None:
            self._tracer.record(seen, code, seconds, metadata)

    def end_together(self, seen: SeenCall, count: int, each: Each) -> None:
        """Take in calls that were answered as one, as long as which each of them took."""
        self._count(seen, "OK", seen.seconds, count)
        for number in range(self._access_log.admits(count)):
            seen.request_id, metadata, sizes = each(number)
            self._access_log.write(seen, "OK", metadata, sizes)

    def close(self) -> None:
        """Send the spans that are left."""
        if self._tracer is not None:
            self._tracer.close()

    def _count(self, seen: SeenCall, code: str, seconds: float, count: int) -> None:
        self.calls.add((seen.service, seen.method, code), seconds, count)
        for span in seen.spans:
            self.stages.add((span.stage, seen.method), span.seconds, count)


def observer_of(config: ServerConfig, token_id: TokenId) -> Observer:
    """Return the observer of a server. Raises StartupError if tracing lacks its package."""
    return Observer(AccessLog(config.log, token_id), tracer_of(config.tracing))


def given_id(metadata: Metadata) -> str | None:
    """Return the id that a caller gave, None if it is none: it goes into logs as it is."""
    for key, value in metadata:
        if key == REQUEST_ID and isinstance(value, str) and _fits(value):
            return value
    return None


def request_id(metadata: Metadata) -> str:
    """Return the id of the call that this thread works on: its caller's, or one that was made."""
    seen = current_call()
    return (seen and seen.request_id) or given_id(metadata) or uuid4().hex


def server_timing(seen: SeenCall) -> str:
    """Return the times of a call's stages in milliseconds, as the header of that name has them."""
    times = [f"{span.stage};dur={1000 * span.seconds:.3f}" for span in seen.spans]
    return ", ".join([*times, f"total;dur={1000 * seen.seconds:.3f}"])
