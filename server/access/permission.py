"""Permissions: a scope, and for which collections."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cipherlens.server.access.scope import OF_COLLECTIONS, Scope

# What names of collections are made of, and "*" for any part of one.
_PATTERN = re.compile(r"[A-Za-z0-9._*-]{1,255}")


@dataclass(frozen=True, slots=True)
class Permission:
    """One scope, for the collections of a pattern where the scope is one of collections.

    collections: a name in which "*" stands for any characters; empty for other scopes.
    """

    scope: Scope
    collections: str = ""

    def __post_init__(self) -> None:
        if self.scope in OF_COLLECTIONS and not _PATTERN.fullmatch(self.collections):
            raise ValueError(
                f"{self.scope} needs names of collections, in which * stands for any characters, "
                f"as in {self.scope}:photos or {self.scope}:*; got {self.collections!r}"
            )
        if self.scope not in OF_COLLECTIONS and self.collections:
            raise ValueError(f"{self.scope} is not given for collections: leave them out")

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """Return the permission that a text of `str` is of. Raises ValueError."""
        scope, _, collections = text.partition(":")
        if scope not in set(Scope):
            raise ValueError(f"the scopes are {', '.join(Scope)}; got {scope!r}")
        return cls(Scope(scope), collections)

    def allows(self, scope: Scope, collection: str) -> bool:
        """Return whether it is of a scope, and for a collection where the scope is of those."""
        if scope is not self.scope:
            return False
        return not self.collections or fnmatchcase(collection, self.collections)

    def __str__(self) -> str:
        return f"{self.scope}:{self.collections}" if self.collections else f"{self.scope}"


def permissions_of(text: str) -> tuple[Permission, ...]:
    """Return what people write as "search,fetch:photos,album-*": each scope for each pattern.

    Raises:
        ValueError: it is not that, or names no such scope.
    """
    scopes, _, collections = text.partition(":")
    return tuple(
        Permission.parse(f"{scope.strip()}:{pattern.strip()}")
        for scope in scopes.split(",")
        for pattern in collections.split(",")
    )
