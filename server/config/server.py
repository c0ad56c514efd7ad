"""Everything a server needs to know."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic.dataclasses import dataclass

from cipherlens.base import Role
from cipherlens.server.config.database import DatabaseSetting
from cipherlens.server.config.ivf import IvfSettings
from cipherlens.server.config.kinds import (
    TABLE,
    Address,
    Count,
    Device,
    Doc,
    HttpAddress,
    Seconds,
    Wait,
)
from cipherlens.server.config.limits import Limits, Timeouts
from cipherlens.server.config.telling import LogSettings, TracingSettings
from cipherlens.server.config.vectors import OwnDatabase, VectorsSetting


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class TlsListener:
    """A listener with TLS, beside the one without, on grpcio."""

    listen: Annotated[
        Address,
        Doc(
            "Where to listen with TLS as well, on grpcio whatever the transport: as listen. Needs "
            "--tls-certificate and --tls-key.",
            "HOST:PORT",
        ),
    ]
    certificate: Annotated[
        Path,
        Doc(
            "PEM: the server's own certificate first, and those that lead to a known issuer.",
            "FILE",
        ),
    ]
    key: Annotated[
        Path,
        Doc("PEM: the private key of the server's own certificate, without a passphrase.", "FILE"),
    ]
    client_ca: Annotated[
        Path | None,
        Doc("PEM: let in by TLS only who shows a certificate of these authorities.", "FILE"),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class ServerConfig:
    """Everything a server needs to know; what each setting is for stands in its `doc`.

    passphrase: the keyring's. It is no setting: it comes from a file, the environment or a prompt.
    """

    data_dir: Annotated[
        Path, Doc("The data folder; made if absent, held by one server at a time.", "DIR")
    ]
    database: Annotated[
        DatabaseSetting | None,
        Doc(
            "PostgreSQL in place of the SQLite file in the data folder, for everything but tokens "
            "and index files; one server at a time writes to it. A password goes into the "
            "environment, the file of --config or database_password_file, not on the command line. "
            "Needs the extra [postgres].",
            "postgresql://USER@HOST/NAME",
        ),
    ] = None
    database_password_file: Annotated[
        Path | None, Doc("A file whose first line is the database's password.", "FILE")
    ] = None
    workers: Annotated[
        Count,
        Doc(
            "Processes that serve one port together, each with its own index in memory, and with "
            "--follow in any case. Each answers metrics_listen on a port of its own, the first on "
            "the one named, the next on the next. For role cloud."
        ),
    ] = 1
    follow: Annotated[
        bool,
        Doc(
            "Share the database with other servers that follow: one of them takes the changes, the "
            "others answer reads, pass changes on to it, and one takes its place when it ends."
        ),
    ] = False
    follow_listen: Annotated[
        Address | None,
        Doc(
            "Where servers of other machines that follow pass changes on to while this one leads, "
            "as they reach it. Has the certificate of --tls-listen, if there is one. Of several "
            "workers the first takes the port named, the next the next.",
            "HOST:PORT",
        ),
    ] = None
    follow_ca: Annotated[
        Path | None,
        Doc(
            "PEM: the authorities of the certificates that others have at follow_listen; else "
            "those that come with gRPC.",
            "FILE",
        ),
    ] = None
    max_lag_s: Annotated[
        Wait,
        Doc(
            "Seconds for which a server that follows may lack a change before /readyz says that it "
            "is not ready."
        ),
    ] = 10.0
    vectors: Annotated[
        VectorsSetting | None,
        Doc(
            "An engine that has vectors and codes in place of this process, for collections beyond "
            "one machine's memory: Milvus, or PostgreSQL with pgvector ('postgresql' alone is the "
            "one of --database). Rows and ciphertext stay in the database, which is the truth. A "
            "password goes where that of the database goes. Needs the extra [milvus] or "
            "[pgvector].",
            "milvus://HOST:PORT|postgresql",
        ),
    ] = None
    role: Annotated[
        Role,
        Doc(
            "cloud: stores and searches, without a key. owner: encrypts, with a keyring. all: "
            "both, for one machine.",
            "cloud|owner|all",
        ),
    ] = Role.CLOUD
    listen: Annotated[
        Address,
        Doc(
            "Where to listen without TLS: HOST:PORT, [IPv6]:PORT or unix:PATH; port 0 takes a free "
            "one.",
            "HOST:PORT",
        ),
    ] = "127.0.0.1:50051"
    transport: Annotated[
        Literal["auto", "grpcio", "native"],
        Doc(
            "What carries the calls without TLS. native: HTTP/2 in Rust, several times as many "
            "searches a second. grpcio: the reference. auto: native where it is installed.",
            "auto|grpcio|native",
        ),
    ] = "auto"
    tls: TlsListener | None = None
    require_tokens: Annotated[
        bool,
        Doc(
            "Ask every caller for a token, though there is none yet. Once 'token new' has made "
            "one, they are asked for in any case."
        ),
    ] = False
    insecure: Annotated[
        bool, Doc("Listen where other machines can connect without TLS, or without a token.")
    ] = False
    device: Annotated[Device, Doc("Where indexes and models live.", "auto|cpu|cuda:N")] = "auto"
    keyring: Annotated[
        Path | None, Doc("The owner's keyring file. Not for role cloud.", "KEYRING")
    ] = None
    passphrase_file: Annotated[
        Path | None,
        Doc(
            "A file whose first line is the keyring's passphrase; else CIPHERLENS_PASSPHRASE, else "
            "a prompt.",
            "FILE",
        ),
    ] = None
    passphrase: str | None = field(default=None, repr=False)
    hash_model: Annotated[
        Path | None,
        Doc(
            "The owner's hash network, sealed or plain: makes codes of query pictures for those "
            "who do not hold it. Not for role cloud.",
            "FILE",
        ),
    ] = None
    limits: Limits = field(default_factory=Limits)
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_batch: Annotated[
        Count, Doc("Images that go through a model at once, where it takes as many.")
    ] = 128
    max_waiting_images: Annotated[
        Count,
        Doc(
            "Queries that may wait for a model, and as many images to be indexed; beyond it "
            "RESOURCE_EXHAUSTED. Bounds memory."
        ),
    ] = 2048
    grace_s: Annotated[
        Seconds, Doc("Seconds that a stopping server lets calls under way finish.")
    ] = 20.0
    keep_tombstones_s: Annotated[
        Seconds,
        Doc(
            "Seconds for which a deleted item's revision is remembered: an Index of before the "
            "deletion that comes later than that would write the item again."
        ),
    ] = 7 * 86400.0
    metrics_listen: Annotated[
        HttpAddress | None,
        Doc(
            "Where to answer /metrics (Prometheus), /livez and /readyz by HTTP. A port alone is on "
            "127.0.0.1. Whoever reaches it learns names and sizes of collections.",
            "[HOST:]PORT",
        ),
    ] = None
    log: LogSettings = field(default_factory=LogSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
    ivf: IvfSettings = field(default_factory=IvfSettings)

    def __post_init__(self) -> None:
        if self.role is Role.CLOUD and self.keyring is not None:
            raise ValueError("keyring: the cloud never holds keys; use the role owner or all")
        if self.role is Role.CLOUD and self.hash_model is not None:
            raise ValueError(
                "hash_model: the cloud never holds a hash network; use the role owner or all"
            )
        if self.role.has_owner and self.keyring is None:
            raise ValueError(f"keyring: the role {self.role} needs one")
        if self.follow and not self.role.has_cloud:
            raise ValueError(f"follow: the role {self.role} has no database to follow")
        if self.database_password_file is not None and self.database is None:
            raise ValueError("database_password_file: there is no database that it is for")
        if isinstance(self.vectors, OwnDatabase) and self.database is None:
            raise ValueError("vectors: there is no database that could have them, see database")
        if self.max_waiting_images < self.limits.max_batch_items:
            raise ValueError(
                f"max_waiting_images must hold a batch of {self.limits.max_batch_items} items, "
                f"got {self.max_waiting_images}"
            )
