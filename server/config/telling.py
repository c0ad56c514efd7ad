"""What a server tells of itself, and where."""

from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from cipherlens.server.config.kinds import TABLE, Count, Doc, Share, Url


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class LogSettings:
    """What goes to standard error, and how."""

    format: Annotated[
        Literal["text", "json"],
        Doc("text: lines for people. json: an object on each line.", "text|json"),
    ] = "text"
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Doc("The least that is logged.", "debug|info|warning|error"),
    ] = "info"
    access_share: Annotated[
        Share,
        Doc(
            "Which share of calls, from 0 to 1, is logged with request id, RPC, code, duration, "
            "token id and sizes. Many calls a second are slower for it."
        ),
    ] = 0.0
    lines_per_s: Annotated[
        Count,
        Doc(
            "Lines a second of one kind; the next one says how many were left out. Keeps the log "
            "from being flooded by bad callers."
        ),
    ] = 50


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class TracingSettings:
    """Spans of calls and their stages; needs the extra [tracing]."""

    endpoint: Annotated[
        Url | None,
        Doc(
            "Where spans go, by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. They tell "
            "methods, codes, times and request ids.",
            "URL",
        ),
    ] = None
    share: Annotated[
        Share, Doc("Which share of the calls that come without a trace of their own is traced.")
    ] = 1.0
