"""A real server in this process, on a free port, and the stubs to call it with."""

import hashlib
import sqlite3
import threading

import grpc
import numpy as np
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import Limits, ServerConfig
from cipherlens.server.engine.background import Background
from cipherlens.server.retrieval import serve
from cipherlens.server.transport.grpcio import GrpcioTransport
from cipherlens.server.transport.native import NativeTransport
from cipherlens.v1 import (
    cipher_image_pb2,
    collection_pb2,
    representation_pb2,
    retrieval_service_pb2_grpc,
)
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.cut_line import CutLine
from tests.server.memory_transport import MemoryTransport

SMALL_LIMITS = Limits(
    max_message_bytes=1 << 20,
    max_sealed_bytes=1000,
    max_batch_items=8,
    max_queries=4,
    max_k=20,
    max_image_pixels=2048,
    max_name_bytes=16,
    max_item_id_bytes=32,
    max_owner_tag_bytes=8,
    max_dimension=64,
    max_model_bytes=4 << 20,
    max_page_size=5,
    max_concurrent_calls=8,
)


class Cloud:
    """A cloud server over a folder, and shorthands for what tests send it."""

    def __init__(self, data_dir, transport=GrpcioTransport, **settings):
        self.transport = transport
        settings = {"grace_s": 5.0, "device": "cpu", **settings}
        self.config = ServerConfig(data_dir=data_dir, listen="127.0.0.1:0", **settings)
        self.start()

    def start(self):
        self.server = CipherLensServer(self.config, self.transport)
        self.port = self.server.start()
        if self.transport is MemoryTransport:
            self.stub = self.server._transports[0]
            return
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", options=[("grpc.max_receive_message_length", -1)]
        )
        self.stub = retrieval_service_pb2_grpc.RetrievalServiceStub(self.channel)

    def stop(self, grace_s=None):
        if self.transport is not MemoryTransport:
            self.channel.close()
        self.server.stop(grace_s)

    def restart(self):
        self.stop()
        self.start()

    @property
    def engine(self):
        return self.server._engine

    @property
    def database_path(self):
        return self.config.data_dir / "cipherlens.sqlite3"

    def execute(self, statement, *values):
        """Change the closed database behind the server's back."""
        with sqlite3.connect(self.database_path) as connection:
            changed = connection.execute(statement, values).rowcount
        connection.close()
        assert changed > 0

    def create(self, name="v", **fields):
        if not fields:
            fields = {"kind": collection_pb2.COLLECTION_KIND_VECTOR, "dimension": 16}
        request = pb.CreateCollectionRequest(name=name, **fields)
        return self.stub.CreateCollection(request, timeout=20).collection

    def create_codes(self, name="c", bits=12):
        return self.create(name, kind=collection_pb2.COLLECTION_KIND_CODE, bits=bits)

    def create_ciphers(self, profile, name="e"):
        return self.create(name, kind=collection_pb2.COLLECTION_KIND_CIPHER, profile=profile)

    def collection(self, name="v"):
        return self.stub.GetCollection(pb.GetCollectionRequest(name=name), timeout=20).collection

    def index(self, ids, name="v", revision=1, sealed=b"", timeout=20, **content):
        items = [
            pb.IndexItem(item_id=each, revision=revision, sealed_original=sealed) for each in ids
        ]
        request = pb.IndexRequest(collection=name, items=items, **content)
        return self.stub.Index(request, timeout=timeout)

    def delete(self, ids, name="v", up_to=None):
        up_to = self.collection(name).sequence if up_to is None else up_to
        request = pb.DeleteRequest(collection=name, item_ids=ids, up_to_sequence=up_to)
        return self.stub.Delete(request, timeout=20)

    def search(self, name="v", k=10, timeout=20, **fields):
        return self.stub.Search(pb.SearchRequest(collection=name, k=k, **fields), timeout=timeout)

    def ids_found(self, name="v", k=10, **fields):
        return [list(each.item_ids) for each in self.search(name, k, **fields).results]

    def fetch(self, ids, name="v"):
        request = pb.FetchRequest(collection=name, item_ids=ids)
        return {each.item_id: each for each in self.stub.Fetch(request, timeout=20)}

    def listed(self, name="v", size=0):
        ids, token = [], ""
        while True:
            request = pb.ListItemsRequest(collection=name, page_size=size, page_token=token)
            page = self.stub.ListItems(request, timeout=20)
            ids += [each.item_id for each in page.items]
            token = page.next_page_token
            if not token:
                return ids

    def push(self, data, collection="", *, digest=None, size=None, name="", chunk=65536):
        def parts():
            header = pb.ModelHeader(
                collection=collection,
                size_bytes=len(data) if size is None else size,
                digest=hashlib.sha256(data).digest() if digest is None else digest,
                name=name,
            )
            yield pb.PushModelRequest(header=header)
            for start in range(0, len(data), chunk):
                yield pb.PushModelRequest(chunk=data[start : start + chunk])

        return self.stub.PushModel(parts(), timeout=60)

    def state(self):
        """Return all that a refused request must leave as it is."""
        found = self.stub.ListCollections(pb.ListCollectionsRequest(), timeout=20).collections
        models = self.stub.ListModels(pb.ListModelsRequest(), timeout=20).models
        return (
            [
                (each.SerializeToString(deterministic=True), self.listed(each.name))
                for each in found
            ],
            [each.digest for each in models],
            sorted(path.name for path in (self.config.data_dir / "models").iterdir()),
        )


