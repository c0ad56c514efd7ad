"""`kill -9` at random moments of all that a server does: what was acknowledged is there afterwards.

A life of ten kills has a seed, which is the test's name: `make test-crash PYTEST="-k seed17"` has
it again. `CIPHERLENS_CRASH_ROUNDS` says how many kills `make test-crash` makes of a server alone,
`CIPHERLENS_CRASH_FIRST` with which seed it begins, and `CIPHERLENS_CRASH_OUT` names a JSON file
that they are added to. What was found so far is in `benchmarks/results/crash.json`.
"""

import os
from functools import partial

import pytest

from tests.server.durability.life import Life
from tests.server.durability.makers import CollectionMaker
from tests.server.durability.modelers import ModelPusher
from tests.server.durability.postgres_life import PostgresLife
from tests.server.durability.record import recorded
from tests.server.durability.rotators import KeyRotator
from tests.server.durability.workers_life import PostgresWorkersLife, WorkersLife
from tests.server.durability.writers import CodeWriter, VectorWriter

ROUNDS = 10
TRANSPORTS = ("native", "grpcio")


def pytest_generate_tests(metafunc):
    """Give each life a seed; those of several processes take longer, and there are fewer."""
    lives = int(os.environ.get("CIPHERLENS_CRASH_ROUNDS", "1000")) // ROUNDS
    first = int(os.environ.get("CIPHERLENS_CRASH_FIRST", "1"))
    for name, count in (("seed", lives), ("seed_of_few", max(1, lives // 10))):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, range(first, first + count), ids="seed{}".format)


def everybody():
    return [CodeWriter("a"), CodeWriter("b"), VectorWriter(), CollectionMaker(), KeyRotator()]


def live(place, seed, checkpoints, what="kills", lives=Life):
    callers = everybody()
    if seed % 3 == 0:  # these take longest
        callers.append(ModelPusher(checkpoints))
    life = lives(place, seed, callers, TRANSPORTS[seed % 2])
    with recorded(what, seed, life):
        life.run(ROUNDS)


@pytest.mark.timeout(900)
def test_ten_kills_lose_nothing(tmp_path, checkpoints):
    live(tmp_path, 0, checkpoints)


def live_with_postgres(place, seed, postgres):
    life = PostgresLife(place, seed, everybody(), TRANSPORTS[seed % 2], postgres)
    with recorded("strikes with PostgreSQL", seed, life):
        life.run(ROUNDS)


@pytest.mark.timeout(900)
def test_ten_strikes_at_server_and_postgresql_lose_nothing(tmp_path, postgres):
    live_with_postgres(tmp_path, 0, postgres)


@pytest.mark.crash
@pytest.mark.timeout(1800)
def test_many_kills_lose_nothing(tmp_path, checkpoints, seed):
    live(tmp_path, seed, checkpoints)


@pytest.mark.crash
@pytest.mark.timeout(1800)
def test_many_strikes_at_server_and_postgresql_lose_nothing(tmp_path, postgres, seed_of_few):
    live_with_postgres(tmp_path, seed_of_few, postgres)


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_many_kills_of_workers_lose_nothing(tmp_path, checkpoints, seed_of_few):
    live(tmp_path, seed_of_few, checkpoints, "kills of workers", WorkersLife)


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_many_kills_of_workers_with_postgresql_lose_nothing(
    tmp_path, checkpoints, postgres, seed_of_few
):
    lives = partial(PostgresWorkersLife, postgres=postgres)
    live(tmp_path, seed_of_few, checkpoints, "kills of workers with PostgreSQL", lives)
