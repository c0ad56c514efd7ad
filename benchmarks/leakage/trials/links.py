"""Which cipher-images are of one picture, or of like ones, is told from them alone."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import told
from benchmarks.leakage.block_words import BlockWords
from benchmarks.leakage.blocks import Pixels, blocks_of, byte_marks, equality_marks
from benchmarks.leakage.edits import edits
from benchmarks.leakage.links import Scores, first, laid_over, votes, without_error
from benchmarks.leakage.owner import Owner
from benchmarks.leakage.trials.trial import (
    REACHED,
    WITHOUT,
    Pictures,
    Rows,
    Trial,
    quarters,
    short,
    spread,
    titled,
)
from benchmarks.methods.cases import Case
from cipherlens.crypto import Scope
from cipherlens.model.data.images import PreparedImages

KEYS = {"quick": 1, "full": 2}
STORED = {"quick": 250, "full": 500}
QUERIES = {"quick": 40, "full": 100}
PUBLIC = 60
"""Pictures of the same kind that are not stored: the attacker learns words from them."""

BYTES, MARKS, WORDS, OVER = "same bytes", "same pattern", "block words", "laid over"
SAME, CLASS = "the same", "same class, mAP"

Attack = Callable[[Pixels, Pixels], Scores]


def run(pictures: Pictures, profile: str) -> Trial:
    """Return how often each attack finds a picture, and what was made of it, among stored ones."""
    rounds = [
        {"pictures": name, "case": titled(case), "seed": seed, **figures}
        for name, images in pictures.items()
        for seed in range(KEYS[profile])
        for draw in [_drawn(images, profile, seed)]
        for case in told(f"links: {name}", _cases(profile))
        for figures in _Round(draw, case, seed).figures()
    ]
    first_ones = _table(rounds, "first")
    return Trial(
        headline=_headline(rounds),
        tables={
            "The picture that a query is of, or was made of, is first among the stored": first_ones,
            "... and has more than any wrong pair, so that a threshold tells it": _table(
                rounds, "without error"
            ),
        },
        rounds=rounds,
        seeds=f"{KEYS[profile]} draws of keys and pictures",
    )


def _cases(profile: str) -> list[Case]:
    shares = quarters(1, 4) if profile == "quick" else quarters(1, 3, 4)
    sizes = (16,) if profile == "quick" else (16, 8)
    return [
        Case(block_size=size, share=share, scope=scope)
        for scope in (Scope.IMAGE, Scope.COLLECTION)
        for size in sizes
        for share in shares
    ]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Draw:
    """Pictures that are stored, of which the first are asked for, and the attacker's own."""

    stored: Pixels
    labels: NDArray[np.int64]
    queries: int
    public: Pixels


def _drawn(images: PreparedImages, profile: str, seed: int) -> _Draw:
    order = np.random.default_rng(seed).permutation(len(images))
    public = min(PUBLIC, len(images) // 4)
    chosen = order[public:][: STORED[profile]]
    stack, places = np.unique(
        np.stack([images.images[each] for each in chosen]), axis=0, return_index=True
    )
    return _Draw(
        stored=stack,
        labels=images.labels[chosen[places]],
        queries=min(QUERIES[profile], len(stack)),
        public=np.stack([images.images[each] for each in order[:public]]),
    )


@lru_cache(maxsize=1)
def _vocabulary(draw: _Draw, block_size: int) -> BlockWords:
    return BlockWords(draw.public, block_size)


class _Round:
    """All attacks on one draw of pictures and keys."""

    def __init__(self, draw: _Draw, case: Case, seed: int) -> None:
        self.draw, self.case = draw, case
        height, width = draw.stored.shape[1:3]
        self.owner = Owner(case.parameters(height, width), seed)
        self.seen = self.owner.seen(draw.stored)
        order = np.random.default_rng(seed + 1).permutation(len(draw.stored))
        self.asked = order[: draw.queries].astype(np.intp)

    def figures(self) -> Iterator[dict[str, Any]]:
        """Yield the figures of every edit and attack."""
        attacks = self._attacks()
        for edit, edited in edits(self.case.block_size).items():
            plain = np.stack([edited(each) for each in self.draw.stored[self.asked]])
            queries = self.owner.seen(plain)
            for attack, score in attacks.items():
                scores = score(queries)
                figures = {
                    "first": first(scores, self.asked),
                    "without error": without_error(scores, self.asked),
                    "stored": len(self.seen),
                }
                if edit == SAME and len(np.unique(self.draw.labels)) > 1:
                    figures |= self._of_classes(scores)
                yield {"edit": edit, "attack": attack, **figures}

    def _attacks(self) -> dict[str, Callable[[Pixels], Scores]]:
        size, seen = self.case.block_size, self.seen
        kept = blocks_of(seen, size)
        words = _vocabulary(self.draw, size)
        marked, patterned = byte_marks(kept), equality_marks(kept)
        found: dict[str, Callable[[Pixels], Scores]] = {
            BYTES: lambda asked: votes(byte_marks(blocks_of(asked, size)), marked),
            MARKS: lambda asked: votes(equality_marks(blocks_of(asked, size)), patterned),
            WORDS: lambda asked: words.likeness(asked, seen),
        }
        if self.case.scope is Scope.COLLECTION:
            found[OVER] = lambda asked: laid_over(asked, seen)
        return found

    def _of_classes(self, scores: Scores) -> dict[str, float]:
        """Return the mAP of pictures of a query's class, and what a random order would have."""
        labels = self.draw.labels
        found, chance = [], []
        for query, row in zip(self.asked, scores, strict=True):
            others = np.delete(np.arange(len(labels)), query)
            same = labels[others] == labels[query]
            if same.any():
                found.append(_average_precision(same[np.argsort(-row[others], kind="stable")]))
                chance.append(same.mean())
        return {CLASS: float(np.mean(found)), "chance": float(np.mean(chance))}


def _average_precision(relevant: NDArray[np.bool_]) -> float:
    places = np.flatnonzero(relevant) + 1
    return float((np.arange(1, len(places) + 1) / places).mean())


def _table(rounds: list[dict[str, Any]], figure: str) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        row = values[f"{each['pictures']}, {each['case']}: {each['attack']}"]
        row[each["edit"]].append(each[figure])
        if CLASS in each and figure == "first":
            row[CLASS].append(each[CLASS])
            row["chance of that"].append(each["chance"])
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }


def _headline(rounds: list[dict[str, Any]]) -> Rows:
    stored = {each["pictures"]: each["stored"] for each in rounds}
    table = _table(rounds, "first")
    return {
        f"{edit}, first of {stored[name]}: {name}, {case}, by {attack}": {
            REACHED: table[f"{name}, {case}: {attack}"][edit],
            WITHOUT: short(1 / stored[name]),
        }
        for name in stored
        for case, attack, edit in (
            ("P=16, M=1/4, fresh keys", BYTES, SAME),
            ("P=16, M=1/4, fresh keys", MARKS, SAME),
            ("P=16, M=all, fresh keys", MARKS, SAME),
            ("P=16, M=1/4, fresh keys", WORDS, "JPEG 50"),
            ("P=16, M=1/4, one key", OVER, "JPEG 50"),
        )
    }
