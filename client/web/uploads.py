"""Pictures that a browser hands over: encrypted, sealed and sent."""

import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from cipherlens.client.coding import CodeMaker
from cipherlens.client.folder.known import Known
from cipherlens.client.folder.making import Making
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.client.folder.reading import Reading
from cipherlens.client.folder.sender import Candidate, Sender
from cipherlens.client.folder.tally import Tally
from cipherlens.client.folder.walk import PICTURE_SUFFIXES, Skipped, problem_of_name
from cipherlens.client.naming import Naming
from cipherlens.client.tagging import Tagging
from cipherlens.client.web.album import Album
from cipherlens.crypto import ImageError, Manifest, StaleItem, checked_tags

_SIGNED_AFTER = 256
_SEAL_OVERHEAD_BYTES = 512

Handed = tuple[str, bytes]
"""A file's path within its folder, with forward slashes, and its bytes."""


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

    def take(self, files: Sequence[Handed], tags: Sequence[str] | None = None) -> list[Outcome]:
        """Index picture files, and return what became of each.

        Args:
            files: what was handed over; of those with the same name the first is taken.
            tags: what they shall be found by, in place of what they are found by now; None leaves
                that.

        Raises:
            ValueError: one of the tags is none.
            CipherLensError: the server does not answer, or refuses all.
        """
        reading = self._reading(None if tags is None else checked_tags(tags))
        names = [unicodedata.normalize("NFC", name) for name, _ in files]
        outcomes: dict[str, Outcome] = {}
        candidates = []
        for name, (_, data) in zip(names, files, strict=True):
            found = self._looked_at(reading, name, data)
            if isinstance(found, Skipped):
                outcomes[name] = Outcome(State.SKIPPED, found.reason)
            elif found is None:
                outcomes[name] = Outcome(State.UNCHANGED)
            elif name not in outcomes:
                outcomes[name] = Outcome(State.INDEXED)
                candidates.append(found)
        for refused in self._sent(candidates):
            outcomes[refused.name] = Outcome(State.SKIPPED, refused.reason)
        return [outcomes[name] for name in names]

    def _reading(self, tags: Sequence[str] | None) -> Reading:
        """Return what finds out which of some files are to be sent."""
        unsigned = Manifest(collection_uuid=self._album.where.uuid, counter=0, items={})
        return Reading(
            where=self._album.where,
            known=Known(self._album.stored(), self._album.vouching.manifest or unsigned),
            naming=self._naming,
            owner_tags=self._owner_tags,
            tagging=self._tagging,
            size=self._making.size,
            seal=True,
            limit_bytes=self.max_file_bytes,
            now_us=time.time_ns() // 1000,
            tags=None if tags is None else lambda _name: tags,
            seen=None,
        )

    def _looked_at(self, reading: Reading, name: str, data: bytes) -> Candidate | Skipped | None:
        """Return a picture to send, why it is passed over, or None if it is there as it is."""
        if reason := self._refusal(name, len(data)):
            return Skipped(name=name, reason=reason)
        try:
            return reading.picture(name, data)
        except (ImageError, StaleItem) as error:
            return Skipped(name=name, reason=str(error))

    def _refusal(self, name: str, size: int) -> str:
        """Return why a file is not taken; nothing if it is."""
        if PurePosixPath(name).suffix.lower() not in PICTURE_SUFFIXES:
            return "is not a picture file by its name"
        if not set(name.split("/")).isdisjoint({"", ".", ".."}):
            return "has a path that leads elsewhere"
        if size > self.max_file_bytes:
            return f"the file has {size:,} bytes, the limit is {self.max_file_bytes:,}"
        return problem_of_name(name, self._naming.longest_name_bytes(self._album.client.limits))

    def _sent(self, candidates: Sequence[Candidate]) -> Sequence[Skipped]:
        """Send pictures, vouch for those that were written, and return those that were refused."""
        tally = Tally(lambda _event: None)
        sender = Sender(
            client=self._album.client, where=self._album.where, making=self._making, tally=tally
        )
        unsigned = 0
        try:
            sender.send_all(candidates)
        finally:
            for item_id, listed in dict(sender.written).items():
                unsigned = self._album.vouching.add(item_id, listed)
        if unsigned >= _SIGNED_AFTER:
            self._album.vouching.sign()
        return tally.report().skipped
