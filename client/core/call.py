"""Calls as values: the method, what it is sent, and how its answer is read."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from cipherlens.client.core.deadlines import Work

Answer = TypeVar("Answer", bound=Message)
Result = TypeVar("Result")

Request = Message | Callable[[], Iterator[Message]]
"""What a method is sent: a message, or what makes a stream of them for each try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Method(Generic[Answer]):
    """A method of the protocol, and how it may be called.

    Attributes:
        service: the full name of its service.
        name: its name within the service.
        answer: the class of its answers.
        work: what it does, which tells its deadline.
        repeatable: whether sending it twice does no more than sending it once.
    """

    service: str
    name: str
    answer: type[Answer]
    work: Work
    repeatable: bool

    def call(self, request: Request, read: Callable[[Answer], Result]) -> "Call[Result]":
        """Return a call of it, whose result is what `read` makes of the answer."""
        return Call(method=self, request=request, read=read)

    def answered(self, request: Message) -> "Call[Answer]":
        """Return a call of it whose result is the answer as it comes."""
        return Call(method=self, request=request, read=lambda answer: answer)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[Result]):
    """One request, or a stream of them that can be begun anew, and one answer.

    `yield from call`, in a generator of steps, is the result once a shell has sent it.
    """

    method: Method[Any]
    request: Request
    read: Callable[[Any], Result]

    def __iter__(self) -> Generator["Call[Result]", Any, Result]:
        """Yield the call itself, and return the result that is sent for it."""
        result: Result = yield self
        return result


Steps = Generator[Any, Any, Result]
"""What takes several calls: yields each, is sent its result, and returns its own in the end."""

Operation = Call[Result] | Steps[Result]
"""What a shell runs."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """The end of an operation."""

    result: Result


def advance(steps: Steps[Result], found: Any) -> Any:
    """Return the step after the one that found something, or `Done`; None begins.

    An end that is a value can leave the thread that it was reached in; StopIteration cannot.
    """
    try:
        return steps.send(found)
    except StopIteration as end:
        return Done(end.value)
