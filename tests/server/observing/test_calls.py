"""Calls of a real server, as its metrics, its log and its trailers tell them."""

import json
import logging
import urllib.error
import urllib.request
from collections import Counter
from types import SimpleNamespace

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import LogSettings, ServerConfig
from cipherlens.server.transport import native
from cipherlens.v1 import retrieval_service_pb2 as pb


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


@pytest.fixture
def watched(make_cloud):
    """A server that logs every call and answers scrapes."""
    return make_cloud(metrics_listen="0", log=LogSettings(access_share=1))


def page(cloud, path):
    try:
        url = f"http://127.0.0.1:{cloud.server.metrics_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def scraped(cloud):
    """Return the samples of a scrape: {(name, labels): value}."""
    status, text = page(cloud, "/metrics")
    assert status == 200
    return {
        (each.name, frozenset(each.labels.items())): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def value(found, name, **labels):
    return found.get((name, frozenset(labels.items())), 0)


def calls(found, method, code="OK"):
    return value(
        found,
        "cipherlens_rpc_duration_seconds_count",
        service="cipherlens.v1.RetrievalService",
        method=method,
        code=code,
    )


def filled(cloud, vectors, gaussian, count=30):
    cloud.create()
    rows = gaussian(count)
    cloud.index([f"i{each}" for each in range(count)], vectors=vectors(rows))
    return rows


def test_every_call_is_counted_by_method_and_code(watched, vectors, gaussian, failure):
    rows = filled(watched, vectors, gaussian)
    for row in rows[:7]:
        watched.search(vectors=vectors(row))
    watched.fetch(["i1"])  # several are read in several stages
    assert failure(watched.search, "nowhere", vectors=vectors(rows[0]))[0].name == "NOT_FOUND"
    found = scraped(watched)
    assert calls(found, "Search") == 7
    assert calls(found, "Search", "NOT_FOUND") == 1
    assert calls(found, "Fetch") == 1
    assert calls(found, "Index") == 1
    name = "cipherlens_stage_duration_seconds_count"
    assert value(found, name, stage="search", method="Search") == 7
    assert value(found, name, stage="commit", method="Index") == 1
    assert value(found, name, stage="fetch", method="Fetch") == 1


def test_calls_that_never_come_before_the_guard_are_counted(watched, transport, failure):
    raw = watched.channel.unary_unary("/cipherlens.v1.RetrievalService/Delete")
    for _ in range(3):
        assert failure(raw, b"\xff", timeout=20)[0].name == "INVALID_ARGUMENT"
    with pytest.raises(grpc.RpcError) as caught:
        raw(b"\xff", timeout=20, metadata=[("x-request-id", "mine")])
    assert ("x-request-id", "mine") in caught.value.trailing_metadata()
    assert calls(scraped(watched), "Delete", "INVALID_ARGUMENT") == 4
    too_long = bytes(watched.config.limits.max_message_bytes + 2**20)
    assert failure(raw, too_long, timeout=20)[0].name == "RESOURCE_EXHAUSTED"
    by_us = transport is native.NativeTransport  # else it is gRPC's own library that says so
    assert calls(scraped(watched), "Delete", "RESOURCE_EXHAUSTED") == by_us


def test_buckets_of_a_histogram_add_up(watched, vectors, gaussian):
    rows = filled(watched, vectors, gaussian)
    for row in rows:
        watched.search(vectors=vectors(row))
    labels = {"service": "cipherlens.v1.RetrievalService", "method": "Search", "code": "OK"}
    buckets = {
        dict(key)["le"]: count
        for (name, key), count in scraped(watched).items()
        if name.endswith("_bucket") and labels.items() <= dict(key).items()
    }
    counts = [buckets[bound] for bound in sorted(buckets, key=float)]
    assert counts == sorted(counts)
    assert counts[-1] == len(rows)


def test_sizes_sequence_and_places_are_as_they_are(watched, vectors, gaussian):
    filled(watched, vectors, gaussian)
    watched.delete(["i1"])
    found = scraped(watched)
    assert value(found, "cipherlens_ready") == 1
    assert value(found, "cipherlens_collections") == 1
    assert value(found, "cipherlens_collection_items", collection="v") == 29
    assert value(found, "cipherlens_collection_index_rows", collection="v") == 30
    sequence = watched.collection().sequence
    assert value(found, "cipherlens_collection_sequence", collection="v") == sequence
    assert value(found, "cipherlens_calls_under_way", kind="reads") == 0
    size_bytes = watched.database_path.with_name("cipherlens.sqlite3-wal").stat().st_size
    assert value(found, "cipherlens_database_bytes", file="wal") == size_bytes > 0
    assert value(found, "process_resident_memory_bytes") > 1e7


def test_images_are_seen_to_wait_and_to_go_through_a_model(
    watched, checkpoint, cipher_profile, cipher_images
):
    watched.create_ciphers(cipher_profile())
    watched.push(checkpoint(), "e")
    watched.index(["a", "b"], "e", cipher_images=cipher_images(2))
    watched.search("e", cipher_images=cipher_images(1))
    found = scraped(watched)
    name = "cipherlens_stage_duration_seconds_count"
    for stage in ("queue", "embed"):
        assert value(found, name, stage=stage, method="Index") == 1
        assert value(found, name, stage=stage, method="Search") == 1
    assert calls(found, "PushModel") == 1


def trailers(cloud, name, request, metadata=()):
    """Return the trailers of a call and its code, whatever came of it."""
    method = getattr(cloud.stub, name)
    try:
        _, call = method.with_call(request, timeout=20, metadata=metadata)
    except grpc.RpcError as error:
        call = error
    return dict(call.trailing_metadata()), call.code().name


def test_a_request_id_comes_back_with_answers_and_refusals(watched, vectors, gaussian):
    rows = filled(watched, vectors, gaussian)
    given = [("x-request-id", "caller/7")]
    for name in ("v", "nowhere"):
        request = pb.SearchRequest(collection=name, k=1, vectors=vectors(rows[0]))
        found, _ = trailers(watched, "Search", request, given)
        assert found["x-request-id"] == "caller/7"
    found, code = trailers(watched, "GetCollection", pb.GetCollectionRequest(name="nowhere"))
    assert code == "NOT_FOUND"
    assert len(found["x-request-id"]) == 32  # one was made
    assert "grpc-status-details-bin" in found
    stream = watched.stub.Fetch(
        pb.FetchRequest(collection="v", item_ids=["i1"]), timeout=20, metadata=given
    )
    assert len(list(stream)) == 1
    assert dict(stream.trailing_metadata())["x-request-id"] == "caller/7"


@pytest.mark.parametrize("bad", ["a b", "x" * 65, 'q"'])
def test_an_id_that_does_not_fit_into_a_log_is_replaced(watched, bad):
    request = pb.ListCollectionsRequest()
    found, _ = trailers(watched, "ListCollections", request, [("x-request-id", bad)])
    assert found["x-request-id"] != bad


def test_times_of_stages_come_to_who_asks(watched, vectors, gaussian):
    rows = filled(watched, vectors, gaussian)
    request = pb.SearchRequest(collection="v", k=1, vectors=vectors(rows[0]))
    found, _ = trailers(watched, "Search", request, [("x-server-timing", "1")])
    names = [each.partition(";dur=")[0] for each in found["server-timing"].split(", ")]
    assert names == ["search", "total"]
    assert "server-timing" not in trailers(watched, "Search", request)[0]


def test_the_log_has_a_line_for_each_call_without_names_or_content(
    watched, vectors, gaussian, caplog
):
    caplog.set_level(logging.INFO, logger="cipherlens.access")
    rows = filled(watched, vectors, gaussian)
    request = pb.SearchRequest(collection="v", k=1, vectors=vectors(rows[0]))
    trailers(watched, "Search", request, [("x-request-id", "mine")])
    trailers(watched, "GetCollection", pb.GetCollectionRequest(name="secret-name"))
    lines = [each.fields for each in caplog.records if each.name == "cipherlens.access"]
    by_rpc = {each["rpc"].partition("/")[2]: each for each in lines}
    assert Counter(each["code"] for each in lines) == {"OK": len(lines) - 1, "NOT_FOUND": 1}
    search = by_rpc["Search"]
    assert (search["request_id"], search["code"]) == ("mine", "OK")
    assert search["request_bytes"] == request.ByteSize()
    assert search["response_bytes"] > 0
    assert search["duration_ms"] > 0
    assert "secret-name" not in json.dumps(lines)
    assert {"request_id", "rpc", "code", "duration_ms", "token_id"} < set(search)


def test_tokens_are_logged_by_their_id_alone(make_cloud, tmp_path, caplog):
    from datetime import timedelta

    from cipherlens.server.access import Permission, TokenFile, issue

    token, record = issue("alice", [Permission.parse("server")], timedelta(days=1))
    (tmp_path / "data").mkdir(mode=0o700)
    TokenFile.of(tmp_path / "data", None).add(record)
    cloud = make_cloud(log=LogSettings(access_share=1))
    caplog.set_level(logging.INFO, logger="cipherlens.access")
    request = pb.ListCollectionsRequest()
    for shown in (token, token[:-1] + ("0" if token[-1] != "0" else "1")):
        trailers(cloud, "ListCollections", request, [("authorization", f"Bearer {shown}")])
    lines = [each.fields for each in caplog.records if each.name == "cipherlens.access"]
    assert [(each["code"], each["token_id"]) for each in lines] == [
        ("OK", record.token_id),
        ("UNAUTHENTICATED", ""),
    ]
    assert token not in json.dumps(lines)


def test_a_server_that_loads_is_alive_and_not_ready(watched):
    assert page(watched, "/livez") == (200, "live\n")
    assert page(watched, "/readyz")[0] == 200
    assert page(watched, "/other")[0] == 404
    watched.server._admission.stop()
    assert page(watched, "/readyz")[0] == 503
    assert page(watched, "/livez")[0] == 200
    assert value(scraped(watched), "cipherlens_ready") == 0


def test_probes_answer_before_anything_is_loaded(tmp_path, each_transport):
    config = ServerConfig(
        data_dir=tmp_path / "data", listen="127.0.0.1:0", metrics_listen="0", device="cpu"
    )
    server = CipherLensServer(config, each_transport)
    server.listen()
    try:
        started = SimpleNamespace(server=server)
        assert page(started, "/livez") == (200, "live\n")
        assert page(started, "/readyz")[0] == 503
        assert value(scraped(started), "cipherlens_ready") == 0
        server.load()
        assert page(started, "/readyz") == (200, "ready\n")
    finally:
        server.stop(0)


def test_the_listener_is_on_loopback_and_closes_with_the_server(make_cloud):
    cloud = make_cloud(metrics_listen="0")
    assert cloud.server._http._server.server_address[0] == "127.0.0.1"
    cloud.stop()
    with pytest.raises(urllib.error.URLError):
        page(cloud, "/livez")
