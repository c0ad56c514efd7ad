"""How long every scheme takes: DLHEIR's Table 3 and Figs. 4 to 6, with all that we run in them.

The schemes that DLHEIR compares with, colour structure and scalable colour under secure kNN (Xia)
and SimHash of visual words (Qin), its own network, E2E's, those of E2E's Table II, EViT and codes
like QSMIH's: from a prepared picture to its features and to a trapdoor, the index of 2,000 to
10,000 pictures, and a search of them for the 20 nearest. All in one process and on one thread; what
is compared takes turns in every round, and medians are shown.
"""

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.harness.pictures import samples
from benchmarks.harness.rounds import asking, medians, medians_us, milliseconds
from benchmarks.methods import corel10k
from benchmarks.methods.hash_networks import BITS
from benchmarks.methods.literature import OF_CIPHERTEXT, TITLES, typical
from benchmarks.methods.method import Features
from benchmarks.timing.growth import SIZES, TABLE_3, level, panel, ratio, table
from benchmarks.timing.schemes import (
    CSD,
    DLHEIR,
    EVIT,
    QIN,
    QSMIH_CODES,
    SCD,
    VIT,
    Collection,
    K,
    Timed,
    code_collection,
    comparators,
    networks,
    shortened,
)
from cipherlens.crypto import CipherParameters
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.server.index import use_one_thread

PLACE = 13.5

ROUNDS = {"quick": (3, 5), "full": (15, 50)}
PICTURES = 32
"""Landscape pictures whose features are stored: a collection holds them as often as it takes."""

SQUARE = CipherParameters(height=384, width=384, substituted_blocks=0)
"""DLHEIR's size."""

SAMPLE = 4
"""Those whose features and trapdoors are timed, in one batch."""

CODES = "48 bits"
OVER_CODES = f"Over the time of {CODES} at {SIZES[-1]:,} images"
BUILT = "Milliseconds to build the index of what the owner has (Fig. 5)"
MADE = "Milliseconds for one picture: features (Fig. 4), trapdoor (Fig. 6)"

NOTES = """\
DLHEIR's Table 3 has its comparators above its own codes by the factors shown; Figs. 4 to 6 are
curves without numbers, of which its text says that DLHEIR's features take less than those of Xia
and Qin "in most cases" and its trapdoors more than theirs. It does not say which of them a GPU
made. Here all is one core's: the network takes more than its comparators for either. Features are
those of prepared pictures of 128x192, of 384x384 for DLHEIR's network; loading it, which DLHEIR
counts, and opening pictures are in [feature-time](#feature-time). Networks have random weights and
EViT and QSMIH have not learned, which changes no time.

Ours: 256 colours for either descriptor of Xia, 256 words and 256 bits for Qin, none of which
DLHEIR's text says; of E2E's comparators the middle one of what [methods](#methods) tries. Xia's
tables of locality-sensitive hashes, which spare a search some of the pictures, are left out. A
search under secure kNN is a product of 514 numbers of eight bytes for every picture; histograms are
compared by their absolute differences, up to 3,264 numbers for a picture; codes are a few
instructions, so few that the call is most of what is seen, and 256 bits cost what 48 do. 12, 24 and
32 bits are stored as 4 bytes. Codes of DLHEIR's lengths are the beginnings of Qin's: a
scan does not mind what they mean.

Who compares ciphertext has no index to build, and its trapdoor is the encrypted picture: the
features of the query are the server's work besides the search shown. How vectors are searched by
lists, codes and vectors through a server, and trapdoors made by the owner's service, is in
[retrieval-time](#retrieval-time) and [trapdoor-time](#trapdoor-time), what a server's index takes
in [index-time](#index-time).
"""

Times: TypeAlias = Mapping[tuple[str, int], float]
"""By row and size of the collection."""

Made: TypeAlias = Mapping[tuple[str, str], float]
"""Milliseconds for one picture, by scheme and whether features or trapdoor."""

_FEATURES, _TRAPDOOR = "features", "trapdoor"


