"""Whether this process leads or follows, and how far it is behind what another one has written."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from cipherlens.server.engine.following import Follower
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import ServerError
from cipherlens.server.observing import Sample
from cipherlens.server.storage import Database
from cipherlens.server.vectors import VectorTables


class Role:
    """What other processes are to this one; one that must lead has no follower."""

    def __init__(
        self,
        database: Database,
        follower: Follower | None,
        vectors: VectorTables | None,
        max_lag_s: float,
    ) -> None:
        """Keep them; max_lag_s is from when on calls should go to another server."""
        self._database = database
        self._follower = follower
        self._vectors = vectors
        self._max_lag_s = max_lag_s

    @property
    def leads(self) -> bool:
        """Whether changes are made here; else by the process that this one follows."""
        return self._database.takes_writes

    @property
    def lag_s(self) -> float:
        """For how long it has not seen all that the database had."""
        return 0.0 if self._follower is None else self._follower.lag_s

    def leader(self) -> str:
        """Return where the process that leads takes calls of the others, empty if it takes none.

        Raises StorageUnavailable.
        """
        return self._database.leader()

    def start(self) -> None:
        """Follow from now on, unless this one must lead."""
        if self._follower is not None:
            self._follower.start()

    def stop_following(self) -> None:
        """Look at the database no more, and do not begin to lead; reads go on."""
        if self._follower is not None:
            self._follower.close()

    def when_given_up(self, told: Callable[[], object]) -> None:
        """Have a function called once this one can neither lead nor follow any more."""
        if self._follower is not None:
            self._follower.when_given_up = told

    def catch_up(self) -> bool:
        """Return when all is served that the database had when this was called.

        Whether it had to look: where no other process leads there is nothing to see. Raises what
        the database raises.
        """
        if self._follower is None or self.leads:
            return False
        self._follower.look()
        return True

    def look_for(self, live: LiveCollection, sequence: int) -> None:
        """Look at the database for a change that another process may have made."""
        if sequence and not self.leads and not live.sees(sequence):
            with suppress(ServerError):  # what is seen is answered; the lag is told elsewhere
                self.catch_up()

    def unready(self) -> str:
        """Return why calls should go to another server, empty if they may come."""
        if self._database.is_lost:
            return "another server has taken the database over: this one must be started again"
        if self._vectors is not None and not self._vectors.link.is_up:
            return "the engine of the vectors does not answer"
        if (lag_s := self.lag_s) > self._max_lag_s:
            return f"it has not seen the latest changes of the database for {lag_s:.0f} s"
        return ""

    def samples(self) -> Iterator[Sample]:
        """Yield whether it leads and how far it is behind, for who watches."""
        doc = "Whether this server takes the changes; else it follows the one that does."
        yield Sample("cipherlens_leads", doc, {}, self.leads and not self._database.is_lost)
        doc = "For how long a server that follows has not seen all that the database had."
        yield Sample("cipherlens_lag_seconds", doc, {}, self.lag_s)
