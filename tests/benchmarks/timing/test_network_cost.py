import pytest

from benchmarks.timing import network_cost


def test_table_2_beside_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(network_cost.PAPER) == 8
    rows = {case: each for case, each in network_cost.PAPER.items() if case[1] == 12}
    monkeypatch.setattr(network_cost, "PAPER", rows)
    document = network_cost.run("quick")
    assert list(document["results"]) == ["DLHEIR, 12 bits", "Original CNN + hash layer, 12 bits"]
    for name, row in document["results"].items():
        assert row["parameters"] == document["paper"][name]["parameters"]
        assert abs(row["paper's MFLOPs to 10^6 parameters"] - 8.96) < 0.005
        assert 2.9 < row["MACs at 384x384"] / row["MACs at 224x224"] < 3
