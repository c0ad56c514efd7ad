"""The three kinds of collection."""

from enum import StrEnum


class Kind(StrEnum):
    """What the items of a collection are, and how they are compared."""

    CIPHER = "cipher"
    """Cipher-images, embedded by a pushed model; cosine similarity."""

    VECTOR = "vector"
    """Ready feature vectors; cosine similarity."""

    CODE = "code"
    """Ready binary codes; Hamming distance."""
