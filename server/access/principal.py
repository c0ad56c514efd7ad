"""Who calls."""

from collections.abc import Iterable, Set
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
        self._everywhere = frozenset(each.scope for each in self._permissions) - OF_COLLECTIONS
        self._within = lru_cache(_REMEMBERED)(self._scopes_within)

    def may(self, scope: Scope) -> bool:
        """Return whether a scope that is not one of collections is allowed, if only for a key."""
        return scope in self._everywhere

    def may_use(self, scope: Scope, key: str, collection_uuid: str) -> bool:
        """Return whether a scope of owners is allowed for a key as a request names and uses it."""
        return any(each.allows_key(scope, key, collection_uuid) for each in self._permissions)

    def may_within(self, scopes: Set[Scope], collection: str) -> bool:
        """Return whether any of some scopes is allowed in a collection."""
        return not self._within(collection).isdisjoint(scopes)

    def _scopes_within(self, collection: str) -> frozenset[Scope]:
        return frozenset(
            scope
            for scope in OF_COLLECTIONS
            if any(each.allows(scope, collection) for each in self._permissions)
        )


EVERYONE = Principal(
    "everyone",
    [Permission(scope, "*" if scope in OF_COLLECTIONS else "") for scope in Scope],
)
"""Whoever calls a server that asks for no tokens."""
