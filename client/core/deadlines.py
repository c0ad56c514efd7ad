"""How long calls may take."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Work(StrEnum):
    """What a call does, as far as its deadline goes; the values are fields of `Deadlines`."""

    QUICK = "quick_s"
    SEARCH = "search_s"
    WRITE = "write_s"
    FETCH = "fetch_s"
    UPLOAD = "upload_s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """How long each kind of call may take, in seconds, retries included.

    Attributes:
        quick_s: calls that read or change a few rows.
        search_s: searches; a cipher-image is embedded first.
        write_s: one batch of items; its cipher-images are embedded before it is written.
        fetch_s: one stream of items.
        upload_s: one model.
    """

    quick_s: float = 15.0
    search_s: float = 60.0
    write_s: float = 300.0
    fetch_s: float = 120.0
    upload_s: float = 900.0

    def __post_init__(self) -> None:
        """Raise ValueError unless every deadline is above zero."""
        for field in fields(self):
            _check(field.name, getattr(self, field.name))

    def of(self, work: Work, timeout_s: float | None) -> float:
        """Return timeout_s, or the deadline of a kind of work where that is None.

        Raises:
            ValueError: timeout_s is not above zero: it never stands for the default.
        """
        if timeout_s is None:
            seconds: float = getattr(self, work)
            return seconds
        _check("timeout_s", timeout_s)
        return timeout_s


def _check(name: str, seconds: float) -> None:
    if not seconds > 0:
        raise ValueError(f"{name} must be above 0, got {seconds}")
