"""The power is cut at random moments: what was acknowledged had been synced, folders included."""

import pytest

from tests.server.durability.life import DISK, Life
from tests.server.durability.makers import CollectionMaker
from tests.server.durability.modelers import ModelPusher
from tests.server.durability.power import Supply
from tests.server.durability.record import recorded
from tests.server.durability.rotators import KeyRotator
from tests.server.durability.writers import CodeWriter, VectorWriter

ROUNDS = 5


def life_of(place, seed, callers, library, **settings):
    (place / DISK).mkdir()
    return Life(place, seed, callers, "native", Supply(place / DISK, library, **settings))


def live(place, seed, callers, library):
    life = life_of(place, seed, callers, library)
    with recorded("power cuts", seed, life):
        life.run(ROUNDS)


def everybody():
    return [CodeWriter("a"), CodeWriter("b"), VectorWriter(), CollectionMaker(), KeyRotator()]


def test_power_cuts_lose_nothing(tmp_path, library):
    live(tmp_path, 0, everybody(), library)


@pytest.mark.crash
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(1, 21))
def test_many_power_cuts_lose_nothing(tmp_path, library, seed):
    live(tmp_path, seed, everybody(), library)


@pytest.mark.crash
@pytest.mark.timeout(900)
def test_power_cuts_lose_no_model(tmp_path, checkpoints, library):
    live(tmp_path, 0, [ModelPusher(checkpoints), CodeWriter("a"), CodeWriter("b")], library)


def test_a_database_that_does_not_sync_is_found_out(tmp_path, library):
    """What the tests above hold is found to be broken where it is."""
    with pytest.raises(AssertionError, match="not as acknowledged"):
        life_of(tmp_path, 0, [CodeWriter("a")], library, shares=[0.0], SYNCHRONOUS="OFF").run(1)


def test_folders_that_do_not_sync_are_found_out(tmp_path, library):
    with pytest.raises(AssertionError, match="not as acknowledged"):
        life_of(tmp_path, 0, [CodeWriter("a")], library, shares=[0.0], folders_sync=False).run(1)
