"""How a server runs: built once at the entry point, validated, never changed."""

import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from cipherlens.base import Role

MIB = 2**20
# gRPC counts the bytes of a message in 31 bits and needs some room beside ours.
_LARGEST_LIMIT = 2**31 - MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The largest values accepted; GetServerInfo tells them. All are at least 1.

    max_k: the full ranking of a collection on which a network is judged; with the longest ids it
        takes 3 MB of an answer.
    max_hits: queries times k of one search, as ranking them takes some .7 s for a million.
    """

    max_message_bytes: int = 32 * MIB
    max_sealed_bytes: int = 16 * MIB
    max_batch_items: int = 1024
    max_queries: int = 1024
    max_k: int = 5000
    max_hits: int = 512 * 1024
    max_image_pixels: int = 4 * MIB
    max_name_bytes: int = 64
    max_item_id_bytes: int = 512
    max_owner_tag_bytes: int = 1024
    max_dimension: int = 8192
    max_model_bytes: int = 1024 * MIB
    max_page_size: int = 1000
    max_concurrent_calls: int = 64

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
    """When an index is trained, and how well a default search must then do.

    minimum_rows: live vectors from which lists or a graph pay; below, every search is exact. Codes
        whose index was asked for too.
    minimum_codes: live codes from which lists pay where no index was asked for.
    lists_per_root: lists as a multiple of the square root of the live rows.
    growth: train anew when live rows have grown by this factor.
    target_recall: what the mean recall of a default search must exceed, with 99 % confidence, where
        queries are like what is stored. It lies above the .99 promised, as they never quite are.
    recall_at: k of that recall.
    calibration_queries: stored rows that are kept out of training and serve as queries.
    """

    minimum_rows: int = 2000
    minimum_codes: int = 50_000
    lists_per_root: float = 2.0
    growth: float = 2.0
    target_recall: float = 0.993
    recall_at: int = 20
    calibration_queries: int = 512

    def __post_init__(self) -> None:
        if self.minimum_rows < 100:
            raise ValueError(f"minimum_rows must be at least 100, got {self.minimum_rows}")
        if self.minimum_codes < 100:
            raise ValueError(f"minimum_codes must be at least 100, got {self.minimum_codes}")
        if self.lists_per_root <= 0:
            raise ValueError(f"lists_per_root must be positive, got {self.lists_per_root}")
        if self.growth <= 1:
            raise ValueError(f"growth must be above 1, got {self.growth}")
        if not 0 < self.target_recall <= 1:
            raise ValueError(f"target_recall must lie in (0, 1], got {self.target_recall}")
        if self.recall_at < 1:
            raise ValueError(f"recall_at must be at least 1, got {self.recall_at}")
        if self.calibration_queries < 1:
            raise ValueError(
                f"calibration_queries must be at least 1, got {self.calibration_queries}"
            )

    def nlist(self, live: int) -> int:
        """Return how many lists so many live rows get, at least 1 and at most one each two."""
        return max(1, min(round(self.lists_per_root * math.sqrt(live)), live // 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsListener:
    """A listener with TLS, beside the one without.

    listen: "HOST:PORT", "[IPv6]:PORT" or "unix:PATH"; port 0 takes a free one.
    certificate: PEM, the server's own first and those that lead to a known issuer behind it.
    key: PEM, the private key of the server's own certificate, without a passphrase.
    client_ca: PEM, the authorities of which a caller must show a certificate; None asks for none.
    """

    listen: str
    certificate: Path
    key: Path
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        _check_address("tls_listen", self.listen)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """Everything a server needs to know.

    data_dir: the cloud's data folder, made if absent; held by one server at a time.
    transport: what carries the calls, "grpcio", "native" (pygrpc-native, HTTP/2 outside the
        interpreter's lock) or "auto", which is native where it is installed.
    listen: where it listens without TLS, "HOST:PORT", "[IPv6]:PORT" or "unix:PATH"; port 0 takes a
        free one.
    require_tokens: ask every caller for a token, also where there is no file of them yet; where
        there is one, they are asked for in any case.
    insecure: listen where other machines reach it without TLS, or without asking for tokens.
    tls: where it listens with TLS as well, on grpcio whatever `transport` says; None for nowhere.
    device: where indexes and models live, "auto", "cpu" or "cuda:N".
    keyring, passphrase: the owner's; refused for the role "cloud".
    hash_model: the owner's hash network, sealed or plain, for trapdoors that are codes; refused
        for the role "cloud".
    max_batch: images that go through a model at once, where it takes as many.
    max_waiting_images: queries that may wait for a model, and as many images that are to be
        indexed; beyond it RESOURCE_EXHAUSTED.
    grace_s: how long a stopping server lets calls under way finish.
    ivf: when and how indexes of vectors get lists.
    """

    data_dir: Path
    role: Role = Role.CLOUD
    listen: str = "127.0.0.1:50051"
    transport: str = "auto"
    tls: TlsListener | None = None
    require_tokens: bool = False
    insecure: bool = False
    device: str = "auto"
    keyring: Path | None = None
    passphrase: str | None = field(default=None, repr=False)
    hash_model: Path | None = None
    limits: Limits = field(default_factory=Limits)
    max_batch: int = 32
    max_waiting_images: int = 2048
    grace_s: float = 20.0
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
        if self.transport not in ("auto", "grpcio", "native"):
            raise ValueError(f"transport must be auto, grpcio or native, got {self.transport!r}")
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be auto, cpu or cuda:N, got {self.device!r}")
        if self.max_batch < 1 or self.grace_s < 0:
            raise ValueError(
                "max_batch must be at least 1 and grace_s at least 0, "
                f"got {self.max_batch} and {self.grace_s}"
            )
        if self.max_waiting_images < self.limits.max_batch_items:
            raise ValueError(
                f"max_waiting_images must hold a batch of {self.limits.max_batch_items} items, "
                f"got {self.max_waiting_images}"
            )


def _check_address(name: str, address: str) -> None:
    if not re.fullmatch(r"unix:.+|\[[0-9a-fA-F:.]+\]:\d{1,5}|[^:\[\]]+:\d{1,5}", address):
        raise ValueError(f"{name} must be HOST:PORT, [IPv6]:PORT or unix:PATH, got {address!r}")
    if not address.startswith("unix:") and int(address.rpartition(":")[2]) > 65535:
        raise ValueError(f"{name} must have a port of at most 65535, got {address!r}")
