"""Indexing a folder: what is new or changed in it, sent; what cannot be, passed over."""

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from cipherlens.client.client import Client
from cipherlens.client.coding import CodeMaker
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import ItemSummary
from cipherlens.client.folder.ahead import ahead
from cipherlens.client.folder.known import Known
from cipherlens.client.folder.making import Making
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.client.folder.pruning import at_most_half, check_one_kind_of_ids, vanished
from cipherlens.client.folder.reading import Reading
from cipherlens.client.folder.seen import SeenFiles
from cipherlens.client.folder.sender import Candidate, Sender
from cipherlens.client.folder.tally import FolderEvent, FolderReport, Tally, Vanished
from cipherlens.client.folder.walk import PictureFile, Skipped, Walk
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.naming import Naming
from cipherlens.client.picture import MAX_PICTURE_BYTES
from cipherlens.client.tagging import Tagging
from cipherlens.crypto import Key, Manifest

_SEAL_OVERHEAD_BYTES = 512

MAX_READERS = 4
"""Threads that read and decode: a picture of 100 million pixels takes 300 MB and more in each."""
_AHEAD_FILES = 64
_AHEAD_BYTES = 32 * 2**20

_Arguments = ParamSpec("_Arguments")
_Read = TypeVar("_Read")


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
        prune: bool | Callable[[Vanished], bool] = False,
        readable_ids: bool = False,
        tags: Callable[[str], Iterable[str]] | None = None,
        manifests: ManifestFolder | None = None,
        by_time: Path | None = None,
        dry_run: bool = False,
        on_event: Callable[[FolderEvent], None] = lambda _event: None,
    ) -> None:
        """Take the arguments of a run, as `run` and `index_folder` explain it.

        Args:
            client: has the key.
            collection: a cipher collection of that key, or a code collection.
            folder: hidden files in it, and links to folders, are passed over.
            encoder: the hash network that makes codes of the pictures, for a code collection.
            seal: store the original files too, sealed.
            prune: delete items of the collection that have no file in the folder: True as long as
                they are no more than half of it; a function is asked before anything is sent, and
                may refuse by False or by an error of its own.
            readable_ids: let names be the ids, for the server and all its callers to read.
            tags: returns what the picture of a name shall be found by, in place of what it is
                found by now; None leaves that as it is.
            manifests: where the collection's manifest is kept: signed anew with what was written
                and deleted, also when the run is interrupted; what it does not list is sent again.
            by_time: a folder for a record of files: one whose size and time of change are as when
                it was stored is not read, and counts as unchanged. Not where `tags` are given.
            dry_run: send nothing, and count what would be sent and deleted.
            on_event: called with every step forward, file passed over and wait, by one thread at
                a time; it may ask for the `report`.
        """
        self._client = client
        self._collection = collection
        self._folder = Path(folder)
        self._encoder = encoder
        self._seal = seal
        self._prune = at_most_half if prune is True else prune
        self._readable_ids = readable_ids
        self._tags = tags
        self._manifests = manifests
        self._by_time = by_time
        self._dry_run = dry_run
        self._tally = Tally(on_event)

    @property
    def report(self) -> FolderReport:
        """Return how far this run has come."""
        return self._tally.report()

    def run(self) -> FolderReport:
        """Index the picture files of the folder and return what became of them.

        An item's name is the path of its file within the folder. The server is given a keyed id in
        its place, and the name sealed: `Client.item_names` opens it. Running it again sends only
        what is new or changed, so it resumes after any interruption. A file that cannot be read, is
        too large or is refused by the server is skipped with its reason.

        Raises:
            NotADirectoryError: the folder is none.
            ValueError: the collection holds neither cipher-images nor codes of the encoder, or
                pruning would delete all or, by prune=True, most of its items, or a file is stored
                already under the other kind of id.
            WrongKey: the collection is of another key than the client's.
            Unavailable, DeadlineExceeded: the server stopped answering; run it again to go on.
            CipherLensError: the server refuses all.
        """
        where = self._client.resolve(self._collection)
        making = Making(self._client, where, self._encoder)
        naming = Naming(making.key, where.uuid, readable_ids=self._readable_ids)
        walk = Walk(self._folder, naming.longest_name_bytes(self._client.limits))
        if self._prune and not walk.files:
            raise ValueError(f"{self._folder} holds no picture: pruning would delete every item")
        for skipped in walk.skipped:
            self._tally.skip(skipped, found=False)
        self._tally.count(found=len(walk.files))
        # Asked for before the listing: what another writes from here on is not known, and stays.
        listed = self._client.get_collection(where.name).sequence if self._prune else 0
        stored = {item.item_id: item for item in self._client.list_items(where)}
        gone = self._vanished(walk, list(stored.values()), naming)
        owner_tags = OwnerTags(
            making.key,
            where.uuid,
            sealed=self._seal,
            encoder_digest=making.encoder_digest,
            naming=naming,
        )
        known = Known(stored, self._manifest(where, making.key))
        reading = Reading(
            where=where,
            known=known,
            naming=naming,
            owner_tags=owner_tags,
            tagging=Tagging(making.key, where.uuid),
            size=making.size,
            seal=self._seal,
            limit_bytes=self._largest_file(),
            now_us=time.time_ns() // 1000,
            tags=self._tags,
            seen=self._seen(where, making),
        )
        sender = Sender(client=self._client, where=where, making=making, tally=self._tally)
        send = self._only_count if self._dry_run else sender.send_all
        deleted: list[str] = []
        try:
            with closing(read_ahead(reading.candidate, walk.files)) as found:
                send(self._counted(found))
            if gone and not self._dry_run:
                self._tally.prune(self._client.delete(where, gone, up_to_sequence=listed))
                deleted = [*gone, *known.lost(walk, naming)]
            else:
                self._tally.prune(len(gone))
        finally:
            # Batches that an interruption left under way are not in it: they are sent again.
            changed = sender.written or deleted or known.is_new
            if self._manifests is not None and changed and not self._dry_run:
                self._manifests.record(making.key, where.uuid, dict(sender.written), deleted)
            if not self._dry_run:
                reading.keep_seen(list(sender.written))
        return self.report

    def _manifest(self, where: Collection, key: Key) -> Manifest | None:
        """Return the manifest to go by; without a folder of them there is none."""
        if self._manifests is None:
            return None
        known = self._manifests.load(where.uuid, key.verify_key)
        return known or Manifest(collection_uuid=where.uuid, counter=0, items={})

    def _seen(self, where: Collection, making: Making) -> SeenFiles | None:
        """Return the record of files to go by, None if all are to be read."""
        if self._by_time is None or self._tags is not None:
            return None
        way = f"{making.encoder_digest.hex()} {self._seal:d}{self._readable_ids:d}"
        return SeenFiles(self._by_time / f"{where.uuid}.files", way)

    def _largest_file(self) -> int:
        """Return how many bytes a file may have at most, for the server to take its seal."""
        if not self._seal:
            return MAX_PICTURE_BYTES
        return self._client.limits.max_sealed_bytes - _SEAL_OVERHEAD_BYTES

    def _counted(self, found: Iterable[Candidate | Skipped | None]) -> Iterator[Candidate]:
        """Yield what is to be sent, and count all else, in the order of the files."""
        for each in found:
            if isinstance(each, Candidate):
                yield each
            elif isinstance(each, Skipped):
                self._tally.skip(each)
            else:
                self._tally.count(unchanged=1)

    def _only_count(self, candidates: Iterable[Candidate]) -> None:
        """Count what would be sent."""
        for _ in candidates:
            self._tally.count(indexed=1)

    def _vanished(self, walk: Walk, stored: Sequence[ItemSummary], naming: Naming) -> list[str]:
        """Return the ids of the items to delete: none if a part of the folder is not known."""
        if not self._prune:
            check_one_kind_of_ids(walk, stored, naming)
            return []
        if not walk.complete:
            reason = "not pruned: a folder could not be read"
            self._tally.skip(Skipped(name=".", reason=reason), found=False)
            return []
        found = vanished(walk, stored, naming)
        if not found:
            return []
        told = Vanished(names=tuple(found.values()), stored_count=len(stored))
        self._tally.tell(told)
        return list(found) if self._dry_run or self._prune(told) else []


def read_ahead(
    read: Callable[[PictureFile], _Read], files: Iterable[PictureFile]
) -> Generator[_Read, None, None]:
    """Yield what `read` makes of each file, in order, on as many threads as there are cores.

    They are ahead of whoever takes it by some pictures, whose files are of 32 MiB at most.
    """
    return ahead(
        read,
        files,
        lambda file: file.size_bytes,
        threads=min(MAX_READERS, os.cpu_count() or 1),
        max_entries=_AHEAD_FILES,
        max_bytes=_AHEAD_BYTES,
    )


def _run_of(indexer: Callable[_Arguments, FolderIndexer]) -> Callable[_Arguments, FolderReport]:
    """Return a function of an indexer's arguments, and of its signature, that runs it."""

    @wraps(indexer, assigned=(), updated=())
    def index_folder(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> FolderReport:
        """Index the picture files of a folder and return what became of them.

        Takes the arguments of `FolderIndexer`; does, and raises, what its `run` says.
        """
        return indexer(*arguments, **named).run()

    return index_folder


index_folder = _run_of(FolderIndexer)
