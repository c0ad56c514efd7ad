"""Pictures that a browser hands over: encrypted, sealed and sent, each by itself."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from cipherlens.client.coding import CodeMaker
from cipherlens.client.core.item import Place
from cipherlens.client.errors import FailedPrecondition, InvalidArgument
from cipherlens.client.folder.known import Known
from cipherlens.client.folder.making import Making
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.client.folder.walk import PICTURE_SUFFIXES, problem_of_name
from cipherlens.client.naming import Naming
from cipherlens.client.picture import prepare_picture
from cipherlens.client.tagging import Tagging
from cipherlens.client.web.album import Album
from cipherlens.crypto import ImageError, Manifest, checked_tags

_SIGNED_AFTER = 256
_SEAL_OVERHEAD_BYTES = 512


class State(StrEnum):
    """What became of a picture."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture, and why it was passed over."""

    state: State
    reason: str = ""


class Uploads:
    """Takes pictures into one album, as `cipherlens index` does: a file that is there is not sent.

    What was written is signed after each `_SIGNED_AFTER` pictures, and when the album's `vouching`
    is told to; what a sudden end of the process leaves unsigned is sent again by the next upload.
    """

    def __init__(self, album: Album, encoder: CodeMaker | None) -> None:
        """Take the album, and the hash network if it holds codes.

        Raises:
            NotGranted: the key is a granted one.
            ValueError: the collection holds neither cipher-images nor codes of the encoder.
        """
        self._album = album
        self._making = Making(album.client, album.where, encoder)
        self._naming = Naming(album.key, album.where.uuid)
        self._tagging = Tagging(album.key, album.where.uuid)
        self._owner_tags = OwnerTags(
            album.key,
            album.where.uuid,
            sealed=True,
            encoder_digest=self._making.encoder_digest,
            naming=self._naming,
        )

    @property
    def max_file_bytes(self) -> int:
        """Return the largest picture file that the server takes sealed."""
        return self._album.client.limits.max_sealed_bytes - _SEAL_OVERHEAD_BYTES

    def take(self, name: str, data: bytes, tags: Sequence[str] | None = None) -> Outcome:
        """Index one picture file, and return what became of it.

        Args:
            name: its path within the folder, with forward slashes.
            data: the file.
            tags: what it shall be found by, in place of what it is found by now; None leaves that.

        Raises:
            ValueError: one of the tags is none.
            CipherLensError: the server does not answer, or refuses all.
        """
        name = unicodedata.normalize("NFC", name)
        if reason := self._refusal(name, len(data)):
            return Outcome(State.SKIPPED, reason)
        try:
            return self._taken(name, data, tags)
        except ImageError as error:
            return Outcome(State.SKIPPED, str(error))

    def _refusal(self, name: str, size: int) -> str:
        """Return why a file is not taken; nothing if it is."""
        if PurePosixPath(name).suffix.lower() not in PICTURE_SUFFIXES:
            return "is not a picture file by its name"
        if not set(name.split("/")).isdisjoint({"", ".", ".."}):
            return "has a path that leads elsewhere"
        if size > self.max_file_bytes:
            return f"the file has {size:,} bytes, the limit is {self.max_file_bytes:,}"
        return problem_of_name(name, self._naming.longest_name_bytes(self._album.client.limits))

    def _taken(self, name: str, data: bytes, tags: Sequence[str] | None) -> Outcome:
        item_id = self._naming.id_of(name)
        unsigned = Manifest(collection_uuid=self._album.where.uuid, counter=0, items={})
        known = Known(self._album.stored(), self._album.vouching.manifest or unsigned)
        stored = known.stored.get(item_id)
        if tags is None:
            tags = [] if stored is None else self._tagging.read(stored)
        owner_tag = self._owner_tags.of(name, data, checked_tags(tags))
        if known.is_unchanged(item_id, owner_tag):
            return Outcome(State.UNCHANGED)
        revision = known.following_revision(item_id, time.time_ns() // 1000)
        place = Place(collection_uuid=self._album.where.uuid, item_id=item_id, revision=revision)
        (made,) = self._making.made([prepare_picture(data, self._making.size)], [place])
        try:
            self._album.client.index_encrypted(
                self._album.where,
                [item_id],
                [made],
                revisions=[revision],
                owner_tags=[owner_tag],
                tags=[self._tagging.blinded(tags, item_id, revision)],
            )
        except (InvalidArgument, FailedPrecondition) as error:
            if error.metadata.get("item_id") != item_id:
                raise
            return Outcome(State.SKIPPED, error.message)
        if self._album.vouching.add(item_id, made.listed(revision)) >= _SIGNED_AFTER:
            self._album.vouching.sign()
        return Outcome(State.INDEXED)
