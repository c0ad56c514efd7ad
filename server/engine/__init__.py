"""The cloud's heart: collections, items and models, from the database to the index and back.

Nothing here knows gRPC, SQL or FAISS: it works through `server.storage`, `server.index` and
`server.embedding`.
"""

from cipherlens.server.engine.batches import (
    Batch,
    CipherBatch,
    CodeBatch,
    ItemHead,
    NewCollection,
    VectorBatch,
)
from cipherlens.server.engine.description import CollectionDescription
from cipherlens.server.engine.engine import Engine
from cipherlens.server.engine.item_index import Answer, ItemIndex
from cipherlens.server.engine.loading import LoadProgress
from cipherlens.server.engine.searching import Question
from cipherlens.server.engine.tag_postings import TagFilter

__all__ = [
    "Answer",
    "Batch",
    "CipherBatch",
    "CodeBatch",
    "CollectionDescription",
    "Engine",
    "ItemHead",
    "ItemIndex",
    "LoadProgress",
    "NewCollection",
    "Question",
    "TagFilter",
    "VectorBatch",
]
