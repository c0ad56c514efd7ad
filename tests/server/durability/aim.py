"""The moment to kill a server at."""

import random
import threading
from collections.abc import Iterable

from tests.server.durability.caller import Caller
from tests.server.durability.snapshots import OPERATION as SNAPSHOT

# What goes on in the server once a call is done, and how long that takes, about.
_AFTERWARDS = {
    "takeover": ("set a model to work", 0.5),
    "training": ("index many", 0.1),
    "sweeping": ("drop a collection", 0.1),
    "purging": ("delete items", 0.3),
}
STARTS = {"start-up": 0.2, "migration": 0.3}
"""What only happens as a server starts, and how long that takes, about."""

_USUALLY_S = 0.05


def targets(callers: Iterable[Caller], *, with_snapshots: bool) -> list[str]:
    """Return all that a server can be killed in."""
    operations = dict.fromkeys(name for each in callers for name in each.operations)
    afterwards = [name for name, (before, _) in _AFTERWARDS.items() if before in operations]
    return [*operations, *afterwards, *STARTS, *[SNAPSHOT][:with_snapshots]]


class Aim:
    """One such moment: in an operation, or in what goes on after it.

    operation: what a caller must do for it.
    """

    def __init__(self, target: str, callers: Iterable[Caller], rng: random.Random) -> None:
        """Take what to kill the server in; as it starts, it is killed in anything else before."""
        event, took_s = "begun", {SNAPSHOT: 0.1}
        for each in callers:
            took_s.update(each.took_s)
        if target in _AFTERWARDS:
            self.operation, longest_s = _AFTERWARDS[target]
            event = "done"
        else:
            self.operation = "index one" if target in STARTS else target
            longest_s = 1.3 * took_s.get(self.operation, _USUALLY_S)
        self._wanted, self._left = (self.operation, event), rng.randint(1, 3)
        self._after_s = rng.uniform(0, longest_s)
        self._changed = threading.Condition()  # guards _left and _is_over
        self._is_over = False

    def note(self, operation: str, event: str) -> None:
        """Hear that an operation has "begun" or is "done"."""
        if (operation, event) == self._wanted:
            with self._changed:
                self._left -= 1
                self._changed.notify()

    def end(self) -> None:
        """Hear that a caller has ended, which none does before the server."""
        with self._changed:
            self._is_over = True
            self._changed.notify()

    def wait(self) -> None:
        """Return when the moment has come, or a caller has ended before."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._left <= 0 or self._is_over, 240)
            assert came, f"{self._wanted} did not come about"
            self._changed.wait_for(lambda: self._is_over, self._after_s)
