"""Indexing a folder: resumable, and never stopped by a single picture."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from cipherlens.client.batches import batched
from cipherlens.client.client import Client
from cipherlens.client.coding import CodeMaker
from cipherlens.client.collection import Collection
from cipherlens.client.errors import (
    CipherLensError,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Unavailable,
)
from cipherlens.client.indexing import MAX_BATCH_BYTES, MAX_BATCH_PICTURES
from cipherlens.client.item import ItemSummary
from cipherlens.client.making import Making
from cipherlens.client.owner_tag import OwnerTags
from cipherlens.client.picture import (
    CodedPicture,
    EncryptedPicture,
    Place,
    PreparedPicture,
    prepare_picture,
)
from cipherlens.client.tally import FolderEvent, FolderReport, Tally, Waiting
from cipherlens.client.walk import PictureFile, Skipped, Walk
from cipherlens.crypto import ImageError, PreparedSize

_SEAL_OVERHEAD_BYTES = 512
_MAX_UNSEALED_BYTES = 256 * 2**20
_TRIES = 3
_RECONNECT_S = 30.0
_POSITION = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class _Candidate:
    """A picture on its way to the server."""

    item_id: str
    revision: int
    owner_tag: bytes
    picture: PreparedPicture


def index_folder(
    client: Client,
    collection: str | Collection,
    folder: str | Path,
    *,
    encoder: CodeMaker | None = None,
    seal: bool = True,
    prune: bool = False,
    on_event: Callable[[FolderEvent], None] = lambda _event: None,
) -> FolderReport:
    """Index the picture files of a folder and return what became of them.

    An item's id is the path of its file within the folder. Running it again sends only what is
    new or changed, so it resumes after any interruption. A file that cannot be read, is too
    large or is refused by the server is skipped with its reason.

    Args:
        client: has the key.
        collection: a cipher collection of that key, or a code collection.
        folder: hidden files in it, and links to folders, are passed over.
        encoder: the hash network that makes codes of the pictures, for a code collection.
        seal: store the original files too, sealed.
        prune: delete items of the collection that have no file in the folder.
        on_event: called with every step forward, file passed over and wait, by one thread at a
            time.

    Raises:
        NotADirectoryError: folder is none.
        ValueError: the collection holds neither cipher-images of the client's key nor codes of
            the encoder, or prune was asked for with a folder that holds no picture.
        Unavailable, DeadlineExceeded: the server stopped answering; run it again to go on.
        CipherLensError: the server refuses all.
    """
    indexer = FolderIndexer(
        client, collection, folder, encoder=encoder, seal=seal, prune=prune, on_event=on_event
    )
    return indexer.run()


class FolderIndexer:
    """One run over a folder; `report` says at any time how far it has come."""

    def __init__(
        self,
        client: Client,
        collection: str | Collection,
        folder: str | Path,
        *,
        encoder: CodeMaker | None = None,
        seal: bool = True,
        prune: bool = False,
        on_event: Callable[[FolderEvent], None] = lambda _event: None,
    ) -> None:
        """Take the arguments of `index_folder`."""
        self._client = client
        self._collection = collection
        self._folder = Path(folder)
        self._encoder = encoder
        self._seal = seal
        self._prune = prune
        self._tally = Tally(on_event)

    @property
    def report(self) -> FolderReport:
        """Return how far this run has come."""
        return self._tally.report()

    def run(self) -> FolderReport:
        """Index the folder, as `index_folder` says."""
        where = self._client.resolve(self._collection)
        making = Making(self._client, where, self._encoder)
        walk = Walk(self._folder, self._client.limits.max_item_id_bytes)
        if self._prune and not walk.files:
            raise ValueError(f"{self._folder} holds no picture: pruning would delete every item")
        for skipped in walk.skipped:
            self._tally.skip(skipped, found=False)
        self._tally.find(len(walk.files))
        stored = {item.item_id: item for item in self._client.list_items(where)}
        tags = OwnerTags(
            making.key, where.uuid, sealed=self._seal, encoder_digest=making.encoder_digest
        )
        self._send_all(where, making, self._candidates(walk.files, stored, tags, making.size))
        if self._prune:
            self._delete_vanished(where, walk, stored)
        return self.report

    def _candidates(
        self,
        files: Iterable[PictureFile],
        stored: dict[str, ItemSummary],
        tags: OwnerTags,
        size: PreparedSize,
    ) -> Iterator[_Candidate]:
        """Yield the pictures that the server does not have as they are now."""
        now = time.time_ns()
        for file in files:
            known = stored.get(file.item_id)
            try:
                data = self._read(file)
                tag = tags.of(file.item_id, data)
                if known is not None and known.owner_tag == tag:
                    self._tally.leave_unchanged()
                    continue
                picture = prepare_picture(data, size)
            except (ImageError, OSError) as error:
                self._tally.skip(Skipped(item_id=file.item_id, reason=_reason(error)))
                continue
            # A clock that was set back must not make new content look old.
            revision = now if known is None else max(now, known.revision + 1)
            yield _Candidate(
                item_id=file.item_id,
                revision=revision,
                owner_tag=tag,
                picture=picture if self._seal else replace(picture, original=None),
            )

    def _read(self, file: PictureFile) -> bytes:
        """Return the bytes of a file, if the server takes as many.

        Raises:
            ImageError: there are more.
            OSError: it cannot be read.
        """
        limit = _MAX_UNSEALED_BYTES
        if self._seal:
            limit = self._client.limits.max_sealed_bytes - _SEAL_OVERHEAD_BYTES
        if file.size_bytes > limit:
            raise ImageError(f"the file has {file.size_bytes:,} bytes, the limit is {limit:,}")
        return file.path.read_bytes()

    def _send_all(
        self, where: Collection, making: Making, candidates: Iterable[_Candidate]
    ) -> None:
        """Send the candidates in batches: while one is under way, the next is prepared."""
        batches = batched(
            candidates,
            lambda candidate: candidate.picture.size_bytes,
            max_bytes=MAX_BATCH_BYTES,
            max_items=min(MAX_BATCH_PICTURES, self._client.limits.max_batch_items),
        )
        sender = ThreadPoolExecutor(1, "index")
        under_way: Future[None] | None = None
        try:
            for batch in batches:
                if under_way is not None:
                    under_way.result()
                under_way = sender.submit(self._send, where, making, batch)
            if under_way is not None:
                under_way.result()
        finally:
            # An interrupted run does not wait for the batch under way: closing the client ends it.
            sender.shutdown(wait=False, cancel_futures=True)

    def _send(self, where: Collection, making: Making, batch: list[_Candidate]) -> None:
        """Write one batch, without those items that the server names as wrong."""
        # Made once: what is sent again must be the same bytes under the same revision.
        places = [
            Place(collection_uuid=where.uuid, item_id=each.item_id, revision=each.revision)
            for each in batch
        ]
        left = list(zip(batch, making.made([each.picture for each in batch], places), strict=True))
        while left:
            try:
                self._write(where, left)
            except (InvalidArgument, FailedPrecondition) as error:
                number = _named_item(error, [each.item_id for each, _ in left])
                if number is None:
                    raise
                refused, _ = left.pop(number)
                self._tally.skip(Skipped(item_id=refused.item_id, reason=error.message))
            else:
                self._tally.index(len(left))
                return

    def _write(
        self, where: Collection, entries: list[tuple[_Candidate, EncryptedPicture | CodedPicture]]
    ) -> None:
        """Write entries; a server that does not answer is waited for, but not for ever."""
        for attempt in range(1, _TRIES + 1):
            try:
                self._client.index_encrypted(
                    where,
                    [each.item_id for each, _ in entries],
                    [picture for _, picture in entries],
                    revisions=[each.revision for each, _ in entries],
                    owner_tags=[each.owner_tag for each, _ in entries],
                )
            except (Unavailable, DeadlineExceeded) as error:
                if attempt == _TRIES:
                    raise
                self._tally.tell(Waiting(reason=error.message))
                self._client.wait_until_reachable(_RECONNECT_S)
            else:
                return

    def _delete_vanished(
        self, where: Collection, walk: Walk, stored: dict[str, ItemSummary]
    ) -> None:
        """Delete the items whose files are gone; none if a part of the folder is not known."""
        if not walk.complete:
            self._tally.skip(
                Skipped(item_id=".", reason="not pruned: a folder could not be read"), found=False
            )
            return
        here = {file.item_id for file in walk.files} | {each.item_id for each in walk.skipped}
        vanished = [item_id for item_id in stored if item_id not in here]
        self._tally.prune(self._client.delete(where, vanished))


def _named_item(error: CipherLensError, item_ids: list[str]) -> int | None:
    """Return the number of the item that an error names, if it is about one item."""
    if error.metadata.get("item_id") in item_ids:
        return item_ids.index(error.metadata["item_id"])
    position = _POSITION.search(error.metadata.get("field", ""))
    if not isinstance(error, InvalidArgument) or position is None:
        return None
    number = int(position[1])
    return number if number < len(item_ids) else None


def _reason(error: Exception) -> str:
    """Return why a file cannot be indexed, without its path."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
