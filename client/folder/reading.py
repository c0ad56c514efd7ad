"""What a file is to a run: unchanged, passed over, or a picture to be sent."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from cipherlens.base import read_regular
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Place
from cipherlens.client.folder.known import Known
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.client.folder.seen import SeenFiles
from cipherlens.client.folder.sender import Candidate
from cipherlens.client.folder.walk import PictureFile, Skipped
from cipherlens.client.naming import Naming
from cipherlens.client.picture import prepare_picture, reason_of
from cipherlens.client.tagging import Tagging
from cipherlens.crypto import ImageError, PreparedSize, StaleItem, checked_tags


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Reads the files of one run; several threads may.

    Attributes:
        seal: whether originals are stored too.
        limit_bytes: the largest file that is taken.
        now_us: the revision of what is written, in microseconds since 1970, or less than it.
        tags: returns what a picture shall be found by; None leaves that as it is.
        seen: the record of files to go by; None reads them all.
        sent: file and owner tag of what is to be sent, by item id.
    """

    where: Collection
    known: Known
    naming: Naming
    owner_tags: OwnerTags
    tagging: Tagging
    size: PreparedSize
    seal: bool
    limit_bytes: int
    now_us: int
    tags: Callable[[str], Iterable[str]] | None
    seen: SeenFiles | None
    sent: dict[str, tuple[PictureFile, bytes]] = field(default_factory=dict)

    def candidate(self, file: PictureFile) -> Candidate | Skipped | None:
        """Return a file's picture, why it is passed over, or None if the server has it as it is."""
        item_id = self.naming.id_of(file.name)
        if self._looks_unchanged(item_id, file):
            return None
        try:
            found = self.picture(file.name, self._read(file))
        except (ImageError, OSError, StaleItem) as error:
            return Skipped(name=file.name, reason=reason_of(error))
        if found is None:
            self._note(file, self.known.stored[item_id].owner_tag)
        else:
            self.sent[item_id] = (file, found.owner_tag)
        return found

    def picture(self, name: str, data: bytes) -> Candidate | None:
        """Return the picture in a file's bytes, or None if the server has it as it is.

        Raises:
            ImageError: it is none.
            OpenError: the tags that it has were altered.
            StaleItem: the server does not have the tags that the manifest lists, and no others are
                given.
        """
        item_id = self.naming.id_of(name)
        tags = self._tags_of(name, item_id)
        tag = self.owner_tags.of(name, data, tags)
        if self.known.is_unchanged(item_id, tag):
            return None
        picture = prepare_picture(data, self.size)
        revision = self.known.following_revision(item_id, self.now_us)
        return Candidate(
            name=name,
            place=Place(collection_uuid=self.where.uuid, item_id=item_id, revision=revision),
            owner_tag=tag,
            tags=self.tagging.blinded(tags, item_id, revision),
            picture=picture if self.seal else replace(picture, original=None),
        )

    def keep_seen(self, written: Iterable[str]) -> None:
        """Keep the record of files, with those that were written by their ids."""
        if self.seen is not None:
            for item_id in written:
                self._note(*self.sent[item_id])
            self.seen.keep()

    def _looks_unchanged(self, item_id: str, file: PictureFile) -> bool:
        tag = None if self.seen is None else self.seen.owner_tag(file)
        return tag is not None and self.known.is_unchanged(item_id, tag)

    def _note(self, file: PictureFile, owner_tag: bytes) -> None:
        if self.seen is not None:
            self.seen.note(file, owner_tag)

    def _tags_of(self, name: str, item_id: str) -> list[str]:
        """Return what a picture shall be found by; raises what `picture` does for tags."""
        if self.tags is not None:
            return checked_tags(self.tags(name))
        tagged = self.known.tagged(item_id)
        return [] if tagged is None else self.tagging.read(tagged)

    def _read(self, file: PictureFile) -> bytes:
        """Return the bytes of a file, if the server takes as many.

        Raises:
            ImageError: there are more.
            OSError: it cannot be read.
        """
        if file.size_bytes > self.limit_bytes:
            raise ImageError(
                f"the file has {file.size_bytes:,} bytes, the limit is {self.limit_bytes:,}"
            )
        return read_regular(file.path, self.limit_bytes)  # it may have grown, or become a pipe
