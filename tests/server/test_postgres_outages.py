"""A PostgreSQL that stands still or has no more room, and the way to one by TLS."""

import subprocess
from random import Random

import grpc
import pytest

from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.server.config import DatabaseUrl
from cipherlens.server.errors import StartupError
from tests.server.conftest import codes, failure
from tests.tls_front import TlsFront


@pytest.fixture
def dialect():
    return "postgres"


@pytest.fixture
def cloud(make_cloud, address):
    cloud = make_cloud(database=address)
    cloud.create_codes("c")
    cloud.index(["a"], "c", codes=code_of(1))
    return cloud


def code_of(number):
    """Return one code, which no other number has."""
    return codes([[number, 0]])


def found(cloud, number):
    (ids,) = cloud.ids_found("c", 1, codes=code_of(number))
    return ids


def test_one_that_stands_still_holds_up_changes_and_no_searches(cloud, postgres):
    with postgres.frozen():
        late = failure(cloud.index, ["b"], "c", codes=code_of(2), timeout=2)
        assert late[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        assert found(cloud, 1) == ["a"]
    cloud.index(["b"], "c", codes=code_of(2))  # whatever has become of the first
    assert found(cloud, 2) == ["b"]
    cloud.restart()
    assert [found(cloud, number) for number in (1, 2)] == [["a"], ["b"]]


def test_a_full_disk_is_told_and_there_is_room_again(make_cloud, postgres):
    address = postgres.new_database()
    with postgres.on_small_disk(address, 20) as disk:
        if disk is None:
            pytest.skip("no disk can be mounted here")
        cloud = make_cloud(database=address)
        cloud.create_codes("c")
        kept = []
        while len(kept) < 40:
            name, sealed = str(len(kept)), Random(len(kept)).randbytes(1_000_000)
            code = code_of(len(kept))
            try:
                cloud.index([name], "c", sealed=sealed, codes=code)
            except grpc.RpcError as error:
                refused = error
                break
            kept.append(name)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "the disk of the database is full; nothing was changed" in refused.details()
        assert [found(cloud, number) for number in range(len(kept))] == [[each] for each in kept]
        assert sorted(cloud.listed("c")) == sorted(kept)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        cloud.index([name], "c", sealed=sealed, codes=code)
        cloud.restart()
        assert sorted(cloud.listed("c")) == sorted([*kept, name])
        cloud.stop(0)


@pytest.fixture
def front(postgres, tmp_path):
    """TLS before PostgreSQL, for localhost, and the file of its authority."""
    authority = Authority(1)
    pair = authority.server(["localhost"])
    files = {"ca": authority.certificate, "pem": pair.certificate, "key": pair.key}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    front = TlsFront(tmp_path / "pem", tmp_path / "key", postgres.folder / ".s.PGSQL.5432")
    yield front
    front.close()


def by_tls(front, address, ca, host="localhost"):
    """Return the address of a database by TLS, whose certificate is checked."""
    begin = str(address.revealed()).partition("@")[0]
    name = str(address).partition("?")[0].rpartition("/")[2]
    options = f"sslmode=verify-full&sslrootcert={ca}"
    return DatabaseUrl(f"{begin}@{host}:{front.port}/{name}?{options}")


def test_the_way_to_it_is_by_tls_with_its_certificate_checked(front, make_cloud, address, tmp_path):
    cloud = make_cloud(database=by_tls(front, address, tmp_path / "ca"))
    cloud.create_codes("c")
    cloud.index(["a"], "c", codes=code_of(1))
    cloud.restart()
    assert found(cloud, 1) == ["a"]
    assert front.sessions > 0
    cloud.stop(0)
    (tmp_path / "other").write_bytes(Authority(1).certificate)
    for url in (
        by_tls(front, address, tmp_path / "other"),
        by_tls(front, address, tmp_path / "ca", "127.0.0.1"),
    ):
        with pytest.raises(StartupError, match=r"certificate"):
            make_cloud("another", database=url)
