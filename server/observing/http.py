"""A small HTTP listener beside the calls: /metrics, /livez, /readyz."""

import threading
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from cipherlens.base import stays_here
from cipherlens.server.errors import CannotListen
from cipherlens.server.observing.counts import BUCKETS_S, Counts, Key
from cipherlens.server.observing.observer import Observer

# A client that says nothing holds a thread no longer than this.
_SILENT_S = 10.0
_TEXT = "text/plain; charset=utf-8"


class Sample(NamedTuple):
    """A number as it is at this moment: metric, what it says, its labels."""

    name: str
    doc: str
    labels: Mapping[str, str]
    value: float


class HttpListener:
    """Answers scrapes and probes from `start` to `stop`."""

    def __init__(
        self,
        listen: str,
        observer: Observer,
        samples: Callable[[], Iterable[Sample]],
        unready: Callable[[], str],
    ) -> None:
        """Take where it listens ("PORT" is on loopback), and what it is to tell.

        unready: gives why no calls should come, empty if they should.
        """
        host, _, port = listen.rpartition(":")
        self._address = (host.strip("[]") or "127.0.0.1", int(port))
        self._listen = listen
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(observer, samples))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._unready = unready
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> int:
        """Listen and return the port. Raises CannotListen."""
        pages = {"/metrics": self._metrics, "/livez": self._live, "/readyz": self._ready}

        class Handler(_Handler):
            answers = pages

        try:
            self._server = _Server(self._address, Handler)
        except OSError as error:
            raise CannotListen(self._listen) from error
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return self._server.server_port

    def stop(self) -> None:
        """Answer no more; a second time does nothing."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _metrics(self) -> tuple[int, str, bytes]:
        return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def _live(self) -> tuple[int, str, bytes]:
        return 200, _TEXT, b"live\n"

    def _ready(self) -> tuple[int, str, bytes]:
        if reason := self._unready():
            return 503, _TEXT, f"not ready: {reason}\n".encode()
        return 200, _TEXT, b"ready\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that says nothing does not hold up the end

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that is gone is no failure of ours."""


class _Handler(BaseHTTPRequestHandler):
    answers: Mapping[str, Callable[[], tuple[int, str, bytes]]]
    timeout = _SILENT_S

    def do_GET(self) -> None:
        """Answer for one of the pages."""
        page = self.answers.get(self.path.partition("?")[0])
        status, kind, body = page() if page else (404, _TEXT, b"/metrics, /livez, /readyz\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, _format: str, *_values: object) -> None:
        """Log nothing: probes come every few seconds."""


class _Collector(Collector):
    """Reads counts and samples when somebody asks."""

    def __init__(self, observer: Observer, samples: Callable[[], Iterable[Sample]]) -> None:
        self._observer = observer
        self._samples = samples

    def collect(self) -> Iterable[Metric]:
        """Yield all metrics."""
        yield _histogram(
            "cipherlens_rpc_duration_seconds",
            "Calls by their code, and how long they took.",
            ("service", "method", "code"),
            self._observer.calls,
        )
        yield _histogram(
            "cipherlens_stage_duration_seconds",
            "Stages of calls: queue, embed, search, fetch, commit.",
            ("stage", "method"),
            self._observer.stages,
        )
        families: dict[str, GaugeMetricFamily] = {}
        for name, doc, labels, value in self._samples():
            if name not in families:
                families[name] = GaugeMetricFamily(name, doc, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()


def _histogram(name: str, doc: str, labels: Key, counts: Counts) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, doc, labels=labels)
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    for key, durations in counts.total().items():
        so_far, buckets = 0, []
        for bound, count in zip(bounds, durations.buckets, strict=True):
            so_far += count
            buckets.append((bound, so_far))
        family.add_metric(key, buckets, durations.sum_s)
    return family


def reached_by_others(listen: str) -> bool:
    """Return whether other machines reach an address of this listener."""
    return ":" in listen and not stays_here(listen)
