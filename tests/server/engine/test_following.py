"""An engine that follows another one over the same database, and takes its place."""

import threading

import numpy as np
import pytest

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.config import IvfSettings, ServerConfig
from cipherlens.server.engine import CodeBatch, Engine, ItemHead, NewCollection, Question
from cipherlens.server.engine.following import Follower
from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.errors import NotFound, NotLeading, OutOfReach, StartupError
from cipherlens.server.index import SearchParameters

BITS = 24
ROWS = np.random.default_rng(1).integers(0, 256, (400, 3), np.uint8)
SMALL = IvfSettings(minimum_rows=100, minimum_codes=100, calibration_queries=16)


class Process:
    """An engine as a process of its own would have it."""

    def __init__(self, folder, address, follow_at="unix:x", **settings):
        self.config = ServerConfig(data_dir=folder, database=address, device="cpu", **settings)
        self.engine = Engine(self.config, follow_at)
        self.engine.load()

    def create(self, name="c"):
        return self.engine.collections.create(NewCollection(name=name, kind=Kind.CODE, bits=BITS))

    def index(self, ids, name="c", revision=1, rows=None):
        heads = [ItemHead(each, revision, b"", b"") for each in ids]
        rows = ROWS[: len(ids)] if rows is None else rows
        return self.engine.items.index(name, heads, CodeBatch(rows, BITS), b"", Call()).sequence

    def delete(self, ids, name="c"):
        sequence = self.engine.collections.describe(name).sequence
        return self.engine.items.delete(name, ids, sequence, Call()).sequence

    def found(self, row, name="c", k=1, min_sequence=0, within_s=20):
        (ids,) = self.engine.searches.search(
            Question(collection=name, k=k, parameters=SearchParameters()),
            CodeBatch(row.reshape(1, -1), BITS),
            min_sequence=min_sequence,
            call=Call.within(within_s),
        ).item_ids()
        return ids

    def names(self):
        return [each.collection.name for each in self.engine.collections.describe_all()]

    def live(self, name="c"):
        return self.engine._registry.find(name)


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request):
    return request.param


@pytest.fixture
def processes(tmp_path, address):
    """Return a function that starts another process; on PostgreSQL each has a folder."""
    started = []

    def start(follow_at="unix:x", folder="", **settings):
        folder = folder or ("data" if address is None else f"data-{len(started)}")
        started.append(Process(tmp_path / folder, address, follow_at, **settings))
        return started[-1]

    yield start
    for each in reversed(started):
        each.engine.close()


@pytest.fixture
def pair(processes):
    """One that leads, with a collection, and one that follows it."""
    leader = processes("unix:leader")
    leader.create()
    return leader, processes("unix:follower")


def ids(count, start=0):
    return [f"i{n}" for n in range(start, start + count)]


@pytest.fixture
def led(monkeypatch):
    """Return what waits until a follower leads."""
    happened = threading.Event()
    lead = Follower._lead

    def watched(follower):
        lead(follower)
        happened.set()

    monkeypatch.setattr(Follower, "_lead", watched)
    return lambda: happened.wait(30) or pytest.fail("nobody has taken over")


def test_one_follows_what_the_other_writes(pair):
    leader, follower = pair
    assert (leader.engine.role.leads, follower.engine.role.leads) == (True, False)
    assert follower.engine.role.leader() == "unix:leader"
    sequence = leader.index(ids(10))
    assert follower.found(ROWS[3], min_sequence=sequence) == ["i3"]
    leader.index(["i3"], revision=2, rows=ROWS[100:101])
    sequence = leader.delete(["i4"])
    assert follower.found(ROWS[100], min_sequence=sequence) == ["i3"]
    assert sorted(follower.found(ROWS[4], k=10)) == sorted(set(ids(10)) - {"i4"})


def test_it_follows_by_itself(pair):
    leader, follower = pair
    live = follower.live()
    sequence = leader.index(ids(10))
    with live._applied:
        assert live._applied.wait_for(lambda: live.sees(sequence), 20)


