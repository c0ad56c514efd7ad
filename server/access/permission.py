"""Permissions: a scope, and for which collections or keys."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cipherlens.server.access.scope import OF_COLLECTIONS, OF_OWNERS, Scope

# What names of collections and keys are made of, and "*" for any part of one.
_NAMES = r"[A-Za-z0-9._*-]{1,255}"
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_COLLECTIONS = re.compile(_NAMES)
_KEYS = re.compile(rf"{_NAMES}(/{_UUID})?")
# Another way to name a key, which a pattern of names must not match.
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{32}")


@dataclass(frozen=True, slots=True)
class Permission:
    """One scope, and where it holds.

    within: a name in which "*" stands for any characters, of collections or, for a scope of owners,
        of keys; there "/UUID" behind it leaves but the one collection. Empty for the scope of a
        server, and for one of owners that holds for all keys.
    """

    scope: Scope
    within: str = ""

    def __post_init__(self) -> None:
        if self.scope in OF_COLLECTIONS and not _COLLECTIONS.fullmatch(self.within):
            raise ValueError(
                f"{self.scope} needs names of collections, in which * stands for any characters, "
                f"as in {self.scope}:photos or {self.scope}:*; got {self.within!r}"
            )
        if self.scope in OF_OWNERS and self.within and not _KEYS.fullmatch(self.within):
            raise ValueError(
                f"{self.scope} is for keys by name, in which * stands for any characters, and for "
                f"one collection with / and its UUID behind; got {self.within!r}"
            )
        if self.scope is Scope.SERVER and self.within:
            raise ValueError(f"{self.scope} is for the whole server: leave out {self.within!r}")

    @classmethod
    def parse(cls, text: str) -> "Permission":
        """Return the permission that a text of `str` is of. Raises ValueError."""
        scope, _, within = text.partition(":")
        if scope not in set(Scope):
            raise ValueError(f"the scopes are {', '.join(Scope)}; got {scope!r}")
        return cls(Scope(scope), within)

    def allows(self, scope: Scope, collection: str) -> bool:
        """Return whether it is of a scope, and for a collection where the scope is of those."""
        if scope is not self.scope:
            return False
        return not self.within or fnmatchcase(collection, self.within)

    def allows_key(self, scope: Scope, key: str, collection_uuid: str) -> bool:
        """Return whether it is of a scope of owners, and for a key as it is used.

        key: as a request names it; empty, or a fingerprint, where it does not by name: only who may
            use all keys may do so.
        collection_uuid: what it is used for; empty for no single collection.
        """
        keys, _, only = self.within.partition("/")
        if scope is not self.scope or (only and only != collection_uuid.lower()):
            return False
        if keys in ("", "*"):
            return True
        return not _FINGERPRINT.fullmatch(key) and fnmatchcase(key, keys)

    def __str__(self) -> str:
        return f"{self.scope}:{self.within}" if self.within else f"{self.scope}"


def permissions_of(text: str) -> tuple[Permission, ...]:
    """Return what people write as "search,fetch:photos,album-*": each scope for each pattern.

    Raises:
        ValueError: it is not that, or names no such scope.
    """
    scopes, _, within = text.partition(":")
    return tuple(
        Permission.parse(f"{scope.strip()}:{pattern.strip()}")
        for scope in scopes.split(",")
        for pattern in within.split(",")
    )
