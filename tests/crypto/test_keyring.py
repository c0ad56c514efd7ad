"""Keyrings: finding keys, and the way through a file."""

import base64
import itertools
import json
import subprocess
import sys

import pytest
from blake3 import blake3

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
    assert list(loaded.received.documents) == grants
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
    keyring.save(other, unprotected=True)
    keyring.save(path, unprotected=True)
    assert Keyring.load(other).entries == Keyring.load(path).entries == keyring.entries


def test_a_keyring_that_was_not_read_from_a_file_does_not_replace_it(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries).save(path, unprotected=True)
    for stranger in (Keyring(), Keyring(entries[:1])):
        with pytest.raises(KeyringChanged, match="is there already; read it and add to it"):
            stranger.save(path, unprotected=True)
    assert Keyring.load(path).entries == tuple(entries)
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_of_many_programs_that_make_a_keyring_at_once_one_wins(tmp_path):
    """Each in a process of its own, all let go at the same moment."""
    path, go = tmp_path / "keyring", tmp_path / "go"
    script = (
        "import sys, pathlib\n"
        "from cipherlens.crypto import *\n"
        "entry = KeyEntry.generate(sys.argv[3], CipherParameters())\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try: Keyring([entry]).save(sys.argv[1], unprotected=True)\n"
        "except KeyringChanged: print('refused')\n"
        "else: print('made', sys.argv[3])\n"
    )
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", script, path, go, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for program in programs:
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        program.stdin.write("go\n")
        program.stdin.flush()
    said = sorted(program.communicate()[0].strip() for program in programs)
    assert said[1:] == ["refused"] * 3
    assert said[0].split() == ["made", Keyring.load(path).get().name]


def test_update_reads_again_where_another_was_quicker(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries[:1]).save(path, "right", scrypt_cost=FAST)
    interruptions = iter([entries[1]])

    def change(keyring):
        if (theirs := next(interruptions, None)) is not None:
            Keyring.update(path, "right", lambda ring: ring.add(theirs))
        keyring.add(KeyEntry.generate("ours", CipherParameters()))

    updated = Keyring.update(path, "right", change)
    assert [entry.name for entry in updated.entries] == ["first", "second", "ours"]
    assert Keyring.load(path, "right").entries == updated.entries


def test_update_gives_up_and_says_so(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries[:1]).save(path, unprotected=True)

    def change(_keyring):
        theirs = KeyEntry.generate(f"k{next(numbers)}", CipherParameters())
        ring = Keyring.load(path)
        ring.add(theirs)
        ring.save(path, unprotected=True)

    numbers = itertools.count()
    with pytest.raises(KeyringChanged, match="other programs keep changing it"):
        Keyring.update(path, None, change)
    assert len(Keyring.load(path).entries) == 6


def test_members_that_this_version_does_not_know_are_kept(tmp_path, entries):
    path = tmp_path / "keyring"
    Keyring(entries[:1]).save(path, unprotected=True)
    document = json.loads(path.read_text())
    body = json.loads(base64.b64decode(document["body"])) | {"later": {"kept": [1, None]}}
    header = {name: document[name] for name in ("magic", "version", "protection")}
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text = json.dumps(body).encode()
    document["body"] = base64.b64encode(text).decode()
    document["checksum"] = blake3(canonical + text).hexdigest()
    path.write_text(json.dumps(document))
    Keyring.update(path, None, lambda ring: ring.add(entries[1]))
    saved = json.loads(base64.b64decode(json.loads(path.read_text())["body"]))
    assert saved["later"] == {"kept": [1, None]}
    assert [entry["name"] for entry in saved["entries"]] == ["first", "second"]


def test_keys_are_renamed_and_removed(entries):
    keyring = Keyring(entries)
    keyring.rename("first", "main")
    assert keyring.get("main").fingerprint == entries[0].fingerprint
    assert [entry.name for entry in keyring.entries] == ["main", "second"]
    with pytest.raises(ValueError, match="already has a key named 'second'"):
        keyring.rename("main", "second")
    with pytest.raises(ValueError, match="name must be 1 to 64 characters"):
        keyring.rename("main", "")
    assert keyring.remove(entries[0].fingerprint.hex()).name == "main"
    assert keyring.entries == (entries[1],)
    with pytest.raises(UnknownKey):
        keyring.remove("main")
