"""Collections ranked for queries, and counted."""

from dataclasses import dataclass

from cipherlens.server.call import Call
from cipherlens.server.config import Limits
from cipherlens.server.engine.batches import Batch, CodeBatch, VectorBatch
from cipherlens.server.engine.checks import check_batch, check_served
from cipherlens.server.engine.collections import Collections
from cipherlens.server.engine.item_index import Answer
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.models import CollectionModels
from cipherlens.server.engine.role import Role
from cipherlens.server.engine.tag_postings import TagFilter
from cipherlens.server.engine.waiters import Waiters
from cipherlens.server.index import SearchParameters
from cipherlens.server.locks import ANY_CALL
from cipherlens.server.observing import Stage, timed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that searches ask but for their queries.

    model_digest, mask_id, collection_uuid: what must serve, empty where anything may.
    seen_sequence: a change that is looked for in the database, if another process writes to it.
    kept: what of the collection is ranked, None for all of it.
    """

    collection: str
    k: int
    parameters: SearchParameters
    model_digest: bytes = b""
    mask_id: str = ""
    collection_uuid: str = ""
    seen_sequence: int = 0
    kept: TagFilter | None = None


class Searches:
    """Searches of the collections; any may be asked from any thread."""

    def __init__(
        self, collections: Collections, models: CollectionModels, role: Role, limits: Limits
    ) -> None:
        self._collections = collections
        self._models = models
        self._role = role
        # As much as calls under way can change; who waits for more has it from elsewhere.
        self._reach = limits.max_concurrent_calls * limits.max_batch_items
        # A third of the places that reading calls have: other searches go on.
        self._waiters = Waiters(max(1, limits.max_concurrent_calls // 4))

    def search(
        self, asked: Question, queries: Batch, *, min_sequence: int = 0, call: Call = ANY_CALL
    ) -> Answer:
        """Rank the collection, or what a filter keeps of it, for each query.

        min_sequence: a change that is waited for.

        Raises NotFound, CollectionReplaced, ProfileRefused, ModelRefused, MaskRefused,
        InvalidField, OutOfReach, DeadlineExpired and what the queue raises.
        """
        live = self._found(
            asked.collection, asked.collection_uuid, asked.seen_sequence, min_sequence, call
        )
        serving, rows = self._models.represent(
            live, queries, asked.model_digest, asked.mask_id, call, urgent=True
        )
        with timed(Stage.SEARCH):
            return live.search(serving, rows, asked.k, asked.parameters, call, asked.kept)

    def search_quick(
        self, asked: Question, queries: VectorBatch | CodeBatch, *, at_most_bytes: int
    ) -> Answer | None:
        """Rank the collection for each query; None if that takes time.

        It does where it reads more of the index than so much, or would have to wait for a change
        that is being made, or look for one in the database. Raises NotFound, CollectionReplaced,
        ModelRefused, MaskRefused, InvalidField.
        """
        live = self._collections.served(asked.collection, asked.collection_uuid)
        check_batch(live.collection, queries)
        if not self._role.leads and not live.sees(asked.seen_sequence):
            return None
        serving = check_served(live, asked.model_digest, asked.mask_id)
        if serving.reads_bytes(asked.parameters, asked.kept) * len(queries) > at_most_bytes:
            return None
        with timed(Stage.SEARCH):
            answer, is_clean = serving.search(queries.rows, asked.k, asked.parameters, asked.kept)
        return answer if is_clean else None

    def count(
        self,
        name: str,
        kept: TagFilter | None = None,
        *,
        min_sequence: int = 0,
        seen_sequence: int = 0,
        collection_uuid: str = "",
        call: Call = ANY_CALL,
    ) -> tuple[int, int]:
        """Return how many items a filter keeps, all without one, and the last change seen.

        Raises NotFound, CollectionReplaced, OutOfReach, DeadlineExpired, StorageUnavailable.
        """
        live = self._found(name, collection_uuid, seen_sequence, min_sequence, call)
        serving = live.serving
        live.check_there()
        return (0, 0) if serving is None else live.count(serving, kept, call)

    def _found(
        self, name: str, uuid: str, seen_sequence: int, min_sequence: int, call: Call
    ) -> LiveCollection:
        """Return a collection once searches see a change, and one more if it is there.

        Raises NotFound, CollectionReplaced, OutOfReach, DeadlineExpired, QueueFull.
        """
        live = self._collections.find(name, uuid)
        self._role.look_for(live, seen_sequence)
        if min_sequence and not live.sees(min_sequence):
            self._role.look_for(live, min_sequence)
            live.check_within(min_sequence, self._reach)
            with self._waiters:
                live.wait_for(min_sequence, call)
        return live
