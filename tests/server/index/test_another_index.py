"""Another type of index is one file and one line in `factory.INDEXES`."""

import numpy as np

from cipherlens.base import Kind
from cipherlens.server.index import VectorIndex, factory
from tests.server.numpy_index import NumpyIndex


def test_a_server_answers_through_it_as_through_its_own(make_cloud, vectors, gaussian, monkeypatch):
    typed: VectorIndex = NumpyIndex(2, None, None)
    assert typed.live_count == 0
    rows, names = gaussian(200), [f"i{number}" for number in range(200)]
    found = []
    for index_type in (factory.INDEXES[Kind.VECTOR], NumpyIndex):
        monkeypatch.setitem(factory.INDEXES, Kind.VECTOR, index_type)
        cloud = make_cloud(index_type.__name__)
        cloud.create()
        cloud.index(names, vectors=vectors(rows))
        cloud.delete(names[::3])
        cloud.index(names[:9], revision=2, vectors=vectors(rows[:9] * -1))
        found.append(cloud.search(vectors=vectors(rows[:50]), k=20))
    assert cloud.collection().index.kind == "numpy"
    for ours, theirs in zip(*(each.results for each in found), strict=True):
        np.testing.assert_allclose(ours.similarities, theirs.similarities, atol=1e-5)
        assert set(ours.item_ids) == set(theirs.item_ids)
