"""Searches of an album: by a picture that was dropped, or by one of its items."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from PIL import Image

from cipherlens.base import Kind
from cipherlens.client.coding import CodeMaker, make_codes
from cipherlens.client.core.content import Rows
from cipherlens.client.core.item import Hit, Hits, ItemView
from cipherlens.client.core.question import SearchOptions
from cipherlens.client.core.tags import TagFilter
from cipherlens.client.errors import NotFound
from cipherlens.client.verification import problems_of_hits
from cipherlens.client.web.album import Album, Entry
from cipherlens.client.web.pictures import code_view, png_of
from cipherlens.crypto import CipherImage

_KEPT_QUERIES = 32


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Found:
    """The hits of a search, best first.

    Attributes:
        hits: with their entries, as far as the collection lists them.
        problems: what the owner's manifest shows to be wrong; empty without one.
        query: names what the server was given, for `Searches.seen`; empty for an item.
    """

    hits: list[tuple[Hit, Entry | None]]
    problems: list[str]
    query: str = ""


class Searches:
    """Searches of one album; of the last ones it is kept what the server was given."""

    def __init__(self, album: Album, encoder: CodeMaker | None) -> None:
        """Take the album, and the hash network if it holds codes."""
        self._album, self._encoder = album, encoder
        self._numbers = count(1)
        self._lock = threading.Lock()  # guards what follows
        self._seen: OrderedDict[str, Image.Image] = OrderedDict()

    @property
    def takes_pictures(self) -> bool:
        """Return whether a picture can be searched by: none can in a collection of vectors."""
        return self._album.where.kind is Kind.CIPHER or self._encoder is not None

    def by_picture(self, data: bytes, k: int, tags: TagFilter) -> Found:
        """Return what is most like a picture file, which is encrypted here.

        Raises:
            ImageError: it is no picture.
            ValueError: the collection cannot be searched by pictures.
        """
        if self._encoder is not None:
            plain = make_codes([data], self._encoder)
            code = np.asarray(self._album.client.masked(self._album.where, plain), np.uint8)
            return replace(self._by_rows(code, k, tags), query=self._keep(code_view(code[0])))
        if not self.takes_pictures:
            raise ValueError("a collection of vectors is searched by its items alone")
        query = self._album.client.encrypt_query(data)
        return replace(self._by_image(query, k, tags), query=self._keep(query.view()))

    def by_item(self, item_id: str, k: int, tags: TagFilter) -> Found:
        """Return what is most like an item: the server is sent what it has of it.

        Raises:
            NotFound: it is not there.
        """
        item = self._album.item(item_id, ItemView.CONTENT)
        if item.cipher_image is not None:
            return self._by_image(item.cipher_image, k, tags)
        row: Rows | None = item.vector if item.code is None else item.code
        assert row is not None
        return self._by_rows(row[None], k, tags)

    def seen(self, query: str) -> bytes:
        """Return what the server was given as a query, as a PNG. Raises NotFound for an old one."""
        with self._lock:
            if query not in self._seen:
                raise NotFound(f"query {query!r} is not kept any more")
            return png_of(self._seen[query])

    def _by_image(self, query: CipherImage, k: int, tags: TagFilter) -> Found:
        options = SearchOptions(tags=tags)
        return self._found(
            self._album.client.search_image(self._album.where, query, k, options=options), k, tags
        )

    def _by_rows(self, rows: Rows, k: int, tags: TagFilter) -> Found:
        """Search by one vector or code as the server has it, under the mask if there is one."""
        client, where = self._album.client, self._album.where
        options = SearchOptions(tags=tags, mask_id=where.mask_id)
        if where.kind is Kind.CODE:
            codes = np.asarray(rows, np.uint8)
            (hits,) = client.search_codes(where, codes, k, options=options)
        else:
            (hits,) = client.search_vectors(where, rows, k, options=options)
        return self._found(hits, k, tags)

    def _found(self, hits: Hits, k: int, tags: TagFilter) -> Found:
        entries = self._album.named(hits.item_ids)
        manifest = self._album.vouching.manifest
        asked = self._album.tagging.asked(tags) if tags else None
        problems = [] if manifest is None else problems_of_hits(hits, manifest, k, asked)
        return Found(hits=[(hit, entries.get(hit.item_id)) for hit in hits], problems=problems)

    def _keep(self, seen: Image.Image) -> str:
        """Keep what the server was given, and return its name."""
        query = f"q{next(self._numbers)}"
        with self._lock:
            self._seen[query] = seen
            while len(self._seen) > _KEPT_QUERIES:
                self._seen.popitem(last=False)
        return query


def score_of(hit: Hit) -> str:
    """Return how near a hit is, in words."""
    if hit.distance is None:
        return f"{hit.similarity:.3f}"
    return f"{hit.distance} bit" + "s" * (hit.distance != 1)
