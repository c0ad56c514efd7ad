import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.engine import item_names
from cipherlens.server.engine.item_names import ItemNames

IDS = st.sampled_from(["a", "b", "ä", "\U0001f600", "aa", "\udcff", "x" * 300])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "remove", "restore"]), IDS), max_size=40)


def restored(names):
    return ItemNames.restored(names.copy().arrays())


@pytest.fixture(params=[None, lambda name: 7], ids=["hashes", "all hashes equal"])
def hashing(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(item_names, "xxh3_64_intdigest", request.param)


def check_walk(steps):
    names, ids, where = ItemNames(), [], {}
    for number, (what, item_id) in enumerate(steps):
        if what == "restore":
            names = restored(names)
            continue
        gone = where.pop(item_id, None)
        assert names.remove([item_id]) == ([] if gone is None else [gone])
        if what == "put":
            where[item_id] = len(ids)
            ids.append(item_id)
            names.append([item_id], [number])
    assert [names.item_id(position) for position in range(len(names))] == ids
    known = sorted({*ids, "never"}, key=repr)
    assert names.positions(known) == [where.get(each, -1) for each in known]
    assert restored(names).positions(known) == names.positions(known)


@given(STEPS)
def test_a_walk_with_restarts_is_as_a_dictionary_would_have_it(steps):
    check_walk(steps)


def test_items_of_equal_hashes_are_told_apart(hashing):
    names = ItemNames()
    names.append([f"item {n}" for n in range(50)], range(50))
    assert names.remove(["item 7", "item 9"]) == [7, 9]
    again = restored(names)
    again.append(["item 7"], [70])
    assert again.positions(["item 3", "item 7", "item 9", "item 49"]) == [3, 50, -1, 49]
    assert again.remove(["item 3", "nothing"]) == [3]
    assert again.positions(["item 3"]) == [-1]
    assert (again.item_id(9), again.revisions[9], again.revisions[50]) == ("item 9", 9, 70)


def test_a_copy_does_not_follow():
    names = ItemNames()
    names.append(["a"], [1])
    copy = names.copy()
    names.remove(["a"])
    names.append(["b"], [2])
    assert ItemNames.restored(copy.arrays()).positions(["a", "b"]) == [0, -1]


def test_none_at_all():
    assert len(restored(ItemNames())) == 0
    assert restored(ItemNames()).positions(["a"]) == [-1]


def test_arrays_are_as_small_as_they_are_said_to_be():
    names = ItemNames()
    names.append([f"{n:08}" for n in range(1000)], range(1000))
    arrays = names.copy().arrays()
    sizes = {name: each.nbytes / 1000 for name, each in arrays.items()}
    assert sizes == {"text": 8, "ends": 8.008, "revisions": 8, "hashes": 8, "order": 4}
    assert np.all(np.diff(arrays["hashes"].astype(object)) >= 0)


def test_names_of_some_positions_are_numbered_anew():
    names = ItemNames()
    names.append(["a", "bb", "", "dddd"], [1, 2, 3, 4])
    names.remove(["bb", "a"])
    names.append(["a"], [5])
    some = names.copy().only(np.array([2, 3, 4]))
    assert [some.item_id(each) for each in range(3)] == ["", "dddd", "a"]
    assert list(some.revisions) == [3, 4, 5]
    assert some.positions(["", "dddd", "a", "bb"]) == [0, 1, 2, -1]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ends", lambda each: each[:-1]),
        ("ends", lambda each: each + 1),
        ("ends", lambda each: each[::-1]),
        ("ends", lambda each: each.astype("<i4")),
        ("order", lambda each: each + 7),
        ("hashes", lambda each: each[:1]),
        ("revisions", lambda each: each.reshape(1, -1)),
    ],
)
def test_arrays_that_no_names_have_are_refused(name, wrong):
    names = ItemNames()
    names.append(["a", "bb"], [1, 2])
    arrays = names.copy().arrays()
    with pytest.raises(ValueError, match="names"):
        ItemNames.restored({**arrays, name: wrong(arrays[name])})
    with pytest.raises((LookupError, ValueError)):
        ItemNames.restored({key: each for key, each in arrays.items() if key != name})
