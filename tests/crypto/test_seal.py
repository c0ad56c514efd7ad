"""Sealed originals: vectors that open, and everything that must not."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import (
    CipherParameters,
    KeyEntry,
    OpenError,
    Original,
    SealedContext,
    companion_digest,
    open_released,
    open_sealed,
    release_key,
    seal,
    sealed_head,
    signing,
)
from cipherlens.crypto.signing import Signed

KEY = KeyEntry(
    name="owner",
    root=bytes(range(32)),
    signing_seed=bytes(range(96, 128)),
    parameters=CipherParameters(),
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)
CONTEXT = SealedContext(
    collection_uuid=uuid.UUID(int=1), item_id="item", revision=3, companion_digest=b"\7" * 32
)
ORIGINAL = Original(media_type="image/png", data=b"some bytes of a picture")


def opened(sealed, key=KEY, context=CONTEXT):
    """Return what a reader gets who holds a key's seal key and the owner's public key."""
    return open_sealed(sealed, key.seal_key(context.collection_uuid), key.verify_key, context)


def assert_does_not_open(sealed, key=KEY, context=CONTEXT):
    """Check that opening fails with the one error that tells nothing."""
    with pytest.raises(OpenError) as caught:
        opened(sealed, key, context)
    assert str(caught.value) == "the sealed data does not open"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_aes_256_gcm_agrees_with_its_vectors(vectors):
    cases = vectors("aes_256_gcm.json")["cases"]
    assert {case["valid"] for case in cases} == {True, False}
    for case in cases:
        names = ("key", "iv", "aad", "msg", "ct", "tag")
        key, iv, aad, msg, ct, tag = (bytes.fromhex(case[name]) for name in names)
        sealed = AESGCM(key).encrypt(iv, msg, aad)
        assert sealed[:-16] == ct, case["name"]
        if case["valid"]:
            assert sealed[-16:] == tag, case["name"]
            assert AESGCM(key).decrypt(iv, ct + tag, aad) == msg
        else:
            with pytest.raises(InvalidTag):
                AESGCM(key).decrypt(iv, ct + tag, aad)


def test_sealed_original_agrees_with_its_vector(vectors, reference):
    case = vectors("sealed_original.json")
    assert reference.sealed_case() == case
    assert companion_digest(bytes.fromhex(case["companion"])).hex() == case["companion_digest"]
    context = SealedContext(
        collection_uuid=uuid.UUID(case["collection_uuid"]),
        item_id=case["item_id"],
        revision=case["revision"],
        companion_digest=bytes.fromhex(case["companion_digest"]),
    )
    sealed, seal_key, verify_key = (
        bytes.fromhex(case[name]) for name in ("sealed", "seal_key", "verify_key")
    )
    original = open_sealed(sealed, seal_key, verify_key, context)
    assert original == Original(media_type=case["media_type"], data=bytes.fromhex(case["plain"]))


def test_vectors_that_must_not_open_do_not(vectors):
    case = vectors("sealed_original.json")
    context = SealedContext(
        collection_uuid=uuid.UUID(case["collection_uuid"]),
        item_id=case["item_id"],
        revision=case["revision"],
        companion_digest=bytes.fromhex(case["companion_digest"]),
    )
    assert opened(bytes.fromhex(case["sealed"]), KEY, context).data.hex() == case["plain"]
    assert len(case["must_not_open"]) == 13
    for sealed in case["must_not_open"].values():
        assert_does_not_open(bytes.fromhex(sealed), KEY, context)


@given(
    data=st.binary(max_size=300),
    media_type=st.text(
        st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255
    ),
    root=st.binary(min_size=32, max_size=32),
    signing_seed=st.binary(min_size=32, max_size=32),
    item_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80),
    revision=st.integers(0, 2**64 - 1),
    collection=st.uuids(),
)
def test_round_trip(data, media_type, root, signing_seed, item_id, revision, collection):
    key = replace(KEY, root=root, signing_seed=signing_seed)
    original = Original(media_type=media_type, data=data)
    context = SealedContext(
        collection_uuid=collection,
        item_id=item_id,
        revision=revision,
        companion_digest=companion_digest(data),
    )
    assert opened(seal(original, key, context), key, context) == original


def test_two_seals_of_one_original_share_nothing():
    first, second = (seal(ORIGINAL, KEY, CONTEXT) for _ in range(2))
    assert first[14:46] != second[14:46]
    assert first[55:] != second[55:]


@given(position=st.integers(0), change=st.integers(1, 255))
def test_any_changed_byte_does_not_open(position, change):
    sealed = bytearray(seal(ORIGINAL, KEY, CONTEXT))
    sealed[position % len(sealed)] ^= change
    assert_does_not_open(bytes(sealed))


def test_no_truncation_or_extension_opens():
    sealed = seal(ORIGINAL, KEY, CONTEXT)
    for length in range(len(sealed)):
        assert_does_not_open(sealed[:length])
    assert_does_not_open(sealed + b"\0")


def test_another_key_does_not_open():
    assert_does_not_open(seal(ORIGINAL, KEY, CONTEXT), key=replace(KEY, root=bytes(32)))


def test_who_may_read_cannot_seal_as_the_owner():
    """Even a reader who has the root, and so every key that encrypts, signs with another seed."""
    reader = replace(KEY, signing_seed=bytes(32))
    forged = seal(ORIGINAL, reader, CONTEXT)
    assert opened(forged, reader) == ORIGINAL
    assert_does_not_open(forged)
    assert_does_not_open(forged[:-64] + seal(ORIGINAL, KEY, CONTEXT)[-64:])


def test_a_signature_of_another_purpose_does_not_count(monkeypatch):
    for what in set(Signed) - {Signed.ORIGINAL}:
        monkeypatch.setattr(
            KeyEntry,
            "sign",
            lambda key, _, text, what=what: signing.sign(key.signing_seed, what, text),
        )
        assert_does_not_open(seal(ORIGINAL, KEY, CONTEXT))


def test_a_seal_of_format_1_does_not_open(reference):
    """It carries no signature: whoever could open it could have made it."""
    key = KEY.seal_key(CONTEXT.collection_uuid)
    context = (CONTEXT.collection_uuid.bytes, CONTEXT.item_id, 3, CONTEXT.companion_digest)
    unsigned = reference.unsigned_seal(b"12345", "x/y", key, bytes(32), *context)
    assert_does_not_open(unsigned)
    assert_does_not_open(unsigned[:4] + b"\2" + unsigned[5:])


@pytest.mark.parametrize(
    "change",
    [
        {"collection_uuid": uuid.UUID(int=2)},
        {"item_id": "item2"},
        {"item_id": "ite"},
        {"revision": 2},
        {"revision": 4},
        {"companion_digest": b"\7" * 31 + b"\6"},
    ],
)
def test_another_context_does_not_open(change):
    assert_does_not_open(seal(ORIGINAL, KEY, CONTEXT), context=replace(CONTEXT, **change))


def test_bytes_cannot_move_between_media_type_and_data():
    """A header with another split of the same bytes is another associated data."""
    sealed = bytearray(seal(ORIGINAL, KEY, CONTEXT))
    sealed[5] -= 1
    sealed[6] += 1
    assert_does_not_open(bytes(sealed))


def test_a_header_that_lies_about_the_length_does_not_open(reference):
    """Even if who made it holds the key."""
    context = (CONTEXT.collection_uuid.bytes, CONTEXT.item_id, 3, CONTEXT.companion_digest)
    key = KEY.seal_key(CONTEXT.collection_uuid)
    honest = reference.seal(b"12345", "x/y", key, bytes(32), *context)
    lying = reference.seal(b"12345", "x/y", key, bytes(32), *context, plain_size=4)
    assert opened(honest).data == b"12345"
    assert_does_not_open(lying)


def test_a_swap_with_another_item_does_not_open():
    other = replace(CONTEXT, item_id="other")
    assert_does_not_open(seal(ORIGINAL, KEY, other))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"revision": -1}, ValueError, "revision must be 0 to 18446744073709551615, got -1"),
        ({"revision": 2**64}, ValueError, "revision must be 0 to"),
        ({"item_id": ""}, ValueError, "item_id must be 1 to 4096 bytes, got 0"),
        ({"item_id": "ä" * 2049}, ValueError, "item_id must be 1 to 4096 bytes, got 4098"),
        ({"companion_digest": b""}, ValueError, "companion_digest must be 32 bytes, got 0"),
        ({"collection_uuid": "1"}, TypeError, "collection_uuid must be a UUID"),
    ],
)
def test_contexts_out_of_range_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        replace(CONTEXT, **change)


@pytest.mark.parametrize("media_type", ["", "x" * 256, "image/pn\u0261", "image/png\n"])
def test_media_types_out_of_range_are_refused(media_type):
    with pytest.raises(ValueError, match="media_type must be 1 to 255 printable ASCII"):
        Original(media_type=media_type, data=b"")


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_seal_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match=f"seal_key must be 32 bytes, got {size}"):
        open_sealed(b"", bytes(size), KEY.verify_key, CONTEXT)


def test_text_leaves_the_data_out():
    assert repr(ORIGINAL) == "Original(media_type='image/png')"


def test_a_released_key_opens_its_item_and_no_other():
    first, second = (seal(ORIGINAL, KEY, CONTEXT) for _ in range(2))
    own_key = release_key(sealed_head(first), KEY, CONTEXT)
    assert open_released(first, own_key, KEY.verify_key, CONTEXT) == ORIGINAL
    assert len(own_key) == 44
    assert KEY.seal_key(CONTEXT.collection_uuid) not in own_key
    for wrong in ((second, own_key), (first, bytes(44)), (first, own_key[:-1]), (first, b"")):
        with pytest.raises(OpenError):
            open_released(*wrong, KEY.verify_key, CONTEXT)


def test_a_released_key_agrees_with_its_vector(vectors):
    case = vectors("sealed_original.json")
    context = SealedContext(
        collection_uuid=uuid.UUID(case["collection_uuid"]),
        item_id=case["item_id"],
        revision=case["revision"],
        companion_digest=bytes.fromhex(case["companion_digest"]),
    )
    head = sealed_head(bytes.fromhex(case["sealed"]))
    assert release_key(head, KEY, context).hex() == case["item_key"]


@pytest.mark.parametrize(
    "change",
    [
        {"collection_uuid": uuid.UUID(int=2)},
        {"item_id": "other"},
        {"revision": 4},
        {"companion_digest": b"\7" * 31 + b"\6"},
    ],
)
def test_no_key_is_released_under_another_name(change):
    """Who asks for one item cannot get the key of another."""
    head = sealed_head(seal(ORIGINAL, KEY, CONTEXT))
    with pytest.raises(OpenError):
        release_key(head, KEY, replace(CONTEXT, **change))


def test_no_key_is_released_for_what_another_sealed():
    forged = sealed_head(seal(ORIGINAL, replace(KEY, signing_seed=bytes(32)), CONTEXT))
    with pytest.raises(OpenError):
        release_key(forged, KEY, CONTEXT)


@given(position=st.integers(0), change=st.integers(1, 255))
def test_no_key_is_released_for_a_head_that_was_altered(position, change):
    head = bytearray(sealed_head(seal(ORIGINAL, KEY, CONTEXT)))
    head[position % len(head)] ^= change
    with pytest.raises(OpenError):
        release_key(bytes(head), KEY, CONTEXT)


def test_what_is_no_seal_has_no_head():
    for data in (b"", b"CLSO", seal(ORIGINAL, KEY, CONTEXT)[:-1]):
        with pytest.raises(OpenError):
            sealed_head(data)
    head = sealed_head(seal(ORIGINAL, KEY, CONTEXT))
    for length in range(len(head)):
        with pytest.raises(OpenError):
            release_key(head[:length], KEY, CONTEXT)
