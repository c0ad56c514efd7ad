"""Certificates that clients show, and those that are renewed while the server runs."""

import logging
import shutil
import threading
from datetime import timedelta
from types import SimpleNamespace

import grpc
import pytest

from cipherlens.base import Role
from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.crypto import CipherParameters, KeyEntry, Keyring
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig, TlsListener
from cipherlens.server.errors import StartupError
from cipherlens.v1 import encryption_service_pb2 as owner
from cipherlens.v1 import encryption_service_pb2_grpc, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class Certified:
    """An authority, and what it has signed."""

    def __init__(self):
        authority = Authority(1)
        self.ca = authority.certificate
        self.server = authority.server(["localhost"])
        self.client = authority.client("someone")


@pytest.fixture(scope="module")
def old():
    return Certified()


@pytest.fixture(scope="module")
def new():
    return Certified()


@pytest.fixture(params=[Role.CLOUD, Role.OWNER])
def role(request):
    return request.param


@pytest.fixture
def serve(tmp_path, old):
    """Return a function that starts a server of a role with the old certificates."""
    started = []

    def start(role=Role.CLOUD, *, asks_clients=False):
        write(tmp_path, old)
        path = tmp_path / "my.keys"
        if role is Role.OWNER:
            parameters = CipherParameters(height=16, width=32, block_size=8, substituted_blocks=2)
            Keyring([KeyEntry.generate("k", parameters)]).save(path, unprotected=True)
        tls = TlsListener(
            listen="127.0.0.1:0",
            certificate=tmp_path / "server.pem",
            key=tmp_path / "server.key",
            client_ca=tmp_path / "ca.pem" if asks_clients else None,
        )
        config = ServerConfig(
            data_dir=tmp_path / "data",
            role=role,
            keyring=path if role is Role.OWNER else None,
            listen=f"unix:{tmp_path}/socket",
            device="cpu",
            tls=tls,
        )
        started.append(CipherLensServer(config))
        started[-1].start()
        return SimpleNamespace(role=role, port=started[-1].tls_port)

    yield start
    for each in started:
        each.stop(0)


def write(folder, certified):
    """Put an authority's files where the server has its own."""
    (folder / "server.pem").write_bytes(certified.server.certificate)
    (folder / "server.key").write_bytes(certified.server.key)
    (folder / "ca.pem").write_bytes(certified.ca)


def connected(server, trusted, shown=None):
    """Return a new connection, which trusts an authority and shows a client's certificate."""
    credentials = grpc.ssl_channel_credentials(
        trusted.ca, *((shown.client.key, shown.client.certificate) if shown else ())
    )
    options = [("grpc.use_local_subchannel_pool", 1)]  # else connections of other tests are used
    return grpc.secure_channel(f"localhost:{server.port}", credentials, options=options)


def asked(channel, role=Role.CLOUD, metadata=None):
    """Return the code of a small call's error, None if it was answered."""
    try:
        if role is Role.OWNER:
            stub = encryption_service_pb2_grpc.EncryptionServiceStub(channel)
            stub.ListKeys(owner.ListKeysRequest(), timeout=10, metadata=metadata)
        else:
            cloud = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
            cloud.ListModels(pb.ListModelsRequest(), timeout=10, metadata=metadata)
    except grpc.RpcError as error:
        return error.code()
    return None


def code(server, trusted, shown=None):
    with connected(server, trusted, shown) as channel:
        return asked(channel, server.role)


def test_only_who_shows_a_certificate_of_the_authority_is_let_in(serve, role, old, new) -> None:
    server = serve(role, asks_clients=True)
    assert code(server, old, shown=old) is None
    assert code(server, old) is UNAVAILABLE
    assert code(server, old, shown=new) is UNAVAILABLE


def test_by_tls_a_token_is_asked_for_too(serve, tmp_path, role, old) -> None:
    keyring = tmp_path / "my.keys" if role is Role.OWNER else None
    needed = "keys" if role is Role.OWNER else "server"
    token, record = issue("someone", permissions_of(needed), timedelta(days=1))
    TokenFile.of(tmp_path / "data", keyring).add(record)
    server = serve(role, asks_clients=True)
    with connected(server, old, shown=old) as channel:
        assert asked(channel, role) is grpc.StatusCode.UNAUTHENTICATED
        assert asked(channel, role, [("authorization", f"Bearer {token}")]) is None


