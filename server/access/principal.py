"""Who calls."""

from collections.abc import Iterable
from functools import lru_cache

from cipherlens.server.access.permission import Permission
from cipherlens.server.access.scope import OF_COLLECTIONS, Scope

# Callers ask for the same few collections; what they make up does not fill the memory.
_REMEMBERED = 256


class Principal:
    """Whom a token was made for, and what it allows."""

    def __init__(self, name: str, permissions: Iterable[Permission]) -> None:
        """Take the token's name, for people, and its permissions."""
        self.name = name
        self._permissions = tuple(permissions)
        self.may = lru_cache(_REMEMBERED)(self._may)
        self.sees = lru_cache(_REMEMBERED)(self._sees)

    def _may(self, scope: Scope, collection: str = "") -> bool:
        """Return whether a scope is allowed, in a collection where the scope is of those."""
        return any(each.allows(scope, collection) for each in self._permissions)

    def _sees(self, collection: str) -> bool:
        """Return whether any scope is allowed in a collection: its existence is then no secret."""
        return any(
            each.allows(scope, collection) for each in self._permissions for scope in OF_COLLECTIONS
        )


EVERYONE = Principal(
    "everyone",
    [Permission(scope, "*" if scope in OF_COLLECTIONS else "") for scope in Scope],
)
"""Whoever calls a server that asks for no tokens."""
