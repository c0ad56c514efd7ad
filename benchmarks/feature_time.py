"""How long it takes to make the features of 2,000 to 10,000 images: DLHEIR Fig. 4.

From the picture file to its code or vector: open it, prepare it to the network's size, encrypt it
where the network sees cipher-images, run the network, one picture at a time or in batches. The
pictures are the demo's, in turn for all networks; a figure is the median over rounds of the mean
for a picture. The times of whole collections are these figures scaled, plus the time to load the
network, which the paper counts too; two rows beside them were measured in one pass.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.fashion_mnist_features import (
    SIZES,
    facts,
    pictures,
    trained_end_to_end,
    trained_hash_network,
)
from benchmarks.pictures import SAMPLES
from benchmarks.progress import say, told
from benchmarks.rounds import medians_us
from benchmarks.tables import by_size
from cipherlens.crypto import open_image, prepare
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.data.encryption import Encryptor, plain
from cipherlens.model.data.images import list_folder
from cipherlens.model.embedder import Embedder
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.networks.hash_network import HashNetwork

SEED = 1
BITS = 48
LOAD, PREPARE, ENCRYPT, ALONE, BATCHED = "load", "prepare", "encrypt", "one by one", "in batches"

NOTES = """
The paper shows this figure as curves without numbers, so there is nothing to put beside ours but
the shape: a straight line. Its comparators, SIFT and MPEG-7 descriptors, are left out. It names an
i7-9700KF and a GTX 2080Ti but not which of them made the features; ours are made on the processor.
The DLHEIR networks have random weights here, which changes no time; 384 pixels is the paper's size.
Times of 2,000 to 10,000 pictures are scaled from the sample that the raw figures state, but for the
rows "measured in one pass": those are Fashion-MNIST pictures, prepared already, in batches of 32,
and hold no loading, opening or preparing.
"""

Compute = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Extractor:
    """What makes features: its network, the cipher before it, and how many pictures it is timed on.

    `configuration` has the height and width of prepared pictures.
    """

    load: Callable[[], object]
    compute: Compute
    encryptor: Encryptor
    configuration: Any
    sample: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """How much is measured: rounds, and pictures for large and for small networks."""

    rounds: int
    large: int
    small: int


PROFILES = {
    "quick": Profile(rounds=3, large=6, small=64),
    "full": Profile(rounds=9, large=32, small=320),
}


def run(profile: str) -> dict[str, Any]:
    """Return seconds for collections of each size, and milliseconds for one picture."""
    size = PROFILES[profile]
    hashing, vectors = trained_hash_network(profile, BITS), trained_end_to_end(profile)
    small = {
        "Fashion-MNIST hash network": _hash_extractor(hashing.checkpoint, size.small),
        "Fashion-MNIST ViT": _vector_extractor(vectors.checkpoint, vectors.encryptor, size.small),
    }
    with tempfile.TemporaryDirectory() as folder:
        large = {
            f"DLHEIR {pixels}x{pixels}": _hash_extractor(
                random_dlheir(Path(folder), pixels), size.large
            )
            for pixels in (224, 384)
        }
        extractors = large | small
        costs = _costs(extractors, size.rounds)
    passes = {name: _one_pass(each) for name, each in small.items()}
    return {
        "unit": "seconds for so many pictures",
        "data": f"demo/samples, the first {size.small}",
        "seed": SEED,
        "rounds": size.rounds,
        "threads": torch.get_num_threads(),
        "sample": {name: each.sample for name, each in extractors.items()},
        "networks": {
            "Fashion-MNIST hash network": facts(hashing),
            "Fashion-MNIST ViT": vectors.facts,
        },
        **tables(costs, passes),
    }


def tables(
    costs: Mapping[str, Mapping[str, float]], passes: Mapping[str, list[float]]
) -> dict[str, Any]:
    """Return the tables and the plot of each network's costs and passes.

    `costs` has the milliseconds of each part, for one picture but for the loading; `passes` the
    seconds after which so many pictures of `SIZES` had their features.
    """
    rows = {
        f"{name}, {mode}": [_scaled_s(each, mode, size) for size in SIZES]
        for name, each in costs.items()
        for mode in (ALONE, BATCHED)
    }
    rows |= {f"{name}, measured in one pass": each for name, each in passes.items()}
    lines = {name: [list(SIZES), values] for name, values in rows.items()}
    panel = {"x": "images", "y": "time (s)", "lines": lines, "log": True}
    return {
        "results": {name: by_size(SIZES, values) for name, values in rows.items()},
        "tables": {"Milliseconds for one picture, and to load the network once": costs},
        "plots": {
            "feature-time": {
                "title": "Making features",
                "panels": [{"title": "from the picture file to its code or vector", **panel}],
            }
        },
    }


def _scaled_s(costs: Mapping[str, float], mode: str, size: int) -> float:
    each = costs[PREPARE] + costs.get(ENCRYPT, 0.0) + costs[mode]
    return round((costs[LOAD] + size * each) / 1000, 2)


def _costs(extractors: Mapping[str, Extractor], rounds: int) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each part of each extractor's work."""
    tasks = {
        (name, part): task
        for name, each in extractors.items()
        for part, task in _tasks(each).items()
    }
    medians = medians_us(tasks, rounds=rounds, calls=1)
    costs: dict[str, dict[str, float]] = {name: {} for name in extractors}
    for (name, part), whole_us in medians.items():
        pictures_timed = 1 if part == LOAD else extractors[name].sample
        costs[name][part] = round(whole_us / 1000 / pictures_timed, 3)
    return costs


