"""A call on the front in Rust: who asks, what he is sent, and whether he is still there."""

import threading
from collections.abc import Callable, Generator
from typing import Any

from google.rpc import code_pb2
from pygrpc_native import STREAM_FULL, STREAM_SENT

from cipherlens.server.call import Call
from cipherlens.server.transport.guard import Refusal

# Between looks whether a caller who reads has read what was sent.
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.00002, 0.02


class OpenCall:
    """A call that is to be answered, and who wants to know when its caller is gone."""

    def __init__(self, front: Any, number: int, details: Any) -> None:
        """Take the number that the front gave it, and its metadata, peer and time."""
        metadata, peer, time_remaining = details
        self._front = front
        self._number = number
        self._ended = threading.Event()
        self._lock = threading.Lock()  # guards _callbacks against the end
        self._callbacks: list[Callable[[], None]] = []
        self.call = Call.within(
            time_remaining,
            is_active=self._is_active,
            on_end=self._on_end,
            metadata=lambda: metadata,
            peer=lambda: peer,
        )

    def end(self) -> None:
        """Tell who works on it that its caller is gone, or has his answer."""
        with self._lock:
            self._ended.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def respond(self, response: bytes) -> None:
        """Send the one answer."""
        self._front.respond(self._number, response, None, self.call.trailers)

    def refuse(self, refusal: Refusal) -> None:
        """Send the status of a refusal."""
        status = refusal.status
        details = [
            ("grpc-status-details-bin", status.SerializeToString()),
            *self.call.trailers,
        ]
        self._front.fail(self._number, status.code, status.message, trailing_metadata=details)

    def fail(self) -> None:
        """Say that something went wrong, and no more."""
        self._front.fail(self._number, code_pb2.INTERNAL, "internal error")

    def stream(self, responses: Generator[Any, None, None], within_s: float) -> None:
        """Send answers, each if the caller reads in time; none after one that he does not."""
        try:
            for response in responses:
                if not self._sent(response.SerializeToString(), within_s):
                    return  # the caller is gone, or does not read
            self._front.stream_end(self._number, self.call.trailers)
        finally:
            responses.close()

    def _sent(self, data: bytes, within_s: float) -> bool:
        """Send a part of a stream, if its caller takes it in time.

        The front's own way of waiting has no end while a caller is there and does not read, and
        it tells nobody when there is room: so it is asked again and again.
        """
        pause_s, waited_s = _SHORTEST_PAUSE_S, 0.0
        while (sent := self._front.stream_try_send(self._number, data)) == STREAM_FULL:
            if waited_s >= within_s:
                late = "what was sent was not read in time"
                self._front.fail(self._number, code_pb2.DEADLINE_EXCEEDED, late)
                return False
            self._ended.wait(pause_s)
            waited_s += pause_s
            # One who has not read for long is looked at seldom: many of them cost no processor.
            pause_s = min(2 * pause_s, max(_LONGEST_PAUSE_S, waited_s / 10))
        return bool(sent == STREAM_SENT)

    def _is_active(self) -> bool:
        return not self._ended.is_set()

    def _on_end(self, callback: Callable[[], None]) -> bool:
        with self._lock:
            is_active = self._is_active()
            if is_active:
                self._callbacks.append(callback)
            return is_active
