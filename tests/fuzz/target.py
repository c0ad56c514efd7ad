"""What is fuzzed: a door through which bytes of strangers come in, and what must hold of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.mutation import mutated_bytes

Mutate = Callable[[bytes, Random], bytes]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A door.

    Attributes:
        name: what commands call it.
        seeds: inputs that our own writers made, and others worth beginning with.
        attempt: puts bytes through the door and returns whether they were taken. What it raises
            is a finding: it turns the failures that are documented into False by itself, and
            asserts what else must hold.
        mutate: changes an input so that it comes further than one that was changed blindly.
        close: ends what it holds open.
        most_bytes: of an input.
    """

    name: str
    seeds: Sequence[bytes]
    attempt: Callable[[bytes], bool]
    mutate: Mutate = mutated_bytes
    close: Callable[[], None] = lambda: None
    most_bytes: int = 65_536
