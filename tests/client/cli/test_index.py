"""An indexing that is interrupted, in a process of its own."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest

from cipherlens.crypto import KeyEntry
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.wire import profile_message


@pytest.fixture
def reached(scripted, key: KeyEntry) -> threading.Event:
    """Set when the scripted server gets its first batch, to which it never answers."""
    collection = collection_pb2.Collection(
        uuid="0dcaf76d-cf95-4529-8ff8-7bc34bf8d528",
        name="photos",
        kind=collection_pb2.COLLECTION_KIND_CIPHER,
        profile=profile_message(key.profile),
    )
    limits = messages.Limits(
        max_message_bytes=2**25,
        max_sealed_bytes=2**24,
        max_batch_items=9,
        max_owner_tag_bytes=1024,
    )
    arrived, gone = threading.Event(), threading.Event()

    def never(context: grpc.ServicerContext) -> messages.IndexResponse:
        context.add_callback(gone.set)
        arrived.set()
        gone.wait(60)
        return messages.IndexResponse()

    scripted.will("GetCollection", messages.GetCollectionResponse(collection=collection))
    scripted.will("GetServerInfo", messages.GetServerInfoResponse(limits=limits))
    scripted.will("ListItems", messages.ListItemsResponse())
    scripted.will("Index", never)
    return arrived


def test_an_interruption_says_how_to_go_on(
    scripted, reached: threading.Event, keyring: Path, folder: Path
) -> None:
    words = ["index", "photos", str(folder), "--keyring", str(keyring), "--server", scripted.target]
    with subprocess.Popen(
        [sys.executable, "-m", "cipherlens.client.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert reached.wait(60)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == "5 pictures found: 0 indexed, 0 unchanged, 0 skipped\n"
    assert err == "interrupted: run the same command again to go on from there\n"
