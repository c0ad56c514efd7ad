"""Clients that change a server at random, each his own part of it."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import grpc

from cipherlens.client import CipherLensError, Client, Deadlines
from tests.server.durability.facts import Facts, items_of
from tests.server.durability.ledger import Ledger

PATIENT = Deadlines(quick_s=240, search_s=240, write_s=240, fetch_s=240, upload_s=240)
"""Deadlines that a machine with other work meets."""

# What a client is told when its server is gone in the middle of a call.
_GONE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


class Aim(Protocol):
    """Hears what callers do; `operation` is what it waits for."""

    operation: str

    def note(self, operation: str, event: str) -> None:
        """Hear that an operation has "begun" or is "done"."""

    def end(self) -> None:
        """Hear that a caller has ended."""


class Caller:
    """One client's part in it.

    Attributes:
        operations: what it does, by name; each takes the client and does one such thing.
        ledger: what it knows.
        took_s: how long each operation took the last time.
        failure: what ended its work, if it was not the end of the server.
    """

    prefix: ClassVar[str]
    """How the names of its collections begin."""
    is_costly: ClassVar[bool] = False
    """Whether a server takes seconds to load what it needs for it."""

    def __init__(self) -> None:
        self.ledger = Ledger({})
        self.took_s: dict[str, float] = {}
        self.failure: BaseException | None = None
        self._note: Callable[[str, str], None] = lambda _operation, _event: None
        self._rng = random.Random()
        self._revision = 0  # of the last write: none comes twice
        self._has_to_end = threading.Event()

    @property
    def operations(self) -> Mapping[str, Callable[[Client], None]]:
        """What it does."""
        raise NotImplementedError

    def prepare(self, client: Client) -> None:
        """Make what it works on."""

    def owns(self, fact: tuple[str, ...]) -> bool:
        """Return whether it is its part alone."""
        return fact[0] != "model" and fact[1].startswith(self.prefix)

    def leaves(self, _fact: tuple[str, ...]) -> bool:
        """Return whether it may be the case or not, for whatever it does."""
        return False

    def part_of(self, facts: Facts) -> Facts:
        """Return those of the facts that are its own."""
        return {name: value for name, value in facts.items() if self.owns(name)}

    def check(self, client: Client) -> None:
        """Look at what the server says of its part, beyond the facts."""

    def work(self, target: str, rng: random.Random, aim: Aim) -> None:
        """Do one thing after the other, what is aimed at most often, until the server is gone."""
        self._rng, self._note = rng, aim.note
        self._has_to_end.clear()
        names = list(self.operations)
        weights = [4 if name == aim.operation else 1 for name in names]
        try:
            # Who tries again would only find that the server is still gone.
            options = [("grpc.enable_retries", 0)]
            with (
                grpc.insecure_channel(target, options) as channel,
                Client(target, channel=channel, deadlines=PATIENT) as client,
            ):
                while not self._has_to_end.is_set():
                    self.operations[rng.choices(names, weights)[0]](client)
        except CipherLensError as error:
            if error.code not in _GONE:
                self.failure = error
        except BaseException as error:  # noqa: BLE001 - raised by who waits for this thread
            self.failure = error
        finally:
            aim.end()

    def end(self) -> None:
        """Let what it does be the last for now."""
        self._has_to_end.set()

    def _call(self, operation: str, after: Facts, send: Callable[[], object]) -> None:
        """Make the call after which those facts are the case."""
        with self.ledger.call(operation, after):
            self._note(operation, "begun")
            began = time.monotonic()
            send()
            self.took_s[operation] = time.monotonic() - began
        self._note(operation, "done")

    def _held(self, collection: str) -> dict[str, int]:
        return items_of(self.ledger.held, collection)

    def _written(self, collection: str, ids: list[str]) -> tuple[list[int], Facts]:
        """Return new revisions for items, and the facts once they are written."""
        self._revision += 1
        facts = {("item", collection, each): self._revision for each in ids}
        return [self._revision] * len(ids), {**self.ledger.held, **facts}

    def _without(self, collection: str, ids: list[str]) -> Facts:
        gone = {("item", collection, each) for each in ids}
        return {name: value for name, value in self.ledger.held.items() if name not in gone}
