"""Tokens over the wire: who may do what, on both transports, by TLS, and for both services."""

import socket
import threading
from datetime import timedelta
from types import SimpleNamespace

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from cipherlens.base import Role
from cipherlens.crypto import CipherParameters, KeyEntry, Keyring
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.access import gate as gate_module
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.server.transport.grpcio import GrpcioTransport
from cipherlens.v1 import collection_pb2, encryption_service_pb2_grpc, retrieval_service_pb2_grpc
from cipherlens.v1 import encryption_service_pb2 as owner
from cipherlens.v1 import retrieval_service_pb2 as pb

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
ALL = "search,fetch,index,admin:*"


def bearing(token):
    return [("authorization", f"Bearer {token}")]


class Tokens:
    """The tokens of a server, as an operator makes and revokes them."""

    def __init__(self, file: TokenFile):
        self.file = file

    def make(self, name, *allowed):
        token, record = issue(
            name, [each for text in allowed for each in permissions_of(text)], timedelta(days=1)
        )
        self.file.add(record)
        return bearing(token)


@pytest.fixture
def serving(tmp_path, transport):
    """A cloud server that asks for tokens, with the collections "photos" and "secret"."""
    tokens = Tokens(TokenFile.of(tmp_path / "data", None))
    root = tokens.make("root", "server", ALL)
    server = CipherLensServer(
        ServerConfig(data_dir=tmp_path / "data", listen="127.0.0.1:0", device="cpu"), transport
    )
    port = server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
        for name in ("photos", "secret"):
            kind = collection_pb2.COLLECTION_KIND_VECTOR
            request = pb.CreateCollectionRequest(name=name, kind=kind, dimension=16)
            stub.CreateCollection(request, timeout=20, metadata=root)
        yield SimpleNamespace(
            stub=stub, channel=channel, tokens=tokens, root=root, port=port, server=server
        )
    server.stop(0)


@pytest.fixture
def search(vectors, gaussian):
    """Return a function that makes a search of the collection of a name."""
    return lambda name, **more: pb.SearchRequest(
        collection=name, k=1, vectors=vectors(gaussian(1)), **more
    )


def calls(search, name="photos"):
    """Return what may be asked of a collection: the method, and the request."""
    return [
        ("GetCollection", pb.GetCollectionRequest(name=name)),
        ("Search", search(name)),
        ("Fetch", pb.FetchRequest(collection=name, item_ids=["a"])),
        ("ListItems", pb.ListItemsRequest(collection=name)),
        ("Index", pb.IndexRequest(collection=name)),
        ("Delete", pb.DeleteRequest(collection=name, item_ids=["a"])),
        ("DeleteCollection", pb.DeleteCollectionRequest(name=name)),
        ("PushModel", [pb.PushModelRequest(header=pb.ModelHeader(collection=name))]),
    ]


def outcome(stub, method, request, metadata=None):
    """Return the code, reason and metadata of the error of a call; None if it was answered."""
    try:
        sent = iter(request) if isinstance(request, list) else request
        answer = getattr(stub, method)(sent, timeout=20, metadata=metadata)
        if method == "Fetch":
            list(answer)
    except grpc.RpcError as error:
        return error
    return None


def code(*arguments):
    error = outcome(*arguments)
    return None if error is None else error.code()


def test_nobody_is_let_in_without_a_token_that_is_known(serving, search) -> None:
    stranger, _ = issue("x", permissions_of("search:*"), timedelta(days=1))
    every = [
        *calls(search),
        ("GetServerInfo", pb.GetServerInfoRequest()),
        ("ListCollections", pb.ListCollectionsRequest()),
        ("ListModels", pb.ListModelsRequest()),
        ("CreateCollection", pb.CreateCollectionRequest(name="x")),
    ]
    for method, request in every:
        for metadata in (None, bearing(stranger), [("authorization", "Basic eDp5")]):
            assert code(serving.stub, method, request, metadata) is UNAUTHENTICATED, method
        assert code(serving.stub, method, request, serving.root) is not UNAUTHENTICATED, method


