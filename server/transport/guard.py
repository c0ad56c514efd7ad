"""What stands in front of every method, whatever the transport."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from google.rpc.code_pb2 import INTERNAL
from google.rpc.status_pb2 import Status

from cipherlens.server.call import Call
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.service import Method, Service
from cipherlens.server.transport.status import Codes, status_of

_log = logging.getLogger(__name__)

Authorise = Callable[[Method, Call], None]
"""Raises Unauthenticated or PermissionDenied unless the caller may use the method."""


def anyone(_method: Method, _call: Call) -> None:
    """Let every caller use every method."""


Together = Callable[[Sequence[bytes], Callable[[], Sequence[Call]]], Sequence[bytes | None]]


class Refusal(Exception):
    """A call that ends with a status in place of an answer; each transport sends it its own way."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Guard:
    """Credentials, admission, and failures turned into statuses: the one place for all three."""

    def __init__(self, admission: Admission, codes: Codes, authorise: Authorise = anyone) -> None:
        self._admission = admission
        self._codes = codes
        self._authorise = authorise

    def guarded(self, method: Method) -> Callable[[Any, Call], Any]:
        """Return the method's behaviour behind the guard; it raises nothing but Refusal."""
        return self._streaming(method) if method.gives_stream else self._single(method)

    def together(self, method: Method) -> Together | None:
        """Return `method.together` behind the guard: it takes requests, and what gives their calls.

        It raises nothing: what is refused is among the requests that must be answered one by one.
        """
        together = method.together
        if together is None:
            return None

        def guarded(
            requests: Sequence[bytes], calls: Callable[[], Sequence[Call]]
        ) -> Sequence[bytes | None]:
            nothing = [None] * len(requests)
            try:
                if self._authorise is not anyone:
                    for call in calls():
                        self._authorise(method, call)
                return together(requests) if self._admission.is_open else nothing
            except Exception:  # noqa: BLE001 - whose it is shows when each has its own turn
                return nothing

        return guarded

    def _single(self, method: Method) -> Callable[[Any, Call], Any]:
        places = self._places(method)

        def guarded(request: Any, call: Call) -> Any:
            try:
                self._authorise(method, call)
                with places:
                    return method.behaviour(request, call)
            except Exception as error:
                raise self._refusal(error, call) from error

        return guarded

    def _streaming(self, method: Method) -> Callable[[Any, Call], Iterator[Any]]:
        places = self._places(method)

        def guarded(request: Any, call: Call) -> Iterator[Any]:
            try:
                self._authorise(method, call)
                with places:
                    yield from method.behaviour(request, call)
            except Exception as error:
                raise self._refusal(error, call) from error

        return guarded

    def _places(self, method: Method) -> AbstractContextManager[None]:
        return self._admission.writes if method.writes else self._admission.reads

    def _refusal(self, error: Exception, call: Call) -> Refusal:
        status = status_of(error, self._codes)
        if status.code == INTERNAL and call.is_active():
            _log.error("a call failed", exc_info=error)
        return Refusal(status)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A service, and the guard that stands in front of it."""

    service: Service
    guard: Guard
