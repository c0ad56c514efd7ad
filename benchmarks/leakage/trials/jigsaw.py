"""Jigsaw solving: what of the order of blocks the borders tell, of one picture or of many."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.harness.progress import told
from benchmarks.leakage.blocks import Pixels, blocks_of, byte_marks
from benchmarks.leakage.borders import costs, rough_blocks
from benchmarks.leakage.jigsaw import solve
from benchmarks.leakage.jigsaw_scores import Contents, beside, in_place, largest_piece
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

ITEMS = {"quick": 8, "full": 24}
KEYS = {"quick": 2, "full": 5}
TOGETHER = 16
"""Pictures of one key that are put together at once."""

FULL_SIZE_8 = 10
"""Pictures at P=8, whose 384 blocks take far longer."""

SCORES = {"in place": in_place, "beside": beside, "largest piece": largest_piece}


def run(pictures: Pictures, profile: str) -> Trial:
    """Return how much of the pictures is put together, by the share of substituted blocks."""
    rounds = [
        {"pictures": name, "case": titled(case), **_round(shown, case, number)}
        for name, images in pictures.items()
        for case, count in told(f"jigsaw: {name}", _cases(profile))
        for number, shown in enumerate(_puzzles(images.images, case, count))
    ]
    table = _table(rounds)
    return Trial(
        headline={
            f"jigsaw, blocks beside their neighbours: {row}": {
                REACHED: columns["beside"],
                WITHOUT: columns["beside, untouched"],
            }
            for row, columns in table.items()
            if "P=16, M=0" in row or "P=16, M=1/4" in row or "P=16, M=all" in row
        },
        tables={
            "Jigsaw puzzles, shares of blocks: of one cipher-image each under fresh keys, of "
            f"{TOGETHER} together under one key": table
        },
        rounds=rounds,
        seeds="a key for every puzzle",
    )


def _cases(profile: str) -> list[tuple[Case, int]]:
    count = ITEMS[profile]
    shares = quarters(0, 1, 2, 3, 4)
    small = [(Case(block_size=16, share=each, scope=Scope.IMAGE), count) for each in shares]
    joint = [(Case(block_size=16, share=each), KEYS[profile]) for each in shares]
    if profile == "quick":
        return small + joint
    return (
        small
        + joint
        + [
            (Case(block_size=8, share=each, scope=Scope.IMAGE), FULL_SIZE_8)
            for each in quarters(0, 1, 4)
        ]
    )


def _puzzles(images: Sequence[Pixels], case: Case, count: int) -> Iterator[Pixels]:
    """Yield the pictures of each puzzle, (k, h, w, 3): one, or several of one key."""
    together = TOGETHER if case.scope is Scope.COLLECTION else 1
    for number in range(count):
        order = np.random.default_rng(number).permutation(len(images))
        yield np.stack([images[each] for each in order[:together]])


def _round(plain: Pixels, case: Case, seed: int) -> dict[str, float]:
    """Return the scores of one puzzle, and of the cipher-images as they are."""
    parameters = case.parameters(*plain.shape[1:3])
    seen, truth = Owner(parameters, seed).encrypt(plain)
    blocks = blocks_of(seen, case.block_size)
    substituted = rough_blocks(blocks, parameters.substituted_blocks)
    rows, columns = (side // case.block_size for side in plain.shape[1:3])
    grid = solve(costs(blocks, substituted), rows, columns)
    contents = _contents(plain, case.block_size)
    origins = truth.permutation[0]
    right = contents.reshape(rows, columns)
    solved, as_it_is = contents[origins][grid], contents[origins].reshape(rows, columns)
    known = np.isin(np.flatnonzero(substituted), truth.selection[0])
    return {
        **{name: score(solved, right) for name, score in SCORES.items()},
        **{f"{name}, untouched": score(as_it_is, right) for name, score in SCORES.items()},
        "substituted blocks known": float(known.mean()) if known.size else 1.0,
    }


def _contents(plain: Pixels, block_size: int) -> Contents:
    """Return a number for each place, the same for blocks that are equal in all pictures."""
    marks = byte_marks(blocks_of(plain, block_size))
    _, numbers = np.unique(marks, axis=1, return_inverse=True)
    return numbers.astype(np.intp)


def _table(rounds: list[dict[str, Any]]) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        row = values[f"{each['pictures']}, {each['case']}"]
        for name, value in each.items():
            if name not in {"pictures", "case"}:
                row[name].append(value)
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }
