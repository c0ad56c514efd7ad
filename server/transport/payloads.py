"""Messages as bytes: how many may be under way, and what they say."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import DecodeError

from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField, QueueFull


class Payloads:
    """Counts the bytes of the messages under way on a listener.

    What is made of a message takes memory in its proportion, so calls alone are no bound: those of
    a thousand small searches are nothing, and those of a thousand large batches more than there is.
    """

    def __init__(self, limits: Limits) -> None:
        """Take the size of the largest message, and how many of those may be under way."""
        self._limit = limits.max_full_messages * limits.max_message_bytes
        self._lock = threading.Lock()  # guards _taken
        self._taken = 0

    def take(self, size_bytes: int) -> None:
        """Count a message. Raises QueueFull where it is too much beside the others."""
        with self._lock:
            wanted = self._taken + size_bytes
            if wanted <= self._limit:
                self._taken = wanted
                return
        raise QueueFull(
            f"requests of {self._limit} bytes are under way, the most that this server takes on",
            {"limit": str(self._limit), "value": str(wanted)},
        )

    def give_back(self, size_bytes: int) -> None:
        """Count a message no more."""
        with self._lock:
            self._taken -= size_bytes

    @contextmanager
    def counted(self, payload: bytes) -> Iterator[None]:
        """Count a message within the block. Raises QueueFull."""
        self.take(len(payload))
        try:
            yield
        finally:
            self.give_back(len(payload))


def decoded(request_type: type[Any], payload: bytes) -> Any:
    """Return the request that a method was sent. Raises InvalidField if it is none."""
    try:
        return request_type.FromString(payload)
    except DecodeError as error:
        name = request_type.DESCRIPTOR.name
        raise InvalidField("request", f"does not decode as a {name}") from error