@pytest.mark.parametrize(
    ("scope", "methods"),
    [
        ("search", {"GetCollection", "Search"}),
        ("fetch", {"GetCollection", "Fetch", "ListItems"}),
        ("index", {"GetCollection", "Index", "Delete", "ListItems"}),
        ("admin", {"GetCollection", "DeleteCollection"}),
    ],
)
def test_a_scope_is_for_its_methods_and_its_collection(serving, search, scope, methods) -> None:
    token = serving.tokens.make("one", f"{scope}:photos")
    look(serving)
    for method, request in calls(search):
        allowed = code(serving.stub, method, request, token) is not DENIED
        assert allowed == (method in methods), method
    for method, request in calls(search, "secret"):
        assert code(serving.stub, method, request, token) is DENIED, method


def look(serving):
    """Let the server look at its tokens now, and not within a second."""
    serving.server._gate._look()


def test_a_refusal_names_scope_and_collection_and_hides_what_is_there(
    serving, search, failure
) -> None:
    token = serving.tokens.make("alice", "search:photos")
    look(serving)
    told = []
    for name in ("secret", "nothing"):
        request = pb.FetchRequest(collection=name, item_ids=["a"])
        denied, text, details = failure(
            lambda request: list(serving.stub.Fetch(request, timeout=20, metadata=token)), request
        )
        info = details["ErrorInfo"]
        assert (denied, info.reason) == (DENIED, "PERMISSION_DENIED")
        assert dict(info.metadata) == {"scope": "fetch", "collection": name}
        told.append(text.replace(name, "NAME"))
        assert code(serving.stub, "Search", search(name), token) is DENIED
    assert told[0] == told[1]


def test_a_search_that_brings_items_needs_to_fetch(serving, search) -> None:
    token = serving.tokens.make("searcher", "search:photos")
    both = serving.tokens.make("reader", "search,fetch:photos")
    look(serving)
    request = search("photos", item_budget_bytes=1000)
    assert code(serving.stub, "Search", search("photos"), token) is None
    error = outcome(serving.stub, "Search", request, token)
    assert (error.code(), "fetch in collection 'photos'" in error.details()) == (DENIED, True)
    assert code(serving.stub, "Search", request, both) is None


def test_only_what_a_token_sees_is_listed(serving) -> None:
    def listed(metadata):
        answer = serving.stub.ListCollections(
            pb.ListCollectionsRequest(), timeout=20, metadata=metadata
        )
        return [each.name for each in answer.collections]

    one = serving.tokens.make("one", "search:pho*")
    none = serving.tokens.make("none", "server")
    look(serving)
    assert listed(serving.root) == ["photos", "secret"]
    assert listed(one) == ["photos"]
    assert listed(none) == []


def test_searches_that_wait_together_are_each_judged_by_its_own_token(
    serving, search, vectors, gaussian
) -> None:
    request = pb.IndexRequest(
        collection="secret",
        items=[pb.IndexItem(item_id="a", revision=1)],
        vectors=vectors(gaussian(1)),
    )
    serving.stub.Index(request, timeout=20, metadata=serving.root)
    photos = serving.tokens.make("photos", "search:photos")
    look(serving)
    expected = {"root": None, "photos": DENIED, "nobody": UNAUTHENTICATED}
    shown = {"root": serving.root, "photos": photos, "nobody": None}
    came: list[tuple[str, object]] = []
    ready = threading.Barrier(9)

    def ask(name):
        ready.wait()
        came.extend(
            (name, code(serving.stub, "Search", search("secret"), shown[name])) for _ in range(30)
        )

    threads = [threading.Thread(target=ask, args=(name,)) for name in [*expected] * 3]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(came) == 270
    assert set(came) == set(expected.items())


def test_tokens_made_and_revoked_count_while_it_serves(serving, search, monkeypatch) -> None:
    monkeypatch.setattr(gate_module, "LOOK_S", 0.0)
    look(serving)
    token = serving.tokens.make("late", "search:photos")
    assert code(serving.stub, "Search", search("photos"), token) is None
    serving.tokens.file.revoke("late")
    assert code(serving.stub, "Search", search("photos"), token) is UNAUTHENTICATED


def test_a_stranger_is_refused_before_he_has_sent_anything(serving) -> None:
    waiting = threading.Event()

    def nothing():
        waiting.wait(20)
        yield pb.PushModelRequest()

    for metadata, expected in (
        (None, UNAUTHENTICATED),
        (serving.tokens.make("weak", "search:*"), DENIED),
    ):
        look(serving)
        assert code_of_stream(serving.stub, nothing(), metadata) is expected
    waiting.set()


