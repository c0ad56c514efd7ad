"""Files that hold a JSON document with a checksum: keyrings, tokens, manifests of snapshots."""

import base64
import hashlib
import json
from datetime import timedelta

from blake3 import blake3

from cipherlens.base import Kind
from cipherlens.crypto import Grant, Keyring, KeyringError, Rights, ScryptCost
from cipherlens.server.access.permission import permissions_of
from cipherlens.server.access.token import issue
from cipherlens.server.access.token_file import TokenFile, TokenFileError
from cipherlens.server.access.token_file import _document as document_of_tokens
from cipherlens.server.errors import SnapshotError
from cipherlens.server.storage import snapshot
from tests.fuzz.doors.keys import COLLECTION, OWNER, USER
from tests.fuzz.mutation import mutated_json, mutating_json
from tests.fuzz.target import Target

_PASSPHRASE = "correct horse"


def keyring(folder):
    """A keyring without a passphrase: a KeyringError, or one that is the same when saved."""
    keys = Keyring([OWNER], identities=[USER])
    granted = Grant.make(OWNER, USER.recipient, COLLECTION, Kind.CIPHER, Rights.OPEN)
    keys.received.add(granted, "mine")
    path, again = folder / "keyring", folder / "again"
    keys.save(path, unprotected=True)

    def attempt(data):
        path.write_bytes(data)
        try:
            found = Keyring.load(path, upgrade=True)
        except KeyringError:
            return False
        again.unlink(missing_ok=True)
        found.save(again, unprotected=True)
        assert Keyring.load(again).entries == found.entries
        for use in (found.received.granted, lambda: found.get("owner")):
            try:
                use()
            except Exception as error:
                if "cipherlens.crypto" not in type(error).__module__:
                    raise
        return True

    return Target(
        name="keyring",
        seeds=[path.read_bytes()],
        attempt=attempt,
        mutate=mutating_json(json.loads, _keyring_written),
        most_bytes=20_000,
    )


def protected_keyring(folder):
    """A keyring under a passphrase, whose costs and salts are a stranger's."""
    path = folder / "protected"
    Keyring([OWNER]).save(path, _PASSPHRASE, scrypt_cost=ScryptCost(n=2**14))
    genuine = path.read_bytes()

    def attempt(data):
        path.write_bytes(data)
        try:
            found = Keyring.load(path, _PASSPHRASE)
        except KeyringError:
            return False
        assert found.entries == (OWNER,)
        return True

    return Target(
        name="keyring-protected",
        seeds=[genuine],
        attempt=attempt,
        mutate=mutating_json(json.loads, _checksum_written),
        most_bytes=20_000,
    )


def _keyring_written(document, rng):
    """Return a keyring file of a document, whose entries may have been changed as well."""
    try:
        body = base64.b64decode(document["body"], validate=True)
        if rng.random() < 0.8:
            body = json.dumps(mutated_json(json.loads(body), rng)).encode()
        document["body"] = base64.b64encode(body).decode()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return _checksum_written(document, rng)


def _checksum_written(document, rng):
    try:
        header = {name: document[name] for name in ("magic", "version", "protection")}
        text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
        body = base64.b64decode(document["body"], validate=True)
        document["checksum"] = blake3(text + body).hexdigest()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return json.dumps(document).encode()


def tokens(folder):
    """A file of tokens: a TokenFileError, or records that are the same when written."""
    records = [
        issue(name, permissions_of(text), timedelta(days=90))[1]
        for name, text in (("owner", "server"), ("anna", "search,fetch:photos,al*"))
    ]
    file = TokenFile(folder / "tokens.json")
    file.path.touch(mode=0o600)

    def attempt(data):
        file.path.write_bytes(data)
        try:
            found = file.read()
        except TokenFileError:
            return False
        file.path.write_bytes(document_of_tokens(found))
        assert file.read() == found
        return True

    def written(document, rng):
        if isinstance(document, dict) and "tokens" in document:
            text = json.dumps(document["tokens"], sort_keys=True, separators=(",", ":"))
            document["checksum"] = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps(document).encode()

    return Target(
        name="tokens",
        seeds=[document_of_tokens(records), document_of_tokens([])],
        attempt=attempt,
        mutate=mutating_json(json.loads, written),
    )


def snapshot_manifest(folder):
    """The manifest of a snapshot: a SnapshotError, or the snapshot as it was made."""
    data_dir, kept, restored = folder / "data", folder / "snapshot", folder / "restored"
    _new_data_dir(data_dir)
    made = snapshot.create(data_dir, kept)
    path = kept / snapshot.MANIFEST

    def attempt(data):
        path.write_bytes(data)
        try:
            found = snapshot.verify(kept)
        except SnapshotError:
            found = None
        try:
            snapshot.restore(kept, restored)
        except SnapshotError:
            assert not restored.exists()
            return False
        assert found is not None
        assert sorted(each.name for each in restored.iterdir()) == ["cipherlens.sqlite3", "models"]
        snapshot.shutil.rmtree(restored)
        assert found == made
        return True

    def written(document, rng):
        if isinstance(document, dict):
            document.pop("sha256", None)
            text = json.dumps(document, sort_keys=True).encode()
            document["sha256"] = hashlib.sha256(text).hexdigest()
        return json.dumps(document).encode()

    return Target(
        name="snapshot-manifest",
        seeds=[path.read_bytes()],
        attempt=attempt,
        mutate=mutating_json(json.loads, written),
    )


def _new_data_dir(path):
    """Make a data folder as a server leaves it."""
    from cipherlens.server.storage import open_database

    path.mkdir(mode=0o700)
    open_database(path).close()
