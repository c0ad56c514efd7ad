"""One search for the 20 nearest of the items that a filter of tags keeps, beside one of all items.

Every item has each of three tokens by chance, so that filters keep 1 %, 10 % and 50 % of all kinds.
Measured in process and through the server in a process of its own, one query after the other;
"another" is a filter that was not asked before, where the server has to find out what it keeps.
Recall counts the hits that are as good as the last true one of those that are kept. All take turns
in every round; a figure is the median over rounds of a round's mean.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import stored
from benchmarks.harness.progress import told
from benchmarks.harness.ratios import Ratios, at_most, digits
from benchmarks.harness.rounds import asking, medians_us
from benchmarks.harness.server import serving
from benchmarks.timing import served
from benchmarks.timing.choice_data import BITS, SEED, Data, clusters, code_clusters
from benchmarks.timing.drawn_tags import SHARES, drawn_tokens, kept_by
from benchmarks.timing.local import K, singles
from cipherlens.base import IndexChoice, Kind
from cipherlens.client import Client
from cipherlens.client.core.content import put_rows
from cipherlens.server.config import IvfSettings
from cipherlens.server.engine import TagFilter
from cipherlens.server.engine.tag_postings import TagPostings
from cipherlens.server.index import (
    SearchParameters,
    SearchResult,
    VectorIndex,
    new_index,
    resolve_device,
    use_one_thread,
)
from cipherlens.v1 import retrieval_service_pb2 as pb

PLACE = 2.6

NOTES = """
Through the server a call itself is most of the time. Lists are used where a filter keeps at least
one row of 32, and are then looked into as far as was measured when they were trained; below that,
and wherever it is quicker, the kept rows are compared one by one, so that recall is 1. Where a
filter keeps items of one kind alone k come if k are kept, but not always the nearest.
Tokens take 4 bytes an item, and some 200 for each that is another than all before.
"""

SIZES = {"quick": (10_000,), "full": (10_000, 100_000)}
ROUNDS = {"quick": (15, 30), "full": (41, 30)}
ALL, ANOTHER = "all items", "10 %, another"
AT_MOST = 1.5
_BATCH = 1000
_EXACT = SearchParameters(exact=True)

Call = Callable[[], object]


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one query, recall, and ratios to searches of all items."""
    use_one_thread()
    rounds, calls = ROUNDS[profile]
    results: dict[str, Any] = {}
    draws = [(draw, size) for size in SIZES[profile] for draw in (_vectors, code_clusters)]
    for draw, size in told("data sets", draws):
        results |= _measured(draw(size), rounds, calls)
    return {
        "unit": "microseconds for one query",
        "seed": SEED,
        "k": K,
        "rounds": rounds,
        "calls_per_round": calls,
        "results": results,
        "ratios": ratios(results),
    }


def ratios(results: Mapping[str, Mapping[str, Any]]) -> Ratios:
    """Return what was asked: the slowest filter of each size and kind, through the server."""
    found: Ratios = {}
    for name, of_all in results.items():
        data, _, filtered = name.rpartition(", ")
        if filtered == ALL:
            others = [results[f"{data}, {share}"]["server_us"] for share in SHARES]
            found[f"{data}: the slowest filter / all items, through the server"] = at_most(
                max(others), of_all["server_us"], AT_MOST
            )
    return found


def _vectors(size: int) -> Data:
    return clusters(2.0, size)


def _measured(data: Data, rounds: int, calls: int) -> dict[str, Any]:
    """Return the figures of every filter over one data set."""
    tokens = drawn_tokens(len(data.rows))
    filters = {name: kept_by(name) for name in SHARES}
    index, postings = _index(data), TagPostings()
    postings.append(0, tokens)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        _store(address, data, tokens)
        contenders = _local_calls(index, postings, filters, data.queries)
        contenders |= _served_calls(address, data, filters)
        times = medians_us(contenders, rounds=rounds, calls=calls)
    return {
        f"{data.name}, {len(data.rows):,}, {name}": {
            "server_us": times["server", name],
            "in_process_us": times["process", name],
            "server / all": digits(times["server", name] / times["server", ALL]),
            "in process / all": digits(times["process", name] / times["process", ALL]),
            "recall": None
            if name == ANOTHER
            else _recall(index, postings, filters.get(name), data.queries),
        }
        for name in (ALL, *SHARES, ANOTHER)
    }


