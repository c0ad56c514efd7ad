"""Names of items: what the server is given in their place, and what opens."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import ItemNames, OpenError, is_keyed_id, longest_name_bytes
from tests.crypto import reference

KEY = bytes(range(32))
NAMES = ItemNames(KEY)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=300)


@given(names)
def test_a_name_opens_beside_its_own_id(name):
    assert NAMES.opened(NAMES.id_of(name), NAMES.sealed(name)) == unicodedata.normalize("NFC", name)
    assert is_keyed_id(NAMES.id_of(name))


@given(names, names)
def test_a_name_opens_beside_no_other_id(one, other):
    if NAMES.id_of(one) != NAMES.id_of(other):
        with pytest.raises(OpenError):
            NAMES.opened(NAMES.id_of(one), NAMES.sealed(other))


def test_the_forms_of_unicode_are_one_name():
    assert NAMES.id_of("u\u0308.png") == NAMES.id_of("\u00fc.png")


def test_what_was_altered_or_is_of_another_key_does_not_open():
    item_id, sealed = NAMES.id_of("a.png"), NAMES.sealed("a.png")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(OpenError):
            NAMES.opened(item_id, bytes(altered))
    for length in range(len(sealed)):
        with pytest.raises(OpenError):
            NAMES.opened(item_id, sealed[:length])
    other = ItemNames(bytes(32))
    assert other.id_of("a.png") != item_id
    with pytest.raises(OpenError):
        other.opened(item_id, sealed)


def test_lengths_show_in_steps_only():
    assert {len(NAMES.sealed("a" * size)) for size in range(1, 32)} == {48}
    for sealed_bytes in range(16, 200):
        longest = longest_name_bytes(sealed_bytes)
        assert len(NAMES.sealed("a" * longest)) <= sealed_bytes or longest == 0
        assert len(NAMES.sealed("a" * (longest + 1))) > sealed_bytes


def test_a_key_of_another_length_is_refused():
    with pytest.raises(ValueError, match="seal_key must be 32 bytes, got 31"):
        ItemNames(bytes(31))


@pytest.mark.parametrize("text", ["", "a" * 31, "a" * 33, "A" * 32, "1" * 32, "a" * 31 + "\n"])
def test_what_is_no_keyed_id(text):
    assert not is_keyed_id(text)


def test_the_committed_vectors():
    committed = json.loads((reference.VECTORS / "item_names.json").read_text())
    assert committed == reference.item_names()
    made = ItemNames(bytes.fromhex(committed["seal_key"]))
    for each in committed["names"]:
        assert made.id_of(each["name"]) == each["item_id"]
        assert made.sealed(each["name"]).hex() == each["sealed"]
        assert made.opened(each["item_id"], bytes.fromhex(each["sealed"])) == each["name"]
    for each in committed["must_fail"]:
        with pytest.raises(OpenError):
            made.opened(each["item_id"], bytes.fromhex(each["sealed"]))
