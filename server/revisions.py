"""Which revisions of items there may be, by the clock."""

import time

# The largest number up to which JSON, in which some clients read answers, holds every one.
MAX_REVISION = 2**53 - 1
_AHEAD_US = 24 * 3600 * 10**6


def newest_revision() -> int:
    """Return the highest revision that an item may have now: a day ahead of this clock.

    Clients take the time in microseconds. One whose clock is years ahead must not write what
    nobody else can replace for as long.
    """
    return min(MAX_REVISION, _now_us() + _AHEAD_US)


def lasting_revision(revision: int) -> int:
    """Return what remains of a deleted item's revision: itself, or the time if it is too high.

    A clock that was set back has left some; nobody could write such an item again.
    """
    return revision if revision <= newest_revision() else _now_us()


def _now_us() -> int:
    return time.time_ns() // 1000
