"""Signatures: what they are over, and that none passes for another."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cipherlens.crypto.signing import Signed, is_signed, public_key, sign

SEED = bytes(range(32))


@pytest.mark.parametrize("what", Signed)
def test_it_is_ed25519_over_context_and_message(what):
    plain = Ed25519PrivateKey.from_private_bytes(SEED)
    assert sign(SEED, what, b"text") == plain.sign(what.value.encode() + b"\0text")
    assert public_key(SEED) == plain.public_key().public_bytes_raw()


def test_contexts_differ_and_none_begins_with_another():
    texts = [what.value + "\0" for what in Signed]
    assert not any(a != b and a.startswith(b) for a in texts for b in texts)
    assert len(set(texts)) == len(Signed)


@pytest.mark.parametrize("what", Signed)
def test_a_signature_holds_for_its_purpose_message_and_key_alone(what):
    signature = sign(SEED, what, b"text")
    assert is_signed(public_key(SEED), what, b"text", signature)
    assert not any(
        is_signed(public_key(SEED), other, b"text", signature) for other in set(Signed) - {what}
    )
    assert not is_signed(public_key(SEED), what, b"texT", signature)
    assert not is_signed(public_key(bytes(32)), what, b"text", signature)
    assert not is_signed(public_key(SEED), what, b"text", signature[:-1])


def test_raw_bytes_are_never_signed():
    plain = Ed25519PrivateKey.from_private_bytes(SEED)
    assert not is_signed(public_key(SEED), Signed.MANIFEST, b"text", plain.sign(b"text"))
