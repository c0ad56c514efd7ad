"""The keyring file: its vector, its bounds, and what damage does to it."""

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given, settings
from hypothesis import strategies as st

from cipherlens.crypto import (
    Keyring,
    KeyringError,
    KeyringOutdated,
    KeyringPassphraseError,
    Scope,
    ScryptCost,
)

FAST = ScryptCost(n=2**14)
REFERENCE = {"height": 16, "width": 24, "substituted_blocks": 3, "scope": Scope.COLLECTION}


def put(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(0o600)
    return path


def rewritten(text, **changes):
    """Return a keyring text with changed members and a checksum that fits, as a forger would."""
    document = {**json.loads(text), **changes}
    header = {name: document[name] for name in ("magic", "version", "protection")}
    canonical = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    body = base64.b64decode(document["body"])
    document["checksum"] = blake3(canonical + body).hexdigest()
    return json.dumps(document)


@pytest.fixture(scope="session")
def vector_text(vector_path):
    return (vector_path / "keyring.json").read_text()


@pytest.fixture
def plain_text(tmp_path, make_entry):
    path = tmp_path / "plain"
    Keyring([make_entry()]).save(path, unprotected=True)
    return path.read_text()


def test_scrypt_agrees_with_rfc_7914(vectors):
    for case in vectors("scrypt.json")["cases"]:
        passphrase, salt = case["passphrase"].encode(), case["salt"].encode()
        cost = {name: case[name] for name in "nrp"}
        assert Scrypt(salt=salt, length=64, **cost).derive(passphrase).hex() == case["key"]
        assert hashlib.scrypt(passphrase, salt=salt, maxmem=2**26, **cost).hex() == case["key"]


def test_file_agrees_with_its_vector(tmp_path, vector_text, reference, make_entry):
    assert reference.keyring_text() == vector_text
    keyring = Keyring.load(put(tmp_path / "keyring", vector_text), reference.PASSPHRASE)
    assert keyring.entries == (make_entry("reference", **REFERENCE),)
    assert keyring.received.documents == ({"kind": "not known to this version", "kept": [1, 2, 3]},)


def test_a_file_of_version_1_is_read_only_to_be_upgraded(
    tmp_path, vector_path, reference, make_entry
):
    path = put(tmp_path / "keyring", (vector_path / "keyring_v1.json").read_text())
    with pytest.raises(KeyringOutdated, match="of version 1, whose readers could sign"):
        Keyring.load(path, reference.PASSPHRASE)
    keyring = Keyring.load(path, reference.PASSPHRASE, upgrade=True)
    keyring.save(path, reference.PASSPHRASE, scrypt_cost=FAST)
    (upgraded,) = Keyring.load(path, reference.PASSPHRASE).entries
    assert upgraded == keyring.get()
    expected = make_entry("reference", **REFERENCE)
    assert replace(upgraded, signing_seed=expected.signing_seed) == expected
    assert upgraded.signing_seed not in {reference.SIGNING_SEED, bytes(32)}
    assert Keyring.load(path, reference.PASSPHRASE).received.documents == keyring.received.documents


def test_default_cost_is_the_strong_one(tmp_path, make_entry):
    path = tmp_path / "keyring"
    Keyring([make_entry()]).save(path, "right")
    protection = json.loads(path.read_text())["protection"]
    assert (protection["n"], protection["r"], protection["p"]) == (131072, 8, 1)
    assert Keyring.load(path, "right").get().name == "test"


@settings(max_examples=40)
@given(data=st.data())
def test_any_changed_byte_is_found(tmp_path_factory, vector_text, reference, data):
    damaged = bytearray(vector_text.encode())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] = data.draw(st.integers(0, 255).filter(lambda v: v != damaged[position]))
    path = put(tmp_path_factory.mktemp("damaged") / "keyring", bytes(damaged))
    try:
        keyring = Keyring.load(path, reference.PASSPHRASE)
    except KeyringError:
        return
    # Changed white space between the members of the JSON object is all that may pass.
    assert json.loads(bytes(damaged)) == json.loads(vector_text)
    assert keyring.get().root == reference.ROOT


@pytest.mark.parametrize("length", [0, 1, 100, 400, -3])
def test_truncation_is_found(tmp_path, vector_text, length):
    with pytest.raises(KeyringError, match="is not a keyring, or is damaged"):
        Keyring.load(put(tmp_path / "keyring", vector_text[:length]), "any")


