"""A disk that takes nothing: at a start, and from one moment to the next while it is served."""

import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from cipherlens.client import Client, CodedPicture, Unavailable
from tests.server.durability import content
from tests.server.durability.caller import PATIENT
from tests.server.durability.facts import served
from tests.server.durability.life import DISK
from tests.server.durability.process import ServerProcess

IDS = [str(number) for number in range(20)]


def index(client, ids, revision):
    pictures = [
        CodedPicture(code=content.code(each, revision), sealed_original=b"s" * 5000) for each in ids
    ]
    client.index_encrypted("c", ids, pictures, revisions=[revision] * len(ids))


def nearest(client, item_id, revision):
    return client.search_codes("c", content.code(item_id, revision)[None], k=1)[0].item_ids[0]


@pytest.fixture
def server(tmp_path, supply):
    """A server with some items."""
    process = ServerProcess(
        tmp_path / DISK / "data", tmp_path / "log", "native", supply.environment()
    )
    with Client(process.target(), deadlines=PATIENT) as client:
        client.create_code_collection("c", content.BITS)
        index(client, IDS, 1)
    yield process
    process.kill()


def test_a_disk_that_fails_is_told_and_what_is_there_is_served(tmp_path, supply, server):
    with Client(server.target(), deadlines=PATIENT) as client:
        before = served(client)
        supply.refusal.touch()
        for change in (
            lambda: index(client, ["new"], 2),
            lambda: client.delete("c", IDS[:3]),
            lambda: client.create_code_collection("d", content.BITS),
            lambda: client.delete_collection("c"),
        ):
            with pytest.raises(Unavailable, match="database is not available"):
                change()
        assert served(client) == before
        assert [nearest(client, each, 1) for each in IDS[:3]] == IDS[:3]
        assert all(
            np.array_equal(each.item.code, content.code(each.item_id, 1))
            for each in client.fetch("c", IDS)
        )
        supply.refusal.unlink()
        index(client, ["new"], 2)
        assert nearest(client, "new", 2) == "new"
        after = served(client)
    server.kill()
    supply.cut(random.Random(0))
    again = ServerProcess(tmp_path / DISK / "data", tmp_path / "log", "native")
    with Client(again.target(), deadlines=PATIENT) as client:
        assert served(client) == after
    again.stop()


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


@pytest.mark.parametrize("is_clean", [True, False])
def test_a_start_on_a_read_only_disk_is_refused_and_a_copy_serves(tmp_path, server, is_clean):
    data = tmp_path / DISK / "data"
    words = [shutil.which("unshare") or "", "-rm", "sh", "-c", READ_ONLY, "sh", data]
    if not words[0] or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("file systems cannot be mounted here")
    with Client(server.target(), deadlines=PATIENT) as client:
        before = served(client)
    server.stop() if is_clean else server.kill()
    serve = [sys.executable, "-m", "cipherlens.client.cli", "serve", "--data-dir", data]
    told = subprocess.run([*words, *serve], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    reason = f"the data folder {data} cannot be used: Read-only file system"
    assert told.stderr == f"cipherlens: {reason}\n"
    shutil.copytree(data, tmp_path / "copy")
    copy = ServerProcess(tmp_path / "copy", tmp_path / "log", "native")
    with Client(copy.target(), deadlines=PATIENT) as client:
        assert served(client) == before
        assert nearest(client, IDS[5], 1) == IDS[5]
    copy.stop()
