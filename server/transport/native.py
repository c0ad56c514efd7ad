"""Services on `pygrpc-native`: HTTP/2 and gRPC in Rust, outside the interpreter's lock.

Calls come in batches on one thread. Those of a method that can answer several together are answered
there and then; all others go to threads. Nobody waits for company: a batch is what is there when
the thread looks. Streams of requests, health checks and reflection are passed on to a
`GrpcioTransport` on a socket file behind the front.
"""

import logging
import shutil
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from google.rpc import code_pb2
from pygrpc_native import EVENT_CANCEL, NativeGrpcFront

from cipherlens.server.call import Call
from cipherlens.server.config import Limits, Timeouts
from cipherlens.server.errors import (
    CannotListen,
    InvalidField,
    QueueFull,
    ServerError,
    Stopping,
    TooLong,
)
from cipherlens.server.observing import REQUEST_ID, given_id
from cipherlens.server.priority import give_way
from cipherlens.server.transport.grpcio import (
    MESSAGE_MARGIN,
    SPARE_THREADS,
    GrpcioTransport,
    ms,
)
from cipherlens.server.transport.guard import Guarded, Refusal
from cipherlens.server.transport.native_calls import OpenCall
from cipherlens.server.transport.payloads import Payloads, decoded
from cipherlens.server.transport.service import Method

_log = logging.getLogger(__name__)

_CALLS_AT_ONCE = 64
# A request that is decoded on the thread that all calls come in on.
_LARGEST_SHARED_BYTES = 64 * 1024
_IO_THREADS = 1


class _NativeMethod:
    """A method with its guarded behaviours."""

    def __init__(self, method: Method, each: Guarded) -> None:
        self.method = method
        self.alone = each.guard.guarded(method)
        self.together = each.guard.together(method)
        self.may_share = each.guard.may_share
        self.turned_away = partial(each.guard.turned_away, method)


