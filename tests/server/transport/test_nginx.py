"""The native transport behind nginx with TLS, by the configuration that docs/tls.md gives."""

import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from cipherlens.v1 import collection_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.ports import free_port

PAGE = Path(__file__).parents[3] / "docs" / "tls.md"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")


@pytest.fixture
def stub(tmp_path, certificate):
    """Return a stub of a server behind nginx, over TLS."""
    listen = f"unix:{tmp_path}/socket"
    config = ServerConfig(data_dir=tmp_path / "data", listen=listen, transport="native")
    server = CipherLensServer(config)
    server.start()
    port, trusted = free_port(), certificate
    (text,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    text = text.replace("/run/cipherlens", str(tmp_path)).replace("/etc/cipherlens", str(tmp_path))
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    as_user = "user root;\n" if os.geteuid() == 0 else ""  # else nginx gives root up
    (tmp_path / "nginx.conf").write_text(f"daemon off;\npid {tmp_path}/pid;\n{as_user}{text}")
    command = [NGINX, "-p", tmp_path, "-e", "stderr", "-c", tmp_path / "nginx.conf"]
    proxy = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    credentials = grpc.ssl_channel_credentials(trusted)
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
        grpc.channel_ready_future(channel).result(20)
        yield retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
    proxy.terminate()
    proxy.wait(20)
    server.stop(0)


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_calls_streams_and_failures_go_through(stub, vectors, gaussian, failure):
    kind = collection_pb2.COLLECTION_KIND_VECTOR
    request = pb.CreateCollectionRequest(name="v", kind=kind, dimension=16)
    stub.CreateCollection(request, timeout=20)
    rows, names = gaussian(60), [f"i{number}" for number in range(60)]
    items = [pb.IndexItem(item_id=each, sealed_original=b"s" * 50_000) for each in names]
    stub.Index(pb.IndexRequest(collection="v", items=items, vectors=vectors(rows)), timeout=20)
    search = pb.SearchRequest(collection="v", k=1, vectors=vectors(rows))
    found = stub.Search(search, timeout=20)
    assert [each.item_ids[0] for each in found.results] == names
    fetched = list(stub.Fetch(pb.FetchRequest(collection="v", item_ids=names), timeout=20))
    assert [len(each.item.sealed_original) for each in fetched] == [50_000] * 60
    code, _, details = failure(stub.Search, pb.SearchRequest(collection="none", k=1), timeout=20)
    assert (code, details["ErrorInfo"].reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
    )
    waiting = pb.SearchRequest(collection="v", k=1, vectors=vectors(rows[:1]), min_sequence=999)
    code, _, _ = failure(stub.Search, waiting, timeout=0.3)
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED


@pytest.fixture
def token(tmp_path):
    """Make a token before the server starts, which then asks for one."""
    made, record = issue("user", permissions_of("search:photos"), timedelta(days=1))
    TokenFile.of(tmp_path / "data", None).add(record)
    return made


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
def test_tokens_go_through(token, stub, failure, vectors, gaussian):
    bearing = [("authorization", f"Bearer {token}")]
    search = pb.SearchRequest(collection="photos", k=1, vectors=vectors(gaussian(1)))
    assert failure(stub.Search, search, timeout=20)[0] is grpc.StatusCode.UNAUTHENTICATED
    code, _, _ = failure(stub.Search, search, timeout=20, metadata=bearing)
    assert code is grpc.StatusCode.NOT_FOUND
    fetch = pb.FetchRequest(collection="photos", item_ids=["a"])
    code, _, details = failure(
        lambda request: list(stub.Fetch(request, timeout=20, metadata=bearing)), fetch
    )
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert details["ErrorInfo"].metadata["scope"] == "fetch"
    # A stream of requests goes to grpcio behind the native front.
    push = iter([pb.PushModelRequest(header=pb.ModelHeader(collection="photos"))])
    code, _, details = failure(stub.PushModel, push, timeout=20, metadata=bearing)
    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert details["ErrorInfo"].metadata["scope"] == "server"
