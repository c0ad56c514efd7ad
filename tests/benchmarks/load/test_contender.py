"""Contenders: checked before they are driven, and driven in turn."""

import shutil

import numpy as np
import pytest

from benchmarks.load import workload
from benchmarks.load.arrangement import ALONE, EIGHT, FOUR_BY_EIGHT
from benchmarks.load.contender import Driven, grpc_contender, in_turn
from benchmarks.load.served import bare
from benchmarks.load.workload import QUERIES


class Recorder:
    """A contender that remembers how it was driven."""

    recall = 1.0

    def __init__(self, name, met):
        self.name, self.met = name, met

    def drive(self, arrangement, seconds, turn):
        self.met.append((self.name, arrangement.name, seconds, turn))
        return Driven(rate=1.0, cpu_us=1.0)


def test_all_take_turns_in_every_round():
    met = []
    contenders = {name: Recorder(name, met) for name in "ab"}
    found = in_turn(contenders, (ALONE, EIGHT), rounds=2, seconds=0.5)
    assert met == [
        (name, each.name, 0.5, turn) for turn in (0, 1) for each in (ALONE, EIGHT) for name in "ab"
    ]
    assert len(found["b"][EIGHT.name]) == 2


def test_a_server_is_checked_by_every_query(contender):
    assert contender.recall == 1.0
    assert len(contender.bodies) == QUERIES
    assert len({each.path.read_bytes() for each in contender.bodies}) == QUERIES


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
@pytest.mark.parametrize("arrangement", [ALONE, FOUR_BY_EIGHT], ids=lambda each: each.name)
def test_a_server_answers_under_load_and_spends_time(contender, arrangement):
    driven = contender.drive(arrangement, 0.4, 0)
    assert driven.rate > 0
    assert driven.cpu_us > 0


def test_bodies_change_with_the_turn(contender):
    def first_bodies(turn):
        return [each.body.path for each in next(contender._loads(FOUR_BY_EIGHT, 1.0, turn))[0]]

    assert len({*first_bodies(0), *first_bodies(1)}) == 8


def test_a_server_that_finds_too_little_is_no_contender(tmp_path):
    few = workload.Workload(
        kind=workload.CODES,
        rows=np.zeros((5, 6), np.uint8),
        queries=np.zeros((QUERIES, 6), np.uint8),
    )
    with (
        bare("native", few, tmp_path) as server,
        pytest.raises(RuntimeError, match="20 hits were wanted, 6 came"),
    ):
        grpc_contender(address=server.address, pid=server.pid, workload=few, folder=tmp_path)
