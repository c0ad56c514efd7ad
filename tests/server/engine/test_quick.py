"""Searches on the thread that all calls come in on: they wait for nothing."""

import threading

import pytest

from cipherlens.server.engine import CodeBatch, Question
from cipherlens.server.index import SearchParameters
from tests.server.engine.conftest import BITS, code

MUCH = 1 << 30


@pytest.fixture
def quick(codes):
    codes.index(["a", "b", "c"])

    def search(item_id="a", k=3, at_most_bytes=MUCH):
        queries = CodeBatch(code(item_id)[None], BITS)
        asked = Question(collection="c", k=k, parameters=SearchParameters())
        answer = codes.engine.searches.search_quick(asked, queries, at_most_bytes=at_most_bytes)
        return None if answer is None else answer.item_ids()[0]

    return search


def test_a_scan_that_reads_too_much_is_left(codes, quick):
    assert quick()[0] == "a"
    read = codes.live().serving.vectors.reads_bytes()
    assert quick(at_most_bytes=read)[0] == "a"
    assert quick(at_most_bytes=read - 1) is None


def test_it_does_not_wait_for_writers(codes, quick):
    with codes.live().writing:
        assert quick()[0] == "a"


def test_an_item_that_is_being_replaced_is_left(codes, quick):
    live = codes.live()
    serving, mask = live.serving, live.serving.vectors.mask
    found, waiting, go_on = [], threading.Event(), threading.Event()

    def slow_mask(positions):
        waiting.set()
        assert go_on.wait(20)
        mask(positions)

    serving.vectors.mask = slow_mask
    writer = threading.Thread(target=codes.index, args=(["a"],), kwargs={"revision": 2})
    writer.start()
    assert waiting.wait(20)  # "a" is there as it was and as it is, and the lock is held
    found.append(quick(k=4))
    go_on.set()
    writer.join(20)
    assert found == [None]
    assert sorted(quick(k=4)) == ["a", "b", "c"]
