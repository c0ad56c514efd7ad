"""How much is accepted, and for how long anybody is waited for."""

from typing import Annotated

from pydantic.dataclasses import dataclass

from cipherlens.server.config.kinds import MIB, TABLE, Doc, Limit, Wait


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class Limits:
    """The largest values accepted; GetServerInfo tells those that callers keep to. At least 1."""

    max_message_bytes: Annotated[
        Limit, Doc("Bytes of one message; bounds the memory of a call.")
    ] = 32 * MIB
    max_sealed_bytes: Annotated[
        Limit, Doc("Bytes of one sealed original; it must fit a message.")
    ] = 16 * MIB
    max_batch_items: Annotated[
        Limit, Doc("Items of one Index, Delete or Fetch; bounds a transaction.")
    ] = 1024
    max_queries: Annotated[Limit, Doc("Queries of one search.")] = 1024
    max_k: Annotated[
        Limit,
        Doc(
            "Hits for each query. 5000 is the full ranking of a collection on which a network is "
            "judged; with the longest ids it takes 3 MB of an answer."
        ),
    ] = 5000
    max_hits: Annotated[
        Limit, Doc("Queries times k of one search; ranking a million takes some .7 s.")
    ] = 512 * 1024
    max_image_pixels: Annotated[
        Limit, Doc("Pixels of one cipher-image; bounds a forward pass.")
    ] = 4 * MIB
    max_name_bytes: Annotated[Limit, Doc("Bytes of a collection's name.")] = 64
    max_item_id_bytes: Annotated[Limit, Doc("Bytes of an item's id.")] = 512
    max_owner_tag_bytes: Annotated[Limit, Doc("Bytes of an owner tag.")] = 1024
    max_tag_tokens: Annotated[
        Limit, Doc("Tag tokens of an item, and of each list of a filter.")
    ] = 64
    max_sealed_tags_bytes: Annotated[Limit, Doc("Bytes of an item's sealed tags.")] = 12 * 1024
    max_dimension: Annotated[Limit, Doc("Numbers of a vector.")] = 8192
    max_model_bytes: Annotated[Limit, Doc("Bytes of a pushed model; bounds disk and memory.")] = (
        1024 * MIB
    )
    max_page_size: Annotated[Limit, Doc("Items of one page of ListItems.")] = 1000
    max_concurrent_calls: Annotated[
        Limit, Doc("Calls under way; one too many is refused at once. Also bounds threads.")
    ] = 64
    max_waiting_calls: Annotated[
        Limit,
        Doc(
            "Calls that may wait for a thread, on each listener; the rest is refused at once. "
            "Bounds the memory of bursts."
        ),
    ] = 2048
    max_full_messages: Annotated[
        Limit,
        Doc(
            "Messages of full size, by their bytes, that may be under way on each listener: two "
            "for each core of a small machine. Bounds the memory of all calls together."
        ),
    ] = 8
    max_health_watchers: Annotated[
        Limit, Doc("Callers who watch health; each costs a call and no thread.")
    ] = 64

    def __post_init__(self) -> None:
        if self.max_hits < self.max_k:
            raise ValueError(
                f"limits.max_hits must be at least max_k, {self.max_k}, got {self.max_hits}"
            )
        if self.max_sealed_bytes > self.max_message_bytes:
            raise ValueError(
                "limits.max_sealed_bytes must fit into a message of "
                f"{self.max_message_bytes} bytes, got {self.max_sealed_bytes}"
            )


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class Timeouts:
    """How long callers and connections may keep the server waiting, in seconds; all above 0."""

    receive_s: Annotated[
        Wait,
        Doc(
            "For a message to come whole, which 32 MiB do at 9 Mbit/s; later its call is ended. "
            "Keeps silent callers from holding threads."
        ),
    ] = 30.0
    send_s: Annotated[Wait, Doc("For which a caller may leave a part of a stream unread.")] = 60.0
    keepalive_s: Annotated[
        Wait, Doc("After which a silent connection is asked whether it lives.")
    ] = 60.0
    keepalive_answer_s: Annotated[
        Wait, Doc("For its answer to that; without one it is closed.")
    ] = 20.0
    idle_s: Annotated[Wait, Doc("After which grpcio closes a connection without calls.")] = 300.0
    connection_age_s: Annotated[
        Wait, Doc("After which grpcio renews a connection: clients connect again.")
    ] = 3600.0
    connection_age_grace_s: Annotated[Wait, Doc("For calls on a connection that is renewed.")] = (
        300.0
    )