def vectors(rows):
    rows = np.atleast_2d(np.asarray(rows, np.float32))
    return representation_pb2.Vectors(dimension=rows.shape[1], data=rows.astype("<f4").tobytes())


def codes(rows, bits=12):
    rows = np.atleast_2d(np.asarray(rows, np.uint8))
    return representation_pb2.Codes(bits=bits, data=rows.tobytes())


def gaussian(count, dimension=16, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def failure(call, *arguments, **keywords):
    """Return the error of a call that must fail: (code, text, details by type name)."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **keywords)
    error = caught.value
    details = {}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for packed in status_pb2.Status.FromString(value).details:
                details.update(unpacked(packed))
    return error.code(), error.details(), details


def unpacked(packed: any_pb2.Any):
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
    ):
        found = kind()
        if packed.Unpack(found):
            return {kind.DESCRIPTOR.name: found}
    raise AssertionError(packed.type_url)


@pytest.fixture(autouse=True, scope="session")
def faiss_checked_once():
    """Look at the installed packages once and not at every start, which takes most of its time."""
    found = serve.check_faiss_installation()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "check_faiss_installation", lambda: found)
        yield


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request):
    """Each of the databases that a user may choose, in turn."""
    return request.param


@pytest.fixture
def address(request, dialect):
    """The address of a database that is empty, None for the one in the data folder."""
    if dialect == "sqlite":
        yield None
        return
    postgres = request.getfixturevalue("postgres")
    address = postgres.new_database()
    yield address
    postgres.drop(address)


@pytest.fixture
def line(postgres):
    """A way to PostgreSQL that can be cut at a commit."""
    line = CutLine(postgres.folder)
    yield line
    line.close()


@pytest.fixture(scope="module")
def transport():
    """The transport of the servers that tests start: the one that a user gets."""
    return NativeTransport


@pytest.fixture(scope="module", params=[GrpcioTransport, NativeTransport], ids=["grpcio", "native"])
def each_transport(request):
    """Each of the transports that a user may choose, in turn."""
    return request.param


@pytest.fixture
def make_cloud(tmp_path, transport):
    """Return a function that starts a server; all are stopped at the end."""
    started = []

    def make(folder="data", **settings):
        cloud = Cloud(tmp_path / folder, transport, **settings)
        started.append(cloud)
        return cloud

    yield make
    for cloud in started:
        cloud.stop(0)


@pytest.fixture(scope="module")
def start_cloud(tmp_path_factory, transport):
    """Return a function that starts a server that lasts; its caller stops it."""
    return lambda **settings: Cloud(tmp_path_factory.mktemp("lasting"), transport, **settings)


@pytest.fixture
def cloud(make_cloud):
    return make_cloud()


@pytest.fixture(scope="session")
def small_limits():
    return SMALL_LIMITS


@pytest.fixture
def small_cloud(make_cloud):
    return make_cloud(limits=SMALL_LIMITS)


@pytest.fixture(scope="session", name="vectors")
def vectors_message():
    return vectors


@pytest.fixture(scope="session", name="codes")
def codes_message():
    return codes


@pytest.fixture(scope="session", name="gaussian")
def gaussian_rows():
    return gaussian


@pytest.fixture(scope="session", name="failure")
def failure_of():
    return failure


def cipher_profile(**changes):
    fields = {
        "scheme_version": 1,
        "preparation_version": 1,
        "height": 16,
        "width": 32,
        "block_size": 8,
        "substituted_blocks": 2,
        "scope": cipher_image_pb2.KEY_SCOPE_COLLECTION,
        "key_fingerprint": b"f" * 16,
    }
    return cipher_image_pb2.CipherProfile(**{**fields, **changes})


def cipher_images(count, profile=None, seed=0, portrait=False):
    """Return random pixels that claim to be cipher-images; a server cannot tell."""
    profile = profile or cipher_profile()
    height, width = (32, 16) if portrait else (16, 32)
    rng = np.random.default_rng(seed)
    return cipher_image_pb2.CipherImages(
        images=[
            cipher_image_pb2.CipherImage(
                profile=profile, height=height, width=width, nonce=bytes(16), pixels=rng.bytes(1536)
            )
            for _ in range(count)
        ]
    )


@pytest.fixture(scope="session", name="cipher_profile")
def cipher_profile_message():
    return cipher_profile


@pytest.fixture(scope="session", name="cipher_images")
def cipher_images_message():
    return cipher_images


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Return a function that makes a checkpoint of an untrained tiny network, as bytes."""
    torch = pytest.importorskip("torch")
    from cipherlens.base import CipherProfile
    from cipherlens.model.checkpoint import CheckpointConfiguration, save
    from cipherlens.model.config import NetworkConfig
    from cipherlens.model.networks.end_to_end import EndToEndNetwork

    folder = tmp_path_factory.mktemp("checkpoints")

    def make(seed=0, plain=False, feature_dim=8, **profile):
        network = NetworkConfig(
            patch_size=profile.get("block_size", 8),
            dim=16,
            depth=1,
            heads=2,
            feature_dim=feature_dim,
            height=profile.get("height", 16),
            width=profile.get("width", 32),
            classes=3,
        )
        claim = {
            "scheme_version": 1,
            "preparation_version": 1,
            "height": 16,
            "width": 32,
            "block_size": 8,
            "substituted_blocks": 2,
            "scope": "collection",
            "key_fingerprint": b"f" * 16,
            **profile,
        }
        configuration = CheckpointConfiguration(
            network=network, profile=None if plain else CipherProfile(**claim)
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            save(folder / "model.safetensors", EndToEndNetwork(network), configuration)
        return (folder / "model.safetensors").read_bytes()

    return make


@pytest.fixture
def settled(monkeypatch):
    """Return a function that waits until a condition holds, looking after each background step."""
    stepped = threading.Condition()
    attend = Background._attend

    def watched(background, live):
        try:
            attend(background, live)
        finally:
            with stepped:
                stepped.notify_all()

    monkeypatch.setattr(Background, "_attend", watched)

    def wait(condition, within_s=30.0):
        with stepped:
            assert stepped.wait_for(condition, within_s), "it did not come about in time"

    return wait
