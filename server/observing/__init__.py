"""What a running server tells of itself: counts and times of calls, logs, spans, and its health.

Nothing here knows a transport, a database or an index: calls are told to an `Observer`, and what
is to be read when somebody asks comes as functions.
"""

from cipherlens.server.observing.counts import Counts
from cipherlens.server.observing.http import HttpListener, Sample, reached_by_others
from cipherlens.server.observing.logs import set_up_logs
from cipherlens.server.observing.observer import (
    REQUEST_ID,
    SERVER_TIMING,
    Observer,
    given_id,
    observer_of,
    request_id,
    server_timing,
)
from cipherlens.server.observing.seen import SeenCall, Stage, current_call, noted, timed

__all__ = [
    "REQUEST_ID",
    "SERVER_TIMING",
    "Counts",
    "HttpListener",
    "Observer",
    "Sample",
    "SeenCall",
    "Stage",
    "current_call",
    "given_id",
    "noted",
    "observer_of",
    "reached_by_others",
    "request_id",
    "server_timing",
    "set_up_logs",
    "timed",
]
