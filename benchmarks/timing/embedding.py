"""Cipher-images through the network of a running server, against bare forward passes of it.

Searches are sent by h2load, a C program, which repeats one prepared body; images to be indexed by
the Python client, all of them different. The floor is the same network in this process, in the same
arithmetic and with as many threads, on inputs that are ready: no pixels are converted, no vector
is made of unit length. Server and floor take turns.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness.pictures import samples
from benchmarks.harness.places import ROOT
from benchmarks.harness.rounds import taken
from benchmarks.harness.server import running
from benchmarks.load.h2load import Body, Process, answered, framed, latencies_us
from benchmarks.methods.keys import measured_key
from benchmarks.timing.local import K
from benchmarks.timing.served import stub_at
from cipherlens.client import Client, EncryptedPicture
from cipherlens.crypto import CipherParameters, ImageCipher, Scope
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.inference import use_one_core
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.network import RetrievalNetwork, to_input
from cipherlens.model.networks.network_config import NetworkConfig
from cipherlens.model.precision import autocast, resolve_precision
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.wire.owner import encrypted_message

PLACE = 15.5

NOTES = """
A server runs as many passes at a time as there are cores (at most four), each with its share of
them; a query that comes alone has all cores. The second floor, passes side by side, is what that
arrangement reaches without a server, and the first what PyTorch does by itself.

What else could run the network, ViT-Tiny, milliseconds for one image in batches of 1 / 8 / 16,
two threads, taken in turn within a run. On an AMD EPYC with `avx512_bf16`:

| | run 1 | run 2 | loads in |
|---|---|---|---|
| PyTorch, float32 | 18.0 / 11.0 / 8.8 | | |
| PyTorch, bfloat16 autocast | 16.1 / 7.1 / 6.4 | | |
| **the same, weights rounded once** | 13.6 / 7.0 / 6.3 | 10.7 / 5.2 / 5.2 | |
| PyTorch, the whole network in bfloat16 | | 9.7 / 5.1 / 4.9 | |
| `torch.compile`, frozen weights, bfloat16 | | 7.3 / 4.5 / 4.4 | 70 s for three shapes |
| ONNX Runtime 1.32, float32 | 16.9 / 9.5 / 8.4 | | |
| OpenVINO 2026.4, float32 | 15.5 / 9.7 / 8.6 | | |
| OpenVINO 2026.4, bfloat16 | 9.9 / 4.5 / 4.3 | 9.0 / 4.2 / 3.8 | 5 s |