class NativeTransport:
    """A front in Rust with grpcio behind it; without TLS."""

    def __init__(
        self,
        services: Sequence[Guarded],
        *,
        listen: str,
        limits: Limits,
        timeouts: Timeouts,
        shares_port: bool = False,
    ) -> None:
        """Put the services on a server that does not listen yet.

        If it `shares_port`, the system spreads connections over all processes that do.
        """
        self._listen = listen
        self._shares_port = shares_port
        self._timeouts = timeouts
        self._max_message_bytes = limits.max_message_bytes + MESSAGE_MARGIN
        self._folder = tempfile.mkdtemp(prefix="cipherlens-")
        self._behind = GrpcioTransport(
            services,
            listen=f"unix:{self._folder}/behind",
            limits=limits,
            timeouts=timeouts,
            renews=False,
        )
        self._methods = [
            _NativeMethod(method, each)
            for each in services
            for method in each.service.methods
            if not method.takes_stream
        ]
        self._shared = {
            number: together
            for number, each in enumerate(self._methods)
            if (together := each.together) is not None
        }
        threads = limits.max_concurrent_calls + SPARE_THREADS
        self._max_open = threads + limits.max_waiting_calls
        self._pool = ThreadPoolExecutor(threads, "call", initializer=give_way)
        self._payloads = Payloads(limits)
        self._calls: dict[int, OpenCall] = {}
        self._stopping = False
        self._dispatching = threading.Lock()  # held while calls are answered or given to threads
        self._front: Any = None
        self._receiver = threading.Thread(target=self._receive, name="native", daemon=True)

    def start(self) -> int:
        """Listen and return the port; nothing is served yet. Raises StartupError."""
        paths = [
            (f"/{each.method.service}/{each.method.name}", each.method.gives_stream)
            for each in self._methods
        ]
        try:
            self._front = NativeGrpcFront(
                self._listen,
                paths,
                io_threads=_IO_THREADS,
                call_details=True,
                delay_stream_headers=True,
                keepalive_time_ms=ms(self._timeouts.keepalive_s),
                keepalive_timeout_ms=ms(self._timeouts.keepalive_answer_s),
                reuse_port=self._shares_port,
            )
        except OSError as error:
            raise CannotListen(self._listen) from error
        self._behind.start()
        self._front.set_fallback(f"{self._folder}/behind")
        self._front.start()
        self._receiver.start()
        return int(self._front.bound_port)

    def serve(self) -> None:
        """Tell health checks that all is served."""
        self._behind.serve()

    def stop_serving(self) -> None:
        """Tell health checks that nothing is served any more; calls under way go on."""
        self._behind.stop_serving()

    def stop(self, at_most_s: float) -> None:
        """Let what is on its way out leave, end the rest, and return when nothing is at work."""
        self._stopping = True
        self._behind.stop(at_most_s)
        for call in list(self._calls.values()):
            call.end()
        self._pool.shutdown(wait=True)
        if self._front is not None:
            with self._dispatching:
                self._front.close()
            if self._receiver.ident is not None:  # else another start failed
                self._receiver.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _receive(self) -> None:
        while (events := self._front.recv_batch_details(_CALLS_AT_ONCE)) is not None:
            try:
                with self._dispatching:
                    self._dispatch(events)
            except Exception:  # noqa: BLE001 - one call must not end all others
                _log.exception("calls could not be dispatched")
                for event in events:
                    self._front.fail(event[1], code_pb2.INTERNAL, "internal error")

    def _dispatch(self, events: Sequence[Any]) -> None:
        """Answer what can be answered together, and give the rest to threads."""
        shared: dict[int, list[Any]] = {}
        for event in events:
            kind, call_id, number, payload, _, details = event
            if kind == EVENT_CANCEL:
                if (call := self._calls.get(call_id)) is not None:
                    call.end()
            elif self._stopping:
                self._turn_away(number, call_id, details, Stopping("the server is shutting down"))
            elif self._may_share(number, payload, details):
                shared.setdefault(number, []).append(event)
            else:
                self._give_to_thread(number, call_id, payload, details)
        for number, calls in shared.items():
            self._answer_together(number, calls)

    def _may_share(self, number: int, payload: bytes, details: Any) -> bool:
        """Return whether a call can be answered at once, together with others of its method."""
        return (
            number in self._shared
            and len(payload) <= _LARGEST_SHARED_BYTES
            and self._methods[number].may_share(details[0])
        )

    def _answer_together(self, number: int, events: Sequence[Any]) -> None:
        requests = [payload for _, _, _, payload, _, _ in events]
        answers = self._shared[number](requests, lambda: [event[-1][0] for event in events])
        for (_, call_id, _, payload, _, details), answer in zip(events, answers, strict=True):
            if answer is None:
                self._give_to_thread(number, call_id, payload, details)
            else:
                self._front.respond(call_id, answer, None, _request_id(details))

    def _give_to_thread(self, number: int, call_id: int, payload: bytes, details: Any) -> None:
        try:
            self._make_room(len(payload))
        except ServerError as error:
            self._turn_away(number, call_id, details, error)
            return
        self._calls[call_id] = OpenCall(self._front, call_id, details)
        self._pool.submit(self._answer, self._methods[number], call_id, payload)

    def _make_room(self, size_bytes: int) -> None:
        """Count a message of a call that will be given to a thread. Raises QueueFull, TooLong."""
        if size_bytes > self._max_message_bytes:
            raise TooLong(size_bytes, self._max_message_bytes)
        if len(self._calls) >= self._max_open:
            raise QueueFull(f"{self._max_open} calls wait, the most that this server lets wait")
        self._payloads.take(size_bytes)

    def _turn_away(self, number: int, call_id: int, details: Any, error: ServerError) -> None:
        """End a call whose message nobody will look at."""
        opened = OpenCall(self._front, call_id, details)
        opened.refuse(self._methods[number].turned_away(error, opened.call))

    def _answer(self, each: _NativeMethod, call_id: int, payload: bytes) -> None:
        opened = self._calls[call_id]
        try:
            request = self._decoded(each, payload, opened.call)
            if each.method.gives_stream:
                opened.stream(each.alone(request, opened.call), self._timeouts.send_s)
            else:
                opened.respond(each.alone(request, opened.call).SerializeToString())
        except Refusal as refusal:
            opened.refuse(refusal)
        except Exception:  # noqa: BLE001 - as a thread's failure nobody would see it
            _log.exception("an answer could not be sent")
            opened.fail()
        finally:
            self._payloads.give_back(len(payload))
            self._calls.pop(call_id).end()

    def _decoded(self, each: _NativeMethod, payload: bytes, call: Call) -> Any:
        """Return what a payload says. Raises Refusal if that is nothing."""
        try:
            return decoded(each.method.request_type, payload)
        except InvalidField as error:
            raise each.turned_away(error, call) from error


def _request_id(details: Any) -> list[tuple[str, str]] | None:
    """Return the trailer with the id that a caller gave, None if he gave none."""
    given = given_id(details[0])
    return [(REQUEST_ID, given)] if given else None
