"""When a server says that no calls should come to it, though it answers them."""

import threading
from urllib.error import HTTPError
from urllib.request import urlopen

from cipherlens.server.engine.following import Follower
from cipherlens.server.errors import StorageUnavailable
from cipherlens.server.storage import Database


def test_one_that_lags_is_not_ready_and_says_for_how_long(make_cloud, monkeypatch):
    leader = make_cloud(follow=True)
    leader.create()
    follower = make_cloud(follow=True, metrics_listen="0", max_lag_s=0.001)
    address = f"http://127.0.0.1:{follower.server.metrics_port}"
    assert "cipherlens_leads 0.0" in read(f"{address}/metrics")[1]
    looked = threading.Event()

    def fail(_):
        looked.set()
        raise StorageUnavailable("the disk is away")

    monkeypatch.setattr(Follower, "look", fail)
    assert looked.wait(20)
    status, text = read(f"{address}/readyz")
    assert (status, "has not seen the latest changes" in text) == (503, True)
    assert follower.engine.role.lag_s > 0.001


def test_one_that_lost_its_database_to_another_is_not_ready(
    make_cloud, postgres, failure, monkeypatch
):
    address = postgres.new_database()
    first = make_cloud(database=address, metrics_listen="0")
    first.create()
    ready = f"http://127.0.0.1:{first.server.metrics_port}/readyz"
    assert read(ready) == (200, "ready\n")
    noticed = threading.Event()
    notice = Database.notice_loss

    def noticing(database):
        notice(database)
        if database.is_lost:
            noticed.set()

    monkeypatch.setattr(Database, "notice_loss", noticing)
    with first.engine._database._dialect.writing:  # else it connects again before the other does
        postgres.end_sessions(address)
        make_cloud("other", database=address)
    assert noticed.wait(30)
    status, text = read(ready)
    assert (status, "taken the database over" in text) == (503, True)
    assert failure(first.create, "w")[0].name == "UNAVAILABLE"


def read(address):
    try:
        with urlopen(address, timeout=20) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
