"""How this library sends without blocking: calls that are awaited, over the stub of a service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from cipherlens.client.access import Metadata
from cipherlens.client.channel import Tries, from_rpc_error, is_broken
from cipherlens.client.core.call import Call, Done, Operation, Request, Steps, advance
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.core.item import Fetched
from cipherlens.client.core.items import ItemStream
from cipherlens.client.core.session import Session
from cipherlens.client.errors import Cancelled

_Result = TypeVar("_Result")


class AsyncTransport:
    """Runs the operations of the core on an event loop; its tasks may share it.

    Attributes:
        deadlines: how long each kind of call may take where the call does not say.
    """

    def __init__(
        self, stub: object, deadlines: Deadlines, metadata: Metadata | None = None
    ) -> None:
        """Take what gRPC generated, on a channel of `grpc.aio`, and what goes with every call."""
        self._stub = stub
        self._metadata = metadata
        self._session = Session()
        self.deadlines = deadlines

    async def run(
        self,
        operation: Operation[_Result],
        timeout_s: float | None = None,
        *,
        in_thread: bool = False,
    ) -> _Result:
        """Send every call of an operation and return its result; `timeout_s` is for each call.

        What lies between the calls is done in a thread if it would hold the loop for long.

        Raises:
            CipherLensError: the server refused, or did not answer in time.
            ValueError: timeout_s is not above 0.
        """
        if isinstance(operation, Call):
            found: _Result = await self._found(operation, timeout_s)
            return found
        steps: Steps[_Result] = iter(operation)
        answer: Any = None
        while True:
            if in_thread:
                step = await asyncio.to_thread(advance, steps, answer)
            else:
                step = advance(steps, answer)
            if isinstance(step, Done):
                result: _Result = step.result
                return result
            answer = await self._found(step, timeout_s)

    async def stream(
        self, stream: ItemStream, timeout_s: float | None = None
    ) -> AsyncIterator[Fetched]:
        """Yield what a stream says of every id, as it comes; resumed as that of `Transport` is."""
        send = self._method(stream.method.name)
        seconds = self.deadlines.of(stream.method.work, timeout_s)
        tries = Tries(seconds)
        while True:
            count = 0
            try:
                answers = send(stream.request, timeout=tries.left_s())
                try:
                    async for answer in answers:
                        yield stream.read(count, answer)
                        count += 1
                finally:
                    answers.cancel()  # whoever stops early wants no more; one that ended stays
            except grpc.RpcError as error:
                if count and is_broken(error):
                    tries = Tries(seconds)
                else:
                    await asyncio.sleep(tries.pause_after(error))
            except _NOT_OURS as error:
                raise _ours(error)  # noqa: B904
            else:
                stream.check_end(count)
                return
            stream = stream.after(count)

    async def ask(self, call: Call[_Result], seconds: float) -> _Result:
        """Return the result of one call within so many seconds; raises as `run` does."""
        send = self._method(call.method.name)
        tries, left_s = Tries(seconds), seconds
        self._session.prepare(call.method, call.request)
        while True:
            try:
                answer = await send(_sent(call.request), timeout=left_s)
                self._session.notice(call.method, call.request, answer)
                return call.read(answer)
            except grpc.RpcError as error:
                pause = tries.pause_after(error)
            except _NOT_OURS as error:
                raise _ours(error)  # noqa: B904 - its cause is set, where it has one
            await asyncio.sleep(pause)
            left_s = tries.left_s()

    async def _found(self, step: Call[Any] | ItemStream, timeout_s: float | None) -> Any:
        if isinstance(step, ItemStream):
            return [each async for each in self.stream(step, timeout_s)]
        seconds = self.deadlines.of(step.method.work, timeout_s)
        return await self.ask(step, seconds)

    def _method(self, name: str) -> Callable[..., Any]:
        return partial(getattr(self._stub, name), metadata=self._metadata)


_NOT_OURS = (grpc.RpcError, grpc.aio.UsageError, asyncio.CancelledError)


def _ours(error: BaseException) -> BaseException:
    """Return what is raised in place of an error of gRPC, or of the end of a task.

    gRPC cancels what is under way when the channel closes, which is not the end of the task.
    """
    if isinstance(error, grpc.RpcError):
        ours: Exception = from_rpc_error(error)
    elif isinstance(error, grpc.aio.UsageError):  # closed: where calls block, a ValueError
        ours = ValueError(str(error))
    else:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            return error
        code = grpc.StatusCode.CANCELLED
        return Cancelled("the call was given up in this process", code=code)
    ours.__cause__ = error
    return ours


def _sent(request: Request) -> Message | AsyncIterator[Message]:
    """Return what gRPC is given for one try."""
    return request if isinstance(request, Message) else _from_thread(request())


async def _from_thread(requests: Iterator[Message]) -> AsyncIterator[Message]:
    """Yield requests, each made in a thread: that may read a file."""
    while (request := await asyncio.to_thread(next, requests, None)) is not None:
        yield request
