"""Which positions carry which token: by sets, copied, put to rest and numbered anew."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.engine.tag_postings import TagFilter, TagPostings

NAMES = [bytes([number]) * 16 for number in range(6)]
some = st.sets(st.sampled_from(NAMES), max_size=3).map(sorted).map(tuple)
items = st.lists(st.sets(st.sampled_from(NAMES), max_size=4), max_size=40)
filters = st.builds(TagFilter, any_of=some, all_of=some, none_of=some)


def postings_of(tagged, parts=1):
    postings, first = TagPostings(), 0
    for part in np.array_split(np.arange(len(tagged)), parts):
        postings.append(first, [b"".join(sorted(tagged[each])) for each in part])
        first += len(part)
    return postings


def kept_by(tagged, kept):
    """Return which items sets of tokens keep."""
    return [
        (not kept.any_of or bool(each & set(kept.any_of)))
        and each >= set(kept.all_of)
        and not each & set(kept.none_of)
        for each in tagged
    ]


@given(items, filters, st.integers(1, 4), st.integers(0, 40))
def test_a_filter_keeps_what_sets_would(tagged, kept, parts, count):
    rows = postings_of(tagged, parts).among(kept)
    count = min(count, len(tagged))
    expected = kept_by(tagged, kept)[:count]
    assert rows.mask(count).tolist() == expected
    assert rows.most(count) >= sum(expected)


@given(items, filters)
def test_what_is_restored_keeps_the_same(tagged, kept):
    postings = postings_of(tagged)
    back = TagPostings.restored(postings.copy().arrays(), len(tagged))
    assert back.among(kept).mask(len(tagged)).tolist() == kept_by(tagged, kept)
    back.append(len(tagged), [NAMES[0]])
    mask = back.among(TagFilter(all_of=(NAMES[0],))).mask(len(tagged) + 1)
    assert mask[-1]


@given(items, filters, st.integers(0, 2**40))
def test_what_is_numbered_anew_keeps_the_same(tagged, kept, seed):
    chosen = np.flatnonzero(np.random.default_rng(seed).integers(0, 2, len(tagged)))
    fewer = postings_of(tagged).copy().only(chosen)
    left = [tagged[each] for each in chosen]
    assert fewer.among(kept).mask(len(left)).tolist() == kept_by(left, kept)


def test_a_copy_stays_as_it_was():
    postings = postings_of([{NAMES[0]}])
    copied = postings.copy()
    postings.append(1, [NAMES[0] + NAMES[1]])
    assert copied.arrays()["positions"].tolist() == [0]
    assert copied.arrays()["tokens"].tobytes() == NAMES[0]


def test_filters_are_compared_by_their_tokens():
    postings = TagPostings()
    one, same = (postings.among(TagFilter(any_of=(NAMES[0],))) for _ in range(2))
    other = postings.among(TagFilter(all_of=(NAMES[0],)))
    assert (one == same, one == other) == (True, False)
    assert len({one, same, other}) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", np.zeros(15, np.uint8)),
        ("tokens", np.zeros(16, np.uint16)),
        ("ends", np.array([3], "<i8")),
        ("ends", np.array([2, 1], "<i8")),
        ("positions", np.array([0, 2], "<u4")),
        ("positions", np.array([1, 0], "<u4")),
        ("positions", np.array([0, 1], "<i4")),
    ],
)
def test_arrays_that_no_postings_made_are_refused(name, value):
    arrays = postings_of([{NAMES[0]}, {NAMES[0]}]).copy().arrays()
    TagPostings.restored(arrays, 2)
    with pytest.raises(ValueError, match="postings"):
        TagPostings.restored({**arrays, name: value}, 2)
    with pytest.raises(LookupError):
        TagPostings.restored({each: arrays[each] for each in arrays if each != name}, 2)
