"""What is read at a time is bounded by bytes, whatever was asked for."""

import pytest

from cipherlens.server.engine import ItemHead, fetching
from cipherlens.server.engine.fetching import Fetcher
from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage.reading import ItemReader


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request):
    return request.param


# Sizes of sealed originals: as many as fit together, one that is too large, and small ones.
SIZES = {"a": 400, "b": 600, "c": 1, "d": 5000, "e": 10, "f": 10, "g": 0}


@pytest.fixture
def read(codes, monkeypatch):
    """The groups of ids that were read, where a thousand bytes may be read at a time."""
    heads = [ItemHead(each, 1, b"", b"s" * size) for each, size in SIZES.items()]
    codes.index(list(SIZES), heads=heads)
    groups, reading = [], Fetcher._read
    monkeypatch.setattr(fetching, "_READ_BYTES", 1000)

    def noted(self, live, ids):
        groups.append("".join(ids))
        return reading(self, live, ids)

    monkeypatch.setattr(Fetcher, "_read", noted)
    return groups


def fetched(codes, ids):
    return {each: item and len(item.sealed) for _, each, item in codes.engine.items.fetch("c", ids)}


def test_no_more_is_read_at_a_time_than_was_meant_to_be(codes, read):
    assert list(fetched(codes, list(SIZES)).items()) == list(SIZES.items())
    assert read == ["ab", "c", "d", "efg"]


def test_ids_that_are_not_there_have_their_place(codes, read):
    assert fetched(codes, ["x", "b", "y"]) == {"x": None, "b": 600, "y": None}
    assert read == ["xby"]


def test_many_ids_are_looked_for_in_parts(codes, read, monkeypatch):
    monkeypatch.setattr("cipherlens.server.engine.items.MOST_ITEMS", 2)
    assert fetched(codes, ["e", "f", "g"]) == {"e": 10, "f": 10, "g": 0}
    assert read == ["ef", "g"]


def test_where_sizes_cannot_be_read_each_item_is_read_alone(codes, read, monkeypatch):
    def fail(*_):
        raise DataDamaged("a page")

    monkeypatch.setattr(ItemReader, "sizes", fail)
    assert fetched(codes, ["e", "f"]) == {"e": 10, "f": 10}
    assert read == ["e", "f"]
