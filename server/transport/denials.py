"""A line in the log for every caller who is not let in: who, and what he wanted.

Nothing of it is secret: of a token its id, of a request the names that a refusal quotes. Lines of
one kind are bounded, as all are; those of strangers do not crowd out those of known callers.
"""

import logging

from cipherlens.server.access import shown_token_id
from cipherlens.server.call import Call
from cipherlens.server.errors import PermissionDenied, Unauthenticated
from cipherlens.server.transport.service import Method

_log = logging.getLogger("cipherlens.denied")

# Of a name that a caller made up.
_LONGEST = 128


def log_denial(error: Exception, method: Method, call: Call) -> None:
    """Log a call that failed because of who made it; others are none of this log's."""
    if isinstance(error, Unauthenticated):
        _log.warning(
            "unknown caller", extra={"fields": _fields(method, call) | {"why": f"{error}"}}
        )
    elif isinstance(error, PermissionDenied):
        wanted = {name: each[:_LONGEST] for name, each in error.metadata.items() if each}
        _log.warning("not allowed", extra={"fields": _fields(method, call) | wanted})


def _fields(method: Method, call: Call) -> dict[str, str]:
    return {
        "rpc": f"{method.service}/{method.name}",
        "token_id": shown_token_id(call.metadata()),
        "peer": call.peer(),
    }
