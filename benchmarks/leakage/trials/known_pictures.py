"""One chosen picture, and 1, 2, 4, 8 known ones: what they open of the other pictures."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.harness.progress import told
from benchmarks.leakage.blocks import Pixels, blocks_of
from benchmarks.leakage.known_pictures import Learned, chosen_picture, learn, open_pictures
from benchmarks.leakage.looks import ssim
from benchmarks.leakage.owner import Owner
from benchmarks.leakage.trials.trial import (
    REACHED,
    WITHOUT,
    Pictures,
    Rows,
    Trial,
    quarters,
    spread,
    titled,
)
from benchmarks.methods.cases import Case
from cipherlens.crypto import Scope
from cipherlens.crypto.hazmat import Sequences
from cipherlens.model.data.images import PreparedImages

KEYS = {"quick": 3, "full": 5}
SHARES = {"quick": quarters(1, 4), "full": quarters(0, 1, 2, 3, 4)}
KNOWN = (1, 2, 4, 8)
CHOSEN = "one chosen"
NOBODY = "nobody"
OTHERS = 16
"""Pictures that the attacker does not know, on which he is judged."""


def run(pictures: Pictures, profile: str) -> Trial:
    """Return what the attacker learns, and how much of other pictures he opens with it."""
    rounds = [
        {"pictures": name, "case": titled(case), "seed": seed, **figures}
        for name, images in pictures.items()
        for case in told(f"known pictures: {name}", _cases(profile))
        for seed in range(KEYS[profile])
        for figures in _round(images, case, seed)
    ]
    return Trial(
        headline=_headline(rounds),
        tables={
            "Of other pictures' blocks, opened byte for byte": _table(rounds, "blocks"),
            "Of other pictures' pixels, opened": _table(rounds, "pixels"),
            "What was opened beside the pictures, SSIM": _table(rounds, "SSIM"),
            "Of the places of blocks, learned": _table(rounds, "places"),
            "Of the entries of the three tables, learned": _table(rounds, "entries"),
        },
        rounds=rounds,
        seeds=f"{KEYS[profile]} keys, each with other known pictures",
    )


def _cases(profile: str) -> list[Case]:
    one_key = [Case(block_size=size, share=share) for size in (16, 8) for share in SHARES[profile]]
    return [*one_key, Case(block_size=16, share=quarters(1)[0], scope=Scope.IMAGE)]


def _round(images: PreparedImages, case: Case, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the figures of each number of known pictures, under one key."""
    owner = Owner(case.parameters(images.height, images.width), seed)
    order = np.random.default_rng(seed).permutation(len(images))
    stack = np.stack(images.images)
    others = stack[order[max(KNOWN) :][:OTHERS]]
    seen = owner.seen(others)
    yield {"attacker": NOBODY, **_alike(seen, others, case.block_size)}
    for attacker, plain in _attackers(stack[order], case):
        cipher, truth = owner.encrypt(plain)
        learned = learn(plain, cipher, case.block_size)
        opened, _ = open_pictures(learned, seen, case.block_size)
        yield {
            "attacker": attacker,
            **_alike(opened, others, case.block_size),
            **(_of_the_key(learned, truth) if case.scope is Scope.COLLECTION else {}),
        }


def _attackers(pictures: Pixels, case: Case) -> Iterator[tuple[str, Pixels]]:
    """Yield the pictures that each attacker knows; fresh keys of several have nothing in common."""
    height, width = pictures.shape[1:3]
    yield CHOSEN, chosen_picture(height, width, case.block_size)[None]
    for count in KNOWN if case.scope is Scope.COLLECTION else KNOWN[:1]:
        yield f"{count} known", pictures[:count]


def _of_the_key(learned: Learned, truth: Sequences) -> dict[str, float]:
    return {
        "places": float((learned.origins == truth.permutation[0]).mean()),
        "entries": float((learned.tables == truth.tables[0]).mean()),
    }


def _alike(opened: Pixels, plain: Pixels, block_size: int) -> dict[str, float]:
    blocks = blocks_of(opened, block_size) == blocks_of(plain, block_size)
    return {
        "blocks": float(blocks.all(axis=(2, 3)).mean()),
        "pixels": float((opened == plain).all(axis=3).mean()),
        "SSIM": float(ssim(opened, plain).mean()),
    }


def _table(rounds: list[dict[str, Any]], figure: str) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        if figure in each:
            values[f"{each['pictures']}, {each['case']}"][each["attacker"]].append(each[figure])
    return {
        row: {attacker: spread(found) for attacker, found in columns.items()}
        for row, columns in values.items()
    }


def _headline(rounds: list[dict[str, Any]]) -> Rows:
    return {
        f"{attacker} opens of other pictures' pixels: {row}": {
            REACHED: columns[attacker],
            WITHOUT: columns[NOBODY],
        }
        for row, columns in _table(rounds, "pixels").items()
        if "P=16, M=1/4" in row
        for attacker in (CHOSEN, "1 known", "4 known")
        if attacker in columns
    }
