"""The server as a whole: health, reflection, admission, and its beginning and end."""

import socket
import subprocess
import sys
import threading

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import Limits, Role, ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.v1 import retrieval_service_pb2 as pb


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


SERVICE = "cipherlens.v1.RetrievalService"


def health_of(cloud, service):
    stub = health_pb2_grpc.HealthStub(cloud.channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status


@pytest.mark.parametrize("service", ["", SERVICE])
def test_the_server_says_that_it_serves(cloud, service):
    assert health_of(cloud, service) == health_pb2.HealthCheckResponse.SERVING


def test_health_knows_only_what_is_served(cloud, failure):
    code, _, _ = failure(health_of, cloud, "cipherlens.v1.EncryptionService")
    assert code is grpc.StatusCode.NOT_FOUND


def test_a_client_that_knows_nothing_finds_everything_by_reflection(cloud):
    database = ProtoReflectionDescriptorDatabase(cloud.channel)
    assert SERVICE in database.get_services()
    assert "grpc.health.v1.Health" in database.get_services()
    found = DescriptorPool(database).FindServiceByName(SERVICE)
    assert {each.name for each in found.methods} == {
        "GetServerInfo",
        "CreateCollection",
        "GetCollection",
        "ListCollections",
        "DeleteCollection",
        "ReplaceCollection",
        "Index",
        "Delete",
        "Search",
        "Count",
        "Fetch",
        "ListItems",
        "PushModel",
        "ListModels",
        "DeleteModel",
    }
    fields = found.methods_by_name["Search"].input_type.fields_by_name
    assert {"collection", "vectors", "k", "min_sequence"} <= set(fields)


def test_one_call_too_many_is_refused_at_once_and_health_still_answers(
    make_cloud, vectors, gaussian, failure
):
    cloud = make_cloud(limits=Limits(max_concurrent_calls=2))
    cloud.create()
    live = cloud.engine._registry.find("v")
    with live.writing:
        under_way = [
            cloud.stub.Index.future(
                pb.IndexRequest(
                    collection="v",
                    items=[pb.IndexItem(item_id=name)],
                    vectors=vectors(gaussian(1)),
                ),
                timeout=20,
            )
            for name in ("a", "b")
        ]
        admission = cloud.server._admission
        while admission._under_way < 2:
            health_of(cloud, "")
        code, _, details = failure(cloud.listed)
        assert (code.name, details["ErrorInfo"].reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
        assert details["ErrorInfo"].metadata["limit"] == "2"
        assert details["RetryInfo"].retry_delay.nanos > 0
        assert health_of(cloud, "") == health_pb2.HealthCheckResponse.SERVING
    for each in under_way:
        each.result()
    assert cloud.listed() == ["a", "b"]


def test_a_stopping_server_finishes_what_is_under_way_and_refuses_what_comes(
    cloud, vectors, gaussian, failure
):
    cloud.create()
    live = cloud.engine._registry.find("v")
    watch = health_pb2_grpc.HealthStub(cloud.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with live.writing:
        under_way = cloud.stub.Index.future(
            pb.IndexRequest(
                collection="v", items=[pb.IndexItem(item_id="a")], vectors=vectors(gaussian(1))
            ),
            timeout=20,
        )
        while cloud.server._admission._under_way < 1:
            health_of(cloud, "")
        stopping = threading.Thread(target=cloud.server.stop)
        stopping.start()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        code, _, _ = failure(cloud.search, vectors=vectors(gaussian(1)))
        assert code is grpc.StatusCode.UNAVAILABLE
    assert under_way.result().written_count == 1
    stopping.join(20)
    assert not stopping.is_alive()
    cloud.start()
    assert cloud.listed() == ["a"]


def test_a_search_that_waits_does_not_hold_up_the_end(cloud, vectors, gaussian, failure):
    cloud.create()
    waiting = cloud.stub.Search.future(
        pb.SearchRequest(collection="v", k=1, vectors=vectors(gaussian(1)), min_sequence=9)
    )
    while cloud.server._admission._under_way < 1:
        health_of(cloud, "")
    cloud.server.stop(0)
    code, _, _ = failure(waiting.result)
    assert code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


def test_no_thread_outlives_its_server_and_a_second_stop_does_nothing(
    make_cloud, vectors, gaussian
):
    before = {each.name for each in threading.enumerate()}
    cloud = make_cloud()
    cloud.create()
    cloud.index(["a"], vectors=vectors(gaussian(1)))
    cloud.stop()
    cloud.server.stop()
    after = {each.name for each in threading.enumerate() if each.is_alive()}
    ours = {each for each in after - before if each.startswith(("call", "background", "embedding"))}
    assert ours == set()


def test_a_second_server_on_the_folder_is_refused(cloud):
    with pytest.raises(StartupError, match="another server"):
        CipherLensServer(cloud.config)
    assert health_of(cloud, "") == health_pb2.HealthCheckResponse.SERVING


def test_a_port_that_is_taken_is_named_and_the_folder_given_back(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        server = CipherLensServer(ServerConfig(data_dir=tmp_path, listen=listen))
        with pytest.raises(StartupError, match=listen):
            server.start()
    CipherLensServer(ServerConfig(data_dir=tmp_path)).stop()


def test_a_device_that_is_not_there_is_named(tmp_path):
    config = ServerConfig(data_dir=tmp_path, device="cuda:77")
    with pytest.raises(StartupError, match="cuda:77"):
        CipherLensServer(config)
    CipherLensServer(ServerConfig(data_dir=tmp_path)).stop()


def test_a_keyring_that_does_not_open_leaves_nothing_open(tmp_path):
    config = ServerConfig(data_dir=tmp_path, role=Role.ALL, keyring=tmp_path / "none")
    with pytest.raises(StartupError, match="none"):
        CipherLensServer(config)
    CipherLensServer(ServerConfig(data_dir=tmp_path)).stop()


def test_a_server_listens_on_a_socket_file(tmp_path):
    listen = f"unix:{tmp_path / 's'}"
    server = CipherLensServer(ServerConfig(data_dir=tmp_path / "data", listen=listen))
    server.start()
    with grpc.insecure_channel(listen) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        stub.Check(health_pb2.HealthCheckRequest(), timeout=20)
    server.stop()


CHILD = """
import sys
from pathlib import Path
import grpc
{before}
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from cipherlens.v1 import cipher_image_pb2, collection_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

server = CipherLensServer(ServerConfig(data_dir=Path(sys.argv[1]), listen="127.0.0.1:0"))
channel = grpc.insecure_channel("127.0.0.1:%d" % server.start())
stub = retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
profile = cipher_image_pb2.CipherProfile(
    scheme_version=1, preparation_version=1, height=16, width=32, block_size=8,
    substituted_blocks=2, scope=cipher_image_pb2.KEY_SCOPE_COLLECTION, key_fingerprint=b"f" * 16)
stub.CreateCollection(pb.CreateCollectionRequest(
    name="e", kind=collection_pb2.COLLECTION_KIND_CIPHER, profile=profile))
data = Path(sys.argv[2]).read_bytes()
import hashlib
def push(collection):
    header = pb.ModelHeader(
        collection=collection, size_bytes=len(data), digest=hashlib.sha256(data).digest())
    return stub.PushModel(iter(
        [pb.PushModelRequest(header=header), pb.PushModelRequest(chunk=data)]))
{work}
channel.close()
server.stop()
{after}
print("well")
"""

FULL_RUN = """
push("e")
image = cipher_image_pb2.CipherImage(
    profile=profile, height=16, width=32, nonce=bytes(16), pixels=bytes(range(256)) * 6)
images = cipher_image_pb2.CipherImages(images=[image])
stub.Index(pb.IndexRequest(
    collection="e", items=[pb.IndexItem(item_id="a", sealed_original=b"s")], cipher_images=images))
found = stub.Search(pb.SearchRequest(
    collection="e", k=1, cipher_images=images, item_budget_bytes=10000))
assert found.results[0].item_ids == ["a"] and found.items[0].sealed_original == b"s"
list(stub.Fetch(pb.FetchRequest(collection="e", item_ids=["a"])))
stub.ListItems(pb.ListItemsRequest(collection="e"))
stub.ListModels(pb.ListModelsRequest())
stub.GetServerInfo(pb.GetServerInfoRequest())
stub.Delete(pb.DeleteRequest(collection="e", item_ids=["a"], up_to_sequence=1))
"""


def run_child(tmp_path, checkpoint, **parts):
    path = tmp_path / "model.safetensors"
    path.write_bytes(checkpoint())
    code = CHILD.format(**{"before": "", "after": "", **parts})
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data"), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr


def test_a_cloud_server_never_has_key_code_in_its_process(tmp_path, checkpoint):
    after = """
reached = sorted(each for each in sys.modules
                 if each.startswith(("cipherlens.crypto", "cipherlens.client", "cryptography")))
assert not reached, reached
assert "torch" in sys.modules
"""
    run_child(tmp_path, checkpoint, work=FULL_RUN, after=after)


def test_without_torch_models_are_kept_and_refused_to_run(tmp_path, checkpoint):
    work = """
try:
    push("e")
except grpc.RpcError as error:
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION, error
    assert "torch is not installed" in error.details(), error
else:
    raise AssertionError
assert not stub.ListModels(pb.ListModelsRequest()).models
push("")
assert len(stub.ListModels(pb.ListModelsRequest()).models) == 1
"""
    run_child(tmp_path, checkpoint, before="sys.modules['torch'] = None", work=work)


def test_an_owners_server_needs_neither_database_nor_faiss(tmp_path):
    from cipherlens.crypto import Keyring

    Keyring().save(tmp_path / "keyring", unprotected=True)
    code = """
import sys
from pathlib import Path
sys.modules.update({"faiss": None, "sqlalchemy": None, "torch": None})
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
server = CipherLensServer(ServerConfig(
    data_dir=Path(sys.argv[1]), role="owner", keyring=Path(sys.argv[2]), listen="127.0.0.1:0"))
server.start()
server.stop()
assert not Path(sys.argv[1]).exists()
print("well")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data"), str(tmp_path / "keyring")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "well\n", done.stderr


def test_streams_of_reflection_leave_threads_for_all_else(cloud):
    over = threading.Event()

    def silent():
        over.wait(30)
        yield from ()

    stub = reflection_pb2_grpc.ServerReflectionStub(cloud.channel)
    threads = cloud.config.limits.max_concurrent_calls + 8
    streams = [stub.ServerReflectionInfo(silent()) for _ in range(threads)]
    try:
        assert health_of(cloud, SERVICE) == health_pb2.HealthCheckResponse.SERVING
        assert cloud.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=20).version
        assert streams[-1].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    finally:
        over.set()
        for each in streams:
            each.cancel()
