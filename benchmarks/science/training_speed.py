"""How fast pictures become what a training sees: decoded, changed, encrypted.

The demo's pictures at the paper's size, 128x192, under fresh sequences each (any key, M=1/4), with
flips, crops and jitter. Rates of one core are by its processor time, so that what else runs on the
machine counts little; settings take turns in every round, and the medians are what to read. A
training has as many cores at this as `train --workers` says, beside the one that computes: workers
share nothing but the pictures, so their rates add up as far as there are cores.
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.harness.places import SAMPLES
from benchmarks.harness.rounds import taken
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import AugmentationConfig, TrainConfig
from cipherlens.model.data.augmentation import augment
from cipherlens.model.data.data_spec import load_data, parse_data_spec
from cipherlens.model.data.decoded import load_decoded
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import Pixels, PreparedImages
from cipherlens.model.training.distributed import ALONE
from cipherlens.model.training.loading import BatchMaker, loaded

PLACE = 15.7

BATCH = 50
BATCHES = 40
WORKERS = (1, 2)
CORES = 16
TARGET = 5000
ROUNDS = {"quick": 5, "full": 21}
CHANGES = AugmentationConfig(flip=0.5, min_area=0.5, jitter=0.3)

NOTES = """\
"Whole batches" is what a training waits for: changes, encryption, and the tensors made of them. The
target is of 16 cores together. Rates with workers are by the clock, on a machine of two cores.
"""


def run(profile: str) -> dict[str, Any]:
    """Return pictures per second of each step, and of batches that workers make."""
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), ROUNDS[profile])


def measure(cache: Path, rounds: int) -> dict[str, Any]:
    """Return the document of so many rounds; decoded pictures are kept in the folder `cache`."""
    spec = parse_data_spec(f"folder:{SAMPLES}")
    parameters = {size: _parameters(size) for size in (8, 16)}
    images = load_decoded(spec, parameters[8], cache)
    makers = {size: _maker(images, each) for size, each in parameters.items()}
    of_a_core: dict[str, Callable[[], float]] = {
        "decoded and prepared, from PNG": partial(
            _rate, lambda: load_data(spec, parameters[8]), len(images)
        ),
        "read from the decoded file": partial(
            _rate, lambda: load_decoded(spec, parameters[8], cache), len(images)
        ),
        "changed": partial(_rate, _changing(images), BATCH),
    }
    for size, maker in makers.items():
        of_a_core[f"encrypted, P={size}"] = partial(_rate, _encrypting(maker), BATCH)
        of_a_core[f"whole batches, P={size}"] = partial(_rate, partial(_batch, maker), BATCH)
    by_the_clock = {
        f"whole batches, P=16, {workers} workers": partial(_loaded, makers[16], workers)
        for workers in WORKERS
    }
    rates = taken({**of_a_core, **by_the_clock}, rounds)
    return {
        "unit": "pictures per second; of one core, or with workers by the clock",
        "seed": f"0; with workers 0 to {BATCHES - 1}, one for each batch",
        "height": 128,
        "width": 192,
        "batch": BATCH,
        "results": {name: _row(name, values) for name, values in rates.items()},
    }


def _parameters(size: int) -> CipherParameters:
    return CipherParameters(
        height=128,
        width=192,
        block_size=size,
        substituted_blocks=128 * 192 // size**2 // 4,
        scope=Scope.IMAGE,
    )


def _maker(images: PreparedImages, parameters: CipherParameters) -> BatchMaker:
    config = TrainConfig(augmentation=CHANGES)
    encryptor = AnyKeyEncryptor(parameters)
    return BatchMaker(config=config, images=images, encryptor=encryptor, processes=ALONE)


def _landscapes(images: PreparedImages) -> Pixels:
    wide = [each for each in images.images if each.shape[0] < each.shape[1]]
    return np.stack([wide[index % len(wide)] for index in range(BATCH)])


def _changing(images: PreparedImages) -> Callable[[], object]:
    pixels, draw = _landscapes(images), np.random.default_rng(0)
    return lambda: augment(pixels, CHANGES, draw)


def _encrypting(maker: BatchMaker) -> Callable[[], object]:
    pixels, draw = _landscapes(maker.images), np.random.default_rng(0)
    return lambda: maker.encryptor(pixels, draw)


def _positions(maker: BatchMaker, index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(len(maker.images), size=BATCH)


def _batch(maker: BatchMaker) -> object:
    return maker.batch(_positions(maker, 0), (1, 0))


def _rate(task: Callable[[], object], pictures: int) -> float:
    """Return pictures per second of processor time."""
    started = time.process_time()
    task()
    return pictures / (time.process_time() - started)


def _loaded(maker: BatchMaker, workers: int) -> float:
    """Return pictures per second by the clock, once the first batch is there."""
    asked = [(_positions(maker, index), (1, index)) for index in range(BATCHES)]
    batches = loaded(maker, asked, workers)
    next(batches)
    started = time.perf_counter()
    return sum(len(batch.labels) for batch in batches) / (time.perf_counter() - started)


def _row(name: str, rates: list[float]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "median": round(median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
    }
    if name.startswith("whole") and "workers" not in name:
        row |= {f"of {CORES} cores": CORES * row["median"], "target": TARGET}
    return row
