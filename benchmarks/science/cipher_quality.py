"""How unlike the pictures their cipher-images are: the mean PSNR of E2E's Table I, and its law."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.pictures import described, openclipart, samples
from benchmarks.harness.progress import say, told
from benchmarks.harness.registry import PAPER as PAPERS_PROFILE
from benchmarks.harness.registry import TRY
from benchmarks.leakage.looks import psnr
from benchmarks.methods import corel10k
from benchmarks.methods.keys import measured_key
from benchmarks.science.photographs import photographs
from cipherlens.crypto import CipherParameters, ImageCipher, Scope
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.errors import DataError

PLACE = 6
AT_PAPERS_SCALE = True

PAPER = {
    (16, 24): 9.754,
    (16, 48): 9.354,
    (16, 72): 9.032,
    (8, 96): 9.814,
    (8, 192): 9.379,
    (8, 288): 9.061,
}
"""Table I: the mean PSNR, dB, of Corel10K's cipher-images for each (P, M)."""

KEYS = {"quick": 4, "full": 64, PAPERS_PROFILE: 16, TRY: 2}
BATCH = 64
BYTE_VARIANCE = (256**2 - 1) / 12  # 5461.25, of a uniform byte
PIXELS = 128 * 192
PEAK = 255

FITTED = (
    "M=0, P=8 (dB)",
    "M=0, P=16 (dB)",
    "all blocks substituted (dB)",
    "values from 127.5 (rms)",
    "farthest off (dB)",
)
"""The columns of the fitted law."""

FITS = "The law fitted to the six figures of each set"

NOTES = """\
The figure depends on the pictures more than on the cipher. Averaged over all keys the squared error
of a picture x of blocks is

    MSE = (1 - f) * MSE of a random order of its blocks + f * (5461.25 + mean (x - 127.5)^2)

with f = M / blknum, 5461.25 being the variance of a uniform byte; the first term is twice the
variance, over the blocks, of what stands at one place of a block. "Law" is the mean PSNR that this
predicts, picture by picture, without encrypting anything. "At the mean error" is what is measured
when errors are averaged over the keys before the logarithm, and must agree with the law as far
as so few keys can tell. The mean PSNR itself is a little higher: the logarithm of a mean is above
the mean of the logarithms.

The fitted law takes nothing from the pictures: three numbers, the error of a random order at P=8,
that at P=16, and that of substituted colours, are chosen so that the six figures of a table are
nearest. So Table I can be held to the law without its pictures; three of its six figures are free
to miss it.

Photographs are what compares with the paper's Corel10K; `photographs.py` says which they are and
how to get them, or to take others. Drawings on white ground lose more, because white is as far from
a random colour as can be, and differ more from key to key, because one entry of each table decides
most of the error. A low PSNR says that a cipher-image does not look like the picture; it is no
measure of how hard the picture is to recover.
"""


def run(profile: str) -> dict[str, Any]:
    """Return the mean PSNR for every (P, M) of the cipher-images of every set that is here.

    "paper" has Corel10K alone.
    """
    sets = _corel10k(profile) if profile in corel10k.STORES else picture_sets(CipherParameters())
    here = {name: each for name, each in sets.items() if each is not None}
    results = {
        f"{name}, {case_name(*case)}": _row(each and each[1], *case, KEYS[profile])
        for name, each in sets.items()
        for case in PAPER
    }
    return {
        "unit": "dB",
        "data": "; ".join(
            f"{name}: {len(images)} pictures, {origin}" for name, (origin, images) in here.items()
        ),
        "seed": f"keys of the seeds 0 to {KEYS[profile] - 1}",
        "pictures": [described(origin, images) for origin, images in here.values()],
        "results": results,
        "paper": {
            f"Corel10K, {case_name(*case)}": {"mean PSNR": value} for case, value in PAPER.items()
        },
        "tables": {FITS: fits(results, list(here))},
        **corel10k.facts(profile),
    }


def picture_sets(size: CipherParameters) -> dict[str, tuple[str, PreparedImages] | None]:
    """Return where each set of pictures is from and them, None for what is not here."""
    say("preparing the pictures")
    return {
        "photographs": photographs(size),
        "OpenClipart": _openclipart(size),
        "demo": ("demo/samples", samples(size)),
    }


