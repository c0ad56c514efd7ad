"""What is served, made what the database has, as another process writes to it."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader
from cipherlens.server.engine.registry import Registry
from cipherlens.server.errors import NotFound, ServerError, StartupError
from cipherlens.server.storage import Database
from cipherlens.server.storage.records import Standing

_log = logging.getLogger(__name__)

# Between looks when nobody tells of a change, and tries to lead.
_LONGEST_PAUSE_S = 0.5
_BETWEEN_CHECKS_S = 1.0
# An index of so many changes is loaded anew at once, a larger one in the background.
_QUICK_CHANGES = 4096


class Follower:
    """Looks at the database when it has changed, on a thread of its own and for who asks.

    When nobody leads any more, it does: the last look comes before the first write. From then on it
    looks whether it still does.

    when_given_up: called once it cannot go on: another process has led since this one did, or the
        tables are of a newer program.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        loader: Loader,
        *,
        consider: Callable[[LiveCollection], None],
        led: Callable[[], None],
    ) -> None:
        """`consider` is told of each collection that has changed, `led` once this one leads."""
        self._database = database
        self._registry = registry
        self._loader = loader
        self._consider = consider
        self._led = led
        self._looking = threading.Lock()  # guards the five fields below
        self._looked_at = self._complete_at = time.monotonic()
        self._failing: set[str] = set()  # collections that could not follow at the last look
        self._aside: dict[int, str] = {}  # those that are damaged
        self._era = ""  # of the last look
        self.when_given_up: Callable[[], object] = lambda: None
        self._tried_at = 0.0  # of the thread alone
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    @property
    def lag_s(self) -> float:
        """For how long it has not seen all that the database had."""
        if self._database.takes_writes:
            return 0.0
        return time.monotonic() - self._complete_at

    def start(self) -> None:
        """Follow from now on; all that the database had a moment ago is loaded."""
        self._era = self._database.era()
        self._complete_at = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """Follow no more; a second time does nothing."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Return when all is served that the database had when this was called.

        But for the turn of another model, where there are many items. Raises what the database
        raises.
        """
        asked_at = time.monotonic()
        with self._looking:
            if self._looked_at <= asked_at and not self._database.takes_writes:
                self._look()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if self._database.takes_writes:
                    self._database.notice_loss()
                    if self._database.is_lost:
                        self.when_given_up()
                        return
                    self._ended.wait(_BETWEEN_CHECKS_S)
                elif self._is_time_to_try() and self._database.try_to_lead():
                    self._lead()
                else:
                    self.look()
                    self._database.wait_for_change(self._ended, _LONGEST_PAUSE_S)
            except StartupError as error:  # a newer program has changed the tables
                _log.error("this server cannot lead: %s", error)
                self.when_given_up()
                return
            except Exception as error:  # noqa: BLE001 - it follows again when it can
                known = isinstance(error, ServerError)
                _log.warning("the database is out of reach: %s", error, exc_info=not known)
                self._ended.wait(_LONGEST_PAUSE_S)

    def _is_time_to_try(self) -> bool:
        """Return whether the last try to lead was a while ago: changes come more often."""
        now = time.monotonic()
        if now - self._tried_at < _LONGEST_PAUSE_S:
            return False
        self._tried_at = now
        return True

    def _lead(self) -> None:
        with self._looking:
            self._look()
            self._database.takes_writes = True
        _log.info("this server takes the changes from now on")
        self._led()

    def _look(self) -> None:
        """Compare what is served with what there is. The caller holds `_looking`."""
        began_at = time.monotonic()
        self._notice_era()
        with self._database.read() as transaction:
            there = transaction.collections.standings()
        served = {live.collection.id: live for live in self._registry.listed()}
        failing = {
            standing.name
            for number, standing in there.items()
            if not self._follows(number, standing, served.get(number))
        }
        self._forget_all_but(there, served)
        self._looked_at, self._failing = began_at, failing
        if not failing:
            self._complete_at = began_at

    def _notice_era(self) -> None:
        """Trust nothing in memory where the database may have gone another way since."""
        era = self._database.era()
        if self._era not in ("", era):
            _log.warning("the database may lack what it had: all indexes are made anew")
            for live in self._registry.listed():
                with live.writing:
                    live.is_behind = True
                self._consider(live)
        self._era = era

    def _follows(self, number: int, standing: Standing, live: LiveCollection | None) -> bool:
        """Make one collection what the database has; return False if it cannot be read."""
        try:
            if live is None:
                self._add(number, standing.name)
            elif not _is_served(standing, live):
                self._bring_up(live)
            else:
                self._consider(live)
        except NotFound:
            pass  # it was dropped meanwhile: the next look finds it gone
        except ServerError as error:
            if standing.name not in self._failing:
                _log.error("collection %r cannot follow: %s", standing.name, error)
            return False
        return True

    def _add(self, number: int, name: str) -> None:
        if number in self._aside:
            return
        live = self._loader.found(number, name, self._registry.set_aside)
        if live is None:
            self._aside[number] = name
            return
        self._registry.forget(name)
        self._registry.add(live)
        self._consider(live)

    def _bring_up(self, live: LiveCollection) -> None:
        with live.writing, self._database.read() as transaction:
            state = transaction.collections.state(live.collection)
            if state.collection.name != live.collection.name:
                self._registry.rename(live, state.collection)
            live.follow(transaction)
            if state.sequence <= _QUICK_CHANGES:
                live.reload_if_behind(transaction)
        self._consider(live)

    def _forget_all_but(
        self, there: Mapping[int, Standing], served: Mapping[int, LiveCollection]
    ) -> None:
        """Drop what is gone, once what has taken its name is there."""
        for number, live in served.items():
            if number not in there:
                with live.writing:
                    self._registry.remove(live)
                    live.mark_dropped()
        for number in self._aside.keys() - there.keys():
            self._registry.forget(self._aside.pop(number))


def _is_served(standing: Standing, live: LiveCollection) -> bool:
    """Return whether a collection is as the database has it."""
    serving, shadow = live.serving, live.shadow
    return standing == Standing(
        live.collection.name,
        serving.sequence if serving else standing.sequence,
        serving.generation.id if serving else None,
        shadow.id if shadow else None,
    )
