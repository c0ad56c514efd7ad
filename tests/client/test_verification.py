"""Lies of a server, against plain loops over everything."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.client import BlindedFilter, Fetched, Hits, Item, ItemState
from cipherlens.client.verification import (
    kept_ids,
    problems_of_hits,
    problems_of_presence,
    problems_of_ranking,
    without_known_tags,
)
from cipherlens.crypto import ListedItem, ListedTags, Manifest

WHERE = uuid.UUID(int=1)


def fetched(item_id: str, row: np.ndarray) -> Fetched:
    kind = {"code": row} if row.dtype == np.uint8 else {"vector": row}
    item = Item(
        collection_uuid=WHERE, item_id=item_id, revision=1, sequence=1, owner_tag=b"", **kind
    )
    return Fetched(item_id=item_id, state=ItemState.PRESENT, item=item)


def manifest_of(stored: Iterable[Fetched]) -> Manifest:
    items = {
        each.item_id: ListedItem(1, each.item.listed_digest(), False)
        for each in stored
        if each.item is not None
    }
    return Manifest(collection_uuid=WHERE, counter=1, items=items)


def codes(seed: int, count: int = 30) -> list[Fetched]:
    rows = np.random.default_rng(seed).integers(0, 256, (count, 3), np.uint8)
    return [fetched(f"i{number}", row) for number, row in enumerate(rows)]


def ranked(query: np.ndarray, stored: list[Fetched], k: int) -> Hits:
    """Return what an honest server finds, by plain loops."""
    distances = []
    for number, each in enumerate(stored):
        assert each.item is not None and each.item.code is not None  # noqa: PT018
        bits = sum(
            (int(a) ^ int(b)).bit_count() for a, b in zip(each.item.code, query, strict=True)
        )
        distances.append((bits, number))
    best = sorted(distances)[:k]
    return Hits(
        item_ids=tuple(stored[number].item_id for _, number in best),
        revisions=(1,) * len(best),
        distances=tuple(bits for bits, _ in best),
    )


QUERY = np.array([1, 2, 3], np.uint8)


@given(seed=st.integers(0, 10**6), k=st.integers(1, 40))
def test_an_honest_answer_has_no_problem(seed: int, k: int) -> None:
    stored = codes(seed)
    hits, manifest = ranked(QUERY, stored, k), manifest_of(stored)
    assert problems_of_hits(hits, manifest, k) == []
    assert problems_of_ranking(QUERY, hits, stored, manifest, k) == []


@given(seed=st.integers(0, 10**6), omitted=st.integers(0, 9))
def test_an_omitted_hit_is_found_unless_its_place_is_taken_by_its_equal(seed, omitted) -> None:
    stored, k = codes(seed), 10
    full = ranked(QUERY, stored, k + 1)
    keep = [number for number in range(k + 1) if number != omitted]
    hits = Hits(
        item_ids=tuple(full.item_ids[number] for number in keep),
        revisions=(1,) * k,
        distances=tuple(full.distances[number] for number in keep),
    )
    problems = problems_of_ranking(QUERY, hits, stored, manifest_of(stored), k)
    equal = full.distances[omitted] == full.distances[k]
    assert bool(problems) is not equal


@given(seed=st.integers(0, 10**6), at=st.integers(0, 9), by=st.sampled_from([-1, 1]))
def test_a_false_score_is_found(seed: int, at: int, by: int) -> None:
    stored = codes(seed)
    hits = ranked(QUERY, stored, 10)
    distances = list(hits.distances)
    distances[at] += by
    lie = Hits(item_ids=hits.item_ids, revisions=hits.revisions, distances=tuple(distances))
    problems = problems_of_ranking(QUERY, lie, stored, manifest_of(stored), 10)
    assert any(f"item {hits.item_ids[at]!r} is given a score" in each for each in problems)


def test_vectors_are_compared_by_cosine_with_room_for_rounding() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(50, 16))
    unit = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    stored = [fetched(f"v{number}", row) for number, row in enumerate(unit)]
    query = np.asarray(rng.normal(size=16) * 9, np.float32)
    cosines = unit @ (query / np.linalg.norm(query))
    order = np.argsort(-cosines)[:6]

    def hits(numbers: np.ndarray, scores: np.ndarray) -> Hits:
        return Hits(
            item_ids=tuple(f"v{number}" for number in numbers),
            revisions=(1,) * len(numbers),
            similarities=tuple(float(each) for each in scores),
        )

    manifest = manifest_of(stored)
    honest = hits(order[:5], cosines[order[:5]] + 2e-6)
    assert problems_of_ranking(query, honest, stored, manifest, 5) == []
    omitted = hits(order[1:], cosines[order[1:]])
    (problem,) = problems_of_ranking(query, omitted, stored, manifest, 5)
    assert problem == f"item 'v{order[0]}' is nearer than the last hit and was left out"
    false = hits(order[:5], cosines[order[:5]] + 0.01)
    assert len(problems_of_ranking(query, false, stored, manifest, 5)) == 5


def test_what_is_held_back_or_another_does_not_count() -> None:
    stored = codes(1)
    manifest, hits = manifest_of(stored), ranked(QUERY, stored, 5)
    missing = Fetched(item_id="i3", state=ItemState.MISSING)
    other = fetched("i4", np.array([9, 9, 9], np.uint8))
    bent = [*stored[:3], missing, other, *stored[5:]]
    problems = problems_of_ranking(QUERY, hits, bent, manifest, 5)
    assert problems[:2] == [
        "item 'i3' is missing, manifest 1 lists it",
        "item 'i4' has another digest than revision 1 in manifest 1",
    ]
    assert problems_of_presence(bent, manifest) == ["item 'i3' is missing, manifest 1 lists it"]


ONE, TWO, THREE = (bytes([number]) * 16 for number in (1, 2, 3))


def filter_of(**tokens: Iterable[bytes]) -> BlindedFilter:
    return BlindedFilter(collection_uuid=WHERE, **{k: tuple(v) for k, v in tokens.items()})


def tagged(manifest: Manifest, names: Collection[str]) -> Manifest:
    """Return a manifest where the items of some names have the tag of token ONE, others none."""
    with_tag = ListedTags.of([ONE], b"sealed")
    items = {
        name: each._replace(tags=with_tag if name in names else ListedTags())
        for name, each in manifest.items.items()
    }
    return Manifest(collection_uuid=WHERE, counter=1, items=items)


TOKENS = st.sets(st.sampled_from([ONE, TWO, THREE]))


@given(has=TOKENS, any_of=TOKENS, all_of=TOKENS, none_of=TOKENS)
def test_a_filter_keeps_what_fits_all_three(has, any_of, all_of, none_of) -> None:
    wanted = (
        (not any_of or any(each in has for each in any_of))
        and all(each in has for each in all_of)
        and not any(each in has for each in none_of)
    )
    assert filter_of(any_of=any_of, all_of=all_of, none_of=none_of).keeps(has) is wanted


def test_a_filtered_search_is_held_to_the_tags_of_the_manifest() -> None:
    stored = codes(1)
    with_one = [f"i{number}" for number in range(0, 30, 3)]
    manifest = tagged(manifest_of(stored), with_one)
    kept = [each for each in stored if each.item_id in with_one]
    asked = filter_of(all_of=[ONE])
    assert kept_ids(manifest, asked) == with_one
    for k in (4, 10, 20):
        honest = ranked(QUERY, kept, k)
        assert problems_of_hits(honest, manifest, k, asked) == []
        # A server that answers as if there were no filter.
        every = ranked(QUERY, stored, min(k, 10))
        wrong = [each for each in every.item_ids if each not in with_one]
        assert wrong
        assert problems_of_hits(every, manifest, min(k, 10), asked) == [
            f"item {each!r} has other tags in manifest 1 than were asked for" for each in wrong
        ]
    short = ranked(QUERY, kept[1:], 10)
    assert problems_of_hits(short, manifest, 10, asked) == [
        "there are 9 hits where manifest 1 promises 10"
    ]


def test_an_item_left_out_of_a_filtered_search_is_found_by_ranking_what_it_keeps() -> None:
    stored = codes(2)
    with_one = {f"i{number}" for number in range(12)}
    manifest = tagged(manifest_of(stored), with_one)
    asked = filter_of(any_of=[ONE])
    # Beside each item of the filter are the sealed tags that its owner put there.
    kept = [
        replace(each, item=replace(each.item, sealed_tags=b"sealed"))
        for each in stored
        if each.item_id in kept_ids(manifest, asked) and each.item is not None
    ]
    hits = ranked(QUERY, kept, 5)
    assert problems_of_ranking(QUERY, hits, kept, manifest, 5) == []
    best = hits.item_ids[0]
    without = ranked(QUERY, [each for each in kept if each.item_id != best], 5)
    assert problems_of_hits(without, manifest, 5, asked) == []  # the manifest alone shows nothing
    (problem,) = problems_of_ranking(QUERY, without, kept, manifest, 5)
    assert problem == f"item {best!r} is nearer than the last hit and was left out"
    stripped = [each for each in stored if each.item_id in with_one]
    problems = problems_of_ranking(QUERY, hits, stripped, manifest, 5)
    expected = [
        f"item 'i{number}' has no tags, not those that revision 1 has in manifest 1"
        for number in range(12)
    ]
    assert problems == problems_of_presence(stripped, manifest) == expected


def test_later_revisions_and_unknown_tags_pass() -> None:
    stored = codes(3)
    manifest, asked = manifest_of(stored), filter_of(all_of=[ONE])
    assert without_known_tags(manifest) == 30
    assert kept_ids(manifest, asked) == []
    assert kept_ids(manifest, None) == [each.item_id for each in stored]
    assert problems_of_hits(ranked(QUERY, stored, 5), manifest, 5, asked) == []
    known = tagged(manifest, ())
    assert without_known_tags(known) == 0
    later = replace(ranked(QUERY, stored, 1), revisions=(2,))
    assert problems_of_hits(later, known, 1, asked) == []
    assert len(problems_of_hits(replace(later, revisions=(1,)), known, 1, asked)) == 1


def test_hits_out_of_order_are_told() -> None:
    stored = codes(1)
    hits = Hits(item_ids=("i0", "i1"), revisions=(1, 1), distances=(5, 4))
    with_order = problems_of_hits(hits, manifest_of(stored), 2)
    assert with_order == ["the hits are not in the order of their scores"]


def test_cipher_images_cannot_be_ranked_here() -> None:
    bare = Item(collection_uuid=WHERE, item_id="a", revision=1, sequence=1, owner_tag=b"")
    stored = [Fetched(item_id="a", state=ItemState.PRESENT, item=bare)]
    hits = Hits(item_ids=("a",), revisions=(1,), similarities=(1.0,))
    with pytest.raises(ValueError, match="which a model compares"):
        problems_of_ranking(QUERY, hits, stored, manifest_of(stored), 1)
