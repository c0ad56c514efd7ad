"""Tags: what the server is given in their place, and what opens."""

import json
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import MAX_TAG_BYTES, MAX_TAGS, OpenError, SealedTags, TagTokens, checked_tag
from tests.crypto import reference

KEY, OTHER = bytes(range(32)), bytes(32)
TOKENS, SEALED = TagTokens(KEY), SealedTags(KEY)
tags = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


def test_they_agree_with_their_vectors(vectors):
    document = vectors("item_tags.json")
    assert document == json.loads(json.dumps(reference.item_tags_case()))
    tokens = TagTokens(bytes.fromhex(document["tag_key"]))
    sealed = SealedTags(bytes.fromhex(document["seal_key"]))
    for case in document["items"]:
        place = case["item_id"], case["revision"]
        assert [each.hex() for each in tokens.of(case["tags"])] == case["tokens"]
        assert sealed.sealed(case["tags"], *place).hex() == case["sealed"]
        assert sealed.opened(bytes.fromhex(case["sealed"]), *place) == sorted(case["tags"])
    assert len(document["must_fail"]) == 5
    for case in document["must_fail"].values():
        with pytest.raises(OpenError):
            sealed.opened(bytes.fromhex(case["sealed"]), case["item_id"], case["revision"])


def test_the_keys_are_those_of_the_collection(vectors, make_entry):
    document, entry = vectors("item_tags.json"), make_entry()
    collection = uuid.UUID(bytes=reference.COLLECTION)
    assert entry.tag_key(collection).hex() == document["tag_key"]
    assert entry.tag_key(uuid.uuid4()).hex() != document["tag_key"]


@given(st.sets(tags, max_size=8))
def test_what_was_sealed_opens_at_its_place(distinct):
    expected = sorted({unicodedata.normalize("NFC", each) for each in distinct})
    assert SEALED.opened(SEALED.sealed(distinct, "a", 7), "a", 7) == expected
    assert len(TOKENS.of(distinct)) == len(expected)


@given(tags, tags)
def test_a_token_is_of_one_tag_alone(one, other):
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (TOKENS.of([one]) == TOKENS.of([other])) is same


def test_tokens_of_two_keys_have_nothing_in_common():
    assert not set(TOKENS.of(["a", "b"])) & set(TagTokens(OTHER).of(["a", "b"]))


def test_small_and_capital_letters_differ_and_forms_of_unicode_do_not():
    assert TOKENS.of(["a"]) != TOKENS.of(["A"])
    assert TOKENS.of(["u\u0308"]) == TOKENS.of(["\u00fc"])


def test_the_order_and_the_number_of_times_tell_nothing():
    assert TOKENS.of(["b", "a", "b"]) == TOKENS.of(["a", "b"])
    assert SEALED.sealed(["b", "a", "b"], "i", 1) == SEALED.sealed(["a", "b"], "i", 1)


def test_sealed_tags_tell_their_length_in_steps_alone():
    sizes = {len(SEALED.sealed(["x" * length], "i", 1)) for length in range(1, 32)}
    assert sizes == {16 + 32}
    assert SEALED.sealed([], "i", 1) == b""


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("", "without spaces around it, got ''"),
        (" a", "without spaces around it"),
        ("a\n", "without spaces around it"),
        ("a\nb", "no control characters"),
        ("a\u2028b", "no control characters"),
        ("\ud800", "no control characters"),
        ("x" * (MAX_TAG_BYTES + 1), "at most 128 bytes, .* has 129"),
        ("ä" * 65, "at most 128 bytes, .* has 130"),
    ],
)
def test_what_is_no_tag(tag, problem):
    with pytest.raises(ValueError, match=problem):
        checked_tag(tag)


def test_too_many_or_one_text_for_several():
    with pytest.raises(ValueError, match="at most 64 tags, got 65"):
        TOKENS.of(map(str, range(MAX_TAGS + 1)))
    with pytest.raises(TypeError, match="got the text 'holiday'"):
        TOKENS.of("holiday")
