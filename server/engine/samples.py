"""What a scrape reads of the engine: sizes, queues, how far each collection is."""

from collections.abc import Iterator

from cipherlens.server.embedding import EmbeddingModels
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.registry import Registry
from cipherlens.server.observing import Sample


def samples(registry: Registry, embedding: EmbeddingModels) -> Iterator[Sample]:
    """Yield the numbers of this moment; no lock is waited for."""
    for lane, waiting in embedding.waiting().items():
        yield Sample(
            "cipherlens_embedding_waiting_images",
            "Images that wait for a model.",
            {"lane": lane},
            waiting,
        )
    live = registry.listed()
    yield Sample("cipherlens_collections", "Collections that are served.", {}, len(live))
    yield Sample(
        "cipherlens_collections_set_aside",
        "Collections that are damaged and not served.",
        {},
        registry.set_aside_count,
    )
    for each in live:
        yield from _of_collection(each)


def _of_collection(live: LiveCollection) -> Iterator[Sample]:
    serving, labels = live.serving, {"collection": live.collection.name}
    if serving is None:  # it has no model yet, or is being dropped
        return
    index = serving.vectors.describe()
    for name, doc, value in (
        ("items", "Items that searches find.", index.live),
        ("index_rows", "Rows of the index, masked ones too.", index.rows),
        ("index_bytes", "Memory of rows and lists.", index.memory_bytes),
        ("index_lists", "Lists of the index, 0 without.", index.nlist),
        ("damaged_items", "Items that were found damaged.", len(serving.damaged)),
        ("sequence", "The last change that searches see.", serving.sequence),
        ("is_behind", "Whether a change is committed and not searchable.", live.is_behind),
        ("is_changing_models", "Whether a new model takes over.", live.shadow is not None),
    ):
        yield Sample(f"cipherlens_collection_{name}", doc, labels, value)
