"""Several processes behind one port with TLS and tokens: real ones, over the command line."""

import sys
from datetime import timedelta

import grpc
import pytest

from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1 import retrieval_service_pb2_grpc
from tests.server.test_workers import Workers, wait_for_change

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="this needs /proc")

UNAVAILABLE, UNAUTHENTICATED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED
CONNECTIONS = 24  # all go to one of two workers once in 2^23 times


class Certified:
    """An authority, and what it has signed."""

    def __init__(self):
        authority = Authority(1)
        self.ca = authority.certificate
        self.server, self.client = authority.server(["localhost"]), authority.client("someone")

    def write(self, folder):
        """Put its files where the workers have theirs."""
        (folder / "server.pem").write_bytes(self.server.certificate)
        (folder / "server.key").write_bytes(self.server.key)
        (folder / "ca.pem").write_bytes(self.ca)


@pytest.fixture
def token(tmp_path):
    """The metadata that shows a token, which the workers' file has."""
    text, record = issue("someone", permissions_of("server"), timedelta(days=1))
    TokenFile.of(tmp_path / "data", None).add(record)
    return [("authorization", f"Bearer {text}")]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts two workers with TLS, and returns their port of it."""
    started = []

    def start(*options):
        files = ("--tls-certificate", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key")
        listens = ("--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0")
        started.append(Workers(tmp_path / "data", tmp_path / "log", *listens, *files, *options))
        line = started[-1].process.stdout.readline()
        assert line.startswith("cipherlens: listening on "), (tmp_path / "log").read_text()
        return int(line.partition("with TLS, on 127.0.0.1:")[2].split()[0])

    yield start
    for each in started:
        assert each.end() == 0


def code(port, trusted, shown=None, metadata=None):
    """Return the code of a small call's error over a new connection, None if it was answered."""
    pair = (shown.client.key, shown.client.certificate) if shown else ()
    credentials = grpc.ssl_channel_credentials(trusted.ca, *pair)
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"localhost:{port}", credentials, options=options) as channel:
        stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
        try:
            stub.ListModels(pb.ListModelsRequest(), timeout=60, metadata=metadata)
        except grpc.RpcError as error:
            return error.code()
    return None


def codes(*arguments):
    """Return what many connections come to, of which each worker has some."""
    return {code(*arguments) for _ in range(CONNECTIONS)}


def test_all_workers_ask_for_certificate_and_token_and_read_renewed_ones(start, tmp_path, token):
    old, new = Certified(), Certified()
    old.write(tmp_path)
    port = start("--tls-client-ca", tmp_path / "ca.pem")
    assert codes(port, old, old, token) == {None}
    assert codes(port, old, old) == {UNAUTHENTICATED}
    assert code(port, old, None, token) is UNAVAILABLE
    assert code(port, old, new, token) is UNAVAILABLE
    new.write(tmp_path)
    assert codes(port, new, new, token) == {None}
    assert codes(port, old, old, token) == {UNAVAILABLE}
    (tmp_path / "data" / "tokens.json").unlink()
    wait_for_change(lambda: codes(port, new, new, token) == {UNAUTHENTICATED})
