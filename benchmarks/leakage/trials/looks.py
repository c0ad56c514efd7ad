"""How much like noise ciphertext looks, and how much of it one pixel or one bit of the key changes.

None of it says how hard a picture is to recover: a cipher-image whose sequences follow from one
chosen picture can have all the ideal values.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import told
from benchmarks.leakage.blocks import Pixels
from benchmarks.leakage.looks import (
    chi_square,
    entropy,
    neighbour_correlations,
    npcr,
    psnr,
    squared_errors,
    ssim,
    uaci,
)
from benchmarks.leakage.owner import Owner
from benchmarks.leakage.trials.trial import (
    Pictures,
    Rows,
    Trial,
    quarters,
    spread,
    titled,
)
from benchmarks.methods.cases import Case
from benchmarks.methods.keys import measured_key
from cipherlens.crypto import CipherParameters, KeyEntry, Original, Scope, SealedContext, seal

KEYS = {"quick": 2, "full": 3}
ITEMS = {"quick": 24, "full": 60}
MEDIA = "image/png"
PLAIN, SEALED = "the plain pictures", "sealed originals (AES-256-GCM)"
IDEAL = {
    "entropy, bits": 8,
    "across": 0,
    "down": 0,
    "diagonal": 0,
    "chi-square": 255,
    "NPCR of a pixel": 99.61,
    "UACI of a pixel": 33.46,
    "NPCR of a key bit": 99.61,
    "UACI of a key bit": 33.46,
}
"""Of bytes drawn at random."""


def run(pictures: Pictures, profile: str) -> Trial:
    """Return the usual measures of every setting, beside those of random bytes."""
    rounds = [
        {"pictures": name, "case": case, "seed": seed, **figures}
        for name, images in pictures.items()
        for seed in told(f"looks: {name}", range(KEYS[profile]))
        for case, figures in _figures(_drawn(images.images, seed, ITEMS[profile]), profile, seed)
    ]
    table: Rows = {"random bytes": {name: str(value) for name, value in IDEAL.items()}}
    table |= _table(rounds)
    return Trial(
        headline={},
        tables={"Pictures and ciphertext beside random bytes": table},
        rounds=rounds,
        seeds=f"{KEYS[profile]} keys",
    )


def _drawn(images: tuple[Pixels, ...], seed: int, most: int) -> Pixels:
    order = np.random.default_rng(seed).permutation(len(images))[:most]
    return np.stack([images[each] for each in order])


def _cases(profile: str) -> list[Case]:
    shares = quarters(1, 4) if profile == "quick" else quarters(0, 1, 2, 3, 4)
    one_key = [Case(block_size=16, share=each) for each in shares]
    others = [] if profile == "quick" else [Case(block_size=8, share=each) for each in shares]
    return [*one_key, *others, Case(block_size=16, share=Fraction(1, 4), scope=Scope.IMAGE)]


def _figures(plain: Pixels, profile: str, seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what each kind of ciphertext is called, and its figures."""
    yield PLAIN, _of_noise(plain)
    for case in _cases(profile):
        yield titled(case), _of_ciphertext(plain, case, seed)
    yield SEALED, _of_seals(plain, seed)


def _of_ciphertext(plain: Pixels, case: Case, seed: int) -> dict[str, float]:
    parameters = case.parameters(*plain.shape[1:3])
    seen = Owner(parameters, seed).seen(plain)
    # A second owner of the seed draws the same nonces; the same one goes on with fresh ones.
    again = Owner(parameters, seed)
    if case.scope is Scope.IMAGE:
        again.seen(plain)
    changed = again.seen(_one_pixel(plain))
    other = Owner(parameters, seed, turned_bit=seed % 256).seen(plain)
    return {
        "PSNR, dB": float(psnr(squared_errors(plain, seen)).mean()),
        "SSIM": float(ssim(plain, seen).mean()),
        **_of_noise(seen),
        **_of_changes(seen, changed, other),
    }


def _of_seals(plain: Pixels, seed: int) -> dict[str, float]:
    parameters = CipherParameters()
    key = measured_key(parameters, seed)
    seen = _sealed(plain, key)
    other = _sealed(plain, measured_key(parameters, seed + 1))
    return {
        "PSNR, dB": float(psnr(squared_errors(plain, seen)).mean()),
        "SSIM": float(ssim(plain, seen).mean()),
        **_of_noise(seen),
        **_of_changes(seen, _sealed(_one_pixel(plain), key), other),
    }


def _of_noise(pictures: Pixels) -> dict[str, float]:
    return {
        "entropy, bits": float(entropy(pictures).mean()),
        **neighbour_correlations(pictures),
        "chi-square": float(chi_square(pictures).mean()),
    }


def _of_changes(seen: Pixels, changed: Pixels, other: Pixels) -> dict[str, float]:
    return {
        "NPCR of a pixel": npcr(seen, changed),
        "UACI of a pixel": uaci(seen, changed),
        "NPCR of a key bit": npcr(seen, other),
        "UACI of a key bit": uaci(seen, other),
    }


def _one_pixel(pictures: Pixels) -> Pixels:
    changed = pictures.copy()
    changed[:, 5, 7] ^= 1
    return changed


def _sealed(pictures: Pixels, key: KeyEntry) -> Pixels:
    """Return the ciphertext of the pictures' bytes, in the shape of the pictures."""
    context = SealedContext(
        collection_uuid=uuid.UUID(int=0), item_id="item", revision=1, companion_digest=bytes(32)
    )
    start = 46 + len(MEDIA)  # the header of a sealed original
    rows: list[NDArray[np.uint8]] = []
    for picture in pictures:
        sealed = seal(Original(media_type=MEDIA, data=picture.tobytes()), key, context)
        rows.append(np.frombuffer(sealed, np.uint8, picture.size, start).reshape(picture.shape))
    return np.stack(rows)


def _table(rounds: list[dict[str, Any]]) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        row = values[f"{each['pictures']}: {each['case']}"]
        for name, value in each.items():
            if name not in {"pictures", "case", "seed"}:
                row[name].append(value)
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }
