"""The grants that a user received, and the identities that open them."""

import base64
from collections.abc import Iterable, Mapping

from cipherlens.crypto.errors import CryptoError, GrantError, KeyringError
from cipherlens.crypto.grant import Grant
from cipherlens.crypto.granted_key import GrantedKey
from cipherlens.crypto.identity import Identity, recipient_text
from cipherlens.crypto.key_entry import check_name

_KIND = "grant"


class ReceivedGrants:
    """Grants as a keyring keeps them: each the JSON object of its name and its bytes.

    Attributes:
        identities: the key pairs that grants are wrapped to.
        documents: the JSON objects; those of a kind that is not known here are kept as read.
    """

    def __init__(
        self, identities: Iterable[Identity] = (), documents: Iterable[Mapping[str, object]] = ()
    ) -> None:
        """Take identities and documents, as a keyring file has them."""
        self.identities = tuple(identities)
        self.documents = tuple(documents)

    def add_identity(self, identity: Identity) -> None:
        """Append an identity. Raises ValueError if there is one of its name."""
        if any(each.name == identity.name for each in self.identities):
            raise ValueError(f"the keyring already has an identity named {identity.name!r}")
        self.identities = (*self.identities, identity)

    def add(self, grant: Grant, name: str) -> GrantedKey:
        """Keep a grant under a name, and return its key.

        Raises:
            GrantError: it is for no identity here.
            FormatError: it does not hold what it says.
            ValueError: the name is taken or none that a key may have, or the grant is here already.
        """
        check_name(name)
        for each in self.granted():
            if each.grant_id == grant.grant_id:
                raise ValueError(
                    f"the keyring already has grant {grant.grant_id}, as {each.name!r}"
                )
            if each.name == name:
                raise ValueError(f"the keyring already has a key named {name!r}")
        key = grant.open(self._identity_for(grant), name)
        document = {
            "kind": _KIND,
            "name": name,
            "grant": base64.b64encode(grant.data).decode("ascii"),
        }
        self.documents = (*self.documents, document)
        return key

    def remove(self, name: str) -> None:
        """Drop the grant of a name, if there is one."""
        self.documents = tuple(each for each in self.documents if not _is_named(each, name))

    def granted(self) -> list[GrantedKey]:
        """Return the keys of all grants that this version knows.

        Raises:
            KeyringError: one of them is damaged, or its identity is not here.
        """
        return [self._opened(each) for each in self.documents if each.get("kind") == _KIND]

    def _opened(self, document: Mapping[str, object]) -> GrantedKey:
        name = str(document.get("name"))
        try:
            grant = Grant.read(base64.b64decode(str(document.get("grant")), validate=True))
            return grant.open(self._identity_for(grant), name)
        except (CryptoError, ValueError) as error:
            raise KeyringError(f"the keyring's grant {name!r}: {error}") from error

    def _identity_for(self, grant: Grant) -> Identity:
        for identity in self.identities:
            if identity.recipient == grant.recipient:
                return identity
        raise GrantError(
            f"the grant is for {recipient_text(grant.recipient)}, no identity of this keyring"
        )


def _is_named(document: Mapping[str, object], name: str) -> bool:
    return document.get("kind") == _KIND and document.get("name") == name
