"""A service as a value: methods that are functions of a request and a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

May = Callable[[int, str], bool]
"""Whether the caller of the request at a position may ask it of a collection."""

AnswerTogether = Callable[[Sequence[bytes], May | None], Sequence[bytes | None]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """One method of a service.

    Attributes:
        service: full name of the service, such as "cipherlens.v1.RetrievalService".
        name: such as "Search".
        request_type, response_type: the classes of its messages.
        takes_stream: whether it gets an iterator of requests in place of one.
        gives_stream: whether it returns an iterator of responses in place of one.
        behaviour: called with the request or the iterator, and the `Call`.
        writes: whether it changes what is stored.
        together: called with requests that wait at the same time, where it pays to answer them as
            one and takes no time; returns, in their order, a response, or None for a request that
            `behaviour` must answer, on a thread of its own. All are encoded messages. Also called
            with a `May`, and then answers no request whose caller may not; nor one that needs more
            of its caller than that.
    """

    service: str
    name: str
    request_type: type[Any]
    response_type: type[Any]
    takes_stream: bool
    gives_stream: bool
    behaviour: Callable[[Any, Any], Any]
    writes: bool = False
    together: AnswerTogether | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A service of the protocol, ready to be served."""

    name: str
    methods: tuple[Method, ...]


def service_of(descriptor: ServiceDescriptor, behaviours: object) -> Service:
    """Return the service that an object implements.

    It has a method of each name and, if it likes, `writes` with the names of those that change what
    is stored, and a table `together` with functions for some.

    Raises:
        AttributeError: it lacks one.
    """
    return Service(
        name=descriptor.full_name,
        methods=tuple(_method(descriptor, each, behaviours) for each in descriptor.methods),
    )


def _method(service: ServiceDescriptor, method: MethodDescriptor, behaviours: object) -> Method:
    return Method(
        service=service.full_name,
        name=method.name,
        request_type=GetMessageClass(method.input_type),
        response_type=GetMessageClass(method.output_type),
        takes_stream=method.client_streaming,
        gives_stream=method.server_streaming,
        behaviour=getattr(behaviours, method.name),
        writes=method.name in getattr(behaviours, "writes", ()),
        together=getattr(behaviours, "together", {}).get(method.name),
    )
