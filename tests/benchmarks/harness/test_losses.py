"""What counts as a loss, and that a second run must confirm it."""

import pytest

from benchmarks.harness.kept import keep
from benchmarks.harness.losses import confirmed_losses, guarded, losses
from benchmarks.harness.ratios import at_least, at_most

KEPT = {"rate": at_least(2.0, 1.0, 1.6), "tail": at_most(2.0, 1.0, 3), "floor": {"reached": 0.9}}


def fresh(rate=2.0, tail=2.0, floor=0.9):
    return {
        "rate": at_least(rate, 1.0, 1.6),
        "tail": at_most(tail, 1.0, 3),
        "floor": {"reached": floor},
    }


@pytest.mark.parametrize(
    "now", [{}, {"rate": 1.51, "tail": 2.6, "floor": 0.68}, {"rate": 9.0, "tail": 0.1, "floor": 3}]
)
def test_noise_and_gains_are_no_losses(now):
    assert losses(KEPT, fresh(**now)) == []


@pytest.mark.parametrize("now", [{"rate": 1.49}, {"tail": 2.7}, {"floor": 0.67}])
def test_a_clear_loss_is_named_with_both_figures(now):
    ((name, value),) = now.items()
    (loss,) = losses(KEPT, fresh(**now))
    assert str(loss) == f"{name}: kept {KEPT[name]['reached']}, fresh {value}"


def test_a_ratio_that_is_gone_is_a_loss():
    now = {name: each for name, each in fresh().items() if name != "tail"}
    assert [(each.ratio, each.fresh) for each in losses(KEPT, now)] == [("tail", None)]


def test_a_new_ratio_is_none():
    assert losses(KEPT, fresh() | {"new": {"reached": 0.1}}) == []


def test_a_loss_needs_a_second_run():
    runs = iter([fresh(rate=1.0, tail=9.0), fresh(rate=1.1)])
    assert [each.ratio for each in confirmed_losses(KEPT, lambda: next(runs))] == ["rate"]


def test_where_nothing_is_lost_one_run_is_enough():
    runs = iter([fresh()])
    assert confirmed_losses(KEPT, lambda: next(runs)) == []


def test_the_kept_ratios_are_those_of_the_quick_profile(tmp_path):
    keep({"benchmark": "load", "profile": "quick", "ratios": KEPT}, tmp_path)
    keep({"benchmark": "load", "profile": "full", "ratios": {}}, tmp_path)
    keep({"benchmark": "load-before", "profile": "quick", "ratios": KEPT}, tmp_path)
    assert list(guarded(tmp_path)) == [("load", KEPT)]
