"""The failures that callers of the crypto package may want to tell apart."""

from cipherlens.base import DomainError


class CryptoError(DomainError):
    """Base of every domain failure of this package; wrong arguments are ValueError or TypeError."""


class KeyringError(CryptoError):
    """A keyring file that cannot be read, is damaged, or may not be used as it lies there."""


class KeyringPermissionError(KeyringError):
    """A keyring file that others could read or replace: mode, owner or a symbolic link."""


class KeyringChanged(KeyringError):
    """A keyring file that is there and is not what was read; saving over it would lose its keys."""


class KeyringOutdated(KeyringError):
    """A keyring file of an earlier format, which must be upgraded before it is used."""


class KeyringPassphraseError(KeyringError):
    """A passphrase that is missing, wrong, or given for a keyring that has none."""


class KeyringNotProtected(KeyringPassphraseError):
    """A passphrase was given for a keyring that has none."""


class UnknownKey(CryptoError):
    """No key entry answers to the name or fingerprint that was asked for."""


class NotGranted(CryptoError):
    """A granted key was asked for what its owner did not grant; names what he did."""


class GrantError(CryptoError):
    """A grant that its owner did not sign, that is another user's, or that has expired."""


class CipherMismatch(CryptoError):
    """A cipher-image of another key or of other parameters than the cipher's; names both."""


class WrongKey(CipherMismatch):
    """A key that is not the one that a collection or an item is of; names both."""


class FormatError(CryptoError):
    """Bytes that are not what they claim: magic, version, length or checksum is wrong."""


class NotGenuine(CryptoError):
    """What a server gave is not, or not provably, what the owner stored."""


class OpenError(NotGenuine):
    """Sealed bytes that do not open under this key and context.

    The sentence is always the same: whether the key, the context or the bytes are wrong is
    exactly what an attacker would like to learn.
    """

    def __init__(self) -> None:
        """Make the one uniform error."""
        super().__init__("the sealed data does not open")


class StaleItem(NotGenuine):
    """An item, or a whole manifest, that is older than the owner's signed word."""


class ManifestError(NotGenuine):
    """A manifest that the owner did not sign, or that was altered after signing."""


class ImageError(CryptoError):
    """A picture that cannot be prepared: unreadable, damaged, or too large; gives the reason."""
