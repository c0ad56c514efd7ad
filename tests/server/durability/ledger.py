"""What must hold after a kill, from what one caller knows.

A caller is the only one who changes his part of the server, and makes one call at a time. So when
the server is gone, his part must be as it was acknowledged last, or, if a call was under way, as
that would have made it: the whole call or nothing of it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from tests.server.durability.facts import Facts


class UnderWay(NamedTuple):
    """A call that was not acknowledged: what it is, and what is the case once it is done."""

    operation: str
    after: Facts


class Ledger:
    """One caller's part.

    Attributes:
        held: what was acknowledged.
        under_way: the call that was not, if there is one.
        past: all that was ever the case, in its order.
    """

    def __init__(self, held: Facts) -> None:
        self.held = held
        self.under_way: UnderWay | None = None
        self.past = [held]

    @contextmanager
    def call(self, operation: str, after: Facts) -> Iterator[None]:
        """Make a call in the block; when it ends without an error it is acknowledged."""
        self.under_way = UnderWay(operation, after)
        yield
        self._is_now(after)

    def settle(self, found: Facts) -> bool:
        """Go on from what a server that was started again has; tell if a call had come about.

        Raises AssertionError if that cannot be.
        """
        possible = [self.held]
        if self.under_way is not None:
            possible.append(self.under_way.after)
        assert found in possible, "\n".join(
            f"not as {word}: {difference(expected, found)}"
            for word, expected in zip(("acknowledged", "asked for"), possible, strict=False)
        )
        came_about = self.under_way is not None and found == self.under_way.after
        self._is_now(found)
        return came_about

    def _is_now(self, held: Facts) -> None:
        self.held, self.under_way = held, None
        self.past.append(held)


def difference(expected: Mapping[tuple[str, ...], object], found: Facts) -> str:
    """Return the first few facts in which two differ."""
    names = [n for n in {**expected, **found} if expected.get(n) != found.get(n)]
    told = [f"{n}: {expected.get(n)} -> {found.get(n)}" for n in sorted(names)[:8]]
    return f"{len(names)} facts, {'; '.join(told)}"
