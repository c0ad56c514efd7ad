"""A long random walk of writes, deletes, searches and restarts against a dictionary."""

import numpy as np
import pytest

DIMENSION = 8
IDS = [f"item/{n}" for n in range(60)]


class Model:
    """What the server must hold: each item's revision and unit vector, and the dead's revisions."""

    def __init__(self):
        self.items = {}
        self.revisions = {}

    def ranking(self, query, k):
        """Return the k best (similarity, id), best first."""
        scored = [(float(row @ query), item_id) for item_id, (_, row) in self.items.items()]
        return sorted(scored, key=lambda pair: -pair[0])[:k]


def write(cloud, model, rng, vectors):
    ids = list(rng.choice(IDS, rng.integers(1, 12), replace=False))
    rows = rng.normal(size=(len(ids), DIMENSION)).astype(np.float32)
    revision = max((model.revisions.get(each, 0) for each in ids), default=0) + 1
    before = cloud.collection().sequence
    answer = cloud.index(ids, revision=revision, vectors=vectors(rows))
    assert (answer.written_count, answer.sequence) == (len(ids), before + len(ids))
    for item_id, row in zip(ids, rows, strict=True):
        model.items[item_id] = (revision, row / np.linalg.norm(row))
        model.revisions[item_id] = revision
    again = cloud.index(ids, revision=revision, vectors=vectors(rows))
    assert (again.written_count, again.sequence) == (0, answer.sequence)


def delete(cloud, model, rng, _vectors):
    ids = list(rng.choice(IDS, rng.integers(1, 6), replace=False))
    there = [each for each in ids if each in model.items]
    assert cloud.delete(ids).deleted_count == len(there)
    for item_id in there:
        del model.items[item_id]


def search(cloud, model, rng, vectors):
    query = rng.normal(size=DIMENSION).astype(np.float32)
    k = int(rng.integers(1, 70))
    (hits,) = cloud.search(vectors=vectors(query), k=k).results
    expected = model.ranking(query / np.linalg.norm(query), k)
    np.testing.assert_allclose(hits.similarities, [s for s, _ in expected], atol=1e-5)
    assert list(hits.item_ids) == [item_id for _, item_id in expected]
    assert list(hits.revisions) == [model.items[item_id][0] for _, item_id in expected]


def look(cloud, model, _rng, _vectors):
    made = cloud.collection()
    assert (made.item_count, made.active_generation.item_count) == (len(model.items),) * 2
    assert made.index.sequence == made.sequence
    assert cloud.listed(size=7) == sorted(model.items)
    for item_id, answer in cloud.fetch(IDS).items():
        if item_id in model.items:
            row = np.frombuffer(answer.item.vector, "<f4")
            np.testing.assert_allclose(row, model.items[item_id][1], atol=1e-6)
        else:
            assert not answer.HasField("item")


def restart(cloud, _model, _rng, _vectors):
    cloud.restart()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_walk(make_cloud, vectors, seed):
    from cipherlens.v1 import collection_pb2

    cloud, model = make_cloud(), Model()
    cloud.create(kind=collection_pb2.COLLECTION_KIND_VECTOR, dimension=DIMENSION)
    rng = np.random.default_rng(seed)
    steps = [write, delete, search, look, restart]
    for number in rng.choice(len(steps), 150, p=[0.3, 0.15, 0.4, 0.1, 0.05]):
        steps[number](cloud, model, rng, vectors)
    look(cloud, model, rng, vectors)
