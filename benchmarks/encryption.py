"""How many images of the paper's size one core encrypts and decrypts in a second.

Size 128x192, blocks of 8x8, every M of the paper, both scopes, with the key unlocked. Settings
are measured in turn in every round, so that a busy moment of the machine meets all of them, and
the medians of the rounds are what to read. Run it with OMP_NUM_THREADS=1 to be sure of one core;
the cipher starts no threads of its own.
"""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from cipherlens.crypto import CipherParameters, ImageCipher, KeyEntry, Scope

BATCH = 64
SUBSTITUTED = (96, 192, 288)
ROUNDS = {"quick": 7, "full": 31}
TARGETS = {Scope.COLLECTION: 4000, Scope.IMAGE: 1500}


def run(profile: str) -> dict[str, object]:
    """Return images per second of every setting, with all rounds.

    Args:
        profile: "quick" or "full", which differ in the number of rounds.

    Raises:
        ValueError: another profile.
    """
    if profile not in ROUNDS:
        raise ValueError(f"profile must be quick or full, got {profile!r}")
    images = np.random.default_rng(0).integers(0, 256, (BATCH, 128, 192, 3), dtype=np.uint8)
    tasks = {
        (scope, substituted, direction): task
        for scope in Scope
        for substituted in SUBSTITUTED
        for direction, task in _tasks(scope, substituted, images).items()
    }
    rates: dict[tuple[Scope, int, str], list[float]] = {setting: [] for setting in tasks}
    for _ in range(ROUNDS[profile]):
        for setting, task in tasks.items():
            rates[setting].append(BATCH / _seconds(task))
    return {
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


def _seconds(task: Callable[[], object]) -> float:
    """Return how long a task takes."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start