def _corel10k(profile: str) -> dict[str, tuple[str, PreparedImages] | None]:
    return {corel10k.NAME: ("COREL10K", corel10k.pictures(corel10k.SIZE, profile))}


def case_name(block_size: int, substituted_blocks: int) -> str:
    """Return how the tables call a setting of the cipher."""
    return f"P={block_size}, M={substituted_blocks}"


def fits(results: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return the law fitted to the paper's table and to that of each set."""
    tables = {
        name: {case: results[f"{name}, {case_name(*case)}"]["mean PSNR"] for case in PAPER}
        for name in names
    }
    return {
        "Corel10K (E2E, Table I)": fitted(PAPER),
        **{name: fitted(table) for name, table in tables.items()},
    }


def fitted(table: Mapping[tuple[int, int], float]) -> dict[str, float]:
    """Return the law's three errors that are nearest, by least squares, to a table of mean PSNR.

    They are those of a random order at either block size and of colours that are all substituted;
    the last two columns are what follows for the pictures, and how far off the table is, dB.
    """
    shares = np.array([size**2 * substituted / PIXELS for size, substituted in table])
    small = np.array([size == 8 for size, _ in table])
    terms = np.stack([(1 - shares) * small, (1 - shares) * ~small, shares], axis=1)
    scores = np.array(list(table.values()))
    errors, *_ = np.linalg.lstsq(terms, PEAK**2 / 10 ** (scores / 10), rcond=None)
    off = np.abs(psnr(terms @ errors) - scores).max()
    values = [*psnr(errors), np.sqrt(max(errors[2] - BYTE_VARIANCE, 0)), off]
    return {name: round(float(each), 3) for name, each in zip(FITTED, values, strict=True)}


def mean_squared_errors(images: PreparedImages, cipher: ImageCipher) -> NDArray[np.float64]:
    """Return the mean squared error, (n,), of each picture's cipher-image."""
    errors = np.empty(len(images))
    for positions, pixels in by_shape(images.images, BATCH):
        encrypted, _ = cipher.encrypt(pixels)
        differences = encrypted.astype(np.float32) - pixels
        errors[positions] = np.square(differences).mean(axis=(1, 2, 3), dtype=np.float64)
    return errors


def expected_squared_errors(
    images: PreparedImages, parameters: CipherParameters
) -> NDArray[np.float64]:
    """Return what `mean_squared_errors` is in the mean over all keys, (n,)."""
    size = parameters.block_size
    share = parameters.substituted_blocks / parameters.blknum
    errors = np.empty(len(images))
    for positions, pixels in by_shape(images.images, BATCH):
        count, height, width, _ = pixels.shape
        shape = (count, height // size, size, width // size, size, 3)
        permuted = 2 * pixels.reshape(shape).astype(np.float64).var(axis=(1, 3)).mean(
            axis=(1, 2, 3)
        )
        substituted = BYTE_VARIANCE + np.square(pixels - 127.5).mean(axis=(1, 2, 3))
        errors[positions] = (1 - share) * permuted + share * substituted
    return errors


def _openclipart(size: CipherParameters) -> tuple[str, PreparedImages] | None:
    try:
        return "Debian openclipart-png", openclipart(size)
    except DataError:
        return None


def _row(
    images: PreparedImages | None, block_size: int, substituted_blocks: int, keys: int
) -> dict[str, Any]:
    if images is None:
        return {"mean PSNR": "not here"}
    parameters = CipherParameters(
        block_size=block_size, substituted_blocks=substituted_blocks, scope=Scope.COLLECTION
    )
    what = f"{case_name(block_size, substituted_blocks)}, {len(images)} pictures, keys"
    errors = np.stack(
        [
            mean_squared_errors(images, ImageCipher(measured_key(parameters, seed)))
            for seed in told(what, range(keys))
        ]
    )
    by_key = psnr(errors).mean(axis=1)
    return {
        "mean PSNR": round(float(by_key.mean()), 3),
        "lowest key": round(float(by_key.min()), 3),
        "highest key": round(float(by_key.max()), 3),
        "at the mean error": round(float(psnr(errors.mean(axis=0)).mean()), 3),
        "law": round(float(psnr(expected_squared_errors(images, parameters)).mean()), 3),
    }
