"""`cipherlens serve` as a program of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client
from cipherlens.crypto import KeyEntry
from cipherlens.server.settings import SETTINGS

# Runs the command line's own entry point, and tells at the end what the process has loaded.
PROGRAM = """
import sys
from cipherlens.client.cli import main
code = main(["serve", "--role", "cloud", "--listen", "127.0.0.1:0", "--data-dir", sys.argv[1]])
print(sorted(each for each in sys.modules if each.split(".")[:2] == ["cipherlens", "crypto"]
             or each.split(".")[0] in ("blake3", "cryptography")))
print("torch" in sys.modules)
sys.exit(code)
"""


def test_a_cloud_server_never_loads_the_code_of_keys(
    tmp_path: Path, key: KeyEntry, checkpoint: Path, noise: Callable[..., Image.Image]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().split()[3]
        with Client(address, key=key) as client:
            client.create_cipher_collection("pictures")
            client.push_model(checkpoint, collection="pictures")
            client.index_images("pictures", ["a", "b"], [noise(1), noise(2)])
            hits = client.search_image("pictures", noise(1), k=1, with_items=True)
            assert hits[0].item_id == "a"
            client.create_vector_collection("vectors", 4)
            client.index_vectors("vectors", ["a"], np.ones((1, 4), np.float32))
            assert client.delete("vectors", ["a"]) == 1
            client.server_info()
        server.send_signal(signal.SIGTERM)
        printed, logged = server.communicate(timeout=60)
    assert server.returncode == 0, logged
    assert printed.splitlines()[-2:] == ["[]", "True"]


def test_settings_in_force_are_printed_with_their_sources(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CIPHERLENS_SERVE_LIMITS_MAX_K", "77")
    config = tmp_path / "c.toml"
    config.write_text('data_dir = "data"\ninsecure = true\n')
    said = run("serve", "--config", config, "--grace-s", "3", "--no-insecure", "--print-config")
    assert said.code == 0
    assert f'data_dir = "data"  # file {config}' in said.out
    assert "max_k = 77  # environment CIPHERLENS_SERVE_LIMITS_MAX_K" in said.out
    assert "grace_s = 3.0  # flag --grace-s" in said.out
    assert "insecure = false  # flag --insecure" in said.out
    assert not (tmp_path / "data").exists()


def test_help_has_every_setting_with_its_default(run: Callable[..., Any]) -> None:
    said = " ".join(run("serve", "--help").out.split())
    for each in SETTINGS:
        assert f" {each.flag} " in said
    assert "bounds a transaction. [default: 1024]" in said
