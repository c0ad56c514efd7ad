"""A disk that is really full: what is refused, what goes on, and how one makes room again."""

import shutil
import signal
import subprocess
import sys
import time

import grpc
import pytest

from cipherlens.v1 import collection_pb2, representation_pb2, retrieval_service_pb2_grpc
from cipherlens.v1 import retrieval_service_pb2 as pb

SMALL_DISK = 'mount -t tmpfs -o size=48m tmpfs "$1" && shift && exec "$@"'


@pytest.fixture
def stub(tmp_path):
    """A server in a process of its own, on a file system of 48 MiB that only it sees."""
    unshare = shutil.which("unshare")
    words = [unshare or "", "-rm", "sh", "-c", SMALL_DISK, "sh", str(tmp_path)]
    if not unshare or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    serve = [sys.executable, "-m", "cipherlens.client.cli", "serve", "--device", "cpu"]
    serve += ["--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0"]
    child = subprocess.Popen([*words, *serve], stdout=subprocess.PIPE, text=True)
    port = child.stdout.readline().partition(" (")[0].rpartition(":")[2]
    with grpc.insecure_channel(f"127.0.0.1:{int(port)}") as channel:
        yield retrieval_service_pb2_grpc.RetrievalServiceStub(channel)
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    child.stdout.close()


def create(stub, name):
    kind = collection_pb2.COLLECTION_KIND_CODE
    request = pb.CreateCollectionRequest(name=name, kind=kind, bits=24)
    stub.CreateCollection(request, timeout=20)


def index(stub, name, item_id):
    items = [pb.IndexItem(item_id=item_id, sealed_original=b"s" * 500_000)]
    codes = representation_pb2.Codes(bits=24, data=b"abc")
    request = pb.IndexRequest(collection=name, items=items, codes=codes)
    return stub.Index(request, timeout=20).sequence


def filled(stub, name):
    """Write items until the disk is full; return their ids and the last sequence."""
    create(stub, name)
    written, sequence = [], 0
    while True:
        try:
            sequence = index(stub, name, f"i{len(written)}")
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017
            assert "the disk is full" in error.details()  # noqa: PT017
            return written, sequence
        written.append(f"i{len(written)}")


def listed(stub, name):
    page = stub.ListItems(pb.ListItemsRequest(collection=name), timeout=20)
    return sorted(each.item_id for each in page.items)


def index_until_it_fits(stub, name, item_id):
    """Write an item once the server has given back what a deletion has left."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            return index(stub, name, item_id)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED  # noqa: PT017
            listed(stub, name)
            time.sleep(0.05)
    raise AssertionError("the disk stayed full")


def test_items_are_deleted_on_a_full_disk_and_there_is_room_again(stub):
    written, sequence = filled(stub, "c")
    assert listed(stub, "c") == sorted(written)
    gone = written[: len(written) // 2]
    request = pb.DeleteRequest(collection="c", item_ids=gone, up_to_sequence=sequence)
    assert stub.Delete(request, timeout=20).deleted_count == len(gone)
    index_until_it_fits(stub, "c", "new")
    assert listed(stub, "c") == sorted({*written, "new"} - set(gone))


def test_a_collection_is_dropped_on_a_full_disk_and_there_is_room_again(stub):
    filled(stub, "c")
    stub.DeleteCollection(pb.DeleteCollectionRequest(name="c"), timeout=20)
    create(stub, "d")
    index_until_it_fits(stub, "d", "new")
    for number in range(11):  # of what was dropped all is given back, little by little
        index_until_it_fits(stub, "d", f"i{number}")
    assert len(listed(stub, "d")) == 12
