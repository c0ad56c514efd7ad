"""Two listeners on one server: without TLS on the transport of the user's choice, and with TLS."""

import re
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig, TlsListener
from cipherlens.server.errors import StartupError
from cipherlens.v1 import collection_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

ANYWHERE = "127.0.0.1:0"


def config(tmp_path, listen=ANYWHERE, tls=ANYWHERE, **files):
    files = {"certificate": tmp_path / "server.pem", "key": tmp_path / "server.key", **files}
    return ServerConfig(
        data_dir=tmp_path / "data", listen=listen, tls=TlsListener(listen=tls, **files)
    )


@pytest.fixture
def serve(certificate):
    """Return a function that makes a server; all are stopped at the end."""
    made = []

    def make(settings):
        made.append(CipherLensServer(settings))
        return made[-1]

    yield make
    for each in made:
        each.stop(0)


def secure(port, certificate):
    return grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(certificate))


def test_both_listeners_serve_the_same_collections(serve, tmp_path, certificate, vectors, gaussian):
    server = serve(config(tmp_path, listen=f"unix:{tmp_path}/socket"))
    server.start()
    rows = gaussian(20)
    request = pb.IndexRequest(
        collection="v",
        items=[pb.IndexItem(item_id=f"i{n}", revision=1) for n in range(20)],
        vectors=vectors(rows),
    )
    search = pb.SearchRequest(collection="v", k=3, vectors=vectors(rows))
    with (
        grpc.insecure_channel(f"unix:{tmp_path}/socket") as near,
        secure(server.tls_port, certificate) as far,
    ):
        inside = retrieval_service_pb2_grpc.RetrievalServiceStub(near)
        outside = retrieval_service_pb2_grpc.RetrievalServiceStub(far)
        outside.CreateCollection(
            pb.CreateCollectionRequest(
                name="v", kind=collection_pb2.COLLECTION_KIND_VECTOR, dimension=16
            ),
            timeout=20,
        )
        inside.Index(request, timeout=20)
        assert outside.Search(search, timeout=20) == inside.Search(search, timeout=20)
        for channel in (near, far):
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=20)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_who_does_not_speak_tls_or_does_not_trust_is_not_heard(serve, tmp_path, certificate):
    server = serve(config(tmp_path))
    server.start()
    address = f"localhost:{server.tls_port}"
    for channel in (
        grpc.insecure_channel(address),
        grpc.secure_channel(address, grpc.ssl_channel_credentials()),
    ):
        with channel:
            stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.ListModels(pb.ListModelsRequest(), timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", ["certificate", "key"])
@pytest.mark.parametrize(("content", "problem"), [(None, "cannot be read"), ("x", "in PEM")])
def test_a_bad_file_is_named_before_anything_listens(
    serve, tmp_path, certificate, name, content, problem
):
    path = Path(tmp_path / "other.pem")
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartupError, match=rf"{re.escape(str(path))}.*{problem}"):
        serve(config(tmp_path, **{name: path}))
    serve(config(tmp_path)).start()  # the data folder was let go


def test_if_one_cannot_listen_neither_does(serve, tmp_path, certificate):
    taken = serve(ServerConfig(data_dir=tmp_path / "other", listen=ANYWHERE)).start()
    server = serve(config(tmp_path, listen=f"unix:{tmp_path}/socket", tls=f"127.0.0.1:{taken}"))
    with pytest.raises(StartupError, match="cannot listen"):
        server.start()
    assert not (tmp_path / "socket").exists() or _refused(f"unix:{tmp_path}/socket")


def _refused(address):
    with grpc.insecure_channel(address) as channel:
        stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListModels(pb.ListModelsRequest(), timeout=5)
        return caught.value.code() is grpc.StatusCode.UNAVAILABLE
