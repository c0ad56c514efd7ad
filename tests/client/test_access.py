"""What a client shows a server of who it is, and when it does not."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from cipherlens.client import (
    Access,
    AsyncClient,
    Client,
    Deadlines,
    EncryptionClient,
    Unavailable,
)
from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig, TlsListener
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

TOKEN = "clens_0123_abcd"
SHOWN = Access(token=TOKEN, metadata=[("x-tenant", "red")])
ELSEWHERE = "example.invalid:50051"


@pytest.fixture
def headers(scripted) -> list[dict[str, Any]]:
    """What came with each call to the scripted server, which answers ListModels three times."""
    came: list[dict[str, Any]] = []

    def note(answer: Any) -> Callable[[grpc.ServicerContext], Any]:
        def answered(context: grpc.ServicerContext) -> Any:
            came.append(dict(context.invocation_metadata()))
            return answer

        return answered

    scripted.will("ListModels", *[note(pb.ListModelsResponse())] * 3)
    found = collection_pb2.Collection(
        uuid="00000000-0000-4000-8000-000000000000",
        name="v",
        kind=collection_pb2.COLLECTION_KIND_VECTOR,
    )
    limits = pb.Limits(max_message_bytes=2**20, max_batch_items=8)
    scripted.will("GetServerInfo", note(pb.GetServerInfoResponse(limits=limits)))
    scripted.will("GetCollection", note(pb.GetCollectionResponse(collection=found)))
    fetched = pb.FetchResponse(item_id="a", state=pb.ITEM_STATE_MISSING)
    scripted.will("Fetch", note(iter([fetched])))
    scripted.will("PushModel", note(pb.PushModelResponse()))
    return came


def shown(headers: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each.get("authorization", ""), each.get("x-tenant", "")) for each in headers]


def test_a_token_and_metadata_go_with_every_kind_of_call(scripted, headers, tmp_path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"network")
    with Client(scripted.target, access=SHOWN) as client:
        client.list_models()
        list(client.fetch("v", ["a"]))
        client.push_model(model)
    assert set(shown(headers)) == {(f"Bearer {TOKEN}", "red")}
    assert {"ListModels", "Fetch", "PushModel"} <= {name for name, _ in scripted.requests}


def test_they_go_with_every_kind_of_awaited_call(scripted, headers, tmp_path) -> None:
    model = tmp_path / "model"
    model.write_bytes(b"network")

    async def call() -> None:
        async with AsyncClient(scripted.target, access=SHOWN) as client:
            await client.list_models()
            assert [each.item_id async for each in client.fetch("v", ["a"])] == ["a"]
            await client.push_model(model)

    asyncio.run(call())
    assert set(shown(headers)) == {(f"Bearer {TOKEN}", "red")}
    assert {"ListModels", "Fetch", "PushModel"} <= {name for name, _ in scripted.requests}


def test_a_channel_of_ones_own_is_used_with_the_token_and_left_open(scripted, headers) -> None:
    with grpc.insecure_channel(scripted.target) as channel:
        with Client("not used", channel=channel, access=SHOWN) as client:
            client.list_models()
        with Client(channel=channel) as client:
            client.list_models()
    assert shown(headers) == [(f"Bearer {TOKEN}", "red"), ("", "")]

    async def call() -> None:
        async with grpc.aio.insecure_channel(scripted.target) as channel:
            async with AsyncClient(channel=channel, access=SHOWN) as client:
                await client.list_models()
            assert channel.get_state() is grpc.ChannelConnectivity.READY

    asyncio.run(call())
    assert shown(headers)[2:] == [(f"Bearer {TOKEN}", "red")]


@pytest.mark.parametrize("kind", [Client, AsyncClient, EncryptionClient])
@pytest.mark.parametrize(
    "access", [Access(token=TOKEN), Access(metadata=[("Authorization", "Basic x")])]
)
def test_no_token_leaves_this_machine_unencrypted(kind, access: Access) -> None:
    with pytest.raises(ValueError, match="unencrypted") as caught:
        kind(ELSEWHERE, access=access)
    assert TOKEN not in str(caught.value)


def test_no_plain_picture_leaves_this_machine_unencrypted() -> None:
    with pytest.raises(ValueError, match="plain pictures"):
        EncryptionClient(ELSEWHERE)
    EncryptionClient(ELSEWHERE, access=Access(insecure=True)).close()
    EncryptionClient(ELSEWHERE, access=Access(tls=True)).close()
    EncryptionClient("unix:/run/owner").close()


@pytest.mark.parametrize(
    "access", [Access(token=TOKEN, insecure=True), Access(metadata=[("a", "b")])]
)
def test_what_is_no_secret_or_was_allowed_may_leave(access: Access) -> None:
    Client(ELSEWHERE, access=access).close()
    Client(ELSEWHERE, access=Access(token=TOKEN, tls=True)).close()


def test_what_stays_here_takes_no_proxy(scripted, headers, monkeypatch) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nothing listens
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Client(scripted.target, access=SHOWN, deadlines=Deadlines(quick_s=10)) as client:
        client.list_models()
    assert len(headers) == 1


@pytest.mark.parametrize("token", ["", "two words", "line\n", "\N{SNOWMAN}"])
def test_a_token_that_is_none_is_refused_and_never_shown(token: str) -> None:
    with pytest.raises(ValueError, match="token: must be printable"):
        Access(token=token)
    assert TOKEN not in repr(SHOWN)


def test_half_of_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="go together"):
        Access(certificate=tmp_path / "client.pem")


def test_tls_with_an_authority_of_ones_own(with_tls) -> None:
    address, ca = with_tls
    for path in (ca, str(ca)):
        with Client(address, access=Access(ca=path, token=TOKEN)) as client:
            assert client.list_models() == []

    async def call() -> None:
        async with AsyncClient(address, access=Access(ca=ca)) as client:
            assert await client.list_models() == []

    asyncio.run(call())


@pytest.mark.parametrize("access", [Access(tls=True), Access()])
def test_a_server_that_does_not_prove_itself_is_not_spoken_to(with_tls, access: Access) -> None:
    address, _ = with_tls
    with (
        Client(address, access=access, deadlines=Deadlines(quick_s=2)) as client,
        pytest.raises(Unavailable),
    ):
        client.list_models()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Client(access=Access(ca=tmp_path / "nowhere"))


def test_a_client_shows_its_certificate_where_it_is_asked_for(tmp_path: Path) -> None:
    authority = Authority(1)
    server_pair, client_pair = authority.server(["localhost"]), authority.client("someone")
    for name, data in (
        ("ca.pem", authority.certificate),
        ("server.pem", server_pair.certificate),
        ("server.key", server_pair.key),
        ("client.pem", client_pair.certificate),
        ("client.key", client_pair.key),
    ):
        (tmp_path / name).write_bytes(data)
    tls = TlsListener(
        listen="127.0.0.1:0",
        certificate=tmp_path / "server.pem",
        key=tmp_path / "server.key",
        client_ca=tmp_path / "ca.pem",
    )
    server = CipherLensServer(
        ServerConfig(data_dir=tmp_path / "data", listen=f"unix:{tmp_path}/s", tls=tls)
    )
    server.start()
    target = f"localhost:{server.tls_port}"
    shown = Access(
        ca=tmp_path / "ca.pem",
        certificate=tmp_path / "client.pem",
        certificate_key=tmp_path / "client.key",
    )
    try:
        with Client(target, access=shown) as client:
            assert client.list_models() == []
        hidden, soon = Access(ca=tmp_path / "ca.pem"), Deadlines(quick_s=2)
        with Client(target, access=hidden, deadlines=soon) as client, pytest.raises(Unavailable):
            client.list_models()
    finally:
        server.stop(0)
