import numpy as np
import pytest

from benchmarks.timing import index_choices
from benchmarks.timing.bare_indexes import bare
from benchmarks.timing.choice_data import BITS, clusters, code_clusters
from cipherlens.base import IndexChoice, Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.index import SearchParameters, new_index, resolve_device

EXACT = SearchParameters(exact=True)


def figures(single_us=10.0, ours=800, raw=1000):
    return {
        "single_us": single_us,
        "batch_per_s": ours,
        "raw_batch_per_s": raw,
        "batch / raw": ours / raw,
    }


def test_ratios_stand_beside_what_was_asked():
    results = {
        "codes around centres, 10,000, flat": figures(20.0),
        "codes around centres, 1,000,000, flat": figures(1000.0, 500),
        "codes around centres, 1,000,000, ivf": figures(15.0, 2000),
    }
    found = index_choices.ratios(results)
    assert found == {
        "a query of 1,000,000 codes / of 10,000": {"reached": 0.75, "at most": 4},
        "flat: queries a second in batches of 64 / raw FAISS, the least": {
            "reached": 0.5,
            "at least": 0.8,
        },
        "ivf: queries a second in batches of 64 / raw FAISS, the least": {
            "reached": 2.0,
            "at least": 0.8,
        },
    }


def test_rows_and_queries_are_drawn_alike_and_are_none_of_each_other():
    data = clusters(0.5, 1000)
    np.testing.assert_allclose(np.linalg.norm(data.rows, axis=1), 1, atol=1e-5)
    nearest = (data.queries @ data.rows.T).max(axis=1)
    assert 0.5 < nearest.min() <= nearest.max() < 0.99
    codes = code_clusters(1000)
    assert codes.rows.shape == (1000, BITS // 8)
    np.testing.assert_array_equal(code_clusters(1000).rows, codes.rows)


@pytest.mark.parametrize(
    ("kind", "choice"),
    [(Kind.VECTOR, each) for each in IndexChoice]
    + [(Kind.CODE, IndexChoice.FLAT), (Kind.CODE, IndexChoice.IVF)],
)
def test_the_raw_index_finds_what_ours_does(kind, choice):
    data = code_clusters(3000) if kind is Kind.CODE else clusters(0.9, 3000)
    length = BITS if kind is Kind.CODE else data.rows.shape[1]
    index = new_index(kind, length, resolve_device("cpu"), IvfSettings(), choice)
    index.append(data.rows)
    if index.wants_training:
        index.train(1)
    scores, _ = bare(index)(data.queries)
    ours = index.search(data.queries, 20).scores
    assert np.mean(np.isclose(scores, ours, atol=1e-5)) > 0.97
