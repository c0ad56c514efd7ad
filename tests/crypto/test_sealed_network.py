"""Sealed networks: the vector that opens, and everything that must not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import (
    CipherParameters,
    KeyEntry,
    Keyring,
    OpenError,
    UnknownKey,
    is_sealed_network,
    open_network,
    read_network,
    seal_network,
)
from cipherlens.crypto import sealed_network as module


def entry_of(root, name="owner"):
    made = datetime(2026, 1, 2, tzinfo=UTC)
    return KeyEntry(
        name=name,
        root=root,
        signing_seed=bytes(range(96, 128)),
        parameters=CipherParameters(),
        created_at=made,
    )


KEY = entry_of(bytes(range(32)))
OTHER = entry_of(bytes(32), "other")
CHECKPOINT = b"\x10\0\0\0\0\0\0\0weights of a network"


def assert_does_not_open(sealed, key=KEY):
    """Check that opening fails with the one error that tells nothing."""
    with pytest.raises(OpenError) as caught:
        open_network(sealed, key)
    assert str(caught.value) == "the sealed data does not open"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_it_agrees_with_its_vector(vectors, reference):
    case = vectors("sealed_network.json")
    assert reference.sealed_network_case() == case
    key = entry_of(bytes.fromhex(case["root"]))
    assert open_network(bytes.fromhex(case["sealed"]), key).hex() == case["checkpoint"]


@given(
    checkpoint=st.binary(max_size=300).filter(lambda data: not is_sealed_network(data)),
    root=st.binary(min_size=32, max_size=32),
)
def test_round_trip(checkpoint, root):
    key = entry_of(root)
    assert open_network(seal_network(checkpoint, key), key) == checkpoint


def test_two_seals_of_one_network_share_nothing_but_their_head():
    first, second = (seal_network(CHECKPOINT, KEY) for _ in range(2))
    assert first[:29] == second[:29]
    assert first[29:61] != second[29:61]
    assert first[61:] != second[61:]
    assert CHECKPOINT not in first


@given(position=st.integers(0), change=st.integers(1, 255))
def test_any_changed_byte_does_not_open(position, change):
    sealed = bytearray(seal_network(CHECKPOINT, KEY))
    sealed[position % len(sealed)] ^= change
    assert_does_not_open(bytes(sealed))


def test_no_truncation_or_extension_opens():
    sealed = seal_network(CHECKPOINT, KEY)
    for length in range(len(sealed)):
        assert_does_not_open(sealed[:length])
    assert_does_not_open(sealed + b"\0")


def test_another_key_does_not_open_even_under_its_own_name():
    sealed = seal_network(CHECKPOINT, KEY)
    assert_does_not_open(sealed, OTHER)
    assert_does_not_open(sealed[:5] + OTHER.fingerprint + sealed[21:], OTHER)


def test_who_may_open_cannot_seal_as_the_owner():
    reader = replace(KEY, signing_seed=bytes(32))
    forged = seal_network(CHECKPOINT, reader)
    assert open_network(forged, reader) == CHECKPOINT
    assert_does_not_open(forged)


def test_a_header_that_lies_about_the_length_does_not_open(reference):
    """Even if who made it holds the key."""
    honest = reference.seal_network(b"12345", KEY.root, bytes(32))
    assert open_network(honest, KEY) == b"12345"
    assert_does_not_open(reference.seal_network(b"12345", KEY.root, bytes(32), size=4))


def test_a_keyring_opens_with_the_key_that_the_header_names():
    keyring = Keyring([OTHER, KEY])
    assert read_network(seal_network(CHECKPOINT, KEY), keyring) == CHECKPOINT
    assert read_network(CHECKPOINT, keyring) == CHECKPOINT
    with pytest.raises(UnknownKey, match=KEY.fingerprint.hex()):
        read_network(seal_network(CHECKPOINT, KEY), Keyring([OTHER]))
    with pytest.raises(OpenError):
        read_network(seal_network(CHECKPOINT, KEY)[:40], keyring)


def test_sealed_and_plain_are_told_apart_by_their_first_bytes():
    assert is_sealed_network(seal_network(CHECKPOINT, KEY)[:4])
    assert not is_sealed_network(CHECKPOINT)
    assert not is_sealed_network(b"CLS")


def test_what_cannot_be_sealed(monkeypatch):
    with pytest.raises(ValueError, match="this is a sealed network"):
        seal_network(seal_network(CHECKPOINT, KEY), KEY)
    monkeypatch.setattr(module, "MAX_CHECKPOINT_SIZE", 4)
    with pytest.raises(ValueError, match="at most 4 bytes, got 28"):
        seal_network(CHECKPOINT, KEY)
