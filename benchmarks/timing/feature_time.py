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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.places import SAMPLES
from benchmarks.harness.progress import told
from benchmarks.harness.rounds import medians_us
from benchmarks.methods.trained_network import FittedNetwork
from benchmarks.timing.features import SEED, pictures
from benchmarks.timing.growth import SIZES, panel, table
from benchmarks.timing.networks import (
    facts,
    random_dlheir,
    trained_end_to_end,
    trained_hash_network,
)
from cipherlens.crypto import open_image, prepare
from cipherlens.model.checkpoint import AnyConfig
from cipherlens.model.data.encryption import Encryptor, plain
from cipherlens.model.data.images import list_folder

PLACE = 14

LOAD, PREPARE, ENCRYPT, ALONE, BATCHED = "load", "prepare", "encrypt", "one by one", "in batches"

NOTES = """
The paper shows this figure as curves without numbers, so there is nothing to put beside ours but
the shape: a straight line. Its comparators, SIFT and MPEG-7 descriptors, are in
[scheme-time](#scheme-time). It names an i7-9700KF and a GTX 2080Ti but not which of them made the
features; ours are made on the processor. The DLHEIR networks have random weights here, which
changes no time; 384 pixels is the paper's size.
Times of 2,000 to 10,000 pictures are scaled from the sample that the raw figures state, but for the
rows "measured in one pass": those are Fashion-MNIST pictures, prepared already, in batches of 32,
and hold no loading, opening or preparing.
"""

ROUNDS = {"quick": 3, "full": 9}
SAMPLE = {"quick": (6, 64), "full": (32, 320)}
"""Pictures that large networks are timed on, and small ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """A network that makes features, and how many pictures it is timed on."""

    load: Callable[[], FittedNetwork]
    network: FittedNetwork
    sample: int

    @property
    def size(self) -> AnyConfig:
        """What has the height and width of prepared pictures."""
        return self.network.configuration.network


def run(profile: str) -> dict[str, Any]:
    """Return seconds for collections of each size, and milliseconds for one picture."""
    large, small = SAMPLE[profile]
    trained = {
        "Fashion-MNIST hash network": trained_hash_network(profile),
        "Fashion-MNIST ViT": trained_end_to_end(profile),
    }
    with tempfile.TemporaryDirectory() as folder:
        timed = {
            f"DLHEIR {pixels}x{pixels}": _timed(random_dlheir(Path(folder), pixels), plain, large)
            for pixels in (224, 384)
        }
        timed |= {
            name: _timed(each.checkpoint, each.network.encryptor, small)
            for name, each in trained.items()
        }
        costs = _costs(timed, ROUNDS[profile])
    return {
        "unit": "seconds for so many pictures",
        "data": f"demo/samples, the first {small}",
        "seed": SEED,
        "rounds": ROUNDS[profile],
        "threads": torch.get_num_threads(),
        "sample": {name: each.sample for name, each in timed.items()},
        "networks": {name: facts(each) for name, each in trained.items()},
        **tables(costs, {name: _one_pass(timed[name]) for name in trained}),
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
    title = "from the picture file to its code or vector"
    return {
        "results": table(rows),
        "tables": {"Milliseconds for one picture, and to load the network once": costs},
        "plots": {
            "feature-time": {
                "title": "Making features",
                "panels": [panel(title, rows, x="images", y="time (s)")],
            }
        },
    }


def _scaled_s(costs: Mapping[str, float], mode: str, size: int) -> float:
    each = costs[PREPARE] + costs.get(ENCRYPT, 0.0) + costs[mode]
    return round((costs[LOAD] + size * each) / 1000, 2)


def _costs(timed: Mapping[str, Timed], rounds: int) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each part of each network's work."""
    tasks = {
        (name, part): task for name, each in timed.items() for part, task in _tasks(each).items()
    }
    costs: dict[str, dict[str, float]] = {name: {} for name in timed}
    for (name, part), whole_us in medians_us(tasks, rounds=rounds, calls=1).items():
        pictures_timed = 1 if part == LOAD else timed[name].sample
        costs[name][part] = round(whole_us / 1000 / pictures_timed, 3)
    return costs


def _tasks(timed: Timed) -> dict[str, Callable[[], object]]:
    """Return each part of the work on the sample, the network warm already."""
    paths = list_folder(SAMPLES).paths[: timed.sample]
    network = timed.network

    def prepared() -> NDArray[np.uint8]:
        # Fashion-MNIST and DLHEIR have square pictures: all have one orientation.
        return np.stack([prepare(open_image(path), timed.size) for path in paths])

    pixels = prepared()
    network.encode(pixels[:1])
    generator = np.random.default_rng(SEED)
    tasks: dict[str, Callable[[], object]] = {
        LOAD: timed.load,
        PREPARE: prepared,
        ALONE: lambda: [network.encode(pixels[i : i + 1]) for i in range(len(pixels))],
        BATCHED: lambda: network.encode(pixels),
    }
    if network.encryptor is not plain:
        tasks[ENCRYPT] = lambda: network.encrypt(pixels, generator)
    return tasks


def _one_pass(timed: Timed) -> list[float]:
    """Return the seconds after which so many pictures of `SIZES` had their features."""
    stored = pictures(timed.size.height).stored
    generator = np.random.default_rng(SEED)
    seconds = []
    started = time.perf_counter()
    for first, last in told("one pass", list(zip((0, *SIZES), SIZES, strict=False))):
        timed.network.encode(timed.network.encrypt(stored[first:last], generator))
        seconds.append(round(time.perf_counter() - started, 2))
    return seconds


def _timed(checkpoint: Path, encryptor: Encryptor, sample: int) -> Timed:
    load = partial(FittedNetwork, checkpoint, encryptor, device="cpu")
    return Timed(load=load, network=load(), sample=sample)
