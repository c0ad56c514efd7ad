"""How this library sends: calls that block, over the stub of a service."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from cipherlens.client.access import Metadata
from cipherlens.client.channel import Tries, invoke, is_broken, logged
from cipherlens.client.core.call import Call, Done, Operation, Steps, advance
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.item import Fetched
from cipherlens.client.core.items import ItemStream
from cipherlens.client.core.session import Session

_Result = TypeVar("_Result")


class Transport:
    """Runs the operations of the core; threads may share it.

    Attributes:
        deadlines: how long each kind of call may take where the call does not say.
    """

    def __init__(
        self, stub: object, deadlines: Deadlines, metadata: Metadata | None = None
    ) -> None:
        """Take what gRPC generated for a service, on a channel, and what goes with every call."""
        self._stub = stub
        self._metadata = metadata
        self._session = Session()
        self.deadlines = deadlines

    def run(self, operation: Operation[_Result], timeout_s: float | None = None) -> _Result:
        """Send every call of an operation and return its result; `timeout_s` is for each call.

        Raises:
            CipherLensError: the server refused, or did not answer in time.
            ValueError: timeout_s is not above 0.
        """
        if isinstance(operation, Call):  # which most operations are
            answered: _Result = operation.read(self._answer(operation, timeout_s))
            return answered
        steps: Steps[_Result] = iter(operation)
        step = advance(steps, None)
        while not isinstance(step, Done):
            if isinstance(step, ItemStream):
                found: Any = list(self.stream(step, timeout_s))
            else:
                found = step.read(self._answer(step, timeout_s))
            step = advance(steps, found)
        result: _Result = step.result
        return result

    def stream(self, stream: ItemStream, timeout_s: float | None = None) -> Iterator[Fetched]:
        """Yield what a stream says of every id, as it comes; raises as `run` does.

        One that breaks, or whose time the caller has used up, goes on with the ids that are left,
        as long as it has brought any.
        """
        send = self._method(stream.method.name)
        seconds = self.deadlines.of(stream.method.work, timeout_s)
        tries = Tries(seconds)
        while True:
            count = 0
            try:
                for answer in send(stream.request, timeout=tries.left_s()):
                    yield stream.read(count, answer)
                    count += 1
            except grpc.RpcError as error:
                if count and is_broken(error):
                    tries = Tries(seconds)
                else:
                    time.sleep(tries.pause_after(error))
            else:
                return stream.check_end(count)
            stream = stream.after(count)

    def _answer(self, call: Call[Any], timeout_s: float | None) -> Any:
        send = self._method(call.method.name)
        seconds = self.deadlines.of(call.method.work, timeout_s)
        if isinstance(call.request, Message):
            self._session.prepare(call.method, call.request)
            answer = invoke(send, call.request, seconds)
            self._session.notice(call.method, call.request, answer)
            return answer
        return invoke(lambda begin, timeout: send(begin(), timeout=timeout), call.request, seconds)

    def _method(self, name: str) -> Callable[..., Any]:
        return logged(name, partial(getattr(self._stub, name), metadata=self._metadata))
