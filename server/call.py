"""What work knows of the call it is done for: how long there is, and whether anyone waits."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cipherlens.server.errors import CallCancelled, DeadlineExpired

Metadata = Iterable[tuple[str, str | bytes]]
"""What comes with a call, such as credentials; keys are in lower case."""


def _always() -> bool:
    return True


def _never(_callback: Callable[[], None]) -> None:
    pass


def _none() -> Metadata:
    return ()


@dataclass(frozen=True, slots=True)
class Call:
    """A call under way.

    expires_at: on the monotonic clock, None without a deadline.
    is_active: tells whether the caller still waits.
    on_end: takes a function to be called, from another thread, once the caller waits no more.
    metadata: gives what came with the call.
    peer: tells where the call comes from, such as "ipv4:127.0.0.1:40000".
    trailers: what goes back with the end of the answer; whoever does work for the call adds to it.
    """

    expires_at: float | None = None
    is_active: Callable[[], bool] = _always
    on_end: Callable[[Callable[[], None]], object] = _never
    metadata: Callable[[], Metadata] = _none
    peer: Callable[[], str] = str
    trailers: list[tuple[str, str]] = field(default_factory=list, compare=False)

    @classmethod
    def within(
        cls,
        remaining_s: float | None,
        is_active: Callable[[], bool] = _always,
        on_end: Callable[[Callable[[], None]], object] = _never,
        metadata: Callable[[], Metadata] = _none,
        peer: Callable[[], str] = str,
    ) -> "Call":
        """Return a call that expires in so many seconds, or never."""
        expires_at = None if remaining_s is None else time.monotonic() + remaining_s
        return cls(expires_at, is_active, on_end, metadata, peer)

    def remaining_s(self, at_most: float) -> float:
        """Return the seconds left, at most so many, at least 0."""
        if self.expires_at is None:
            return at_most
        return max(0.0, min(at_most, self.expires_at - time.monotonic()))

    def check(self) -> None:
        """Raise DeadlineExpired or CallCancelled if nobody waits for the answer any more."""
        if self.expires_at is not None and time.monotonic() >= self.expires_at:
            raise DeadlineExpired("the deadline passed before the work was done")
        if not self.is_active():
            raise CallCancelled("the caller cancelled")
