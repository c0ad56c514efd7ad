"""Contenders in turn."""

from benchmarks.harness.rounds import asking, medians, medians_us


def test_every_round_meets_every_contender_in_turn():
    met = []
    medians({"a": lambda: met.append("a") or 1.0, "b": lambda: met.append("b") or 2.0}, rounds=3)
    assert met == ["a", "b"] * 3


def test_the_median_speaks():
    values = iter([1.0, 100.0, 2.0])
    assert medians({"only": lambda: next(values)}, rounds=3) == {"only": 2.0}


def test_a_contender_is_called_so_often_in_a_round():
    met = []
    found = medians_us({("key", 1): lambda: met.append(1)}, rounds=2, calls=5)
    assert len(met) == 10
    assert found["key", 1] >= 0


def test_queries_go_around():
    met = []
    call = asking(met.append, ["x", "y"])
    for _ in range(3):
        call()
    assert met == ["x", "y", "x"]