def test_what_is_made_dropped_and_replaced_is_followed(pair):
    leader, follower = pair
    made = leader.create("d")
    assert follower.engine.collections.describe("d").collection.uuid == made.collection.uuid
    leader.index(ids(3), "d")
    sequence = leader.index(ids(2))
    leader.engine.collections.replace("c", "d", sequence)
    assert follower.names() == ["c"]
    assert follower.engine.collections.describe("c").collection.uuid == made.collection.uuid
    assert sorted(follower.found(ROWS[0], k=9, min_sequence=3)) == ids(3)
    leader.engine.collections.drop("c")
    assert follower.names() == []
    with pytest.raises(NotFound):
        follower.found(ROWS[0])


def test_another_generation_is_there_when_a_look_has_ended(pair):
    leader, follower = pair
    leader.index(ids(10))
    with leader.engine._database.write() as transaction:
        collection = leader.live().collection
        made = transaction.collections.add_generation(
            collection, model_digest=b"", numeric_mode="", length=BITS
        )
        transaction.collections.set_generations(collection, active=made.id, shadow=None)
    follower.engine.role.catch_up()
    assert follower.live().serving.generation == made
    assert not follower.live().is_behind


def test_where_the_database_went_another_way_all_is_made_anew(pair, settled, monkeypatch):
    leader, follower = pair
    sequence = leader.index(ids(10))
    assert follower.found(ROWS[3], min_sequence=sequence) == ["i3"]
    before = follower.live().serving
    monkeypatch.setattr(follower.engine._database, "era", lambda: "another")
    follower.engine.role._follower._era = "one"
    follower.engine.role.catch_up()
    settled(lambda: follower.live().serving is not before and not follower.live().is_behind)
    assert follower.found(ROWS[3]) == ["i3"]


def test_a_follower_writes_nothing(pair):
    leader, follower = pair
    with pytest.raises(NotLeading):
        follower.index(ids(1))
    with pytest.raises(NotLeading):
        follower.create("e")
    with pytest.raises(NotLeading):
        follower.engine.collections.drop("c")
    assert (leader.names(), leader.engine.collections.describe("c").item_count) == (["c"], 0)


def test_a_change_that_cannot_come_is_told(pair):
    _, follower = pair
    with pytest.raises(OutOfReach):
        follower.found(ROWS[0], min_sequence=10**9)


def test_it_takes_over_with_all_that_was_written(pair, led):
    leader, follower = pair
    sequence = leader.index(ids(10))
    leader.engine.close()
    led()
    assert follower.engine.role.leads
    assert follower.found(ROWS[3], min_sequence=sequence) == ["i3"]
    assert follower.index(ids(1, 10), rows=ROWS[10:11]) == sequence + 1
    assert follower.found(ROWS[10]) == ["i10"]


def test_what_leads_now_is_followed_by_the_others(pair, processes, led):
    leader, second = pair
    third = processes("unix:third")
    leader.engine.close()
    led()
    now, other = (second, third) if second.engine.role.leads else (third, second)
    sequence = now.index(ids(5))
    assert other.found(ROWS[4], min_sequence=sequence) == ["i4"]
    assert not other.engine.role.leads


def test_a_server_that_does_not_follow_is_refused(pair, processes):
    with pytest.raises(StartupError, match="another server is running"):
        processes(follow_at=None)


@pytest.fixture
def trained(monkeypatch):
    """The indexes that have trained themselves."""
    trained = []
    train = ItemIndex.train

    def watched(index):
        if index.vectors.wants_training:
            trained.append(index)
        train(index)

    monkeypatch.setattr(ItemIndex, "train", watched)
    return trained


def test_in_one_folder_training_is_taken_from_the_file(processes, settled, trained):
    leader = processes(folder="data", ivf=SMALL)
    leader.create()
    follower = processes(folder="data", ivf=SMALL)
    sequence = leader.index(ids(300), rows=ROWS[:300])
    assert follower.found(ROWS[7], min_sequence=sequence) == ["i7"]
    settled(lambda: not follower.live().serving.vectors.wants_training)
    assert trained == [leader.live().serving]
    assert follower.found(ROWS[7], min_sequence=sequence) == ["i7"]
    sequence = leader.index(["i7"], revision=2, rows=ROWS[300:301])
    assert follower.found(ROWS[300], min_sequence=sequence) == ["i7"]
    assert leader.live().serving.standing == follower.live().serving.standing