@pytest.mark.parametrize("text", ["[]", "null", "7", '"text"', "{}", "[" * 100_000, "\ufeff{}"])
def test_other_json_is_no_keyring(tmp_path, text):
    with pytest.raises(KeyringError, match="is not a keyring, or is damaged"):
        Keyring.load(put(tmp_path / "keyring", text))


def test_a_damaged_body_is_not_called_a_wrong_passphrase(tmp_path, vector_text, reference):
    document = json.loads(vector_text)
    body = bytearray(base64.b64decode(document["body"]))
    body[0] ^= 1
    document["body"] = base64.b64encode(body).decode()
    path = put(tmp_path / "keyring", json.dumps(document))
    with pytest.raises(KeyringError, match="the checksum is wrong") as caught:
        Keyring.load(path, reference.PASSPHRASE)
    assert not isinstance(caught.value, KeyringPassphraseError)


def test_a_forged_body_or_header_does_not_open(tmp_path, vector_text, reference):
    document = json.loads(vector_text)
    body = bytearray(base64.b64decode(document["body"]))
    body[0] ^= 1
    salt = base64.b64encode(bytes(32)).decode()
    nonce = base64.b64encode(bytes(12)).decode()
    protection = document["protection"]
    for changes in (
        {"body": base64.b64encode(body).decode()},
        {"protection": {**protection, "salt": salt}},
        {"protection": {**protection, "nonce": nonce}},
        {"protection": {**protection, "n": 2**15}},
    ):
        path = put(tmp_path / "keyring", rewritten(vector_text, **changes))
        with pytest.raises(KeyringPassphraseError):
            Keyring.load(path, reference.PASSPHRASE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 2**21}, "scrypt n must be 16384 to 1048576, got 2097152"),
        ({"n": 2}, "scrypt n must be 16384 to 1048576, got 2"),
        ({"n": 2**14 + 2}, "scrypt n must be a power of two, got 16386"),
        ({"n": "16384"}, "scrypt n must be an int, got str"),
        ({"r": 2**20}, "scrypt r must be 8 to 32, got 1048576"),
        ({"p": 5}, "scrypt p must be 1 to 4, got 5"),
        ({"n": 2**20, "r": 32}, "scrypt memory must be at most 536870912 bytes"),
    ],
)
def test_costs_out_of_bounds_are_refused_before_they_are_paid(
    tmp_path, vector_text, changes, message
):
    protection = {**json.loads(vector_text)["protection"], **changes}
    path = put(tmp_path / "keyring", rewritten(vector_text, protection=protection))
    with pytest.raises(KeyringError, match=message):
        Keyring.load(path, "any")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": "other"}, "is not a keyring"),
        ({"version": 3}, "version must be 2, got 3"),
        ({"protection": {"kind": "rot13"}}, "is not a keyring, or is damaged"),
        ({"protection": {"kind": "none", "n": 1}}, "members of its protection"),
        ({"protection": []}, "is not a keyring, or is damaged"),
        ({"later": 1}, "its members must be body, checksum, magic, protection, version"),
    ],
)
def test_other_headers_are_refused(tmp_path, plain_text, changes, message):
    path = put(tmp_path / "keyring", rewritten(plain_text, **changes))
    with pytest.raises(KeyringError, match=message):
        Keyring.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.pop("root"),
        lambda entry: entry.pop("signing_seed"),
        lambda entry: entry.update(root="AAAA"),
        lambda entry: entry.update(unknown=1),
        lambda entry: entry.update(created_at="yesterday"),
        lambda entry: entry["parameters"].update(scheme_version=2),
        lambda entry: entry["parameters"].update(unknown=1),
        lambda entry: entry.update(parameters=None),
        lambda entry: entry.update(name=7),
    ],
)
def test_entries_that_would_be_lost_or_misread_are_refused(tmp_path, plain_text, change):
    body = json.loads(base64.b64decode(json.loads(plain_text)["body"]))
    change(body["entries"][0])
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    path = put(tmp_path / "keyring", rewritten(plain_text, body=encoded))
    with pytest.raises(KeyringError, match="an entry that this version does not read"):
        Keyring.load(path)


def test_twice_the_same_entry_in_a_file_is_a_keyring_error(tmp_path, plain_text):
    body = json.loads(base64.b64decode(json.loads(plain_text)["body"]))
    body["entries"] *= 2
    encoded = base64.b64encode(json.dumps(body).encode()).decode()
    path = put(tmp_path / "keyring", rewritten(plain_text, body=encoded))
    with pytest.raises(KeyringError, match="already has a key named"):
        Keyring.load(path)
