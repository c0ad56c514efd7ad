"""The channel to a server: message limits, keepalive, retries, and what a failed call says."""

import json
import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from cipherlens.base import stays_here
from cipherlens.client.access import Access
from cipherlens.client.core.methods import METHODS
from cipherlens.client.core.retry import MAX_TRIES, pause_s
from cipherlens.client.errors import CipherLensError, DeadlineExceeded, Unavailable, error_of
from cipherlens.wire import details_from

DEFAULT_TARGET = "127.0.0.1:50051"

MAX_MESSAGE_BYTES = 33 * 2**20
"""Largest message sent or taken by default: the server's own 32 MiB, and room for its framing."""

_LOG = logging.getLogger("cipherlens.client")
_Answer = TypeVar("_Answer")


def channel_options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> list[tuple[str, int | str]]:
    """Return the options of a channel, of whichever of gRPC's two kinds."""
    return [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # A call is repeated only while its message is kept: the default of 256 KiB would leave
        # out every batch of images.
        ("grpc.per_rpc_retry_buffer_size", 2 * max_message_bytes),
        ("grpc.service_config", _service_config()),
        # gRPC waits up to two minutes before it connects anew: a server that was restarted should
        # be found sooner.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        # gRPC servers count pings more often than every five minutes as abuse.
        ("grpc.keepalive_time_ms", 330_000),
        ("grpc.keepalive_timeout_ms", 20_000),
    ]


def new_channel(target: str, access: Access, max_message_bytes: int) -> grpc.Channel:
    """Return a channel that connects with the first call. Raises OSError as `Access` does."""
    options, credentials = _options_to(target, max_message_bytes), access.credentials()
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)


def new_async_channel(target: str, access: Access, max_message_bytes: int) -> grpc.aio.Channel:
    """Return the same for an event loop."""
    options, credentials = _options_to(target, max_message_bytes), access.credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)


def _options_to(target: str, max_message_bytes: int) -> list[tuple[str, int | str]]:
    options = channel_options(max_message_bytes)
    if stays_here(target):
        # Not by way of a proxy that the environment names: what stays here must not leave.
        options.append(("grpc.enable_http_proxy", 0))
    return options


class Tries:
    """The tries of one call, within its deadline; whoever sends them does the waiting."""

    def __init__(self, timeout_s: float) -> None:
        """Begin: the deadline is timeout_s from now."""
        self._ends_at = time.monotonic() + timeout_s
        self._failed = 0

    def left_s(self) -> float:
        """Return how long the next try may take."""
        return max(0.001, self._ends_at - time.monotonic())

    def pause_after(self, error: grpc.RpcError) -> float:
        """Return how long to wait, after a try that failed, before the next.

        Raises:
            CipherLensError: there is to be none.
        """
        failure = from_rpc_error(error)
        left_s = self._ends_at - time.monotonic()
        pause = pause_s(failure, self._failed, left_s, random.uniform(0.75, 1.25))
        if pause is None:
            raise failure from error
        _LOG.info("%s; tried again in %.1f s", failure.code.name, pause)
        self._failed += 1
        return pause


def invoke(
    method: Callable[..., _Answer],
    request: object,
    timeout_s: float,
    wait: Callable[[float], None] = time.sleep,
) -> _Answer:
    """Return the answer to one request; a server that is busy is asked again until the deadline.

    gRPC itself repeats what found no server (see `_service_config`).

    Raises:
        CipherLensError: the server refused, or did not answer in time.
    """
    tries = Tries(timeout_s)
    while True:
        try:
            return method(request, timeout=tries.left_s())
        except grpc.RpcError as error:
            pause = tries.pause_after(error)
        wait(pause)


def logged(name: str, send: Callable[..., _Answer]) -> Callable[..., _Answer]:
    """Return what sends a method's requests and logs each, where the log is at DEBUG.

    A stream is logged when it begins. Nothing of what is sent or answered is in it.
    """
    if not _LOG.isEnabledFor(logging.DEBUG):
        return send

    def sent(request: object, timeout: float) -> _Answer:
        began, outcome = time.perf_counter(), "failed"
        try:
            answer = send(request, timeout=timeout)
            outcome = "answered"
            return answer
        finally:
            _LOG.debug("%s %s after %.1f ms", name, outcome, 1000 * (time.perf_counter() - began))

    return sent


def is_broken(error: grpc.RpcError) -> bool:
    """Return whether a stream ended where another one may go on: by the network, or by time."""
    failure = from_rpc_error(error)
    return isinstance(failure, Unavailable | DeadlineExceeded)


def from_rpc_error(error: grpc.RpcError) -> CipherLensError:
    """Return the library's error for a failed call, with the details that came with it."""
    call = cast("grpc.Call", error)  # it is both, which its type does not say
    try:
        status = rpc_status.from_call(call)
    except (ValueError, DecodeError):  # a proxy has changed code or details, or who answers did
        status = None
    details = details_from(() if status is None else status.details)
    return error_of(call.code(), call.details() or "", details)


def unreachable(target: str, timeout_s: float) -> Unavailable:
    """Return the error of a server that took no connection in time."""
    return Unavailable(
        f"no server answers at {target} within {timeout_s:g} s", code=grpc.StatusCode.UNAVAILABLE
    )


def _service_config() -> str:
    """Return gRPC's own retry policy: repeatable calls that found no server, with backoff."""
    policy = {
        "maxAttempts": MAX_TRIES,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [{"service": each.service, "method": each.name} for each in METHODS if each.repeatable]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}]})
