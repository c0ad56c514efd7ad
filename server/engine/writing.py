"""Changes to a collection: those that wait together are committed together, then indexed."""

import logging
from collections.abc import Callable, Sequence

from cipherlens.server.call import Call
from cipherlens.server.engine.live import LiveCollection, Write
from cipherlens.server.errors import IndexBehind, ServerError
from cipherlens.server.storage import Database, Transaction
from cipherlens.server.storage.records import Written

_log = logging.getLogger(__name__)


class Writer:
    """Commits changes and brings the index up to them."""

    def __init__(self, database: Database, consider: Callable[[LiveCollection], None]) -> None:
        """`consider` is told of each collection that has changed."""
        self._database = database
        self._consider = consider

    def write(
        self, live: LiveCollection, writes: Sequence[Write], call: Call
    ) -> Sequence[Written | Exception]:
        """Commit writes in one transaction, bring the index up to them, return what each did.

        They share it with those of other collections that wait for the database at this moment, as
        long as the call may. The caller holds `live.writing`.
        """
        live.check_there()
        self.keep_up(live)
        with live.committing():
            outcomes = self._database.write_together(
                lambda transaction: _outcomes(transaction, live, writes), call
            )
        try:
            for each in outcomes:
                if isinstance(each, Written):
                    live.apply(each.changes)
        except Exception:  # noqa: BLE001 - committed is committed: the index has to follow
            _log.exception("collection %r: its index could not follow", live.collection.name)
            return self._made_anew(live, outcomes)
        finally:
            self._consider(live)
        return outcomes

    def _made_anew(
        self, live: LiveCollection, outcomes: Sequence[Written | Exception]
    ) -> Sequence[Written | Exception]:
        """Make the index anew and return the outcomes, or for those written that it is behind."""
        try:
            self.keep_up(live)
        except Exception as error:  # noqa: BLE001 - nothing of what it is takes back the commit
            _log.error("collection %r: and not be made anew: %s", live.collection.name, error)
            behind = IndexBehind(live.collection.name)
            return [behind if isinstance(each, Written) else each for each in outcomes]
        return outcomes

    def keep_up(self, live: LiveCollection) -> None:
        """Load the index anew if it could not follow. The caller holds `live.writing`."""
        if live.is_behind:
            with self._database.read() as transaction:
                live.reload_if_behind(transaction)


def _outcomes(
    transaction: Transaction, live: LiveCollection, writes: Sequence[Write]
) -> list[Written | Exception]:
    """Do the writes one after the other; one that is refused has changed nothing.

    What else a write raises gives up the whole transaction.
    """
    outcomes: list[Written | Exception] = []
    for write in writes:
        try:
            outcomes.append(write(transaction, transaction.collections.state(live.collection)))
        except ServerError as error:
            outcomes.append(error)
    return outcomes
