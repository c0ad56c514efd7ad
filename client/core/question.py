"""What a search asks apart from its queries: made once, and asked of one query after the other."""

from dataclasses import dataclass
from functools import partial

from cipherlens.client.core.answers import hits_from
from cipherlens.client.core.batches import MESSAGE_MARGIN_BYTES
from cipherlens.client.core.call import Call
from cipherlens.client.core.catalog import name_of
from cipherlens.client.core.collection import Collection, Limits
from cipherlens.client.core.content import Rows, put_rows
from cipherlens.client.core.item import Hits
from cipherlens.client.core.methods import SEARCH
from cipherlens.client.core.tags import EVERY_ITEM, BlindedFilter, TagFilter, check_blinded
from cipherlens.v1 import retrieval_service_pb2 as messages

_HIT_NUMBERS_BYTES = 32  # the most that a hit takes beside its id: score, revision and lengths
_REMEMBERED = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchOptions:
    """How to search; the defaults suit most.

    Attributes:
        nprobe: inverted lists to probe; None for the collection's measured default.
        exact: compare with every item, whatever index there is.
        min_sequence: wait until searches see this change, at most to the deadline.
        model_digest: SHA-256 of the model that must serve; empty for any.
        mask_id: `Collection.mask_id` of vectors or codes that are under its mask already, as
            trapdoors of the owner's service are. A client with the key leaves it empty.
        tags: which items may be hits; a client makes tokens of them with its key.
        blinded: the same for who has no key and was given tokens.
    """

    nprobe: int | None = None
    exact: bool = False
    min_sequence: int = 0
    model_digest: bytes = b""
    mask_id: str = ""
    tags: TagFilter = EVERY_ITEM
    blinded: BlindedFilter | None = None


DEFAULT_OPTIONS = SearchOptions()


class Question:
    """A search by vectors or codes of one width, without its queries."""

    __slots__ = ("_k", "_request", "_row_bytes")

    def __init__(self, collection: str, k: int, options: SearchOptions, rows: Rows) -> None:
        """Take what is asked, and rows of the kind and width that will be asked by.

        Raises:
            ValueError: k is below 1.
        """
        self._k = k
        self._row_bytes: int = rows.shape[1] * rows.itemsize
        self._request = search_request(collection, k, options)
        put_rows(self._request, rows[:0])

    def request(self, data: bytes) -> messages.SearchRequest:
        """Return the request to search by rows, given as their bytes."""
        request = messages.SearchRequest()
        request.CopyFrom(self._request)
        rows = request.codes if request.HasField("codes") else request.vectors
        rows.data = data
        return request

    def call(self, data: bytes, queries: int = 1) -> Call[list[Hits]]:
        """Return the search by so many rows, which finds the hits of each."""
        return SEARCH.call(self.request(data), partial(hits_from, queries=queries, k=self._k))

    def max_queries(self, limits: Limits) -> int:
        """Return how many queries one call takes, so that neither way a message is too large."""
        fitting = (limits.max_message_bytes - MESSAGE_MARGIN_BYTES) // max(1, self._row_bytes)
        return max(1, min(max_answered(self._k, limits), fitting))


class Questions:
    """Remembers what was asked, so that services which ask it again and again ask by a look-up."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: dict[tuple[object, ...], Question] = {}

    def of(
        self, collection: str | Collection, k: int, options: SearchOptions, rows: Rows
    ) -> Question:
        """Return the question that rows are of. Raises ValueError if k is below 1."""
        name = name_of(collection)
        asked = name, k, options, rows.itemsize, rows.shape[1]
        question = self._known.get(asked)
        if question is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            question = self._known[asked] = Question(name, k, options, rows)
        return question


def max_answered(k: int, limits: Limits) -> int:
    """Return for how many queries the hits fit into an answer, and are not too many."""
    longest = limits.max_item_id_bytes + _HIT_NUMBERS_BYTES
    fitting = (limits.max_message_bytes - MESSAGE_MARGIN_BYTES) // (longest * max(1, k))
    return max(1, min(limits.max_queries, limits.max_hits // max(1, k), fitting))


def check_k(k: int) -> None:
    """Raise ValueError unless at least one hit is wanted."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")


def search_request(collection: str, k: int, options: SearchOptions) -> messages.SearchRequest:
    """Return a request that lacks only its queries.

    Raises:
        ValueError: k is below 1, or there are tags that no key has made tokens of.
    """
    check_k(k)
    check_blinded(options.tags)
    request = messages.SearchRequest(
        collection=collection,
        k=k,
        min_sequence=options.min_sequence,
        model_digest=options.model_digest,
        mask_id=options.mask_id,
    )
    request.parameters.exact = options.exact
    if options.nprobe is not None:
        request.parameters.nprobe = options.nprobe
    if options.blinded is not None:
        options.blinded.put(request)
    return request
