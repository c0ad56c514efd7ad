"""Identities, and the text of their public halves."""

import pickle
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import Identity, recipient_from, recipient_text


def identity(private_key=bytes(range(160, 192)), name="me"):
    made = datetime(2026, 1, 2, tzinfo=UTC)
    return Identity(name=name, private_key=private_key, created_at=made)


def test_the_recipient_is_the_public_key():
    private = X25519PrivateKey.from_private_bytes(bytes(range(160, 192)))
    assert identity().recipient == private.public_key().public_bytes_raw()
    assert Identity.generate("a").recipient != Identity.generate("a").recipient


@given(st.binary(min_size=32, max_size=32))
def test_a_text_names_its_recipient(recipient):
    text = recipient_text(recipient)
    assert len(text) == 62
    assert text.islower()
    assert recipient_from(text) == recipient


@given(data=st.data(), recipient=st.binary(min_size=32, max_size=32))
def test_a_mistyped_letter_is_found(data, recipient):
    text = recipient_text(recipient)
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567="))
    changed = text[:position] + letter + text[position + 1 :]
    if changed != text:
        with pytest.raises(ValueError, match="recipient must be a text that begins with 'clr1'"):
            recipient_from(changed)


@pytest.mark.parametrize("text", ["", "clr1", "age1xyz", "clr1" + "a" * 58, "CLR1" + "A" * 58, "ä"])
def test_other_texts_name_nobody(text):
    with pytest.raises(ValueError, match="recipient must be a text"):
        recipient_from(text)


def test_no_text_shows_the_private_key_and_it_is_not_pickled():
    assert "a0" not in repr(identity(b"\xa0" * 32))
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(identity())


def test_fields_out_of_range_are_refused():
    with pytest.raises(ValueError, match="private_key must be 32 bytes, got 31"):
        identity(bytes(31))
    with pytest.raises(ValueError, match="name must be 1 to 64 characters"):
        identity(name="")
