"""The server put together: configuration, engine and keys, services, transport, orderly end."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cipherlens.server.access import OPEN_GATE, check_exposure, gate_of, shown_token_id
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import Stopping
from cipherlens.server.listeners import follow_at_of, listeners
from cipherlens.server.observing import (
    HttpListener,
    Observer,
    Sample,
    observer_of,
    reached_by_others,
)
from cipherlens.server.transport import (
    CODES,
    Admission,
    Guarded,
    NewTransport,
    PassingOn,
    Service,
    WatchedGuard,
    service_of,
)

if TYPE_CHECKING:
    from cipherlens.server.engine import Engine, LoadProgress

_log = logging.getLogger(__name__)

# For answers on their way out, and streams of health checks, which end only here.
_LAST_ANSWERS_S = 1.0


class CipherLensServer:
    """A server of one or both roles; after `stop` it is done for good."""

    def __init__(
        self,
        config: ServerConfig,
        new_transport: NewTransport | None = None,
    ) -> None:
        """Open the data folder and the keyring.

        Args:
            config: how it runs.
            new_transport: makes the transport; None for the one that the configuration names.

        Raises StartupError if other machines reach it without TLS or tokens, another server holds
        the folder, its schema is another, a device is not there, or the keyring does not open; then
        nothing stays open.
        """
        self._config = config
        self._admission = Admission(config.limits.max_concurrent_calls, is_open=False)
        self._engine: Engine | None = None
        self.tls_port: int | None = None  # once it listens with TLS
        self.metrics_port: int | None = None  # once it answers scrapes and probes
        self._stopping = threading.Lock()  # held by the one that stops
        self._loading = threading.Lock()  # held by the one that loads
        self._has_to_stop = False
        self._codes = dict(CODES)
        self._gate = gate_of(config)
        check_exposure(config, asks_for_tokens=self._gate is not OPEN_GATE)
        with ExitStack() as opened:
            follow_at = follow_at_of(config, opened)
            services = list(self._open_services(opened, follow_at))
            observer = observer_of(config, shown_token_id)
            opened.callback(observer.close)
            guard = WatchedGuard(self._admission, self._codes, self._gate, observer=observer)
            self._http = self._new_http(observer)
            guarded = [Guarded(each, guard) for each in services]
            self._transports = [
                make(
                    guarded,
                    listen=listen,
                    limits=config.limits,
                    timeouts=config.timeouts,
                )
                for listen, make in listeners(config, new_transport, follow_at)
            ]
            self._opened = opened.pop_all()

    @property
    def description(self) -> str:
        """Role and devices, for people."""
        parts = [f"{self._config.role}"]
        if self._engine is not None:
            parts.append(f"index on {self._engine.device}, models on {self._engine.models.device}")
        if self._gate is not OPEN_GATE:
            parts.append("callers show tokens")
        return ", ".join(parts)

    def start(self) -> int:
        """Listen, load the collections, serve, and return the port of `listen`.

        Raises StartupError.
        """
        port = self.listen()
        self.load()
        return port

    def listen(self) -> int:
        """Listen and return the port of `listen`; calls are refused as the server is starting.

        Raises StartupError.
        """
        try:
            if self._http is not None:  # alive before anything else is
                self.metrics_port = self._http.start()
                _log.info("metrics and probes by HTTP on port %d", self.metrics_port)
            port, *others = [each.start() for each in self._transports]
        except BaseException:
            self.stop()
            raise
        self.tls_port = others[0] if self._config.tls is not None else None
        return port

    def _new_http(self, observer: Observer) -> HttpListener | None:
        listen = self._config.metrics_listen
        if listen is None:
            return None
        if reached_by_others(listen):
            _log.warning("metrics_listen: %s is reached from other machines", listen)
        return HttpListener(listen, observer, self._samples, self._unready)

    def _unready(self) -> str:
        """Return why no calls should come here, empty if they should."""
        if not self._admission.is_open:
            return "the server is loading its collections, or stopping"
        return self._engine.role.unready() if self._engine is not None else ""

    def _samples(self) -> Iterator[Sample]:
        """Yield what a scrape reads, beside what calls came to."""
        is_ready = self._admission.is_open
        yield Sample("cipherlens_ready", "Whether calls are taken.", {}, is_ready)
        for kind, count in self._admission.under_way.items():
            doc = "Calls that are worked on at this moment."
            yield Sample("cipherlens_calls_under_way", doc, {"kind": kind}, count)
        if is_ready and self._engine is not None:
            yield from self._engine.samples()

    def load(self, watch: "Callable[[LoadProgress], None]" = lambda _: None) -> None:
        """Load the collections, then take calls and say so to health checks.

        Args:
            watch: is told how far loading is, now and then; what it raises ends it.

        Raises StartupError; Stopping if the server is stopped meanwhile.
        """

        def told(progress: "LoadProgress") -> None:
            if self._has_to_stop:
                raise Stopping("the server was stopped while it was loading")
            watch(progress)

        try:
            with self._loading:
                self._load(told)
        except BaseException:
            self.stop()
            raise
        self._admission.open()
        for each in self._transports:
            each.serve()

    def when_given_up(self, told: Callable[[], object]) -> None:
        """Have a function called once this server can neither lead nor follow any more."""
        if self._engine is not None:
            self._engine.role.when_given_up(told)

    def stop(self, grace_s: float | None = None) -> None:
        """Refuse new calls, let those under way finish for so long, then close everything.

        Returns when no call is under way any more; a second time nothing is left to do.
        """
        self._has_to_stop = True
        with self._stopping:
            # Calls are refused before health checks say so: a client that was told that nothing is
            # served finds it true.
            self._admission.stop()
            if self._engine is not None:
                self._engine.role.stop_following()  # others take the place of who leads
            for each in self._transports:
                each.stop_serving()
            # The transports end last: they cancel the calls that are left, and until then what
            # comes is answered with UNAVAILABLE.
            grace_s = self._config.grace_s if grace_s is None else grace_s
            self._admission.drain(grace_s)
            for each in self._transports:
                each.stop(min(grace_s, _LAST_ANSWERS_S))
            with self._loading:
                self._opened.close()
            if self._http is not None:
                self._http.stop()

    def _load(self, watch: "Callable[[LoadProgress], None]") -> None:
        if self._engine is not None:
            from cipherlens.server.retrieval import serve as cloud

            cloud.load(self._engine, watch)

    def _open_services(self, opened: ExitStack, follow_at: str | None) -> Iterator[Service]:
        """Yield the services of the role; what they hold open is closed with `opened`."""
        config = self._config
        if config.role.has_cloud:
            # Loaded here, so that an owner's server needs neither database nor FAISS ...
            from cipherlens.server.retrieval import serve as cloud

            self._engine = cloud.open_engine(config, follow_at)
            opened.callback(self._engine.close)
            retrieval = cloud.RetrievalService(self._engine, config)
            service = service_of(retrieval.descriptor, retrieval)
            if config.follow:
                passing_on = PassingOn(self._engine.role, config.follow_ca)
                opened.callback(passing_on.close)
                service = passing_on.through(service)
            yield service
        if config.role.has_owner:
            # ... and key code enters the process only here: a cloud server never imports it.
            from cipherlens.server.encryption import serve as owner

            keys = owner.open_service(config)
            opened.callback(keys.close)
            self._codes |= owner.CRYPTO_CODES
            yield service_of(keys.descriptor, keys)
