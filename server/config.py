"""How a server runs: built once at the entry point, validated, never changed."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from cipherlens.base import Role

MIB = 2**20
# gRPC counts the bytes of a message in 31 bits and needs some room beside ours.
_LARGEST_LIMIT = 2**31 - MIB
_LONGEST_S = 1_000_000  # gRPC counts milliseconds in 31 bits


def _doc(text: str, metavar: str = "") -> Mapping[str, str]:
    """Return what `serve --help` says of a setting, and what its value is called there."""
    return {"doc": text, "metavar": metavar}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The largest values accepted; GetServerInfo tells those that callers keep to. At least 1."""

    max_message_bytes: int = field(
        default=32 * MIB, metadata=_doc("Bytes of one message; bounds the memory of a call.")
    )
    max_sealed_bytes: int = field(
        default=16 * MIB, metadata=_doc("Bytes of one sealed original; it must fit a message.")
    )
    max_batch_items: int = field(
        default=1024, metadata=_doc("Items of one Index, Delete or Fetch; bounds a transaction.")
    )
    max_queries: int = field(default=1024, metadata=_doc("Queries of one search."))
    max_k: int = field(
        default=5000,
        metadata=_doc(
            "Hits for each query. 5000 is the full ranking of a collection on which a network is "
            "judged; with the longest ids it takes 3 MB of an answer."
        ),
    )
    max_hits: int = field(
        default=512 * 1024,
        metadata=_doc("Queries times k of one search; ranking a million takes some .7 s."),
    )
    max_image_pixels: int = field(
        default=4 * MIB, metadata=_doc("Pixels of one cipher-image; bounds a forward pass.")
    )
    max_name_bytes: int = field(default=64, metadata=_doc("Bytes of a collection's name."))
    max_item_id_bytes: int = field(default=512, metadata=_doc("Bytes of an item's id."))
    max_owner_tag_bytes: int = field(default=1024, metadata=_doc("Bytes of an owner tag."))
    max_dimension: int = field(default=8192, metadata=_doc("Numbers of a vector."))
    max_model_bytes: int = field(
        default=1024 * MIB, metadata=_doc("Bytes of a pushed model; bounds disk and memory.")
    )
    max_page_size: int = field(default=1000, metadata=_doc("Items of one page of ListItems."))
    max_concurrent_calls: int = field(
        default=64,
        metadata=_doc("Calls under way; one too many is refused at once. Also bounds threads."),
    )
    max_waiting_calls: int = field(
        default=2048,
        metadata=_doc(
            "Calls that may wait for a thread, on each listener; the rest is refused at once. "
            "Bounds the memory of bursts."
        ),
    )
    max_full_messages: int = field(
        default=8,
        metadata=_doc(
            "Messages of full size, by their bytes, that may be under way on each listener: two "
            "for each core of a small machine. Bounds the memory of all calls together."
        ),
    )
    max_health_watchers: int = field(
        default=64, metadata=_doc("Callers who watch health; each costs a call and no thread.")
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if type(value) is not int or not 1 <= value <= _LARGEST_LIMIT:
                raise ValueError(
                    f"limits.{each.name} must be a whole number from 1 to {_LARGEST_LIMIT}, "
                    f"got {value!r}"
                )
        if self.max_hits < self.max_k:
            raise ValueError(
                f"limits.max_hits must be at least max_k, {self.max_k}, got {self.max_hits}"
            )
        if self.max_sealed_bytes > self.max_message_bytes:
            raise ValueError(
                "limits.max_sealed_bytes must fit into a message of "
                f"{self.max_message_bytes} bytes, got {self.max_sealed_bytes}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class IvfSettings:
    """When an index is trained, and how well a default search must then do."""

    minimum_rows: int = field(
        default=2000,
        metadata=_doc(
            "Live vectors from which lists or a graph pay, and codes whose index was asked for; "
            "below, every search is exact. At least 100."
        ),
    )
    minimum_codes: int = field(
        default=50_000,
        metadata=_doc("Live codes from which lists pay where no index was asked for."),
    )
    lists_per_root: float = field(
        default=2.0, metadata=_doc("Lists as a multiple of the square root of the live rows.")
    )
    growth: float = field(
        default=2.0, metadata=_doc("Train anew when live rows have grown by this factor.")
    )
    target_recall: float = field(
        default=0.993,
        metadata=_doc(
            "What the mean recall of a default search must exceed, with 99 % confidence, where "
            "queries are like what is stored. Above the .99 promised, as they never quite are."
        ),
    )
    recall_at: int = field(default=20, metadata=_doc("k of that recall."))
    calibration_queries: int = field(
        default=512,
        metadata=_doc("Stored rows that are kept out of training and serve as queries."),
    )

    def __post_init__(self) -> None:
        if self.minimum_rows < 100:
            raise ValueError(f"ivf.minimum_rows must be at least 100, got {self.minimum_rows}")
        if self.minimum_codes < 100:
            raise ValueError(f"ivf.minimum_codes must be at least 100, got {self.minimum_codes}")
        if self.lists_per_root <= 0:
            raise ValueError(f"ivf.lists_per_root must be positive, got {self.lists_per_root}")
        if self.growth <= 1:
            raise ValueError(f"ivf.growth must be above 1, got {self.growth}")
        if not 0 < self.target_recall <= 1:
            raise ValueError(f"ivf.target_recall must lie in (0, 1], got {self.target_recall}")
        if self.recall_at < 1:
            raise ValueError(f"ivf.recall_at must be at least 1, got {self.recall_at}")
        if self.calibration_queries < 1:
            raise ValueError(
                f"ivf.calibration_queries must be at least 1, got {self.calibration_queries}"
            )

    def nlist(self, live: int) -> int:
        """Return how many lists so many live rows get, at least 1 and at most one each two."""
        return max(1, min(round(self.lists_per_root * math.sqrt(live)), live // 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeouts:
    """How long callers and connections may keep the server waiting, in seconds; all above 0."""

    receive_s: float = field(
        default=30.0,
        metadata=_doc(
            "For a message to come whole, which 32 MiB do at 9 Mbit/s; later its call is ended. "
            "Keeps silent callers from holding threads."
        ),
    )
    send_s: float = field(
        default=60.0,
        metadata=_doc("For which a caller may leave a part of a stream unread."),
    )
    keepalive_s: float = field(
        default=60.0, metadata=_doc("After which a silent connection is asked whether it lives.")
    )
    keepalive_answer_s: float = field(
        default=20.0, metadata=_doc("For its answer to that; without one it is closed.")
    )
    idle_s: float = field(
        default=300.0,
        metadata=_doc("After which grpcio closes a connection without calls."),
    )
    connection_age_s: float = field(
        default=3600.0,
        metadata=_doc("After which grpcio renews a connection: clients connect again."),
    )
    connection_age_grace_s: float = field(
        default=300.0, metadata=_doc("For calls on a connection that is renewed.")
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0.001 <= value <= _LONGEST_S:
                raise ValueError(
                    f"timeouts.{each.name} must lie between 0.001 and {_LONGEST_S}, got {value}"
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSettings:
    """What goes to standard error, and how."""

    format: str = field(
        default="text",
        metadata=_doc("text: lines for people. json: an object on each line.", "text|json"),
    )
    level: str = field(
        default="info",
        metadata=_doc("The least that is logged.", "debug|info|warning|error"),
    )
    access_share: float = field(
        default=0.0,
        metadata=_doc(
            "Which share of calls, from 0 to 1, is logged with request id, RPC, code, duration, "
            "token id and sizes. Many calls a second are slower for it."
        ),
    )
    lines_per_s: int = field(
        default=50,
        metadata=_doc(
            "Lines a second of one kind; the next one says how many were left out. Keeps the log "
            "from being flooded by bad callers."
        ),
    )

    def __post_init__(self) -> None:
        if self.format not in ("text", "json"):
            raise ValueError(f"log.format must be text or json, got {self.format!r}")
        if self.level not in ("debug", "info", "warning", "error"):
            raise ValueError(f"log.level must be debug, info, warning or error, got {self.level!r}")
        _check_share("log.access_share", self.access_share)
        if self.lines_per_s < 1:
            raise ValueError(f"log.lines_per_s must be at least 1, got {self.lines_per_s}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TracingSettings:
    """Spans of calls and their stages; needs the extra [tracing]."""

    endpoint: str | None = field(
        default=None,
        metadata=_doc(
            "Where spans go, by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. They tell "
            "methods, codes, times and request ids.",
            "URL",
        ),
    )
    share: float = field(
        default=1.0,
        metadata=_doc("Which share of the calls that come without a trace of their own is traced."),
    )

    def __post_init__(self) -> None:
        if self.endpoint is not None and not re.match(r"https?://.", self.endpoint):
            raise ValueError(
                f"tracing.endpoint must be http://... or https://..., got {self.endpoint!r}"
            )
        _check_share("tracing.share", self.share)


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsListener:
    """A listener with TLS, beside the one without, on grpcio."""

    listen: str = field(
        metadata=_doc(
            "Where to listen with TLS as well, on grpcio whatever the transport: as listen. Needs "
            "--tls-certificate and --tls-key.",
            "HOST:PORT",
        )
    )
    certificate: Path = field(
        metadata=_doc(
            "PEM: the server's own certificate first, and those that lead to a known issuer.",
            "FILE",
        )
    )
    key: Path = field(
        metadata=_doc(
            "PEM: the private key of the server's own certificate, without a passphrase.", "FILE"
        )
    )
    client_ca: Path | None = field(
        default=None,
        metadata=_doc(
            "PEM: let in by TLS only who shows a certificate of these authorities.", "FILE"
        ),
    )

    def __post_init__(self) -> None:
        _check_address("tls.listen", self.listen)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """Everything a server needs to know; what each setting is for stands in its `doc`.

    passphrase: the keyring's. It is no setting: it comes from a file, the environment or a prompt.
    """

    data_dir: Path = field(
        metadata=_doc("The data folder; made if absent, held by one server at a time.", "DIR")
    )
    role: Role = field(
        default=Role.CLOUD,
        metadata=_doc(
            "cloud: stores and searches, without a key. owner: encrypts, with a keyring. all: "
            "both, for one machine.",
            "cloud|owner|all",
        ),
    )
    listen: str = field(
        default="127.0.0.1:50051",
        metadata=_doc(
            "Where to listen without TLS: HOST:PORT, [IPv6]:PORT or unix:PATH; port 0 takes a free "
            "one.",
            "HOST:PORT",
        ),
    )
    transport: str = field(
        default="auto",
        metadata=_doc(
            "What carries the calls without TLS. native: HTTP/2 in Rust, several times as many "
            "searches a second. grpcio: the reference. auto: native where it is installed.",
            "auto|grpcio|native",
        ),
    )
    tls: TlsListener | None = None
    require_tokens: bool = field(
        default=False,
        metadata=_doc(
            "Ask every caller for a token, though there is none yet. Once 'token new' has made "
            "one, they are asked for in any case."
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=_doc("Listen where other machines can connect without TLS, or without a token."),
    )
    device: str = field(
        default="auto", metadata=_doc("Where indexes and models live.", "auto|cpu|cuda:N")
    )
    keyring: Path | None = field(
        default=None, metadata=_doc("The owner's keyring file. Not for role cloud.", "KEYRING")
    )
    passphrase_file: Path | None = field(
        default=None,
        metadata=_doc(
            "A file whose first line is the keyring's passphrase; else CIPHERLENS_PASSPHRASE, else "
            "a prompt.",
            "FILE",
        ),
    )
    passphrase: str | None = field(default=None, repr=False)
    hash_model: Path | None = field(
        default=None,
        metadata=_doc(
            "The owner's hash network, sealed or plain: makes codes of query pictures for those "
            "who do not hold it. Not for role cloud.",
            "FILE",
        ),
    )
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_batch: int = field(
        default=32,
        metadata=_doc("Images that go through a model at once, where it takes as many."),
    )
    max_waiting_images: int = field(
        default=2048,
        metadata=_doc(
            "Queries that may wait for a model, and as many images to be indexed; beyond it "
            "RESOURCE_EXHAUSTED. Bounds memory."
        ),
    )
    grace_s: float = field(
        default=20.0,
        metadata=_doc("Seconds that a stopping server lets calls under way finish."),
    )
    keep_tombstones_s: float = field(
        default=7 * 86400.0,
        metadata=_doc(
            "Seconds for which a deleted item's revision is remembered: an Index of before the "
            "deletion that comes later than that would write the item again."
        ),
    )
    metrics_listen: str | None = field(
        default=None,
        metadata=_doc(
            "Where to answer /metrics (Prometheus), /livez and /readyz by HTTP. A port alone is on "
            "127.0.0.1. Whoever reaches it learns names and sizes of collections.",
            "[HOST:]PORT",
        ),
    )
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    ivf: IvfSettings = field(default_factory=IvfSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))
        if self.role is Role.CLOUD and self.keyring is not None:
            raise ValueError("keyring: the cloud never holds keys; use the role owner or all")
        if self.role is Role.CLOUD and self.hash_model is not None:
            raise ValueError(
                "hash_model: the cloud never holds a hash network; use the role owner or all"
            )
        if self.role.has_owner and self.keyring is None:
            raise ValueError(f"keyring: the role {self.role} needs one")
        _check_address("listen", self.listen)
        if self.metrics_listen is not None:
            _check_http_address(self.metrics_listen)
        if self.transport not in ("auto", "grpcio", "native"):
            raise ValueError(f"transport must be auto, grpcio or native, got {self.transport!r}")
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be auto, cpu or cuda:N, got {self.device!r}")
        if self.max_batch < 1 or self.grace_s < 0 or self.keep_tombstones_s < 0:
            raise ValueError(
                "max_batch must be at least 1, grace_s and keep_tombstones_s at least 0, "
                f"got {self.max_batch}, {self.grace_s} and {self.keep_tombstones_s}"
            )
        if self.max_waiting_images < self.limits.max_batch_items:
            raise ValueError(
                f"max_waiting_images must hold a batch of {self.limits.max_batch_items} items, "
                f"got {self.max_waiting_images}"
            )


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, got {share}")


def _check_http_address(address: str) -> None:
    name = "metrics_listen"
    _check_address(name, address if ":" in address else f"127.0.0.1:{address}")
    if address.startswith("unix:"):
        raise ValueError(f"{name} must be PORT, HOST:PORT or [IPv6]:PORT, got {address!r}")


def _check_address(name: str, address: str) -> None:
    if not re.fullmatch(r"unix:.+|\[[0-9a-fA-F:.]+\]:\d{1,5}|[^:\[\]]+:\d{1,5}", address):
        raise ValueError(f"{name} must be HOST:PORT, [IPv6]:PORT or unix:PATH, got {address!r}")
    if not address.startswith("unix:") and int(address.rpartition(":")[2]) > 65535:
        raise ValueError(f"{name} must have a port of at most 65535, got {address!r}")
