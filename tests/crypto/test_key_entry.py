"""Key entries: what they check, derive, and never show."""

import copy
import pickle
import uuid
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cipherlens.crypto import CipherParameters, KeyEntry
from cipherlens.crypto.hazmat.schedule import Purpose, derive_subkey
from cipherlens.crypto.signing import Signed, is_signed


def test_ed25519_agrees_with_rfc_8032(vectors):
    for case in vectors("ed25519.json")["cases"]:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["seed"]))
        message = bytes.fromhex(case["message"])
        assert key.public_key().public_bytes_raw().hex() == case["public_key"]
        assert key.sign(message).hex() == case["signature"]
        with pytest.raises(InvalidSignature):
            key.public_key().verify(bytes.fromhex(case["signature"]), message + b"\0")


def test_generated_keys_differ():
    first, second = (KeyEntry.generate("k", CipherParameters()) for _ in range(2))
    assert len({first.root, second.root, first.signing_seed, second.signing_seed}) == 4
    assert first.fingerprint != second.fingerprint
    assert len(first.fingerprint) == 16
    assert first.created_at.tzinfo is UTC


def test_equality_follows_all_fields(make_entry):
    assert make_entry() == make_entry()
    assert make_entry() != make_entry(root=bytes(32))
    assert make_entry() != make_entry(signing_seed=bytes(32))
    assert make_entry() != make_entry(name="other")
    assert hash(make_entry()) == hash(make_entry())


@pytest.mark.parametrize("text", [repr, str, "{}".format, "{!r:>10}".format, ascii])
def test_no_text_shows_the_root(make_entry, text):
    entry = make_entry(
        root=b"SECRET-ROOT-SECRET-ROOT-SECRET-R", signing_seed=b"SECRET-SEED-SECRET-SEED-SECRET-S"
    )
    shown = text(entry)
    assert "test" in shown
    assert "SECRET" not in shown
    assert entry.root.hex() not in shown
    assert entry.signing_seed.hex() not in shown


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_entries_are_not_pickled(make_entry, protocol):
    with pytest.raises(TypeError, match="holds a secret"):
        pickle.dumps(make_entry(), protocol)


def test_entries_are_not_copied_by_way_of_pickle(make_entry):
    with pytest.raises(TypeError, match="holds a secret"):
        copy.deepcopy(make_entry())


def test_seal_keys_differ_by_collection(make_entry):
    entry = make_entry()
    first, second = (entry.seal_key(uuid.UUID(int=number)) for number in range(2))
    assert len(first) == 32
    assert first != second
    assert first == make_entry().seal_key(uuid.UUID(int=0))


def test_signatures_verify_under_the_public_key(make_entry):
    entry = make_entry()
    signature = entry.sign(Signed.MANIFEST, b"text")
    assert is_signed(entry.verify_key, Signed.MANIFEST, b"text", signature)
    assert not is_signed(entry.verify_key, Signed.MANIFEST, b"texts", signature)
    assert entry.verify_key != make_entry(signing_seed=bytes(32)).verify_key


def test_the_signing_key_does_not_follow_from_the_root(make_entry):
    """Who may read holds what follows from the root; none of it may sign."""
    entry = make_entry()
    reading = {derive_subkey(entry.root, purpose) for purpose in Purpose}
    reading |= {entry.root, entry.seal_key(uuid.UUID(int=0))}
    assert entry.signing_seed not in reading
    assert entry.verify_key == make_entry(root=bytes(32)).verify_key


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must be 1 to 64 characters, got 0"),
        ({"name": "x" * 65}, ValueError, "name must be 1 to 64 characters, got 65"),
        ({"name": "two\nlines"}, ValueError, "name must be printable"),
        ({"name": " padded"}, ValueError, "name must be printable"),
        ({"name": "0123456789abcdef" * 2}, ValueError, "text of a fingerprint"),
        ({"root": bytes(31)}, ValueError, "root must be 32 bytes, got 31"),
        ({"root": "0" * 32}, TypeError, "root must be bytes, got str"),
        ({"signing_seed": bytes(33)}, ValueError, "signing_seed must be 32 bytes, got 33"),
        ({"signing_seed": "0" * 32}, TypeError, "signing_seed must be bytes, got str"),
        ({"created_at": datetime(2026, 1, 1)}, ValueError, "created_at must have a time zone"),
    ],
)
def test_fields_out_of_range_are_refused(fields, error, message):
    good = {
        "name": "k",
        "root": bytes(32),
        "signing_seed": bytes(32),
        "parameters": CipherParameters(),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    with pytest.raises(error, match=message):
        KeyEntry(**{**good, **fields})
