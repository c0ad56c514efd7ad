"""What a client has written, so that any of the servers on one database shows it to him."""

from typing import Any

from cipherlens.client.core.call import Method
from cipherlens.client.core.methods import (
    COUNT,
    CREATE_COLLECTION,
    DELETE,
    DELETE_COLLECTION,
    INDEX,
    REPLACE_COLLECTION,
    SEARCH,
)

_READS = {each.name for each in (SEARCH, COUNT)}
_WRITES = {each.name for each in (INDEX, DELETE)}
_MAKES = {each.name for each in (CREATE_COLLECTION, DELETE_COLLECTION, REPLACE_COLLECTION)}


class Session:
    """The last changes that a client has made, by the names of their collections.

    Threads may share it: two writes that end at once may leave the earlier one, which costs the
    later one's view at a server that lags, and nothing else.
    """

    def __init__(self) -> None:
        """Know of no change yet."""
        self._last: dict[str, int] = {}

    def prepare(self, method: Method[Any], request: Any) -> None:
        """Let a request that reads say what its answer has to show."""
        if self._last and method.name in _READS:
            request.seen_sequence = self._last.get(request.collection, 0)

    def notice(self, method: Method[Any], request: Any, answer: Any) -> None:
        """Remember what a request has changed; forget a name that another collection has now."""
        if method.name in _WRITES:
            last = self._last.get(request.collection, 0)
            self._last[request.collection] = max(answer.sequence, last)
        elif method.name in _MAKES:
            self._last.pop(request.name, None)
