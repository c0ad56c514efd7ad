import pytest
from sqlalchemy import Column, Integer, MetaData, Table, bindparam, select

from cipherlens.server.storage.statements import AlreadyThere, Insertion, Statement, attempt

numbers = Table("numbers", MetaData(), Column("version", Integer, primary_key=True))

INSERT = Insertion(numbers)
BETWEEN = (
    select(numbers.c.version)
    .where(numbers.c.version > bindparam("low"))
    .where(numbers.c.version < bindparam("high"))
)


def versions(connection):
    return connection.scalars(select(numbers.c.version)).all()


@pytest.fixture
def connection(database):
    with database._writing() as connection:
        numbers.create(connection)
        yield connection


def test_rows_go_in_and_come_out_as_the_driver_has_them(connection):
    INSERT.run(connection, [(1,), (2,), (3,)])
    INSERT.run(connection, [])
    found = Statement(BETWEEN, ["low", "high"]).run(connection, (1, 4)).fetchall()
    assert found == [(2,), (3,)]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 511, 512, 513, 1609])
@pytest.mark.parametrize("rows_at_once", [1, 8, 512])
def test_any_number_of_rows_goes_in_once(connection, count, rows_at_once):
    Insertion(numbers, rows_at_once=rows_at_once).run(connection, [(n,) for n in range(count)])
    assert versions(connection) == list(range(count))


def test_parameters_in_another_order_are_refused(connection):
    with pytest.raises(TypeError, match=r"'high', 'low'"):
        Statement(BETWEEN, ["high", "low"]).run(connection, (4, 1))


def test_a_key_that_is_taken_undoes_the_attempt_and_no_more(connection):
    INSERT.run(connection, [(1,)])
    with pytest.raises(AlreadyThere), attempt(connection):
        INSERT.run(connection, [(2,), (3,), (1,), (4,)])
    assert versions(connection) == [1]
    with attempt(connection):
        INSERT.run(connection, [(5,)])
    assert versions(connection) == [1, 5]


def test_another_failure_is_left_to_the_transaction(connection):
    def fail():
        with attempt(connection):
            INSERT.run(connection, [(7,)])
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert versions(connection) == [7]