With the instructions of an older processor (`ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2`),
float32: PyTorch 28.7 / 13.4 / 13.3, `torch.compile` 22.8 / 8.4 / 8.2 after 43 s. ONNX Runtime,
which does not obey these variables, had 19.0 / 8.1 / 7.7. OpenVINO does not start under them, so
what it is worth on an older processor is not known here. `torch.compile` needs a C++ compiler and
half a minute for every shape of a batch. None is known to win on both, and PyTorch alone stays.
The whole network in bfloat16 has cosines of .99993 to float32 where autocast has .99996, for a
twentieth of the time.
"""

CPU = torch.device("cpu")
SEED = 1
BATCHES = (1, 4, 8, 16, 32, 64)
EACH_SIDE = 8
"""Images in each of the passes that run side by side."""
CLIENTS = (1, 4, 16)
SIDE_BY_SIDE = "passes side by side"
ALONE = "one client, p50"
SEARCHED, WRITTEN = "searched", "written"  # what is written must not change what is found
STORED = 64
"""Pictures in the collection at first, and in each batch that is indexed."""
ROUNDS = {"quick": (3, 1.0), "full": (7, 3.0)}
"""Rounds, and the seconds of each measure."""

PARAMETERS = CipherParameters(
    height=128, width=192, block_size=16, substituted_blocks=24, scope=Scope.IMAGE
)
VIT_TINY = NetworkConfig(
    patch_size=16, dim=192, depth=12, heads=3, mlp_ratio=4.0, height=128, width=192, classes=16
)

RATES = ("searches of 1", "searches of 4", "searches of 16", "Index of 1", "Index of 4")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bare:
    """A network in this process, in the arithmetic that a server would choose."""

    network: RetrievalNetwork
    precision: str

    @classmethod
    def of(cls, checkpoint: Path) -> "Bare":
        """Return the network of a checkpoint."""
        network = Embedder(checkpoint, "cpu").network
        return cls(network=network, precision=resolve_precision("auto", CPU))

    def milliseconds(self, batch: int, seconds: float) -> float:
        """Return the median time of a pass of a batch, with PyTorch's own choice of threads."""
        return statistics.median(self._times_ms(_images(batch), seconds))

    def side_by_side_per_s(self, batch: int, seconds: float) -> float:
        """Return the images a second of a pass on every core."""
        images = _images(batch)
        cores = torch.get_num_threads()
        with ThreadPoolExecutor(cores, initializer=use_one_core) as threads:
            start = time.perf_counter()
            passes = threads.map(
                lambda _core: sum(1 for _ in self._times_ms(images, seconds)), range(cores)
            )
            done = sum(passes)
            return done * batch / (time.perf_counter() - start)

    def _times_ms(self, images: torch.Tensor, seconds: float) -> Iterator[float]:
        ends_at = time.perf_counter() + seconds
        while (start := time.perf_counter()) < ends_at:
            with torch.inference_mode(), autocast(CPU, self.precision):
                self.network(images)
            yield (time.perf_counter() - start) * 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """A server with a collection of cipher-images, a query for it and pictures to be indexed."""

    address: str
    body: Body
    pictures: list[EncryptedPicture]

    def p50_ms(self, seconds: float) -> float:
        """Return the median time of a search, one in flight."""
        return float(np.median(latencies_us(self._url, self.body, seconds))) / 1000

    def searches_per_s(self, clients: int, seconds: float) -> float:
        """Return the searches a second of so many clients, each with one in flight."""
        load = Process(body=self.body, connections=clients, streams=1)
        return answered(self._url, [load], seconds) / seconds

    def indexed_per_s(self, clients: int, seconds: float, names: "count[int]") -> float:
        """Return the new images a second that so many clients have indexed, batch by batch."""
        ends_at = time.perf_counter() + seconds
        start = time.perf_counter()
        with ThreadPoolExecutor(clients) as threads:
            writers = [threads.submit(self._write, ends_at, names) for _ in range(clients)]
            written = sum(each.result() for each in writers)
        return written / (time.perf_counter() - start)

    @property
    def _url(self) -> str:
        return f"http://{self.address}"

    def _write(self, ends_at: float, names: "count[int]") -> int:
        written = 0
        with Client(self.address) as client:
            while time.perf_counter() < ends_at:
                ids = [f"written-{next(names)}" for _ in self.pictures]
                written += client.index_encrypted(WRITTEN, ids, self.pictures).written_count
        return written


def run(profile: str) -> dict[str, Any]:
    """Return milliseconds for one image, images a second, and their ratios to the bare network."""
    rounds, seconds = ROUNDS[profile]
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: _measured(Path(folder, str(number)), checkpoint, rounds, seconds)
            for number, (name, checkpoint) in enumerate(checkpoints(Path(folder)).items())
        }
        judged = _map_by_precision(ROOT / "demo" / "model.safetensors")
    return {
        "unit": "milliseconds, images a second",
        "threads": torch.get_num_threads(),
        "seed": SEED,
        "rounds": {name: each for name, (each, _) in found.items()},
        "results": {name: row for name, (_, row) in found.items()},
        "tables": {
            "mAP of the demo's pictures among themselves, encrypted, in each arithmetic": judged
        },
    }


def checkpoints(folder: Path) -> dict[str, Path]:
    """Return the demo's network, and an untrained one of usual size written into a folder."""
    torch.manual_seed(SEED)
    tiny = folder / "vit-tiny.safetensors"
    configuration = CheckpointConfiguration(network=VIT_TINY, profile=PARAMETERS.profile(b""))
    save(tiny, EndToEndNetwork(VIT_TINY).eval(), configuration)
    return {"the demo's network": ROOT / "demo" / "model.safetensors", "ViT-Tiny": tiny}


