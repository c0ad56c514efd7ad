"""What settings may be, in pydantic's words, and what is said of them."""

import re
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field

MIB = 2**20
# gRPC counts the bytes of a message in 31 bits and needs some room beside ours.
_LARGEST_LIMIT = 2**31 - MIB
_LONGEST_S = 1_000_000  # gRPC counts milliseconds in 31 bits
_HOST_PORT = r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+):\d{1,5}"

TABLE = ConfigDict(extra="forbid", hide_input_in_errors=True)
"""Of every table of settings; what was given is not quoted, as a passphrase may be among it."""


class Doc(NamedTuple):
    """What `serve --help` says of a setting, and what its value is called there."""

    text: str
    metavar: str = ""


def _like(pattern: str, words: str) -> AfterValidator:
    """Return a check that a text is of a pattern; words say so to people."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)


def _port(address: str) -> str:
    """Return an address as it is given, once its port, if it has one, is a port."""
    if not address.startswith("unix:") and int(address.rpartition(":")[2]) > 65535:
        raise ValueError("must have a port of at most 65535")
    return address


Limit = Annotated[int, Field(strict=True, ge=1, le=_LARGEST_LIMIT)]
Count = Annotated[int, Field(strict=True, ge=1)]
Rows = Annotated[int, Field(strict=True, ge=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Wait = Annotated[float, Field(ge=0.001, le=_LONGEST_S)]
"""Seconds for which somebody may keep the server waiting."""
Address = Annotated[
    str,
    _like(rf"unix:.+|{_HOST_PORT}", "HOST:PORT, [IPv6]:PORT or unix:PATH"),
    AfterValidator(_port),
]
HttpAddress = Annotated[
    str,
    _like(rf"\d{{1,5}}|(?!unix:){_HOST_PORT}", "PORT, HOST:PORT or [IPv6]:PORT"),
    AfterValidator(_port),
]
Device = Annotated[str, _like(r"auto|cpu|cuda(:\d+)?", "auto, cpu or cuda:N")]
Url = Annotated[str, _like(r"https?://.+", "http://... or https://...")]
