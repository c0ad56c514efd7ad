"""A commit that was cut off: whatever became of it, what is served is what the database has."""

import pytest

from cipherlens.server.errors import AlreadyExists, NotFound, OutcomeUnknown, StorageUnavailable
from cipherlens.server.locks import ANY_CALL
from tests.server.engine.conftest import Codes


@pytest.fixture
def codes(tmp_path, postgres, line):
    address = line.url(postgres.new_database(), postgres.folder)
    codes = Codes(tmp_path / "data", address)
    codes.create()
    codes.index(["first"])
    yield codes
    codes.engine.close()


@pytest.fixture(params=["before", "after"])
def how(request):
    """Whether the server has the commit that is cut off."""
    return request.param


def names(codes):
    return [each.collection.name for each in codes.engine.collections.describe_all()]


def check_same_after_restart(codes):
    served = counted(codes)
    codes.restart()
    assert counted(codes) == served


def counted(codes):
    found = codes.engine.collections.describe_all()
    return [(each.collection, each.item_count) for each in found]


def test_items_are_searchable_if_they_are_there_and_come_again(codes, how, line):
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.index(["a", "b"])
    again = codes.index(["a", "b"])
    assert (again.unchanged_count, again.sequence) == (2 if how == "after" else 0, 3)
    assert codes.found("a") == ["a"]
    assert codes.index(["c"]).sequence == 4
    assert [codes.found(each) for each in ("first", "b", "c")] == [["first"], ["b"], ["c"]]
    assert line.cuts == 1
    check_same_after_restart(codes)


def test_without_another_write_searches_see_them_too(codes, how, line, settled):
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.index(["a"])
    settled(lambda: not codes.live().is_behind)
    assert codes.found("a") == (["a"] if how == "after" else ["first"])


def test_deletions_are_in_force_if_they_are_there(codes, how, line, settled):
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.engine.items.delete("c", ["first"], 1, ANY_CALL)
    settled(lambda: not codes.live().is_behind)
    assert codes.found("first") == ([] if how == "after" else ["first"])
    check_same_after_restart(codes)


def test_a_collection_is_served_if_it_was_made(codes, how, line, settled):
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.create("new")
    settled(lambda: names(codes) == (["c", "new"] if how == "after" else ["c"]))
    if how == "after":
        with pytest.raises(AlreadyExists):
            codes.create("new")
    else:
        codes.create("new")
    codes.index(["x"], "new")
    assert codes.found("x", "new") == ["x"]
    check_same_after_restart(codes)


def test_a_collection_is_gone_if_it_was_dropped(codes, how, line, settled):
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.engine.collections.drop("c")
    settled(lambda: not codes.live_is_behind())
    assert names(codes) == ([] if how == "after" else ["c"])
    if how == "after":
        with pytest.raises(NotFound):
            codes.index(["x"])
        codes.create()
        assert codes.index(["y"]).sequence == 1
    else:
        assert codes.index(["x"]).sequence == 2
    check_same_after_restart(codes)


def test_a_collection_has_taken_anothers_place_or_not(codes, how, line, settled):
    codes.create("next")
    codes.index(["second"], "next")
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        codes.engine.collections.replace("c", "next", 1, ANY_CALL)
    settled(lambda: names(codes) == (["c"] if how == "after" else ["c", "next"]))
    settled(lambda: not codes.live_is_behind())
    assert codes.found("second", "c") == (["second"] if how == "after" else ["first"])
    check_same_after_restart(codes)


def test_others_that_shared_the_commit_are_told_the_same(codes, line):
    for name in "de":
        codes.create(name)
    line.cut = "after"
    with pytest.raises(OutcomeUnknown):
        codes.index(["x"], "d")
    assert codes.index(["x"], "d").unchanged_count == 1
    assert codes.index(["x"], "e").sequence == 1


def test_as_long_as_the_database_is_away_it_is_asked_again(codes, line, settled):
    line.cut = "after"
    line.go_down()
    with pytest.raises(OutcomeUnknown):
        codes.create("new")
    with pytest.raises(StorageUnavailable):
        codes.index(["a"])
    assert codes.found("first") == ["first"]  # what is in memory is served
    line.come_up()
    settled(lambda: names(codes) == ["c", "new"], 60)
    assert codes.index(["a"]).sequence == 2
