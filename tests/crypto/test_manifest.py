"""Manifests: the owner's word, and every way to bend it."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import (
    FormatError,
    ListedItem,
    ListedTags,
    Manifest,
    ManifestError,
    StaleItem,
)
from cipherlens.crypto.signing import Signed

COLLECTION = uuid.UUID(int=5)
TOKENS = (bytes(16), b"\1" * 16)
TAGS = ListedTags.of(TOKENS, b"sealed")
ITEMS = {
    "a": ListedItem(1, bytes(32), False, ListedTags()),
    "b": ListedItem(7, b"\1" * 32, True, TAGS),
}
MANIFEST = Manifest(collection_uuid=COLLECTION, counter=9, items=ITEMS)


def test_manifest_agrees_with_its_vector(vectors, reference, make_entry):
    case = vectors("manifest.json")
    assert reference.manifest_case() == case
    signed = bytes.fromhex(case["signed"])
    entry = make_entry()
    assert entry.verify_key.hex() == case["verify_key"]
    manifest = Manifest.verify(signed, entry.verify_key)
    assert manifest.sign(entry) == signed
    assert manifest.collection_uuid == uuid.UUID(case["collection_uuid"])
    assert manifest.counter == case["counter"]
    expected = {k: expected_item(*each) for k, each in case["items"].items()}
    assert dict(manifest.items) == expected


def expected_item(revision, digest, sealed, tags):
    if tags is not None:
        tokens, sealed_tags = tags
        tags = ListedTags.of(map(bytes.fromhex, tokens), bytes.fromhex(sealed_tags))
    return ListedItem(revision, bytes.fromhex(digest), sealed, tags)


def test_the_format_before_is_read_and_knows_no_tags(vectors, make_entry):
    case, entry = vectors("manifest.json"), make_entry()
    before = Manifest.verify(bytes.fromhex(case["signed_in_format_2"]), entry.verify_key)
    now = Manifest.verify(bytes.fromhex(case["signed"]), entry.verify_key)
    assert before.counter == now.counter
    assert dict(before.items) == {k: v._replace(tags=None) for k, v in now.items.items()}
    assert Manifest.verify(before.sign(entry), entry.verify_key) == before
    before.check_tags("b", 2, b"whatever")


@given(
    items=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
        st.builds(
            ListedItem,
            st.integers(0, 2**64 - 1),
            st.binary(min_size=32, max_size=32),
            st.booleans(),
            st.none()
            | st.builds(
                lambda tokens, sealed: ListedTags.of(tokens, sealed if tokens else b""),
                st.lists(st.binary(min_size=16, max_size=16), max_size=64),
                st.binary(min_size=1),
            ),
        ),
        max_size=8,
    ),
    counter=st.integers(0, 2**64 - 1),
    collection=st.uuids(),
)
def test_round_trip(make_entry, items, counter, collection):
    entry = make_entry()
    manifest = Manifest(collection_uuid=collection, counter=counter, items=items)
    again = Manifest.verify(manifest.sign(entry), entry.verify_key)
    assert again == manifest
    assert dict(again.items) == items


@given(position=st.integers(0), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(make_entry, position, change):
    entry = make_entry()
    signed = bytearray(MANIFEST.sign(entry))
    signed[position % len(signed)] ^= change
    with pytest.raises(ManifestError):
        Manifest.verify(bytes(signed), entry.verify_key)


def test_no_truncation_is_accepted(make_entry):
    entry = make_entry()
    signed = MANIFEST.sign(entry)
    for length in range(len(signed)):
        with pytest.raises(ManifestError):
            Manifest.verify(signed[:length], entry.verify_key)


def test_another_owner_is_refused(make_entry):
    with pytest.raises(ManifestError):
        Manifest.verify(MANIFEST.sign(make_entry()), make_entry(signing_seed=bytes(32)).verify_key)


@pytest.mark.parametrize(
    "bend",
    [
        lambda body: b"XXXX" + body[4:],
        lambda body: body[:4] + b"\1" + body[5:],
        lambda body: body[:29] + b"\3" + body[30:],
        lambda body: body[:29] + b"\1" + body[30:],
        lambda body: body + b"\0",
        lambda body: body[:33] + body[33 + 45 :] + body[33 : 33 + 45],
        lambda body: body[:-64] + body[-48:-32] + body[-64:-48] + body[-32:],
        lambda body: body[:-65] + b"\101" + body[-64:-32] + bytes(63 * 16) + body[-32:],
        lambda body: body[:-65],
        lambda body: body[:35] + b"\xff" + body[36:],
        lambda body: b"",
    ],
    ids=[
        "magic",
        "version",
        "count+",
        "count-",
        "trailing",
        "order",
        "order of tokens",
        "65 tags",
        "no count of tags",
        "utf-8",
        "empty",
    ],
)
def test_signed_nonsense_is_a_format_error(make_entry, bend):
    entry = make_entry()
    body = bend(MANIFEST.sign(entry)[:-64])
    with pytest.raises(FormatError, match="not a manifest that this version reads"):
        Manifest.verify(body + entry.sign(Signed.MANIFEST, body), entry.verify_key)


def test_a_signature_of_another_purpose_is_none(make_entry):
    entry = make_entry()
    body = MANIFEST.sign(entry)[:-64]
    for what in set(Signed) - {Signed.MANIFEST}:
        with pytest.raises(ManifestError):
            Manifest.verify(body + entry.sign(what, body), entry.verify_key)


def test_an_older_manifest_is_refused(make_entry):
    entry = make_entry()
    signed = MANIFEST.sign(entry)
    assert Manifest.verify(signed, entry.verify_key, minimum_counter=9) == MANIFEST
    with pytest.raises(StaleItem, match="counter 9, 10 was seen before"):
        Manifest.verify(signed, entry.verify_key, minimum_counter=10)


def test_items_as_signed_or_newer_pass():
    MANIFEST.check("b", 7, b"\1" * 32, sealed=True, sealed_tags=b"sealed")
    MANIFEST.check("b", 7, b"\1" * 32, sealed=None, sealed_tags=b"sealed")
    MANIFEST.check("b", 8, b"\2" * 32, sealed=True, sealed_tags=b"others")
    MANIFEST.check("a", 1, bytes(32), sealed=False, sealed_tags=b"")
    MANIFEST.check("a", 1, bytes(32), sealed=True, sealed_tags=b"")


@pytest.mark.parametrize(
    ("item_id", "revision", "digest", "sealed", "message"),
    [
        ("c", 1, bytes(32), True, "item 'c' is not in manifest 9"),
        ("b", 6, b"\1" * 32, True, "item 'b' has revision 6, manifest 9 has 7"),
        ("b", 7, b"\2" * 32, True, "item 'b' has another digest than revision 7"),
        ("b", 7, b"\1" * 32, False, "item 'b' has no sealed original, manifest 9 says it has"),
        ("b", 8, b"\1" * 32, False, "item 'b' has revision 8 and no seal to vouch for it"),
        ("b", 8, b"\1" * 32, None, "item 'b' has revision 8 and no seal to vouch for it"),
    ],
)
def test_stale_items_are_refused(item_id, revision, digest, sealed, message):
    with pytest.raises(StaleItem, match=message):
        MANIFEST.check(item_id, revision, digest, sealed=sealed, sealed_tags=b"sealed")


@pytest.mark.parametrize(
    ("item_id", "revision", "sealed_tags", "message"),
    [
        ("b", 7, b"", "item 'b' has no tags, not those that revision 7 has in manifest 9"),
        ("b", 7, b"others", "item 'b' has other tags than revision 7 has in manifest 9"),
        ("a", 1, b"some", "item 'a' has other tags than revision 1 has in manifest 9"),
        ("c", 1, b"", "item 'c' is not in manifest 9"),
    ],
)
def test_other_tags_than_those_signed_are_refused(item_id, revision, sealed_tags, message):
    with pytest.raises(StaleItem, match=message):
        MANIFEST.check_tags(item_id, revision, sealed_tags)
    listed = MANIFEST.items.get(item_id)
    if listed is not None:
        with pytest.raises(StaleItem, match=message):
            MANIFEST.check(item_id, revision, listed.digest, sealed=True, sealed_tags=sealed_tags)


def tagged(tokens, sealed_digest):
    return {
        "items": {"x": ListedItem(1, bytes(32), False, ListedTags(tuple(tokens), sealed_digest))}
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counter": -1}, "counter must be 0 to 18446744073709551615, got -1"),
        ({"counter": 2**64}, "counter must be 0 to"),
        (
            {"items": {"": ListedItem(1, bytes(32), False)}},
            "item_id must be 1 to 4096 bytes, got 0",
        ),
        ({"items": {"x": ListedItem(-1, bytes(32), False)}}, "revision must be 0 to"),
        ({"items": {"x": ListedItem(1, bytes(31), False)}}, "digest must be 32 bytes, got 31"),
        (tagged([bytes(16)] * 65, bytes(32)), "an item has at most 64 tags, got 65"),
        (tagged([bytes(15)], bytes(32)), "a tag's token must be 16 bytes"),
        (tagged([b"b" * 16, b"a" * 16], bytes(32)), "tokens of tags must rise"),
        (tagged([bytes(16)] * 2, bytes(32)), "tokens of tags must rise"),
        (tagged([bytes(16)], b""), "the digest of sealed tags must be 32 bytes, got 0"),
        (tagged([], bytes(32)), "the digest of sealed tags must be 0 bytes, got 32"),
    ],
)
def test_fields_out_of_range_are_refused(changes, message):
    fields = {"collection_uuid": COLLECTION, "counter": 1, "items": ITEMS}
    with pytest.raises(ValueError, match=message):
        Manifest(**{**fields, **changes})


def test_items_cannot_change_afterwards():
    items = dict(ITEMS)
    manifest = Manifest(collection_uuid=COLLECTION, counter=1, items=items)
    items["c"] = (1, bytes(32))
    assert dict(manifest.items) == ITEMS
    with pytest.raises(TypeError):
        manifest.items["a"] = (2, bytes(32))
