import json
from functools import partial
from types import SimpleNamespace

import pytest

from benchmarks.methods.comparator import Comparator
from benchmarks.methods.literature import (
    OF_CIPHERTEXT,
    OF_OWNERS,
    TITLES,
    TRAINED_ON_CIPHERTEXT,
    TRAINED_ON_LABELS,
    comparators,
)
from benchmarks.methods.xia_colour import XiaCSD
from benchmarks.methods.zhang import Zhang
from benchmarks.science import hash_methods, methods, trained_methods
from benchmarks.science.labelled import SPLITS, Labelled
from benchmarks.science.scheme_tables import STORES, measured
from cipherlens.model.config import SplitConfig

SPLIT = SplitConfig(validation=0.25, test=0.25)
ALL = (OF_CIPHERTEXT, OF_OWNERS, TRAINED_ON_CIPHERTEXT, TRAINED_ON_LABELS)


@pytest.fixture
def pictures(make_pictures) -> Labelled:
    return Labelled(data=make_pictures(8, 8, 240), split=SPLIT)


def test_a_row_for_each_scheme_with_the_papers_beside_it(store, pictures) -> None:
    schemes = comparators({"zhang": (Zhang(limit=4),)}, SPLIT, 2)
    found = measured(pictures, schemes, store)
    document = json.loads(json.dumps(methods.document({"noise": found})))
    row = document["tables"]["noise"]["Zhang [7]"]
    # Its features do not depend on the key.
    assert row["lowest"] == row["mAP"] == row["highest"] > 0
    assert document["results"]["Zhang [7]"] == {"noise": row["mAP"]}
    assert document["paper"]["Zhang [7]"] == {"Corel10K": 0.1478}
    assert document["paper"]["P=8, M=1/4"] == {"Corel10K": 0.5373}
    assert [each["seed"] for each in document["sets"]["noise"]["schemes"]["zhang"]] == [0, 1]
    stamps = [each["decided_by"] for each in document["sets"]["noise"]["schemes"]["zhang"]]
    assert stamps == [each.decided_by() for each in schemes.values()]
    lines = document["plots"]["methods"]["panels"][0]["lines"]
    assert lines["Zhang [7]"][0] == [1, 5, 10, 20, 40]
    assert len(document["plots"]["methods-recall"]["panels"][0]["lines"]["Zhang [7]"][1]) == 21
    again = measured(pictures, schemes, store)
    assert again == json.loads(json.dumps(found)), "measured again"


def test_schemes_of_owners_search_the_training_part(store, pictures) -> None:
    of_owners = partial(comparators, {"xia-csd": (XiaCSD(cells=64),)}, against_rest=True)
    found = measured(pictures, of_owners(SPLIT, 1), store)
    document = json.loads(json.dumps(hash_methods.document({"noise": found}, "quick")))
    row = document["results"]["Xia (CSD), noise"]
    assert list(row) == ["P@20", "P@40", "P@60", "P@80", "P@100"]
    # A class has 60 pictures to find.
    assert row["P@100"] <= 60
    assert document["sets"]["noise"]["schemes"]["xia-csd"][0]["test"]["queries"] == 60


def test_schemes_with_networks_are_judged_as_their_papers_do(store, pictures) -> None:
    found = trained_methods.of_both(SPLIT, 2)
    assert {name: each.against_rest for (name, _), each in found.items()} == {
        "evit": False,
        "qsmih-12": True,
        "qsmih-48": True,
    }
    assert {seed for _, seed in found} == {0, 1}


def test_every_scheme_has_a_title_of_its_own() -> None:
    assert set(OF_CIPHERTEXT) == set(methods.PAPER)
    assert sorted(name for each in ALL for name in each) == sorted(TITLES)
    assert len(set(TITLES.values())) == len(TITLES)


@pytest.mark.parametrize("candidates", [each for some in ALL for each in some.values()])
def test_candidates_differ_and_say_what_they_are(candidates) -> None:
    assert len(set(map(repr, candidates))) == len(candidates)
    # What is kept is found by it.
    assert not any(" at 0x" in repr(each) for each in candidates)
    one = Comparator(scheme="one", candidates=candidates, seed=0, split=SPLIT)
    assert one.settings()[0] == [repr(each) for each in candidates]


@pytest.mark.parametrize(
    "path", sorted(STORES["full"].figures.glob("*.json")), ids=lambda path: path.stem
)
def test_kept_figures_are_of_the_schemes_as_they_are(path) -> None:
    """What is asked for now would be found in this file, and not measured again."""
    digest = json.loads(path.read_text())["data_digest"]
    found = {
        STORES["full"].kept(each, SimpleNamespace(digest=lambda: digest))
        for split in SPLITS.values()
        for schemes in ALL
        for against_rest in (False, True)
        for each in comparators(schemes, split, 3, against_rest=against_rest).values()
    }
    assert path in found
