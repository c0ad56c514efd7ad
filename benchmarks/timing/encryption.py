"""How many images of the paper's size one core encrypts and decrypts in a second.

Size 128x192, blocks of 8x8, every M of the paper, both scopes, with the key unlocked. Settings
are measured in turn in every round, so that a busy moment of the machine meets all of them, and
the medians of the rounds are what to read. Run it with OMP_NUM_THREADS=1 to be sure of one core;
the cipher starts no threads of its own.
"""

from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

from benchmarks.harness.rounds import milliseconds, taken
from cipherlens.crypto import CipherParameters, ImageCipher, KeyEntry, Scope

PLACE = 1

BATCH = 64
SUBSTITUTED = (96, 192, 288)
ROUNDS = {"quick": 7, "full": 31}
TARGETS = {Scope.COLLECTION: 4000, Scope.IMAGE: 1500}


def run(profile: str) -> dict[str, object]:
    """Return images per second of every setting."""
    images = np.random.default_rng(0).integers(0, 256, (BATCH, 128, 192, 3), dtype=np.uint8)
    tasks = {
        (scope, substituted, direction): task
        for scope in Scope
        for substituted in SUBSTITUTED
        for direction, task in _tasks(scope, substituted, images).items()
    }
    rates = taken(
        {setting: partial(_rate, task) for setting, task in tasks.items()}, ROUNDS[profile]
    )
    return {
        "seed": "0 for the pictures; keys are fresh",
        "height": 128,
        "width": 192,
        "block_size": 8,
        "batch": BATCH,
        "unit": "images per second on one core",
        "results": {
            f"{scope} scope, M={substituted}, {direction}": _row(scope, values)
            for (scope, substituted, direction), values in rates.items()
        },
    }


def _tasks(scope: Scope, substituted: int, images: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return what is measured of one setting; each has run once, so that caches are warm."""
    parameters = CipherParameters(substituted_blocks=substituted, scope=scope)
    cipher = ImageCipher(KeyEntry.generate("benchmark", parameters))
    pixels, nonces = cipher.encrypt(images)
    if not np.array_equal(cipher.decrypt(pixels, nonces), images):
        raise AssertionError("decryption is not exact")
    return {
        "encrypt": lambda: cipher.encrypt(images),
        "decrypt": lambda: cipher.decrypt(pixels, nonces),
    }


def _row(scope: Scope, rates: list[float]) -> dict[str, object]:
    """Return the figures of one setting."""
    return {
        "median": round(median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "target": TARGETS[scope],
    }


def _rate(task: Callable[[], object]) -> float:
    """Return the images per second of a task on a batch."""
    return BATCH * 1000 / milliseconds(task)
