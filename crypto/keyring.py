"""The keys that a person holds."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cipherlens.crypto.errors import KeyringError, UnknownKey
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.keyring_file import (
    DEFAULT_SCRYPT_COST,
    ScryptCost,
    is_protected,
    read_keyring,
    write_keyring,
)


class Keyring:
    """Key entries in the order in which they were added, and received grants.

    Attributes:
        entries: the key entries.
        grants: JSON objects that are kept as they were read.
    """

    def __init__(
        self, entries: Iterable[KeyEntry] = (), grants: Iterable[Mapping[str, object]] = ()
    ) -> None:
        """Take the entries and grants.

        Raises:
            ValueError: two entries share a name or a root.
        """
        self._entries: list[KeyEntry] = []
        self.grants = tuple(grants)
        self._origin: tuple[Path, bytes] | None = None  # the file it was read from or saved to
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
        entries, grants, data = read_keyring(Path(path), passphrase, upgrade=upgrade)
        try:
            keyring = cls(entries, grants)
        except ValueError as error:
            raise KeyringError(f"{path}: {error}") from error
        keyring._origin = (Path(path).absolute(), data)
        return keyring

    def save(
        self,
        path: str | Path,
        passphrase: str | None = None,
        *,
        unprotected: bool = False,
        scrypt_cost: ScryptCost = DEFAULT_SCRYPT_COST,
    ) -> None:
        """Put the keyring into a file of mode 0600, replacing what is there in one step.

        The file that it was loaded from is replaced only if it is still the same: of two programs
        that add a key at once, one is refused and nothing is lost.

        Args:
            path: the file; its folder must exist.
            passphrase: encrypts the file; may not be empty.
            unprotected: must be True to save without a passphrase, and False with one.
            scrypt_cost: work that a guess of the passphrase costs.

        Raises:
            ValueError: passphrase and unprotected contradict each other.
            KeyringChanged: the file is not the one that was loaded any more; load it again.
            KeyringPermissionError: the path is a symbolic link.
            KeyringError: the file cannot be written.
        """
        if unprotected == (passphrase is not None):
            raise ValueError("give either a passphrase or unprotected=True, and not both")
        place = Path(path).absolute()
        known = self._origin[1] if self._origin is not None and self._origin[0] == place else None
        data = write_keyring(Path(path), self.entries, self.grants, passphrase, scrypt_cost, known)
        self._origin = (place, data)

    def __repr__(self) -> str:
        """Return the names only."""
        return f"Keyring(entries={[entry.name for entry in self._entries]})"
