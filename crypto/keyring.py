"""The keys that a person holds."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cipherlens.crypto.errors import KeyringChanged, KeyringError, NotGranted, UnknownKey
from cipherlens.crypto.grant import Grant
from cipherlens.crypto.granted_key import GrantedKey
from cipherlens.crypto.identity import Identity
from cipherlens.crypto.key import Key
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.keyring_file import (
    Contents,
    is_protected,
    read_keyring,
    write_keyring,
)
from cipherlens.crypto.received_grants import ReceivedGrants
from cipherlens.crypto.scrypt_cost import DEFAULT_SCRYPT_COST, ScryptCost

_UPDATE_TRIES = 5


class Keyring:
    """An owner's key entries, in the order in which they were added, and a user's grants.

    Attributes:
        entries: the key entries.
        received: grants of other owners, and the identities that open them.
    """

    def __init__(
        self,
        entries: Iterable[KeyEntry] = (),
        grants: Iterable[Mapping[str, object]] = (),
        identities: Iterable[Identity] = (),
    ) -> None:
        """Take the entries, and grants as a file has them.

        Raises:
            ValueError: two entries share a name or a root.
        """
        self._entries: list[KeyEntry] = []
        self.received = ReceivedGrants(identities, grants)
        self._others: Mapping[str, object] = {}  # of a file, for a version that knows them
        self._files: dict[Path, bytes] = {}  # those it was read from or saved to, as they were then
        for entry in entries:
            self.add(entry)

    @property
    def entries(self) -> tuple[KeyEntry, ...]:
        """Return the key entries, oldest first."""
        return tuple(self._entries)

    def add(self, entry: KeyEntry) -> None:
        """Append a key entry.

        Raises:
            ValueError: the keyring already has its name or its root.
        """
        for present in self._entries:
            if present.name == entry.name:
                raise ValueError(f"the keyring already has a key named {entry.name!r}")
            if present.fingerprint == entry.fingerprint:
                raise ValueError(f"the keyring already has key {entry.fingerprint.hex()}")
        self._entries.append(entry)

    def rename(self, key: str, name: str) -> None:
        """Give the entry with a name or a fingerprint another name.

        Raises:
            UnknownKey: there is no such entry.
            ValueError: the name is taken, or none that a key may have.
        """
        entry = self.get(key)
        renamed = replace(entry, name=name)
        if any(each.name == name for each in self._entries if each is not entry):
            raise ValueError(f"the keyring already has a key named {name!r}")
        self._entries[self._entries.index(entry)] = renamed

    def remove(self, key: str) -> KeyEntry:
        """Take out the entry with a name or a fingerprint, and return it.

        Raises:
            UnknownKey: there is no such entry.
        """
        entry = self.get(key)
        self._entries.remove(entry)
        return entry

    def get(self, key: str | None = None) -> KeyEntry:
        """Return the entry with a name or a fingerprint in hexadecimal; None means the only one.

        Raises:
            UnknownKey: there is no such entry, or None was given and there is not exactly one.
        """
        names = ", ".join(repr(entry.name) for entry in self._entries) or "none"
        if key is None:
            if len(self._entries) != 1:
                raise UnknownKey(f"say which key to use; the keyring has: {names}")
            return self._entries[0]
        for entry in self._entries:
            if key == entry.name or key.lower() == entry.fingerprint.hex():
                return entry
        raise UnknownKey(f"no key is named {key!r}; the keyring has: {names}")

    def by_fingerprint(self, fingerprint: bytes) -> KeyEntry:
        """Return the entry with a 16-byte fingerprint.

        Raises:
            UnknownKey: there is no such entry.
        """
        for entry in self._entries:
            if entry.fingerprint == fingerprint:
                return entry
        raise UnknownKey(f"the keyring does not hold key {fingerprint.hex()}")

    def receive(self, grant: Grant, name: str) -> GrantedKey:
        """Keep a grant for one of the identities here under a name, and return its key.

        Raises:
            GrantError, FormatError: it is for nobody here, or does not hold what it says.
            ValueError: the name is taken or none that a key may have, or the grant is here already.
        """
        if any(entry.name == name for entry in self._entries):
            raise ValueError(f"the keyring already has a key named {name!r}")
        return self.received.add(grant, name)

    def holders(self, fingerprint: bytes) -> Sequence[Key]:
        """Return all that is held of the key with a fingerprint: the entry, else granted parts.

        Raises:
            UnknownKey: there is nothing of it.
            GrantError: all that there is has expired.
        """
        for entry in self._entries:
            if entry.fingerprint == fingerprint:
                return [entry]
        granted = [each for each in self.received.granted() if each.fingerprint == fingerprint]
        if not granted:
            raise UnknownKey(f"the keyring does not hold key {fingerprint.hex()}")
        return _current(granted)

    def key_for(
        self, collection_uuid: uuid.UUID, fingerprint: bytes = b"", name: str | None = None
    ) -> Key:
        """Return what is held of a collection's key: the entry if it is here, else a granted part.

        Args:
            collection_uuid: the collection.
            fingerprint: of the key that the collection says it is of; empty where it says nothing.
            name: name or fingerprint in hexadecimal of the key to take; None lets the collection
                choose, and where it says nothing, takes what was granted for it or the only entry.

        Raises:
            UnknownKey: there is no such key.
            NotGranted: what was granted of it is for other collections.
            GrantError: it has expired.
        """
        granted = self.received.granted()
        here = [each for each in granted if each.collection_uuid == collection_uuid]
        if name is not None and (named := [each for each in granted if each.name == name]):
            return _current(named)[0]
        if name is not None:
            return self.get(name)
        if not fingerprint:
            return _current(here)[0] if here else self.get()
        held = self.holders(fingerprint)
        for key in held:
            if not isinstance(key, GrantedKey) or key.collection_uuid == collection_uuid:
                return key
        raise NotGranted(
            f"of key {fingerprint.hex()} the keyring holds grants for other collections only"
        )

    @staticmethod
    def is_protected(path: str | Path) -> bool:
        """Return whether a keyring file needs a passphrase; raises as `load` does."""
        return is_protected(Path(path))

    @classmethod
    def load(
        cls, path: str | Path, passphrase: str | None = None, *, upgrade: bool = False
    ) -> "Keyring":
        """Return the keyring of a file.

        Args:
            path: the file; not a symbolic link, owned by the user, mode 0600 or stricter.
            passphrase: its passphrase; None for a file without one.
            upgrade: take a file of an earlier version too, and give its keys signing seeds; they
                last once the keyring is saved.

        Raises:
            KeyringOutdated: the file is of an earlier version.
            KeyringPermissionError: others could read or replace the file.
            KeyringPassphraseError: the passphrase is missing or wrong, or the file has none.
            KeyringError: the file is not there, is damaged, or is of another version.
        """
        contents, data = read_keyring(Path(path), passphrase, upgrade=upgrade)
        try:
            keyring = cls(contents.entries, contents.grants, contents.identities)
        except ValueError as error:
            raise KeyringError(f"{path}: {error}") from error
        keyring._others = contents.others
        keyring._files[Path(path).absolute()] = data
        return keyring

    @classmethod
    def update(
        cls, path: str | Path, passphrase: str | None, change: Callable[["Keyring"], object]
    ) -> "Keyring":
        """Return the keyring of a file, changed and saved under the passphrase that it has.

        Where another program was quicker, it is read and changed again, so that neither is lost.

        Raises:
            KeyringChanged: other programs keep changing it.
            What `load` and `change` raise; nothing is saved then.
        """
        for _ in range(_UPDATE_TRIES):
            keyring = cls.load(path, passphrase)
            change(keyring)
            with suppress(KeyringChanged):
                keyring.save(path, passphrase, unprotected=passphrase is None)
                return keyring
        raise KeyringChanged(f"{path}: other programs keep changing it; nothing was saved")

    def save(
        self,
        path: str | Path,
        passphrase: str | None = None,
        *,
        unprotected: bool = False,
        scrypt_cost: ScryptCost = DEFAULT_SCRYPT_COST,
    ) -> None:
        """Put the keyring into a file of mode 0600, in one step.

        It replaces only the file that it was loaded from or saved to, and only if that is still the
        same: of two programs that make or change a keyring at once one is refused, and no key is
        lost.

        Args:
            path: the file; its folder must exist.
            passphrase: encrypts the file; may not be empty.
            unprotected: must be True to save without a passphrase, and False with one.
            scrypt_cost: work that a guess of the passphrase costs.

        Raises:
            ValueError: passphrase and unprotected contradict each other.
            KeyringChanged: a file is there that is not the one that was loaded.
            KeyringPermissionError: the path is a symbolic link.
            KeyringError: the file cannot be written.
        """
        if unprotected == (passphrase is not None):
            raise ValueError("give either a passphrase or unprotected=True, and not both")
        place = Path(path).absolute()
        contents = Contents(
            entries=self.entries,
            grants=self.received.documents,
            identities=self.received.identities,
            others=self._others,
        )
        data = write_keyring(Path(path), contents, passphrase, scrypt_cost, self._files.get(place))
        self._files[place] = data

    def __repr__(self) -> str:
        """Return the names only."""
        return f"Keyring(entries={[entry.name for entry in self._entries]})"


def _current(granted: Sequence[GrantedKey]) -> list[GrantedKey]:
    """Return those that have not expired. Raises GrantError if all of them have."""
    now = datetime.now(UTC)
    current = [each for each in granted if each.expires_at is None or now < each.expires_at]
    if not current:
        granted[0].check_current(now)
    return current