def test_a_strangers_message_is_not_read_where_grpcio_listens(serving, transport) -> None:
    if transport is not GrpcioTransport:
        pytest.skip("the native front has read a message before it tells of the call")
    waiting = threading.Event()

    def nothing():
        waiting.wait(20)
        yield b""

    for name in ("Search", "Index", "Fetch"):
        call = serving.channel.stream_stream(f"/cipherlens.v1.RetrievalService/{name}")
        with pytest.raises(grpc.RpcError) as caught:
            list(call(nothing(), timeout=20))
        assert caught.value.code() is UNAUTHENTICATED
    waiting.set()


def code_of_stream(stub, requests, metadata):
    with pytest.raises(grpc.RpcError) as caught:
        stub.PushModel(requests, timeout=20, metadata=metadata)
    return caught.value.code()


def test_health_of_the_server_is_open_and_that_of_a_service_is_not(serving) -> None:
    stub = health_pb2_grpc.HealthStub(serving.channel)
    named = health_pb2.HealthCheckRequest(service="cipherlens.v1.RetrievalService")
    whole = health_pb2.HealthCheckRequest()
    serves = health_pb2.HealthCheckResponse.SERVING
    assert stub.Check(whole, timeout=20).status == serves
    assert next(stub.Watch(whole, timeout=20)).status == serves
    assert stub.Check(named, timeout=20, metadata=serving.root).status == serves
    assert next(stub.Watch(named, timeout=20, metadata=serving.root)).status == serves
    for call in (
        lambda: stub.Check(named, timeout=20),
        lambda: next(stub.Watch(named, timeout=20)),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() is UNAUTHENTICATED


def test_reflection_needs_a_token(serving) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(serving.channel)
    ask = reflection_pb2.ServerReflectionRequest(list_services="*")
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.ServerReflectionInfo(iter([ask]), timeout=20))
    assert caught.value.code() is UNAUTHENTICATED
    weakest = serving.tokens.make("weakest", "search:nothing")
    look(serving)
    answer = next(stub.ServerReflectionInfo(iter([ask]), timeout=20, metadata=weakest))
    assert "cipherlens.v1.RetrievalService" in str(answer)


def test_who_is_not_let_in_is_logged_without_what_he_showed(serving, search, caplog) -> None:
    caplog.set_level("WARNING", logger="cipherlens.denied")
    alice = serving.tokens.make("alice", "search:photos")
    look(serving)
    stranger, record = issue("x", permissions_of("search:*"), timedelta(days=1))
    code(serving.stub, "Search", search("photos"), bearing(stranger))
    code(serving.stub, "Search", search("photos"))
    long = "s" * 500
    code(serving.stub, "Fetch", pb.FetchRequest(collection=long, item_ids=["a"]), alice)
    code(serving.stub, "Search", search("photos"), alice)  # let in
    (shown, nothing, denied) = [
        {"message": each.message, **each.fields}
        for each in caplog.records
        if each.name == "cipherlens.denied"
    ]
    rpc = "cipherlens.v1.RetrievalService/"
    assert shown.pop("peer").startswith("ipv4:127.0.0.1:")
    assert shown == {
        "message": "unknown caller",
        "rpc": f"{rpc}Search",
        "token_id": record.token_id,
        "why": "the token is unknown, revoked or expired",
    }
    assert (nothing["token_id"], nothing["why"][:17]) == ("", "a token is needed")
    assert denied.pop("peer").startswith("ipv4:127.0.0.1:")
    assert denied == {
        "message": "not allowed",
        "rpc": f"{rpc}Fetch",
        "token_id": alice[0][1].split("_")[1],
        "scope": "fetch",
        "collection": "s" * 128,
    }
    for secret in (stranger, alice[0][1]):
        assert secret.rpartition("_")[2] not in str([shown, nothing, denied])


