"""The guard of a server that is observed: every call is told to an observer when it ends."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.rpc import code_pb2

from cipherlens.server.access import OPEN_GATE, Gate
from cipherlens.server.call import Call, Metadata
from cipherlens.server.errors import ServerError
from cipherlens.server.observing import (
    REQUEST_ID,
    SERVER_TIMING,
    Observer,
    SeenCall,
    request_id,
    server_timing,
)
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.guard import Guard, Refusal, Together
from cipherlens.server.transport.service import Method
from cipherlens.server.transport.status import Codes

_CODES = {number: name for name, number in code_pb2.Code.items()}


class WatchedGuard(Guard):
    """A guard whose calls are observed, from before it looks at them.

    Each call that is answered by itself gets its request id as a trailer, and its times if it asks.
    """

    def __init__(
        self, admission: Admission, codes: Codes, gate: Gate = OPEN_GATE, *, observer: Observer
    ) -> None:
        super().__init__(admission, codes, gate)
        self._observer = observer

    def may_share(self, metadata: Metadata) -> bool:
        """Return whether a call with such metadata may be answered together with others."""
        return not self._observer.wants_alone(metadata)

    def identify(self, method: Method, call: Call) -> None:
        """Raise Refusal unless the gate knows who calls; then the call has ended."""
        try:
            self._gate.caller(call.metadata())
        except Exception as error:
            with self._observer.begin(method.service, method.name, call.metadata()) as seen:
                refusal = self._refusal(error, method, call)
            self._end(seen, refusal.status.code, call, None, None)
            raise refusal from error

    def turned_away(self, method: Method, error: ServerError, call: Call) -> Refusal:
        """Return how a call ends that never comes before the guard; it has ended."""
        refusal = super().turned_away(method, error, call)
        seen = self._observer.begin(method.service, method.name, call.metadata())
        self._end(seen, refusal.status.code, call, None, None)
        return refusal

    def guarded(self, method: Method) -> Callable[[Any, Call], Any]:
        """Return the method's behaviour behind the guard; it raises nothing but Refusal."""
        behaviour = super().guarded(method)
        watched = self._watched_stream if method.gives_stream else self._watched
        return lambda request, call: watched(method, behaviour, request, call)

    def together(self, method: Method) -> Together | None:
        """Return `method.together` behind the guard, as a guard does."""
        together = super().together(method)
        if together is None:
            return None

        def watched(
            requests: Sequence[bytes], metadata: Callable[[], Sequence[Metadata]]
        ) -> Sequence[bytes | None]:
            with SeenCall(method.service, method.name) as seen:
                answers = together(requests, metadata)
            count = len(answers) - answers.count(None)
            if count:
                self._observer.end_together(seen, count, _Answered(requests, metadata, answers))
            return answers

        return watched

    def _watched(
        self, method: Method, behaviour: Callable[[Any, Call], Any], request: Any, call: Call
    ) -> Any:
        response, code = None, code_pb2.OK
        with self._observer.begin(method.service, method.name, call.metadata()) as seen:
            try:
                response = behaviour(request, call)
                return response
            except Refusal as refusal:
                code = refusal.status.code
                raise
            finally:
                self._end(seen, code, call, request, response)

    def _watched_stream(
        self, method: Method, behaviour: Callable[[Any, Call], Any], request: Any, call: Call
    ) -> Iterator[Any]:
        seen = self._observer.begin(method.service, method.name, call.metadata())
        responses = behaviour(request, call)
        code = code_pb2.CANCELLED
        try:
            while True:
                with seen:  # each part may be asked for on another thread
                    response = next(responses, None)
                if response is None:
                    break
                yield response
            code = code_pb2.OK
        except Refusal as refusal:
            code = refusal.status.code
            raise
        finally:
            responses.close()
            self._end(seen, code, call, request, None)

    def _end(self, seen: SeenCall, code: int, call: Call, request: Any, response: Any) -> None:
        metadata = call.metadata()
        call.trailers.append((REQUEST_ID, seen.request_id))
        if any(key == SERVER_TIMING for key, _ in metadata):
            call.trailers.append(("server-timing", server_timing(seen)))
        self._observer.end(seen, _CODES[code], metadata, lambda: (_size(request), _size(response)))


class _Answered:
    """Calls that were answered together, one by one for who logs them."""

    __slots__ = ("_answers", "_metadata", "_requests")

    def __init__(
        self,
        requests: Sequence[bytes],
        metadata: Callable[[], Sequence[Metadata]],
        answers: Sequence[bytes | None],
    ) -> None:
        self._requests = requests
        self._metadata = metadata
        self._answers = answers

    def __call__(self, number: int) -> tuple[str, Any, Callable[[], tuple[int, int]]]:
        """Return request id, metadata and sizes of an answered call, of which it is the nth."""
        answered = [place for place, answer in enumerate(self._answers) if answer is not None]
        place = answered[number]
        shown = self._metadata()[place]
        sizes = len(self._requests[place]), len(self._answers[place] or b"")
        return request_id(shown), shown, lambda: sizes


def _size(message: Any) -> int:
    """Return the bytes of a message; 0 for streams, which are not kept."""
    return message.ByteSize() if hasattr(message, "ByteSize") else 0
