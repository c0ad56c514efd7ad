"""What stands in front of every method, whatever the transport."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from google.rpc.code_pb2 import INTERNAL
from google.rpc.status_pb2 import Status

from cipherlens.server.access import OPEN_GATE, Gate, Scope
from cipherlens.server.call import Call, Metadata
from cipherlens.server.errors import ServerError
from cipherlens.server.observing import request_id
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.denials import log_denial
from cipherlens.server.transport.needs import Need, need_of
from cipherlens.server.transport.service import AnswerTogether, Method, Service
from cipherlens.server.transport.status import Codes, status_of

_log = logging.getLogger(__name__)

Together = Callable[[Sequence[bytes], Callable[[], Sequence[Metadata]]], Sequence[bytes | None]]


class Refusal(Exception):
    """A call that ends with a status in place of an answer; each transport sends it its own way."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.message)
        self.status = status


class Guard:
    """Who calls and what he may, admission, failures as statuses: the one place for all."""

    def __init__(self, admission: Admission, codes: Codes, gate: Gate = OPEN_GATE) -> None:
        self._admission = admission
        self._codes = codes
        self._gate = gate

    def beside(self, admission: Admission) -> "Guard":
        """Return a guard with the same gate and places of its own."""
        return Guard(admission, self._codes, self._gate)

    def may_share(self, metadata: Metadata) -> bool:  # noqa: ARG002 - whatever it carries
        """Return whether a call with such metadata may be answered together with others."""
        return True

    def identify(self, method: Method, call: Call) -> None:
        """Raise Refusal unless the gate knows who calls a method; his message may be to come."""
        try:
            self._gate.caller(call.metadata())
        except Exception as error:
            raise self._refusal(error, method, call) from error

    def turned_away(self, method: Method, error: ServerError, call: Call) -> Refusal:  # noqa: ARG002
        """Return how a call ends that never comes before the guard.

        Its message is none, is too long, has not come, or finds no room. Trailers that a call gets
        here go with it.
        """
        return Refusal(status_of(error))

    def guarded(self, method: Method) -> Callable[[Any, Call], Any]:
        """Return the method's behaviour behind the guard; it raises nothing but Refusal."""
        return self._streaming(method) if method.gives_stream else self._single(method)

    def together(self, method: Method) -> Together | None:
        """Return `method.together` behind the guard.

        It takes requests, and what gives what came with each. It raises nothing: what is refused
        is among the requests that must be answered one by one.
        """
        together = method.together
        if together is None:
            return None
        scopes = need_of(method).one_of

        def guarded(
            requests: Sequence[bytes], metadata: Callable[[], Sequence[Metadata]]
        ) -> Sequence[bytes | None]:
            nothing = [None] * len(requests)
            if not self._admission.is_open:
                return nothing
            try:
                if self._gate is OPEN_GATE:
                    return together(requests, None)
                return self._of_known(requests, metadata(), scopes, together)
            except Exception:  # noqa: BLE001 - whose it is shows when each has its own turn
                return nothing

        return guarded

    def _single(self, method: Method) -> Callable[[Any, Call], Any]:
        places, need = self._places(method), need_of(method)

        def guarded(request: Any, call: Call) -> Any:
            try:
                call.check()  # it may have waited for a thread
                request = self._let_in(method, need, request, call)
                with places:
                    response = method.behaviour(request, call)
                if need.shown is None:
                    return response
                return need.shown(response, self._gate.caller(call.metadata()))
            except Exception as error:
                raise self._refusal(error, method, call) from error

        return guarded

    def _streaming(self, method: Method) -> Callable[[Any, Call], Iterator[Any]]:
        places, need = self._places(method), need_of(method)

        def guarded(request: Any, call: Call) -> Iterator[Any]:
            try:
                call.check()
                request = self._let_in(method, need, request, call)
                with places:
                    for response in method.behaviour(request, call):
                        self._gate.caller(call.metadata())  # he may be unknown by now
                        yield response
            except Exception as error:
                raise self._refusal(error, method, call) from error

        return guarded

    def _let_in(self, method: Method, need: Need, request: Any, call: Call) -> Any:
        """Return a request that its caller may make; of a stream each message as it comes.

        Raises Unauthenticated, PermissionDenied.
        """
        caller = self._gate.caller(call.metadata())
        if method.takes_stream:
            need.check_caller(caller)  # before anything has come
            return self._checked(need, request, call)
        need.check(request, caller)
        return request

    def _checked(self, need: Need, requests: Iterable[Any], call: Call) -> Iterator[Any]:
        """Yield the messages of a stream, whose first says what it is about."""
        for position, request in enumerate(requests):
            caller = self._gate.caller(call.metadata())  # he may be unknown by now
            if position == 0:
                need.check(request, caller)
            yield request

    def _of_known(
        self,
        requests: Sequence[bytes],
        metadata: Sequence[Metadata],
        scopes: Set[Scope],
        together: AnswerTogether,
    ) -> Sequence[bytes | None]:
        """Return the answers of those whose callers the gate knows, None for the others."""
        callers = self._gate.callers(metadata)
        everybody = [each for each in callers if each is not None]
        if len(everybody) == len(callers):  # as nearly always, and then at half the price
            return together(requests, lambda at, name: everybody[at].may_within(scopes, name))
        known = [
            (position, caller) for position, caller in enumerate(callers) if caller is not None
        ]

        def may(place: int, collection: str) -> bool:
            return known[place][1].may_within(scopes, collection)

        found = together([requests[position] for position, _ in known], may)
        answers: list[bytes | None] = [None] * len(requests)
        for (position, _), answer in zip(known, found, strict=True):
            answers[position] = answer
        return answers

    def _places(self, method: Method) -> AbstractContextManager[None]:
        return self._admission.writes if method.writes else self._admission.reads

    def _refusal(self, error: Exception, method: Method, call: Call) -> Refusal:
        if isinstance(error, Refusal):  # of another server, which knows why
            return error
        log_denial(error, method, call)
        status = status_of(error, self._codes)
        if status.code == INTERNAL:
            number = request_id(call.metadata())
            _log.error(
                "%s/%s from %s failed, request %s",
                method.service,
                method.name,
                call.peer() or "an unknown caller",
                number,
                exc_info=error,
            )
            status.message += f" under request {number}"
        return Refusal(status)


@dataclass(frozen=True, slots=True)
class Guarded:
    """A service, and the guard that stands in front of it."""

    service: Service
    guard: Guard
