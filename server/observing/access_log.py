"""A line in the log for a share of the calls, and for no more of them a second than it bears."""

import logging
import random
from collections.abc import Callable

from cipherlens.server.call import Metadata
from cipherlens.server.config import LogSettings
from cipherlens.server.observing.logs import LinesPerSecond
from cipherlens.server.observing.seen import SeenCall

_log = logging.getLogger("cipherlens.access")

Sizes = Callable[[], tuple[int, int]]
"""Gives the bytes of a request and of its answer, which take time to count."""

TokenId = Callable[[Metadata], str]
"""Gives the public part of the token that came with a call, empty if none did."""


class AccessLog:
    """Decides which calls get a line, before anything is made of it, and writes it."""

    def __init__(self, settings: LogSettings, token_id: TokenId) -> None:
        """Take how much is logged, and what knows the ids of tokens."""
        self._share = settings.access_share
        self._lines = LinesPerSecond(settings.lines_per_s)
        self._token_id = token_id
        self._left_out = 0  # of the line that comes next

    def admits(self, calls: int = 1) -> int:
        """Return how many of so many calls that have ended get a line."""
        if not self._share:
            return 0
        if self._share < 1:
            calls = sum(random.random() < self._share for _ in range(calls))
        passed, left_out = self._lines.take(calls)
        if left_out:
            self._left_out = left_out
        return passed

    def write(self, seen: SeenCall, code: str, metadata: Metadata, sizes: Sizes) -> None:
        """Log a call that has ended."""
        request_bytes, response_bytes = sizes()
        fields = {
            "request_id": seen.request_id,
            "rpc": f"{seen.service}/{seen.method}",
            "code": code,
            "duration_ms": round(1000 * seen.seconds, 3),
            # What is shown to a server that does not know it may be anything.
            "token_id": "" if code == "UNAUTHENTICATED" else self._token_id(metadata),
            "request_bytes": request_bytes,
            "response_bytes": response_bytes,
        }
        left_out, self._left_out = self._left_out, 0
        _log.info("call", extra={"fields": fields | ({"left_out": left_out} if left_out else {})})
