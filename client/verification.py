"""Whether hits can be what an honest server finds: by the owner's manifest, and by a search anew.

Each function returns sentences that say what is wrong; none means that nothing was found to be.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cipherlens.client.core.content import Rows
from cipherlens.client.core.item import Fetched, Hits, Item
from cipherlens.client.core.tags import BlindedFilter
from cipherlens.crypto import Manifest, StaleItem

SIMILARITY_TOLERANCE = 1e-5
"""How far a cosine may be from ours: both sides add float32 numbers in orders of their own."""


def problems_of_hits(
    hits: Hits, manifest: Manifest, k: int, asked: BlindedFilter | None = None
) -> list[str]:
    """Return what the manifest shows of the hits of one query alone.

    They must be as many as there are items that the filter keeps, at most k, each once, listed, no
    older than listed, with tags that the filter keeps, and in the order of their scores. A revision
    that is later than listed passes: only its seal can vouch for it.

    Args:
        hits: what the server gave.
        manifest: the owner's.
        k: the hits that were asked for.
        asked: the filter of the search, as `Tagging.asked` makes it; None for every item.
    """
    return [
        *_of_membership(hits, manifest),
        *_of_tags(hits, manifest, asked),
        *_of_number(hits, manifest, k, asked),
        *_of_order(hits),
    ]


def kept_ids(manifest: Manifest, asked: BlindedFilter | None) -> list[str]:
    """Return the ids of the listed items that a filter keeps, all of them for None.

    What nothing is known of is not among them: `without_known_tags` counts it.
    """
    if asked is None:
        return list(manifest.items)
    return [
        item_id
        for item_id, listed in manifest.items.items()
        if listed.tags is not None and asked.keeps(listed.tags.tokens)
    ]


def without_known_tags(manifest: Manifest) -> int:
    """Return how many of the listed items have tags, or none, that the manifest does not know."""
    return sum(listed.tags is None for listed in manifest.items.values())


def problems_of_ranking(
    query: Rows, hits: Hits, stored: Iterable[Fetched], manifest: Manifest, k: int
) -> list[str]:
    """Return what a search anew shows: of all items that the manifest lists, compared with a query.

    Args:
        query: the row that was searched by: (dimension,) float32, or (bytes,) uint8 of a code.
        hits: of a search that was asked to compare with every item.
        stored: what the server gives of every listed item, or of `kept_ids` where the search had a
            filter; `ItemView.CONTENT` at least.
        manifest: the owner's.
        k: the hits that were asked for.
    """
    problems: list[str] = []
    ids, rows = [], []
    for fetched in stored:
        try:
            rows.append(_vouched_row(fetched, manifest))
            ids.append(fetched.item_id)
        except StaleItem as error:
            problems.append(str(error))
    if not rows:
        return problems
    costs = _costs(query, np.stack(rows))
    true = dict(zip(ids, costs.tolist(), strict=True))
    return [*problems, *_of_scores(hits, true), *_of_omission(hits, true, k)]


def problems_of_presence(stored: Iterable[Fetched], manifest: Manifest) -> list[str]:
    """Return which of the listed items are not there, or are older or with other tags than listed.

    Args:
        stored: what the server gives of every listed item, or of `kept_ids`, in any view.
        manifest: the owner's.
    """
    problems = []
    for fetched in stored:
        listed = manifest.listed(fetched.item_id)
        if fetched.item is None:
            problems.append(_absent(fetched, manifest))
        elif fetched.item.revision < listed.revision:
            problems.append(_older(fetched.item_id, fetched.item.revision, listed.revision))
        else:
            problems += _of_sealed_tags(fetched.item, manifest)
    return problems


def _absent(fetched: Fetched, manifest: Manifest) -> str:
    return f"item {fetched.item_id!r} is {fetched.state}, manifest {manifest.counter} lists it"


def _older(item_id: str, revision: int, listed: int) -> str:
    return f"item {item_id!r} has revision {revision}, listed is {listed}"


def _of_membership(hits: Hits, manifest: Manifest) -> Iterator[str]:
    seen: set[str] = set()
    for item_id, revision in zip(hits.item_ids, hits.revisions, strict=True):
        if item_id in seen:
            yield f"item {item_id!r} is a hit twice"
        seen.add(item_id)
        try:
            listed = manifest.listed(item_id)
        except StaleItem as error:
            yield str(error)
        else:
            if revision < listed.revision:
                yield _older(item_id, revision, listed.revision)


def _of_tags(hits: Hits, manifest: Manifest, asked: BlindedFilter | None) -> Iterator[str]:
    """Yield the hits that the filter does not keep, as far as the manifest knows their tags."""
    if asked is None:
        return
    for item_id, revision in zip(hits.item_ids, hits.revisions, strict=True):
        listed = manifest.items.get(item_id)
        if listed is None or listed.tags is None or listed.revision != revision:
            continue
        if not asked.keeps(listed.tags.tokens):
            yield (
                f"item {item_id!r} has other tags in manifest {manifest.counter} "
                "than were asked for"
            )


def _of_sealed_tags(item: Item, manifest: Manifest) -> Iterator[str]:
    try:
        manifest.check_tags(item.item_id, item.revision, item.sealed_tags)
    except StaleItem as error:
        yield str(error)


def _of_number(
    hits: Hits, manifest: Manifest, k: int, asked: BlindedFilter | None
) -> Iterator[str]:
    expected = min(k, len(kept_ids(manifest, asked)))
    if len(hits) < expected:
        yield f"there are {len(hits)} hits where manifest {manifest.counter} promises {expected}"


def _of_order(hits: Hits) -> Iterator[str]:
    costs = _claimed(hits)
    if any(later < sooner for sooner, later in pairwise(costs)):
        yield "the hits are not in the order of their scores"


def _of_scores(hits: Hits, true: dict[str, float]) -> Iterator[str]:
    """Yield the hits whose score is not that of the item."""
    for item_id, claimed in zip(hits.item_ids, _claimed(hits), strict=True):
        if item_id in true and abs(claimed - true[item_id]) > SIMILARITY_TOLERANCE:
            yield (
                f"item {item_id!r} is given a score of {abs(claimed):g}, "
                f"it has {abs(true[item_id]):g}"
            )


def _of_omission(hits: Hits, true: dict[str, float], k: int) -> Iterator[str]:
    """Yield the items that are nearer than the last hit and were left out."""
    found = set(hits.item_ids)
    here = [true[item_id] for item_id in found if item_id in true]
    last = max(here, default=float("inf")) if len(hits) >= k else float("inf")
    for item_id, cost in true.items():
        if item_id not in found and cost < last - SIMILARITY_TOLERANCE:
            yield f"item {item_id!r} is nearer than the last hit and was left out"


def _claimed(hits: Hits) -> list[float]:
    """Return what each hit costs by its claimed score: less is nearer."""
    if hits.distances:
        return [float(each) for each in hits.distances]
    return [-each for each in hits.similarities]


def _costs(query: npt.NDArray[Any], rows: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return what each row costs: a code its Hamming distance, a vector its cosine, negated."""
    if rows.dtype == np.uint8:
        return np.asarray(np.unpackbits(rows ^ query, axis=1).sum(axis=1), np.float64)
    exact = query.astype(np.float64)
    unit = exact / np.linalg.norm(exact)
    return np.asarray(-(rows @ unit), np.float64)


def _vouched_row(fetched: Fetched, manifest: Manifest) -> Rows:
    """Return what an item is compared by, if it is what the manifest lists.

    Raises:
        StaleItem: it is not there, or is another.
    """
    item = fetched.item
    if item is None:
        raise StaleItem(_absent(fetched, manifest))
    manifest.check(
        item.item_id,
        item.revision,
        item.listed_digest(),
        sealed=None,
        sealed_tags=item.sealed_tags,
    )
    return _row(item)


def _row(item: Item) -> Rows:
    """Return the code or vector of an item. Raises ValueError if it has neither."""
    row = item.vector if item.code is None else item.code
    if row is None:
        raise ValueError(f"item {item.item_id!r} is a cipher-image, which a model compares")
    return row
