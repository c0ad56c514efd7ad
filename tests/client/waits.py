"""Answers of a scripted server that come when a test says so."""

import threading
from typing import Any

import grpc


class Held:
    """An answer that is held back until `release`, or until the caller has gone.

    Attributes:
        begun: set when the call has come.
        gone: set when it has ended, one way or the other.
        left_s: how long the caller would have waited, known once it has come.
    """

    def __init__(self, answer: Any) -> None:
        self.begun, self.gone, self._open = (threading.Event() for _ in range(3))
        self.left_s = 0.0
        self._answer = answer

    def release(self) -> None:
        self._open.set()

    def __call__(self, context: grpc.ServicerContext) -> Any:
        context.add_callback(self._end)
        self.left_s = context.time_remaining()
        self.begun.set()
        self._open.wait(10)
        return self._answer

    def _end(self) -> None:
        self.gone.set()
        self._open.set()
