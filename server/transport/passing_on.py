"""Calls that write, passed on by a server that follows to the one that leads."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from cipherlens.server.call import Call
from cipherlens.server.errors import NotLeading, OutcomeUnknown, ServerError
from cipherlens.server.transport.guard import Refusal
from cipherlens.server.transport.service import Method, Service

_log = logging.getLogger(__name__)

TLS = "tls:"
"""How the address of a server begins that takes calls of the others by TLS."""

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
    # What was cut off is told to the caller, who knows whether it may be sent again.
    ("grpc.enable_retries", 0),
]
# What gRPC says where nobody has seen a byte of the call. Should it find other words one day, the
# caller is told that the outcome is not known, which is never wrong.
_NOT_CONNECTED = "failed to connect"
# Keys that belong to a connection, not to a call.
_OF_CONNECTIONS = {"user-agent", "te", "content-type"}


class Following(Protocol):
    """What passing on asks of the engine's role."""

    @property
    def leads(self) -> bool: ...

    def leader(self) -> str: ...

    def catch_up(self) -> object: ...


class PassingOn:
    """Sends calls to the server that leads as they came, with metadata and deadline.

    What the caller may do is judged here, and there again. The answer is given once what it tells
    of is seen here, too: who asks this server next finds it.
    """

    def __init__(self, role: Following, ca: Path | None = None) -> None:
        """Take who follows and leads, and a file of authorities for the others' certificates."""
        self._role = role
        self._ca = ca
        self._lock = threading.Lock()  # guards the two fields below
        self._address = ""
        self._channel: grpc.Channel | None = None

    def through(self, service: Service) -> Service:
        """Return a service whose calls that write are passed on while another server leads."""
        methods = (
            replace(each, behaviour=self._passing(each)) if each.writes else each
            for each in service.methods
        )
        return replace(service, methods=tuple(methods))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._channel is not None:
                self._channel.close()
            self._address, self._channel = "", None

    def _passing(self, method: Method) -> Callable[[Any, Call], Any]:
        def behaviour(request: Any, call: Call) -> Any:
            if self._role.leads:
                return method.behaviour(request, call)
            response = self._asked(method, request, call)
            with suppress(ServerError):  # it is done, whatever this server sees of it
                self._role.catch_up()
            return response

        return behaviour

    def _asked(self, method: Method, request: Any, call: Call) -> Any:
        """Return what the server that leads answers. Raises NotLeading, OutcomeUnknown, Refusal."""
        ask = self._caller(method)
        requests = _Requests(request) if method.takes_stream else request
        timeout_s = None if call.expires_at is None else call.remaining_s(float("inf"))
        asked = ask.future(requests, timeout=timeout_s, metadata=_metadata(call))
        call.on_end(asked.cancel)
        try:
            return asked.result()
        except grpc.FutureCancelledError:
            call.check()
            raise
        except grpc.RpcError as error:
            if isinstance(requests, _Requests) and requests.failure is not None:
                raise requests.failure from None
            raise _failure(error) from error

    def _caller(self, method: Method) -> Any:
        """Return what sends calls of a method. Raises NotLeading, StorageUnavailable."""
        channel = self._connection(self._role.leader())
        make = channel.stream_unary if method.takes_stream else channel.unary_unary
        return make(
            f"/{method.service}/{method.name}",
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )

    def _connection(self, address: str) -> grpc.Channel:
        if not address:
            raise NotLeading
        with self._lock:
            if self._channel is None or address != self._address:
                if self._channel is not None:
                    self._channel.close()
                self._address, self._channel = address, _channel(address, self._ca)
            return self._channel


def _channel(address: str, ca: Path | None) -> grpc.Channel:
    """Return a connection to the server that leads, which says of itself whether it has TLS."""
    if not address.startswith(TLS):
        return grpc.insecure_channel(address, options=_OPTIONS)
    try:
        roots = None if ca is None else ca.read_bytes()
    except OSError as error:
        _log.error("follow_ca: %s cannot be read: %s", ca, error.strerror)
        raise NotLeading from error
    credentials = grpc.ssl_channel_credentials(roots)
    return grpc.secure_channel(address.removeprefix(TLS), credentials, options=_OPTIONS)


class _Requests:
    """The messages of a stream on their way, and why they ended early."""

    def __init__(self, requests: Iterable[Any]) -> None:
        self._requests = iter(requests)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._requests)
        except StopIteration:
            raise
        except Exception as error:
            self.failure = error
            raise


def _metadata(call: Call) -> list[tuple[str, str | bytes]]:
    return [
        (key, value)
        for key, value in call.metadata()
        if key not in _OF_CONNECTIONS and not key.startswith(("grpc-", ":"))
    ]


def _failure(error: Any) -> Exception:
    """Return what a caller is told of a call that failed on its way, or at the other server."""
    status = rpc_status.from_call(error)
    if status is not None:
        return Refusal(status)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return NotLeading() if _NOT_CONNECTED in (error.details() or "") else OutcomeUnknown()
    return Refusal(Status(code=error.code().value[0], message=error.details() or ""))
