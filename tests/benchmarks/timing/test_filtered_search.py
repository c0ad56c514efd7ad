import numpy as np
import pytest

from benchmarks.timing import drawn_tags, filtered_search


def test_the_slowest_filter_stands_beside_what_was_asked():
    times = {"all items": 200.0, "1 %": 220.0, "10 %": 250.0, "50 %": 280.0, "10 %, another": 900.0}
    results = {f"codes, 10,000, {name}": {"server_us": each} for name, each in times.items()}
    assert filtered_search.ratios(results) == {
        "codes, 10,000: the slowest filter / all items, through the server": {
            "reached": 1.4,
            "at most": 1.5,
        }
    }


def test_tokens_are_drawn_in_their_shares():
    tokens = drawn_tags.drawn_tokens(10_000)
    assert {len(each) % 16 for each in tokens} == {0}
    for name, share in drawn_tags.SHARES.items():
        has = np.mean([drawn_tags._token(name) in each for each in tokens])
        assert has == pytest.approx(share, rel=0.3)


@pytest.mark.slow
def test_filters_are_measured_through_the_server_and_in_process(monkeypatch):
    monkeypatch.setattr(filtered_search, "SIZES", {"quick": (2500,)})
    monkeypatch.setattr(filtered_search, "ROUNDS", {"quick": (1, 1)})
    document = filtered_search.run("quick")
    assert len(document["results"]) == 10
    for name, row in document["results"].items():
        assert 0 < row["in_process_us"] < row["server_us"]
        assert row["recall"] is None or row["recall"] > 0.9, name
