"""Scopes: the kinds of work that a token can allow, none of which includes another."""

from enum import StrEnum


class Scope(StrEnum):
    """A kind of work.

    SEARCH: rank a collection.
    FETCH: read its items as they are stored, and their list.
    INDEX: write and delete its items, and read their list.
    ADMIN: make the collection, drop it, give it a model.
    SERVER: what concerns the whole server: make collections, push models, list them.
    TRAPDOOR: have query pictures encrypted, or made into codes.
    ENCRYPT: have pictures encrypted and sealed.
    DECRYPT: have items decrypted and opened, or the keys of single ones released.
    KEYS: make keys and list them.
    """

    SEARCH = "search"
    FETCH = "fetch"
    INDEX = "index"
    ADMIN = "admin"
    SERVER = "server"
    TRAPDOOR = "trapdoor"
    ENCRYPT = "encrypt"
    DECRYPT = "decrypt"
    KEYS = "keys"


OF_COLLECTIONS = frozenset({Scope.SEARCH, Scope.FETCH, Scope.INDEX, Scope.ADMIN})
"""Those that are given for collections by name."""

OF_OWNERS = frozenset({Scope.TRAPDOOR, Scope.ENCRYPT, Scope.DECRYPT, Scope.KEYS})
"""Those of a server that holds a keyring."""