def test_renewed_certificates_count_without_a_restart(serve, tmp_path, role, old, new) -> None:
    server = serve(role)
    with connected(server, old) as before:
        assert asked(before, role) is None
        write(tmp_path, new)
        assert code(server, new) is None
        assert code(server, old) is UNAVAILABLE
        assert asked(before, role) is None  # who was connected stays so


def test_a_renewed_client_authority_counts_too(serve, tmp_path, old, new) -> None:
    server = serve(asks_clients=True)
    (tmp_path / "ca.pem").write_bytes(new.ca)
    assert code(server, old, shown=new) is None
    assert code(server, old, shown=old) is UNAVAILABLE


def broken(name, content):
    def break_(folder):
        (folder / name).write_bytes(content)

    return break_


@pytest.mark.parametrize(
    ("break_", "problem"),
    [
        (broken("server.pem", b"nothing"), "server.pem holds no certificate in PEM"),
        (broken("server.key", b""), "server.key holds no private key in PEM"),
        (
            broken("server.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
            "are no pair in PEM",
        ),
        (
            broken("ca.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
            "ca.pem holds no certificates",
        ),
        (lambda folder: (folder / "server.key").unlink(), "server.key cannot be read"),
    ],
)
def test_broken_ones_change_nothing_and_are_logged_once(
    serve, tmp_path, old, new, caplog, break_, problem
) -> None:
    server = serve(asks_clients=True)
    break_(tmp_path)
    with caplog.at_level(logging.ERROR, "cipherlens"):
        for _ in range(3):
            assert code(server, old, shown=old) is None
    assert [problem in each.message for each in caplog.records] == [True]
    write(tmp_path, new)
    assert code(server, new, shown=new) is None


def test_half_renewed_ones_wait_for_the_other_half(serve, tmp_path, old, new, caplog) -> None:
    server = serve()
    (tmp_path / "server.pem").write_bytes(new.server.certificate)
    assert code(server, old) is None
    assert "KEY_VALUES_MISMATCH" in caplog.text
    (tmp_path / "server.key").write_bytes(new.server.key)
    assert code(server, new) is None


def test_while_files_change_every_connection_sees_one_pair_or_the_other(
    serve, tmp_path, old, new
) -> None:
    server, done = serve(), threading.Event()

    def renew():
        for number in range(300):
            write(tmp_path, (old, new)[number % 2])
        done.set()

    renewing = threading.Thread(target=renew)
    renewing.start()
    came = []
    while not done.is_set():
        came.append(code(server, SimpleNamespace(ca=old.ca + new.ca)))
    renewing.join()
    assert came
    assert set(came) == {None}


def test_what_does_not_fit_is_named_before_anything_listens(serve, tmp_path, old, new) -> None:
    serve()
    (tmp_path / "server.key").write_bytes(new.server.key)
    shutil.copy(tmp_path / "server.pem", tmp_path / "other.pem")
    for files, problem in (
        ({}, "are no pair in PEM without a passphrase: KEY_VALUES_MISMATCH"),
        ({"client_ca": tmp_path / "nowhere"}, "the client CA .*nowhere cannot be read"),
    ):
        tls = TlsListener(
            listen="127.0.0.1:0",
            certificate=tmp_path / "other.pem",
            key=tmp_path / "server.key",
            **files,
        )
        config = ServerConfig(data_dir=tmp_path / "second", listen="127.0.0.1:0", tls=tls)
        with pytest.raises(StartupError, match=problem):
            CipherLensServer(config)


def test_a_key_with_a_passphrase_is_refused_without_asking(serve, tmp_path, old) -> None:
    from cryptography.hazmat.primitives import serialization

    serve()
    key = serialization.load_pem_private_key(old.server.key, None)
    protected = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"words"),
    )
    (tmp_path / "server.key").write_bytes(protected)
    tls = TlsListener(
        listen="127.0.0.1:0", certificate=tmp_path / "server.pem", key=tmp_path / "server.key"
    )
    with pytest.raises(StartupError, match="without a passphrase"):
        CipherLensServer(ServerConfig(data_dir=tmp_path / "second", listen="127.0.0.1:0", tls=tls))
