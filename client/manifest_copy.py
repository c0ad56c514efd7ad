"""A manifest kept on the server too, for users who hold the keys and not the owner's files.

It lies in a collection of its own beside the one that it is of, in parts that a sealed original may
be as large as. Nothing in it is secret from the server: it has the ids, revisions and digests. What
it cannot do is change it, which the owner's signature would tell, or give one back that is older
than the reader has seen, which the counter tells.
"""

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from cipherlens.client.client import Client
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import ItemState
from cipherlens.client.core.pictures import CodedPicture
from cipherlens.client.errors import AlreadyExists, NotFound

SUFFIX = ".manifest"
"""What the name of such a collection ends in."""

PART_BYTES = 8 * 2**20
_BITS = 12  # the shortest code that there is: nobody searches here
_CODE = np.zeros(2, np.uint8)


def push_manifest(client: Client, where: Collection, signed: bytes, counter: int) -> None:
    """Put a signed manifest on the server, in place of the one before.

    Raises:
        FailedPrecondition: one of a higher counter is there.
        InvalidArgument: the name of the collection is too long for another beside it.
    """
    name = where.name + SUFFIX
    with suppress(AlreadyExists):
        client.create_code_collection(name, _BITS, masked=False)
    # One part more where the last is full: a part that is not ends the manifest.
    starts = range(0, len(signed) + 1, PART_BYTES)
    parts = [
        CodedPicture(code=_CODE, sealed_original=signed[at : at + PART_BYTES]) for at in starts
    ]
    ids = [_part_id(where, number) for number in range(len(parts))]
    # What is read while this goes on may be of two manifests, and then fits no signature.
    client.index_encrypted(name, ids, parts, revisions=[counter] * len(parts))


def pull_manifest(client: Client, where: Collection) -> bytes:
    """Return the signed manifest that the server holds of a collection; check it before use.

    Raises:
        NotFound: it holds none.
    """
    return b"".join(_parts(client, where))


def _parts(client: Client, where: Collection) -> Iterator[bytes]:
    number = 0
    while True:
        (fetched,) = client.fetch(where.name + SUFFIX, [_part_id(where, number)])
        if fetched.item is None or fetched.state is not ItemState.PRESENT:
            raise NotFound(f"part {number} of the manifest of {where.name!r} is {fetched.state}")
        yield fetched.item.sealed_original
        if len(fetched.item.sealed_original) < PART_BYTES:
            return
        number += 1


def _part_id(where: Collection, number: int) -> str:
    """Return the id of a part: a collection made anew under the name has parts of its own."""
    return f"{where.uuid}/{number:06}"
