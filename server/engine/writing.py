"""Changes to a collection: those that wait together are committed together, then indexed."""

import logging
from collections.abc import Callable, Sequence

from cipherlens.server.engine.live import LiveCollection, Write
from cipherlens.server.errors import ServerError
from cipherlens.server.storage import Database, Transaction
from cipherlens.server.storage.records import Written

_log = logging.getLogger(__name__)


class Writer:
    """Commits changes and brings the index up to them."""

    def __init__(self, database: Database, consider: Callable[[LiveCollection], None]) -> None:
        """`consider` is told of each collection that has changed."""
        self._database = database
        self._consider = consider

    def write(self, live: LiveCollection, writes: Sequence[Write]) -> Sequence[Written | Exception]:
        """Commit writes in one transaction, bring the index up to them, return what each did.

        They share it with those of other collections that wait for the database at this moment.
        The caller holds `live.writing`.
        """
        live.check_there()
        self.keep_up(live)
        outcomes = self._database.write_together(
            lambda transaction: _outcomes(transaction, live, writes)
        )
        try:
            for each in outcomes:
                if isinstance(each, Written):
                    live.apply(each.changes)
        except Exception:  # noqa: BLE001 - committed is committed: the index has to follow
            _log.exception("collection %r: its index could not follow", live.collection.name)
            self.keep_up(live)
        finally:
            self._consider(live)
        return outcomes

    def keep_up(self, live: LiveCollection) -> None:
        """Load the index anew if it could not follow. The caller holds `live.writing`."""
        if live.is_behind:
            with self._database.read() as transaction:
                live.reload_if_behind(lambda generation: live.load(transaction, generation))


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
