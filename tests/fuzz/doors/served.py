"""A server without a wire: its methods behind the guard, called with bytes and metadata."""

import struct
from dataclasses import dataclass

from google.rpc import code_pb2

from cipherlens.server.app import CipherLensServer
from cipherlens.server.call import Call
from cipherlens.server.transport import Refusal
from cipherlens.server.transport.payloads import decoded
from cipherlens.server.transport.status import status_of
from cipherlens.wire import details_from

# What a refused call may be told; INTERNAL, UNKNOWN and the like are findings.
REFUSALS = {
    code_pb2.INVALID_ARGUMENT,
    code_pb2.NOT_FOUND,
    code_pb2.ALREADY_EXISTS,
    code_pb2.FAILED_PRECONDITION,
    code_pb2.RESOURCE_EXHAUSTED,
    code_pb2.UNAUTHENTICATED,
    code_pb2.PERMISSION_DENIED,
}
_LARGEST_STATUS = 6 * 1024  # gRPC takes 8 KiB of headers
_DEADLINE_S = 60
_SIZE = struct.Struct("<I")


@dataclass(frozen=True)
class Answer:
    """What a method gave: messages, or the status of a refusal."""

    messages: tuple
    refusal: object = None


class Methods:
    """A `Transport` that carries nothing: `call` goes to the guard at once."""

    def __init__(self, services, **_settings):
        self.by_name, self._guarded, self._together = {}, {}, {}
        for each in services:
            for method in each.service.methods:
                self.by_name[method.name] = method
                self._guarded[method.name] = each.guard.guarded(method)
                self._together[method.name] = each.guard.together(method)

    def start(self):
        return 0

    def serve(self):
        pass

    def stop_serving(self):
        pass

    def stop(self, at_most_s):
        pass

    def call(self, name, payload, metadata=(), within_s=_DEADLINE_S) -> Answer:
        """Return what a method makes of the bytes of its request, or of a stream's requests."""
        method, made = self.by_name[name], Call.within(within_s, metadata=lambda: metadata)
        try:
            if method.takes_stream:
                parts = (decoded(method.request_type, each) for each in parts_of(payload))
                answer = self._guarded[name](parts, made)
            else:
                answer = self._guarded[name](decoded(method.request_type, payload), made)
            given = list(answer) if method.gives_stream else [answer]
        except Refusal as refusal:
            return Answer((), refusal.status)
        except Exception as error:
            if payload and type(error).__name__ == "InvalidField":  # it does not decode
                return Answer((), status_of(error))
            raise
        read = method.response_type.FromString
        return Answer(tuple(read(each.SerializeToString()) for each in given))

    def shared(self, name, payload, metadata):
        """Return what the method answers together with others, None if it leaves it to `call`."""
        together = self._together[name]
        if together is None:
            return None
        (answer,) = together([payload], lambda: [metadata])
        return None if answer is None else self.by_name[name].response_type.FromString(answer)


def started(config):
    """Return a server in this process, and its methods."""
    server = CipherLensServer(config, Methods)
    server.start()
    return server, server._transports[0]


def parts_of(payload):
    """Return the messages of a stream, each with its length before it."""
    found, start = [], 0
    while start + _SIZE.size <= len(payload):
        (size,) = _SIZE.unpack_from(payload, start)
        start += _SIZE.size
        found.append(payload[start : start + size])
        start += size
    return found


def stream_of(parts):
    """Return the bytes of a stream's messages."""
    return b"".join(_SIZE.pack(len(each)) + each for each in parts)


def check_refusal(status):
    """Assert that a refusal is one that is documented, with its details."""
    assert status.code in REFUSALS, status
    details = details_from(status.details)
    assert details.reason
    assert details.reason != "UNKNOWN"
    assert status.message
    assert status.ByteSize() < _LARGEST_STATUS
