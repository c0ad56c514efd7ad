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

TokenId = Callable[[str], str | None]
"""Gives the public part of a token, None if it is none."""


class AccessLog:
    """Decides which calls get a line, before anything is made of it, and writes it."""

    def __init__(self, settings: LogSettings, token_id: TokenId) -> None:
        """Take how much is logged, and what knows the ids of tokens."""
        self._share = settings.access_share
        self._lines = LinesPerSecond(settings.lines_per_s)
        self._token_id = token_id
        self._left_out = 0  # of the line that comes next

    def admits(self) -> bool:
        """Return whether a call gets a line."""
        if not self._share or (self._share < 1 and random.random() >= self._share):
            return False
        passes, left_out = self._lines.take()
        if left_out:
            self._left_out = left_out
        return passes

    def write(self, seen: SeenCall, code: str, metadata: Metadata, sizes: Sizes) -> None:
        """Log a call that has ended."""
        request_bytes, response_bytes = sizes()
        fields = {
            "request_id": seen.request_id,
            "rpc": f"{seen.service}/{seen.method}",
            "code": code,
            "duration_ms": round(1000 * seen.seconds, 3),
            # What is shown to a server that does not know it may be anything.
            "token_id": "" if code == "UNAUTHENTICATED" else self._shown(metadata),
            "request_bytes": request_bytes,
            "response_bytes": response_bytes,
        }
        left_out, self._left_out = self._left_out, 0
        _log.info("call", extra={"fields": fields | ({"left_out": left_out} if left_out else {})})

    def _shown(self, metadata: Metadata) -> str:
        """Return the public part of the token that came with a call, empty if none did."""
        for key, value in metadata:
            if key == "authorization" and isinstance(value, str):
                return self._token_id(value.rpartition(" ")[2]) or ""
        return ""
