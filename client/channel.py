"""The channel to a server: message limits, keepalive, retries and deadlines."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import grpc

from cipherlens.client.errors import CipherLensError, ResourceExhausted, from_rpc_error

DEFAULT_TARGET = "127.0.0.1:50051"

MAX_MESSAGE_BYTES = 33 * 2**20
"""Largest message sent or taken by default: the server's own 32 MiB, and room for its framing."""

_SERVICE = "cipherlens.v1.RetrievalService"

# Calls that may be sent twice: reading, and writing that is idempotent by item id and revision.
# Making or dropping a collection is not among them: a repeated one finds its own work done.
_REPEATABLE = (
    "GetServerInfo",
    "GetCollection",
    "ListCollections",
    "Index",
    "Delete",
    "Search",
    "Fetch",
    "ListItems",
    "ListModels",
)
_MAX_TRIES = 5  # gRPC itself allows no more
_MAX_BUSY_WAIT_S = 5.0

_Request_contra = TypeVar("_Request_contra", contravariant=True)
_Answer_co = TypeVar("_Answer_co", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """How long each kind of call may take, in seconds, retries included.

    Attributes:
        quick_s: calls that read or change a few rows.
        search_s: searches; a cipher-image is embedded first.
        write_s: one batch of items; its cipher-images are embedded before it is written.
        fetch_s: one stream of items.
        upload_s: one model.
    """

    quick_s: float = 15.0
    search_s: float = 60.0
    write_s: float = 300.0
    fetch_s: float = 120.0
    upload_s: float = 900.0

    def __post_init__(self) -> None:
        """Raise ValueError unless every deadline is above zero."""
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")


class UnaryCall(Protocol[_Request_contra, _Answer_co]):
    """A method of a stub that takes one message and returns one."""

    def __call__(self, request: _Request_contra, timeout: float | None = ...) -> _Answer_co:
        """Send the request and return the answer."""


def open_channel(target: str, max_message_bytes: int = MAX_MESSAGE_BYTES) -> grpc.Channel:
    """Return a channel to a server; it connects with the first call."""
    return grpc.insecure_channel(target, options=_options(max_message_bytes))


def invoke(
    method: UnaryCall[_Request_contra, _Answer_co],
    request: _Request_contra,
    timeout_s: float,
    wait: Callable[[float], None] = time.sleep,
) -> _Answer_co:
    """Return the answer to one request.

    gRPC itself repeats what found no server (see `_service_config`). A server that is busy
    refuses before it begins, says so and says for how long: then it is asked again, with a
    growing wait, until the deadline.

    Raises:
        CipherLensError: the server refused, or did not answer in time.
    """
    ends_at = time.monotonic() + timeout_s
    for attempt in range(_MAX_TRIES):
        try:
            return method(request, timeout=max(0.001, ends_at - time.monotonic()))
        except grpc.RpcError as error:
            failure = from_rpc_error(error)
            pause_s = _busy_wait_s(failure, attempt)
            last = attempt == _MAX_TRIES - 1
            if pause_s is None or last or time.monotonic() + pause_s >= ends_at:
                raise failure from error
        wait(pause_s)
    raise AssertionError("the last try returns or raises")


def _busy_wait_s(failure: CipherLensError, attempt: int) -> float | None:
    """Return how long to wait for a busy server, spread so that clients do not return together."""
    if not isinstance(failure, ResourceExhausted) or failure.retry_after_s is None:
        return None
    longest = min(_MAX_BUSY_WAIT_S, failure.retry_after_s * float(2**attempt))
    return longest * random.uniform(0.75, 1.25)


def _options(max_message_bytes: int) -> list[tuple[str, int | str]]:
    """Return the channel's options."""
    return [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # A call is repeated only while its message is kept: the default of 256 KiB would leave
        # out every batch of images.
        ("grpc.per_rpc_retry_buffer_size", 2 * max_message_bytes),
        ("grpc.service_config", _service_config()),
        # A server that was started again is found within a second, not after gRPC's minutes.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # gRPC servers count pings more often than every five minutes as abuse.
        ("grpc.keepalive_time_ms", 330_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


def _service_config() -> str:
    """Return gRPC's own retry policy: repeatable calls that found no server, with backoff."""
    policy = {
        "maxAttempts": _MAX_TRIES,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [{"service": _SERVICE, "method": method} for method in _REPEATABLE]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})
