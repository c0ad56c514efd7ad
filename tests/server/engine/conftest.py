"""An engine over a folder, and shorthands for what tests give it."""

import numpy as np
import pytest

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import CodeBatch, Engine, ItemHead, NewCollection, Question
from cipherlens.server.index import SearchParameters
from cipherlens.server.locks import ANY_CALL

BITS = 24


def code(item_id):
    """Return the code of an item, known from its id alone."""
    return np.frombuffer(item_id.encode().ljust(3, b"_")[:3], np.uint8)


class Codes:
    """An engine with collections of codes."""

    def __init__(self, folder, address=None):
        self.config = ServerConfig(data_dir=folder, database=address, device="cpu")
        self.engine = Engine(self.config)
        self.engine.load()

    def create(self, name="c"):
        self.engine.collections.create(NewCollection(name=name, kind=Kind.CODE, bits=BITS))

    def index(self, ids, name="c", revision=1, rows=None, call=ANY_CALL, heads=None):
        heads = heads or [ItemHead(each, revision, b"", b"") for each in ids]
        rows = np.stack([code(each) for each in ids]) if rows is None else rows
        return self.engine.items.index(name, heads, CodeBatch(rows, BITS), b"", call)

    def delete(self, ids, name="c"):
        last = self.engine.collections.describe(name).sequence
        return self.engine.items.delete(name, ids, last, Call())

    def found(self, item_id, name="c", k=1, min_sequence=0, call=ANY_CALL):
        queries = CodeBatch(code(item_id)[None], BITS)
        asked = Question(collection=name, k=k, parameters=SearchParameters())
        answer = self.engine.searches.search(asked, queries, min_sequence=min_sequence, call=call)
        return answer.item_ids()[0]

    def live(self, name="c"):
        return self.engine._registry.find(name)

    def live_is_behind(self):
        return any(each.is_behind for each in self.engine._registry.listed())

    def restart(self):
        self.engine.close()
        self.engine = Engine(self.config)
        self.engine.load()


@pytest.fixture
def dialect():
    """The database of tests that look at what stands above it; others ask for each."""
    return "sqlite"


@pytest.fixture
def codes(tmp_path, address):
    codes = Codes(tmp_path / "data", address)
    codes.create()
    yield codes
    codes.engine.close()
