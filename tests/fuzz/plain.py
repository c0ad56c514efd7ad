"""A driver without coverage: seeded, so that a run can be had again, and quick to begin."""

import traceback
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.target import Target

_KEPT_INPUTS = 256


@dataclass
class Run:
    """What came of a run.

    Attributes:
        inputs: how many were tried.
        taken: how many were valid.
        findings: by the place in our code at which each was raised, its input and its text.
    """

    inputs: int = 0
    taken: int = 0
    findings: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def put(self, target: Target, data: bytes) -> bool:
        """Try one input, and return whether it was taken."""
        self.inputs += 1
        try:
            taken = target.attempt(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.findings.setdefault(place_of(error), (data, traceback.format_exc()))
            return False
        self.taken += taken
        return taken


def place_of(error: BaseException) -> str:
    """Return where an error was raised: its type, and the last line of ours on its way."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "/site-packages/" not in each.filename] or frames
    return f"{type(error).__name__} at {ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno}"


def run(target: Target, inputs: int, seed: int) -> Run:
    """Try the seeds as they are, then so many changed inputs; what is taken is changed on."""
    rng, ran = Random(seed), Run()
    pool = list(target.seeds)
    for data in target.seeds:
        ran.put(target, data)
    for _ in range(inputs):
        data = rng.choice(pool)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            data = target.mutate(data, rng)[: target.most_bytes]
        if ran.put(target, data):
            pool = [*pool, data] if len(pool) < _KEPT_INPUTS else pool
            pool[rng.randrange(len(target.seeds), len(pool))] = data
    return ran