def _measured(
    folder: Path, checkpoint: Path, rounds: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return what every round measured, and the row of a network."""
    bare = Bare.of(checkpoint)
    with _serving(folder, checkpoint) as served:
        names = count()
        measures: dict[str, Callable[[], float]] = {
            f"bare, batch of {size}": partial(bare.milliseconds, size, seconds / 2)
            for size in BATCHES
        }
        measures[f"bare, {SIDE_BY_SIDE}"] = partial(bare.side_by_side_per_s, EACH_SIDE, seconds)
        measures[ALONE] = partial(served.p50_ms, seconds)
        for clients in CLIENTS:
            searches = partial(served.searches_per_s, clients, seconds)
            measures[f"searches of {clients}"] = searches
            indexed = partial(served.indexed_per_s, clients, seconds, names)
            if clients < CLIENTS[-1]:
                measures[f"Index of {clients}"] = indexed
        served.searches_per_s(CLIENTS[-1], seconds)  # the server's first batches are slower
        found = taken(measures, rounds)
    return found, row({name: statistics.median(each) for name, each in found.items()})


def _map_by_precision(checkpoint: Path) -> dict[str, dict[str, float]]:
    """Return the mAP of the demo's pictures in float32 and as a server here would compute."""
    pictures = samples(PARAMETERS)
    encrypted = ImageCipher(measured_key(PARAMETERS, SEED)).encrypt_images(pictures.images)
    found = {}
    for precision in ("fp32", "auto"):
        embedder = Embedder(checkpoint, "cpu", precision)
        vectors = np.concatenate([embedder.embed(np.stack([each.pixels])) for each in encrypted])
        judged = evaluate_vectors(
            vectors, vectors, pictures.labels, pictures.labels, exclude_self=True
        )
        found[f"{precision}: {embedder.numeric_mode}"] = {
            "mAP": round(judged.mean_average_precision, 5)
        }
    return found


def row(medians: Mapping[str, float]) -> dict[str, float]:
    """Return a network's row from the medians of its measures."""
    rates = {size: 1000 * size / medians[f"bare, batch of {size}"] for size in BATCHES}
    best = max(rates, key=lambda size: rates[size])
    side_by_side = medians[f"bare, {SIDE_BY_SIDE}"]
    alone_ms = medians["bare, batch of 1"]
    return {
        "bare pass of one, ms": round(alone_ms, 2),
        "search of one client, p50, ms": round(medians[ALONE], 2),
        "p50 / bare pass": round(medians[ALONE] / alone_ms, 3),
        "bare, best batch": best,
        "bare, images/s": round(rates[best], 1),
        f"bare, {SIDE_BY_SIDE}, images/s": round(side_by_side, 1),
        **{name: round(medians[name], 1) for name in RATES},
        **{f"{name} / bare": round(medians[name] / rates[best], 3) for name in RATES[1:]},
        f"searches of 16 / bare {SIDE_BY_SIDE}": round(medians["searches of 16"] / side_by_side, 3),
    }


def _images(batch: int) -> torch.Tensor:
    pixels = np.random.default_rng(SEED).integers(0, 256, (batch, 128, 192, 3), np.uint8)
    return to_input(pixels, CPU)


@contextmanager
def _serving(folder: Path, checkpoint: Path) -> Iterator[Served]:
    """Run a server with a collection of a few pictures."""
    key = measured_key(PARAMETERS, SEED)
    pixels = np.random.default_rng(SEED).integers(0, 256, (STORED, 128, 192, 3), np.uint8)
    pictures = [
        EncryptedPicture(cipher_image=image) for image in ImageCipher(key).encrypt_images(pixels)
    ]
    with (
        running(folder, "--device", "cpu") as server,
        Client(server.address) as client,
    ):
        for name in (SEARCHED, WRITTEN):
            client.create_cipher_collection(name, key.profile)
            client.push_model(checkpoint, collection=name)
        client.index_encrypted(SEARCHED, [f"stored-{i}" for i in range(STORED)], pictures)
        yield Served(
            address=server.address,
            body=_body(folder, server.address, pictures[0]),
            pictures=pictures,
        )


def _body(folder: Path, address: str, query: EncryptedPicture) -> Body:
    """Write a search, framed, and return it with the length of its answer."""
    request = pb.SearchRequest(collection=SEARCHED, k=K)
    request.cipher_images.images.append(encrypted_message(query.cipher_image))
    answer = stub_at(address).Search(request)
    path = folder / "search.body"
    path.write_bytes(framed(request.SerializeToString()))
    return Body(path=path, answer_bytes=answer.ByteSize())