def run(profile: str) -> dict[str, Any]:
    """Return the times of searches, indexes, features and trapdoors."""
    rounds, calls = ROUNDS[profile]
    use_one_thread()
    torch.set_num_threads(1)
    few = max(3, rounds // 3)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        data, square = landscapes(corel10k.SIZE, PICTURES), landscapes(SQUARE, SAMPLE)
        timed = networks(data, Path(folder)) | comparators(data)
        pixels = dict.fromkeys(timed, np.stack(data.images))
        pixels[DLHEIR] = np.stack(square.images)
        found = collections(timed, pixels)
        searched = medians_us(searches(found), rounds=rounds, calls=calls)
        indexed = medians(indexes(found), rounds=few)
        made = medians(parts(timed, pixels), rounds=few)
    return {
        "unit": "microseconds for one search",
        "data": f"demo/samples, {PICTURES} pictures in turn",
        "seed": 0,
        "rounds": rounds,
        "calls_per_round": calls,
        "sample": SAMPLE,
        "settings": {TITLES[name]: repr(typical(name)) for name in OF_CIPHERTEXT},
        **tables(searched, indexed, {key: each / SAMPLE for key, each in made.items()}),
    }


def landscapes(size: CipherParameters, count: int) -> PreparedImages:
    """Return some of the demo's pictures, spread over its kinds, all of one shape."""
    data = samples(size)
    wide = np.flatnonzero([each.shape[0] <= each.shape[1] for each in data.images])
    return data.take(wide[np.linspace(0, len(wide) - 1, count).astype(np.intp)])


def collections(timed: Mapping[str, Timed], pixels: Mapping[str, Pixels]) -> dict[str, Collection]:
    """Return what is searched, by row: codes of DLHEIR's lengths, then every other scheme.

    Codes of any length are the beginnings of Qin's: networks with random weights make few.
    """
    features = {name: each.features(pixels[name]) for name, each in timed.items() if name != DLHEIR}
    return {
        **{
            f"{bits} bits": code_collection(shortened(features[QIN], bits), bits)
            for bits in sorted(BITS, reverse=True)
        },
        **{name: timed[name].collection(each) for name, each in features.items()},
    }


def searches(found: Mapping[str, Collection]) -> dict[tuple[str, int], Callable[[], object]]:
    """Return what searches each collection by one query after the other."""
    return {
        (name, size): asking(each.built(size), _singles(each.queries))
        for name, each in found.items()
        for size in SIZES
    }


def indexes(found: Mapping[str, Collection]) -> dict[tuple[str, int], Callable[[], float]]:
    """Return what builds the index of each collection that has one, and times it."""
    return {
        (name, size): partial(milliseconds, partial(each.built, size))
        for name, each in found.items()
        if each.makes_index
        for size in SIZES
    }


def parts(
    timed: Mapping[str, Timed], pixels: Mapping[str, Pixels]
) -> dict[tuple[str, str], Callable[[], float]]:
    """Return what makes the features of the sample and its trapdoors, and times it."""
    return {
        (name, part): partial(milliseconds, partial(task, pixels[name][:SAMPLE]))
        for name, each in timed.items()
        for part, task in ((_FEATURES, each.features), (_TRAPDOOR, each.trapdoor))
    }


def tables(searched: Times, indexed: Times, made: Made) -> dict[str, Any]:
    """Return the tables and the plots of microseconds, and of milliseconds for one picture."""
    found = {name: [round(each, 1) for each in row] for name, row in _rows(searched).items()}
    built = {name: [round(each, 2) for each in row] for name, row in _rows(indexed).items()}
    each = {
        name: {part: round(made[name, part], 3) for part in (_FEATURES, _TRAPDOOR)}
        for name in dict.fromkeys(name for name, _ in made)
    }
    return {
        "results": table(found),
        "paper": table(TABLE_3),
        "tables": {
            OVER_CODES: {name: _over_codes(name, found) for name in found},
            BUILT: table(built),
            MADE: each,
        },
        "plots": _plots(found, built, each),
    }


def _rows(times: Times) -> dict[str, list[float]]:
    names = dict.fromkeys(name for name, _ in times)
    return {name: [times[name, size] for size in SIZES] for name in names}


def _over_codes(name: str, found: Mapping[str, list[float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"ours": ratio(found[name][-1], found[CODES][-1])}
    if name in TABLE_3:
        row["paper"] = ratio(TABLE_3[name][-1], TABLE_3[CODES][-1])
    return row


def _plots(
    found: Mapping[str, list[float]],
    built: Mapping[str, list[float]],
    made: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """Return the plots of DLHEIR's own comparison, with our network, EViT and QSMIH beside it."""
    x = "images in the collection"
    own = (CSD, SCD, QIN, QSMIH_CODES, EVIT, VIT)
    features = {
        name: [made[name][_FEATURES] * size / 1000 for size in SIZES] for name in (DLHEIR, *own)
    }
    trapdoors = {name: level(made[name][_TRAPDOOR]) for name in (DLHEIR, *own)}
    drawn = {name: found[name] for name in (CODES, *own)}
    indexed = {name: built[name] for name in (CODES, *own) if name in built}
    return {
        "scheme-time": {
            "title": f"One search for the {K} nearest",
            "panels": [
                panel("in process", drawn, x=x, y="time (µs)"),
                panel("the paper (DLHEIR Table 3)", TABLE_3, x=x, y="time (unit not given)"),
            ],
        },
        "scheme-parts": {
            "title": "DLHEIR's Figs. 4 to 6, on one core",
            "panels": [
                panel("features (Fig. 4)", features, x="images", y="time (s)"),
                panel("index (Fig. 5)", indexed, x=x, y="time (ms)"),
                panel("one trapdoor (Fig. 6)", trapdoors, x=x, y="time (ms)"),
            ],
        },
    }


def _singles(rows: Features) -> list[Features]:
    """Return each row as a table of its own."""
    return [rows[i : i + 1] for i in range(len(rows))]
