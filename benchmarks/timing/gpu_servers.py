"""Two servers with the same collections, one on the CPU and one on a GPU, asked in turn."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.pictures import samples
from benchmarks.harness.places import ROOT
from benchmarks.harness.ratios import digits
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.served import lists_of, store
from benchmarks.load.workload import TITLES, K, Workload
from benchmarks.methods.keys import measured_key
from benchmarks.timing.gpu_indexes import CPU, GPU, Queries, Rates, in_turn
from benchmarks.timing.served import stub_at
from cipherlens.client import Client, EncryptedPicture
from cipherlens.crypto import CipherParameters, ImageCipher, Scope
from cipherlens.server.index import Device, IvfSettings

MODEL = ROOT / "demo" / "model.safetensors"
PARAMETERS = CipherParameters(block_size=16, substituted_blocks=24, scope=Scope.IMAGE)
SEED = 1
STORED, ASKED = 512, 64
TRAINING_LIMIT_S = 60.0


def served(
    folder: Path, size: int, device: Device, batches: Sequence[int], rounds: int
) -> dict[str, dict[str, Rates]]:
    """Return queries a second through servers, by workload and by "CPU" or "GPU"."""
    asked = workload.vectors(size)
    with ExitStack() as stack:
        addresses = {}
        for name, where in {CPU: "cpu", GPU: str(device)}.items():
            server = stack.enter_context(running(folder / name, "--device", where))
            store(server.address, asked)
            _wait_for_the_last_training(server.address, size)
            addresses[name] = server.address
        return {
            TITLES[asked.kind]: in_turn(
                {name: _asking(address, asked) for name, address in addresses.items()},
                asked.queries,
                batches,
                rounds,
            )
        }


def _wait_for_the_last_training(address: str, size: int) -> None:
    """Return when the lists of the vectors are of more than half of them, as are the last ones."""
    wanted = int(IvfSettings().nlist(size) / math.sqrt(IvfSettings().growth))
    deadline = time.monotonic() + TRAINING_LIMIT_S
    while lists_of(address, workload.VECTORS)[0] < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{size:,} vectors are not trained after {TRAINING_LIMIT_S:.0f} s")
        time.sleep(0.05)


def _asking(address: str, asked: Workload) -> Callable[[Queries], object]:
    stub = stub_at(address)
    return lambda queries: stub.Search(asked.request(queries))


def whole_round(folder: Path, device: Device) -> dict[str, Any]:
    """Return what comes of cipher-images with the network and the index on either device.

    Pictures are encrypted, indexed and searched under the demo's network; the same cipher-images go
    to both servers.
    """
    key = measured_key(PARAMETERS, SEED)
    data = samples(PARAMETERS)
    images = data.take(np.random.default_rng(SEED).permutation(len(data))[:STORED]).images
    cipher = ImageCipher(key)
    stored, asked = cipher.encrypt_images(images), cipher.encrypt_images(images[:ASKED])
    found = {
        name: _round(folder / f"round-{name}", where, key.profile, stored, asked)
        for name, where in {CPU: "cpu", GPU: str(device)}.items()
    }
    hits = {name: each.pop("hits") for name, each in found.items()}
    shared = [len(set(a) & set(b)) / K for a, b in zip(hits[CPU], hits[GPU], strict=True)]
    found[GPU]["hits that the CPU has"] = float(np.mean(shared))
    return found


def _round(
    folder: Path, device: str, profile: Any, stored: Sequence[Any], asked: Sequence[Any]
) -> dict[str, Any]:
    pictures = [EncryptedPicture(cipher_image=each) for each in stored]
    with running(folder, "--device", device) as server, Client(server.address) as client:
        client.create_cipher_collection("pictures", profile)
        client.push_model(MODEL, collection="pictures")
        ids = [f"picture-{i}" for i in range(len(pictures))]
        indexed = [
            _seconds(partial(client.index_encrypted, "pictures", ids[half], pictures[half]))
            for half in (slice(len(ids) // 2), slice(len(ids) // 2, None))
        ]
        searching = partial(client.search_cipher_images, "pictures", asked, k=K)
        searched = [_seconds(searching) for _ in range(2)]
        answers = searching()
        info = client.server_info()
        return {
            "index on": str(info.index_device),
            "network on": str(info.model_device),
            "indexed a second, at first": digits(len(ids) / 2 / indexed[0]),
            "indexed a second, then": digits(len(ids) / 2 / indexed[1]),
            "searched a second, at first": digits(len(asked) / searched[0]),
            "searched a second, then": digits(len(asked) / searched[1]),
            "itself first": float(
                np.mean([each[0].item_id == f"picture-{i}" for i, each in enumerate(answers)])
            ),
            "hits": [[hit.item_id for hit in each] for each in answers],
        }


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