def test_no_token_is_logged_or_told(serving, search, caplog) -> None:
    token, _ = issue("x", permissions_of("search:*"), timedelta(days=1))
    with caplog.at_level(0):
        error = outcome(serving.stub, "Search", search("photos"), bearing(token))
    for secret in (token.rpartition("_")[2], serving.root[0][1].rpartition("_")[2]):
        assert secret not in caplog.text + error.details() + str(error.trailing_metadata())


def test_streams_end_at_the_next_message_once_their_token_is_revoked(
    serving, vectors, gaussian, monkeypatch
) -> None:
    monkeypatch.setattr(gate_module, "LOOK_S", 0.0)
    ids = [f"i{number}" for number in range(40)]
    for batch in (ids[:20], ids[20:]):
        items = [
            pb.IndexItem(item_id=each, revision=1, sealed_original=b"s" * 10**6) for each in batch
        ]
        request = pb.IndexRequest(collection="photos", items=items, vectors=vectors(gaussian(20)))
        serving.stub.Index(request, timeout=20, metadata=serving.root)
    reader = serving.tokens.make("reader", "fetch:photos")
    look(serving)
    fetching = serving.stub.Fetch(
        pb.FetchRequest(collection="photos", item_ids=ids), timeout=20, metadata=reader
    )
    assert next(fetching).item_id == "i0"  # more than a connection holds is still to come
    serving.tokens.file.revoke("reader")
    with pytest.raises(grpc.RpcError) as caught:
        list(fetching)
    assert caught.value.code() is UNAUTHENTICATED

    pusher = serving.tokens.make("pusher", "server")
    look(serving)
    revoked = threading.Event()

    def parts():
        yield pb.PushModelRequest(header=pb.ModelHeader(size_bytes=9, digest=bytes(32)))
        serving.tokens.file.revoke("pusher")
        revoked.set()
        yield pb.PushModelRequest(chunk=bytes(9))

    with pytest.raises(grpc.RpcError) as caught:
        serving.stub.PushModel(parts(), timeout=20, metadata=pusher)
    assert revoked.wait(20)  # the refusal may be here before the thread that revoked goes on
    assert caught.value.code() is UNAUTHENTICATED


OWNERS = [
    ("trapdoor", "Trapdoor", owner.TrapdoorRequest()),
    ("encrypt", "Encrypt", owner.EncryptRequest()),
    ("decrypt", "Decrypt", owner.DecryptRequest()),
    ("decrypt", "ReleaseKeys", owner.ReleaseKeysRequest()),
    ("keys", "CreateKey", owner.CreateKeyRequest()),
    ("keys", "ListKeys", owner.ListKeysRequest()),
]


def test_an_owners_scopes_stand_apart(tmp_path, transport) -> None:
    path = tmp_path / "my.keys"
    parameters = CipherParameters(height=16, width=32, block_size=8, substituted_blocks=2)
    Keyring([KeyEntry.generate("k", parameters)]).save(path, unprotected=True)
    tokens = Tokens(TokenFile.of(None, path))
    held = {
        scope: tokens.make(scope, scope) for scope in ("trapdoor", "encrypt", "decrypt", "keys")
    }
    config = ServerConfig(
        data_dir=tmp_path / "data", role=Role.OWNER, keyring=path, listen="127.0.0.1:0"
    )
    server = CipherLensServer(config, transport)
    port = server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = encryption_service_pb2_grpc.EncryptionServiceStub(channel)
            for needed, method, request in OWNERS:
                assert code(stub, method, request) is UNAUTHENTICATED
                for scope, token in held.items():
                    allowed = code(stub, method, request, token) is not DENIED
                    assert allowed == (scope == needed), (method, scope)
    finally:
        server.stop(0)


def test_a_server_that_other_machines_reach_does_not_start_open(tmp_path, transport) -> None:
    for listen in ("0.0.0.0:0", "[::]:0"):
        config = ServerConfig(data_dir=tmp_path, listen=listen, device="cpu")
        with pytest.raises(StartupError, match="without TLS"):
            CipherLensServer(config, transport)
    assert list(tmp_path.iterdir()) == []
    config = ServerConfig(data_dir=tmp_path, listen="0.0.0.0:0", device="cpu", insecure=True)
    server = CipherLensServer(config, transport)
    try:
        with socket.create_connection(("127.0.0.1", server.start()), timeout=20):
            pass
    finally:
        server.stop(0)
