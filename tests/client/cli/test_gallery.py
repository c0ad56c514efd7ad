"""`cipherlens gallery` as a program of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cipherlens.client import Client
from tests.client.web.conftest import Page

PROGRAM = "import sys; from cipherlens.client.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_a_collection_until_it_is_ended(
    client: Client, target: str, photos: str, keyring: Path, noise, tmp_path: Path, number: int
) -> None:
    client.index_images(photos, ["a"], [noise(1)])
    words = ["gallery", photos, "--keyring", str(keyring), "--server", target]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "no-config")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        page = Page(process.stdout.readline().strip())
        page.open_session()
        (entry,) = page.ask("items").document["items"]
        assert page.ask("picture", id=entry["id"]).status == 200
        process.send_signal(number)
        printed, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert printed == ""
    assert told == "Open this address in a browser of this machine; Ctrl-C ends it.\n"


def test_a_port_that_is_taken_is_told(run, to, photos: str, keyring: Path) -> None:
    port = to[1].rpartition(":")[2]
    found = run("gallery", photos, "--keyring", keyring, *to, "--port", port)
    assert found.code == 1
    assert "in use" in found.err
