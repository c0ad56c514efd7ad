"""A transport in memory: what a service's tests need of one, without a wire."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from cipherlens.server.call import Call
from cipherlens.server.transport import Refusal

CODES = {each.value[0]: each for each in grpc.StatusCode}


class StatusError(grpc.RpcError):
    """A status as grpcio's client raises it."""

    def __init__(self, status):
        self.code = lambda: CODES[status.code]
        self.details = lambda: status.message
        self.trailing_metadata = lambda: [("grpc-status-details-bin", status.SerializeToString())]


class MemoryTransport:
    """A `Transport`; its attributes are the methods of its services, as those of a stub are."""

    def __init__(self, services, *, listen, limits, timeouts):
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(limits.max_concurrent_calls + 1, "call")
        for each in services:
            for method in each.service.methods:
                setattr(self, method.name, self._method(method, each.guard.guarded(method)))

    def start(self):
        return 0

    def serve(self):
        pass

    def stop_serving(self):
        pass

    def stop(self, at_most_s):
        self._ended.set()
        self._pool.shutdown(wait=True)

    def _method(self, method, guarded):
        def call(request, timeout=None):
            call = Call.within(timeout, lambda: not self._ended.is_set())
            requests = request if method.takes_stream else [request]
            copies = (method.request_type.FromString(each.SerializeToString()) for each in requests)
            try:
                answer = guarded(copies if method.takes_stream else next(copies), call)
                answers = list(answer) if method.gives_stream else [answer]
            except Refusal as refusal:
                raise StatusError(refusal.status) from refusal
            copies = [method.response_type.FromString(a.SerializeToString()) for a in answers]
            return iter(copies) if method.gives_stream else copies[0]

        call.future = lambda *words, **named: self._pool.submit(call, *words, **named)
        return call
