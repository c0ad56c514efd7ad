"""Spans, as a collector gets them by OTLP over HTTP."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cipherlens.server.config import TracingSettings
from cipherlens.v1 import retrieval_service_pb2 as pb

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


@pytest.fixture
def collector():
    """A server that takes spans: its address, and a function that gives those it got."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            request = ExportTraceServiceRequest.FromString(data)
            got.extend(
                span
                for resource in request.resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/traces", got
    server.shutdown()
    server.server_close()


def test_a_call_is_a_span_of_its_callers_trace_with_its_stages_inside(
    collector, make_cloud, vectors, gaussian
):
    address, spans = collector
    cloud = make_cloud(tracing=TracingSettings(endpoint=address, share=0))
    cloud.create()
    cloud.index(["a"], vectors=vectors(gaussian(1)))
    request = pb.SearchRequest(collection="v", k=1, vectors=vectors(gaussian(1)))
    traced = [("traceparent", f"00-{TRACE}-{PARENT}-01"), ("x-request-id", "mine")]
    cloud.stub.Search(request, timeout=20, metadata=traced)
    with pytest.raises(grpc.RpcError):
        cloud.stub.GetCollection(
            pb.GetCollectionRequest(name="nowhere"), timeout=20, metadata=traced
        )
    cloud.stop()  # what is left is sent
    by_name = {each.name: each for each in spans}
    search = by_name["cipherlens.v1.RetrievalService/Search"]
    assert (search.trace_id.hex(), search.parent_span_id.hex()) == (TRACE, PARENT)
    stage = by_name["search"]
    assert (stage.trace_id, stage.parent_span_id) == (search.trace_id, search.span_id)
    assert search.start_time_unix_nano <= stage.start_time_unix_nano
    assert stage.end_time_unix_nano <= search.end_time_unix_nano
    told = {each.key: each.value.string_value for each in search.attributes}
    assert told["cipherlens.request_id"] == "mine"
    assert (told["rpc.method"], told["cipherlens.code"]) == ("Search", "OK")
    failed = by_name["cipherlens.v1.RetrievalService/GetCollection"]
    assert failed.status.message == "NOT_FOUND"
    # With a share of 0 nothing else is traced.
    assert set(by_name) == {search.name, stage.name, failed.name}


def test_a_collector_that_is_gone_costs_no_call(make_cloud, vectors, gaussian):
    settings = TracingSettings(endpoint="http://127.0.0.1:9/v1/traces")
    cloud = make_cloud(tracing=settings)
    cloud.create()
    cloud.index(["a"], vectors=vectors(gaussian(1)))
    assert cloud.ids_found(vectors=vectors(gaussian(1))) == [["a"]]
