import json

import pytest

from benchmarks.methods import literature
from benchmarks.methods.zhang import Zhang
from benchmarks.science import methods
from benchmarks.science.labelled import Labelled
from cipherlens.model.config import SplitConfig


def test_a_row_for_each_scheme_with_the_papers_beside_it(store, make_pictures, monkeypatch) -> None:
    monkeypatch.setattr(literature, "CIPHER_SCHEMES", {"zhang": (Zhang(limit=4),)})
    split = SplitConfig(validation=0.25, test=0.25)
    pictures = Labelled(data=make_pictures(8, 8, 120), split=split)
    found = methods.measured(pictures, 2, store)
    document = json.loads(json.dumps(methods.document({"noise": found})))
    row = document["tables"]["noise"]["Zhang [7]"]
    assert row["lowest"] <= row["mAP"] <= row["highest"]
    # Its features do not depend on the key.
    assert row["lowest"] == row["highest"]
    assert document["results"]["Zhang [7]"] == {"noise": row["mAP"]}
    assert document["paper"]["Zhang [7]"] == {"Corel10K": 0.1478}
    assert [each["seed"] for each in document["sets"]["noise"]["schemes"]["zhang"]] == [0, 1]
    lines = document["plots"]["methods"]["panels"][0]["lines"]
    assert lines["Zhang [7]"][0] == [1, 5, 10, 20]
    again = methods.measured(pictures, 2, store)
    assert again == json.loads(json.dumps(found)), "measured again"


def test_every_scheme_of_the_paper_that_there_is_has_its_title() -> None:
    assert set(literature.CIPHER_SCHEMES) <= set(methods.PAPER)


@pytest.mark.parametrize("scheme", list(literature.CIPHER_SCHEMES))
def test_candidates_differ(scheme) -> None:
    candidates = literature.CIPHER_SCHEMES[scheme]
    assert len(set(map(repr, candidates))) == len(candidates)