def _index(data: Data) -> VectorIndex:
    width = data.rows.shape[1]
    length = 8 * width if data.kind is Kind.CODE else width
    device = resolve_device("cpu")
    index = new_index(data.kind, length, device, IvfSettings(), IndexChoice.AUTO)
    index.append(data.rows)
    if index.wants_training:
        index.train(SEED)
    return index


def _another() -> Callable[[], bytes]:
    """Return what makes a token that was not there before."""
    numbers = count()
    return lambda: next(numbers).to_bytes(16, "little")


def _local_calls(
    index: VectorIndex,
    postings: TagPostings,
    filters: Mapping[str, TagFilter],
    queries: NDArray[Any],
) -> dict[tuple[str, str], Call]:
    fresh, tenth = _another(), filters["10 %"].all_of

    def among(kept: TagFilter) -> Callable[[NDArray[Any]], SearchResult]:
        return lambda query: index.search(query, K, rows=postings.among(kept))

    def among_another(query: NDArray[Any]) -> SearchResult:
        kept = TagFilter(all_of=tenth, none_of=(fresh(),))
        return index.search(query, K, rows=postings.among(kept))

    searches = {name: among(kept) for name, kept in filters.items()}
    searches |= {ALL: lambda query: index.search(query, K), ANOTHER: among_another}
    asked = singles(queries)
    return {("process", name): asking(search, asked) for name, search in searches.items()}


def _served_calls(
    address: str, data: Data, filters: Mapping[str, TagFilter]
) -> dict[tuple[str, str], Call]:
    if data.kind is Kind.CODE:
        requests = served.code_requests("data", data.queries, BITS)
    else:
        requests = served.vector_requests("data", data.queries, exact=False)
    stub, fresh = served.stub_at(address), _another()

    def among_another(request: pb.SearchRequest) -> pb.SearchResponse:
        request.filter.none_of[:] = [fresh()]
        return stub.Search(request)

    calls = {("server", ALL): asking(stub.Search, requests)}
    for name, kept in filters.items():
        asked = _filtered(requests, kept)
        calls["server", name] = asking(stub.Search, asked)
    another = _filtered(requests, filters["10 %"])
    return calls | {("server", ANOTHER): asking(among_another, another)}


def _filtered(requests: Sequence[pb.SearchRequest], kept: TagFilter) -> list[pb.SearchRequest]:
    made = []
    for request in requests:
        filtered = pb.SearchRequest(filter=pb.TagFilter(all_of=kept.all_of))
        filtered.MergeFrom(request)
        made.append(filtered)
    return made


def _store(address: str, data: Data, tokens: Sequence[bytes]) -> None:
    """Fill a collection "data" with the rows and their tokens."""
    stub, ids = served.stub_at(address), stored.item_ids(data.rows)
    with Client(address) as client:
        if data.kind is Kind.CODE:
            client.create_code_collection("data", BITS)
        else:
            client.create_vector_collection("data", data.rows.shape[1])
        for start in told("storing", range(0, len(ids), _BATCH)):
            stop = min(start + _BATCH, len(ids))
            items = [
                pb.IndexItem(item_id=ids[each], revision=1, tag_tokens=_parts(tokens[each]))
                for each in range(start, stop)
            ]
            request = pb.IndexRequest(collection="data", items=items)
            put_rows(request, data.rows[start:stop])
            stub.Index(request)
        if data.kind is Kind.VECTOR or len(ids) >= IvfSettings().minimum_codes:
            stored.wait_for_lists(client, "data")


def _parts(joined: bytes) -> list[bytes]:
    return [joined[start : start + 16] for start in range(0, len(joined), 16)]


def _recall(
    index: VectorIndex, postings: TagPostings, kept: TagFilter | None, queries: NDArray[Any]
) -> float:
    """Return which part of the hits is as good as the last true one of those that are kept."""
    rows = None if kept is None else postings.among(kept)
    found, truth = index.search(queries, K, rows=rows), index.search(queries, K, _EXACT, rows)
    worst = truth.scores[:, -1:]
    if truth.scores.dtype == np.int32:
        return digits(float(np.mean(found.scores <= worst)))
    return digits(float(np.mean(found.scores >= worst - 1e-6)))
