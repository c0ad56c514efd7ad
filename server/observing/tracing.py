"""Spans of calls and their stages for OpenTelemetry, sent by OTLP over HTTP."""

import time
from importlib.metadata import version
from typing import Any, Protocol

from cipherlens.server.call import Metadata
from cipherlens.server.config import TracingSettings
from cipherlens.server.errors import StartupError
from cipherlens.server.observing.seen import SeenCall

TRACE_PARENT = "traceparent"
"""Metadata of W3C Trace Context with the span that a call belongs to."""

_NS = 1_000_000_000
# A collector that does not answer holds up the end of a server no longer than that.
_SEND_S = 5


class Tracer(Protocol):
    """Takes calls that have ended."""

    def record(
        self,
        seen: SeenCall,
        code: str,
        seconds: float,
        metadata: Metadata,
    ) -> None:
        """Take a call that has ended with a code, such as "OK", after so many seconds."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


def tracer_of(settings: TracingSettings) -> Tracer | None:
    """Return what takes spans, None where none are wanted. Raises StartupError."""
    if settings.endpoint is None:
        return None
    try:
        return _OtlpTracer(settings.endpoint, settings.share)
    except ModuleNotFoundError as error:
        raise StartupError(
            f"tracing needs the package {error.name}: pip install 'cipherlens[tracing]'"
        ) from error


class _OtlpTracer:
    """Makes spans of calls once they have ended, and sends them from a thread of its own.

    Where nobody takes them, or not as fast as they come, they are dropped.
    """

    def __init__(self, endpoint: str, share: float) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        name, number = "cipherlens", version("cipherlens")
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource({"service.name": name, "service.version": number}),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_SEND_S))
        )
        self._tracer = self._provider.get_tracer(name, number)
        self._propagator = TraceContextTextMapPropagator()

    def record(
        self,
        seen: SeenCall,
        code: str,
        seconds: float,
        metadata: Metadata,
    ) -> None:
        """Make a span of the call, and one of each stage within it."""
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        carried = {key: value for key, value in metadata if isinstance(value, str)}
        begin_ns = time.time_ns() - int(seconds * _NS)
        span = self._tracer.start_span(
            f"{seen.service}/{seen.method}",
            context=self._propagator.extract(carried),
            kind=SpanKind.SERVER,
            start_time=begin_ns,
            attributes=_attributes(seen, code),
        )
        inside = set_span_in_context(span)
        for each in seen.spans:
            stage_ns = begin_ns + int((each.begin_s - seen.begin_s) * _NS)
            stage = self._tracer.start_span(each.stage, context=inside, start_time=stage_ns)
            stage.end(stage_ns + int(each.seconds * _NS))
        if code != "OK":
            span.set_status(Status(StatusCode.ERROR, code))
        span.end(begin_ns + int(seconds * _NS))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _attributes(seen: SeenCall, code: str) -> dict[str, Any]:
    """Return what OpenTelemetry's conventions for RPCs say of a call, and its id."""
    return {
        "rpc.system": "grpc",
        "rpc.service": seen.service,
        "rpc.method": seen.method,
        "cipherlens.code": code,
        "cipherlens.request_id": seen.request_id,
    }
