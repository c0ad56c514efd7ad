"""Keyrings: finding keys, and the way through a file."""

import pytest

from cipherlens.crypto import (
    CipherParameters,
    KeyEntry,
    Keyring,
    KeyringChanged,
    KeyringPassphraseError,
    ScryptCost,
    UnknownKey,
)

FAST = ScryptCost(n=2**14)


@pytest.fixture
def entries(make_entry):
    return [make_entry("first"), make_entry("second", root=b"\1" * 32, scope="image")]


def test_get_by_name_and_by_fingerprint(entries):
    keyring = Keyring(entries)
    assert keyring.get("second") is entries[1]
    assert keyring.get(entries[1].fingerprint.hex()) is entries[1]
    assert keyring.get(entries[1].fingerprint.hex().upper()) is entries[1]
    assert keyring.by_fingerprint(entries[0].fingerprint) is entries[0]


def test_get_without_a_name_needs_exactly_one_entry(entries):
    assert Keyring(entries[:1]).get() is entries[0]
    with pytest.raises(UnknownKey, match="'first', 'second'"):
        Keyring(entries).get()
    with pytest.raises(UnknownKey, match="the keyring has: none"):
        Keyring().get()


def test_unknown_keys_are_named(entries):
    keyring = Keyring(entries)
    with pytest.raises(UnknownKey, match="no key is named 'third'; the keyring has: 'first'"):
        keyring.get("third")
    with pytest.raises(UnknownKey, match="00" * 16):
        keyring.by_fingerprint(bytes(16))


def test_names_and_roots_are_unique(entries, make_entry):
    keyring = Keyring(entries)
    with pytest.raises(ValueError, match="already has a key named 'first'"):
        keyring.add(make_entry("first", root=b"\2" * 32))
    with pytest.raises(ValueError, match="already has key"):
        keyring.add(make_entry("third"))
    assert keyring.entries == tuple(entries)


@pytest.mark.parametrize("passphrase", ["correct horse", "pässwörd \U0001f511", None])
def test_a_file_gives_back_what_was_saved(tmp_path, entries, passphrase):
    grants = [{"kind": "grant", "nested": {"numbers": [1, 2.5, None, True]}}]
    path = tmp_path / "keyring"
    Keyring(entries, grants).save(
        path, passphrase, unprotected=passphrase is None, scrypt_cost=FAST
    )
    loaded = Keyring.load(path, passphrase)
    assert loaded.entries == tuple(entries)
    assert list(loaded.grants) == grants
    assert Keyring.is_protected(path) == (passphrase is not None)


def test_an_empty_keyring_is_one(tmp_path):
    path = str(tmp_path / "keyring")
    Keyring().save(path, unprotected=True)
    assert Keyring.load(path).entries == ()


def test_saving_again_replaces_the_file(tmp_path, entries):
    path = tmp_path / "keyring"
    keyring = Keyring(entries[:1])
    keyring.save(path, "one", scrypt_cost=FAST)
    keyring.add(entries[1])
    keyring.save(path, "two", scrypt_cost=FAST)
    assert len(Keyring.load(path, "two").entries) == 2
    with pytest.raises(KeyringPassphraseError):
        Keyring.load(path, "one")
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_two_saves_share_no_salt(tmp_path, entries):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        Keyring(entries).save(path, "same", scrypt_cost=FAST)
    first, second = (path.read_text() for path in paths)
    assert first != second


@pytest.mark.parametrize(("passphrase", "unprotected"), [(None, False), ("x", True)])
def test_a_passphrase_is_given_or_waived_and_never_both(tmp_path, passphrase, unprotected):
    with pytest.raises(ValueError, match="either a passphrase or unprotected=True"):
        Keyring().save(tmp_path / "keyring", passphrase, unprotected=unprotected)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_passphrase_is_refused(tmp_path):
    with pytest.raises(ValueError, match="passphrase must not be empty"):
        Keyring().save(tmp_path / "keyring", "", scrypt_cost=FAST)


def test_a_composed_and_a_decomposed_accent_are_the_same(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries).save(path, "caf\u00e9", scrypt_cost=FAST)
    assert Keyring.load(path, "cafe\u0301").entries == tuple(entries)


def test_a_file_and_its_passphrase_must_agree(tmp_path, entries):
    locked, open_file = tmp_path / "locked", tmp_path / "open"
    Keyring(entries).save(locked, "right", scrypt_cost=FAST)
    Keyring(entries).save(open_file, unprotected=True)
    with pytest.raises(KeyringPassphraseError, match="needs a passphrase"):
        Keyring.load(locked)
    with pytest.raises(KeyringPassphraseError, match="is wrong"):
        Keyring.load(locked, "wrong")
    with pytest.raises(KeyringPassphraseError, match="has no passphrase, but one was given"):
        Keyring.load(open_file, "any")


def test_a_protected_file_shows_neither_names_nor_roots(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries).save(path, "right", scrypt_cost=FAST)
    text = path.read_text()
    assert "first" not in text
    assert "parameters" not in text


def test_text_shows_names_only(entries):
    assert repr(Keyring(entries)) == "Keyring(entries=['first', 'second'])"


def test_of_two_programs_that_add_a_key_at_once_one_is_refused(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries).save(path, unprotected=True)
    ours, theirs = Keyring.load(path), Keyring.load(path)
    theirs.add(KeyEntry.generate("theirs", CipherParameters()))
    theirs.save(path, unprotected=True)
    ours.add(KeyEntry.generate("ours", CipherParameters()))
    with pytest.raises(KeyringChanged, match="read it again"):
        ours.save(path, unprotected=True)
    assert Keyring.load(path).entries == theirs.entries
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_a_keyring_may_be_saved_again_and_elsewhere(tmp_path, entries):
    path, other = tmp_path / "keyring", tmp_path / "other"
    keyring = Keyring(entries)
    keyring.save(path, unprotected=True)
    keyring.add(KeyEntry.generate("more", CipherParameters()))
    keyring.save(path, unprotected=True)
    Keyring().save(other, unprotected=True)
    keyring.save(other, unprotected=True)
    path.unlink()
    keyring.save(path, unprotected=True)
    assert Keyring.load(other).entries == Keyring.load(path).entries == keyring.entries
