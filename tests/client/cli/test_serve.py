"""`cipherlens serve` as a program of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cipherlens.client import Client
from cipherlens.crypto import KeyEntry

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
