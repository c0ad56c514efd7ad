import itertools
from typing import NamedTuple

import pytest

from cipherlens.base import CipherProfile, IndexChoice, Kind
from cipherlens.server.storage import Database, ItemBatch, open_database
from cipherlens.server.storage.records import CipherPixels
from tests.server.storage.memory_dialect import MemoryDialect


class Item(NamedTuple):
    """An item of a batch."""

    item_id: str
    revision: int
    owner_tag: bytes
    sealed: bytes
    cipher: CipherPixels | None
    content: bytes
    representation: bytes


def batch_of(items):
    ids, revisions, tags, sealed, images, contents, data = zip(*items, strict=True)
    return ItemBatch.of(
        ids=ids,
        revisions=revisions,
        owner_tags=tags,
        sealed=sealed,
        images=images,
        contents=contents,
        data=data,
    )


@pytest.fixture
def database(tmp_path, address):
    database = open_database(tmp_path / "data", address)
    yield database
    database.close()


def make(database, name="v", kind=Kind.VECTOR):
    """Make a collection with a generation that serves it."""
    profile = None
    if kind is Kind.CIPHER:
        profile = CipherProfile(
            scheme_version=1,
            preparation_version=1,
            height=8,
            width=8,
            block_size=8,
            substituted_blocks=1,
            scope="image",
            key_fingerprint=b"k" * 16,
        )
    with database.write() as transaction:
        collections = transaction.collections
        made = collections.create(
            name=name,
            kind=kind,
            dimension=2,
            bits=0,
            profile=profile,
            index_choice=IndexChoice.AUTO,
        ).collection
        generation = collections.add_generation(made, model_digest=b"", numeric_mode="", length=2)
        collections.set_generations(made, active=generation.id, shadow=None)
        return made, generation


def item(item_id, revision=1, content=b"12345678", sealed=b"", cipher=False):
    pixels = CipherPixels(height=8, width=8, nonce=b"n" * 16, pixels=content * 24)
    return Item(
        item_id=item_id,
        revision=revision,
        owner_tag=b"tag",
        sealed=sealed,
        cipher=pixels if cipher else None,
        content=b"" if cipher else content,
        representation=content,
    )


@pytest.fixture
def make_collection(database):
    return lambda *args, **kwargs: make(database, *args, **kwargs)


@pytest.fixture(scope="module", params=["sqlite", "postgres", "memory"])
def new_collection(tmp_path_factory, request):
    """Return a database and a function that makes another collection in it."""
    if request.param == "memory":
        database = Database(MemoryDialect())
    else:
        is_there = request.param == "postgres"
        address = request.getfixturevalue("postgres").new_database() if is_there else None
        database = open_database(tmp_path_factory.mktemp("shared"), address)
    numbers = itertools.count()
    yield database, lambda: make(database, f"v{next(numbers)}")
    database.close()


@pytest.fixture(scope="session", name="item")
def item_made():
    return item