def _tasks(extractor: Extractor) -> dict[str, Callable[[], object]]:
    """Return each part of the work on the sample, the network warm already."""
    paths = list_folder(SAMPLES).paths[: extractor.sample]

    def prepared() -> NDArray[np.uint8]:
        # Fashion-MNIST and DLHEIR have square pictures: all have one orientation.
        return np.stack([prepare(open_image(path), extractor.configuration) for path in paths])

    pixels = prepared()
    extractor.compute(pixels[:1])
    generator = np.random.default_rng(SEED)
    tasks: dict[str, Callable[[], object]] = {
        LOAD: extractor.load,
        PREPARE: prepared,
        ALONE: lambda: [extractor.compute(pixels[i : i + 1]) for i in range(len(pixels))],
        BATCHED: lambda: extractor.compute(pixels),
    }
    if extractor.encryptor is not plain:
        tasks[ENCRYPT] = lambda: extractor.encryptor(pixels, generator)
    return tasks


def _one_pass(extractor: Extractor) -> list[float]:
    """Return the seconds after which so many pictures of `SIZES` had their features."""
    stored = pictures(extractor.configuration.height).stored
    generator = np.random.default_rng(SEED)
    seconds = []
    started = time.perf_counter()
    for first, last in told("one pass", list(zip((0, *SIZES), SIZES, strict=False))):
        extractor.compute(extractor.encryptor(stored[first:last], generator))
        seconds.append(round(time.perf_counter() - started, 2))
    return seconds


def _hash_extractor(checkpoint: Path, sample: int) -> Extractor:
    encoder = HashEncoder(checkpoint)
    return Extractor(
        load=lambda: HashEncoder(checkpoint),
        compute=encoder.encode,
        encryptor=plain,
        configuration=encoder.configuration.network,
        sample=sample,
    )


def _vector_extractor(checkpoint: Path, encryptor: Encryptor, sample: int) -> Extractor:
    embedder = Embedder(checkpoint)
    return Extractor(
        load=lambda: Embedder(checkpoint),
        compute=embedder.embed,
        encryptor=encryptor,
        configuration=embedder.configuration.network,
        sample=sample,
    )


def random_dlheir(folder: Path, pixels: int) -> Path:
    """Write a checkpoint of the paper's network with random weights and return it."""
    say(f"making DLHEIR's network for {pixels}x{pixels}")
    config = HashNetworkConfig(bits=BITS, height=pixels, width=pixels)
    path = folder / f"dlheir-{pixels}.safetensors"
    configuration = CheckpointConfiguration(network=config, profile=None, architecture="hash")
    save(path, HashNetwork(config).eval(), configuration)
    return path
