"""How this library sends: one gRPC channel that threads may share, and calls that block."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import grpc

from cipherlens.client.channel import channel_options, from_rpc_error, invoke
from cipherlens.client.core.call import Call, Operation
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.item import Fetched
from cipherlens.client.core.items import ItemStream
from cipherlens.client.errors import Unavailable

_Result = TypeVar("_Result")


class Transport:
    """Runs the operations of the core against one server.

    Attributes:
        target: the server's address.
        deadlines: how long each kind of call may take where the call does not say.
    """

    def __init__(
        self,
        stub: Callable[[grpc.Channel], object],
        target: str,
        deadlines: Deadlines | None,
        max_message_bytes: int,
    ) -> None:
        """Make the channel; it connects with the first call. `stub` is of the service called."""
        self.target = target
        self.deadlines = Deadlines() if deadlines is None else deadlines
        self._channel = grpc.insecure_channel(target, options=channel_options(max_message_bytes))
        self._stub = stub(self._channel)

    def run(self, operation: Operation[_Result], timeout_s: float | None = None) -> _Result:
        """Send every call of an operation and return its result; `timeout_s` is for each call.

        Raises:
            CipherLensError: the server refused, or did not answer in time.
            ValueError: timeout_s is not above 0.
        """
        steps, found = iter(operation), None
        while True:
            try:
                step = steps.send(found)
            except StopIteration as end:
                result: _Result = end.value
                return result
            if isinstance(step, ItemStream):
                found = list(self.stream(step, timeout_s))
            else:
                found = step.read(self._answer(step, timeout_s))

    def stream(self, stream: ItemStream, timeout_s: float | None = None) -> Iterator[Fetched]:
        """Yield what a stream says of every id, as it comes."""
        send = getattr(self._stub, stream.method.name)
        seconds = self.deadlines.of(stream.method.work, timeout_s)
        count = 0
        try:
            for answer in send(stream.request, timeout=seconds):
                yield stream.read(count, answer)
                count += 1
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        stream.check_end(count)

    def wait_until_reachable(self, timeout_s: float) -> None:
        """Return once the server takes connections. Raises Unavailable if it does not in time."""
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=timeout_s)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise Unavailable(
                f"no server answers at {self.target} within {timeout_s:g} s",
                code=grpc.StatusCode.UNAVAILABLE,
            ) from None

    def close(self) -> None:
        """Close the channel; calls under way end as `Cancelled`."""
        self._channel.close()

    def _answer(self, call: Call[Any], timeout_s: float | None) -> Any:
        """Return the answer to a call."""
        send = getattr(self._stub, call.method.name)
        seconds = self.deadlines.of(call.method.work, timeout_s)
        if not isinstance(call.request, Iterator):
            return invoke(send, call.request, seconds)
        try:  # once: a stream of requests is used up by the first try
            return send(call.request, timeout=seconds)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
