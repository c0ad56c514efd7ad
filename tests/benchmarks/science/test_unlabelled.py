import numpy as np
import pytest

from benchmarks.harness.pictures import samples
from benchmarks.science import unlabelled
from cipherlens.crypto import CipherParameters
from cipherlens.model.data.images import PreparedImages

TAUGHT = 0.9


@pytest.fixture
def few() -> PreparedImages:
    data = samples(CipherParameters(block_size=16, substituted_blocks=0))
    return data.take(np.concatenate([np.flatnonzero(data.labels == each)[:3] for each in (0, 4)]))


def test_every_figure_of_the_table_is_there(few: PreparedImages, monkeypatch) -> None:
    monkeypatch.setattr(unlabelled, "unseen", lambda _size: {"some": few})
    monkeypatch.setattr(unlabelled, "seen_classes", lambda _size: few)
    monkeypatch.setattr(unlabelled, "_taught", lambda sets: dict.fromkeys(sets, TAUGHT))
    monkeypatch.setattr(unlabelled, "others", lambda _size, _count, _judged: [])
    monkeypatch.setattr(unlabelled, "STORED", {"full": (6,)})
    document = unlabelled.run("full")
    assert len(document["results"]) == 2 * len(unlabelled.SHARES)
    row = document["results"]["some, M = 1/4"]
    assert row["lowest"] <= row["mAP"] <= row["highest"]
    assert row["teacher, plain"] == TAUGHT
    above = (row["mAP"] - row["chance"]) / (TAUGHT - row["chance"])
    assert row["of the teacher's above chance"] == pytest.approx(above, abs=0.01)
    assert document["tables"]["The identical picture comes first"]["M = 1/4"] == {"among 6": 1}
    ratios = document["ratios"]
    assert ratios["mAP over plain HOG's"]["reached"] == pytest.approx(
        row["mAP"] / row["HOG, plain"], abs=0.01
    )
    assert ratios["the identical picture first, among 6"]["reached"] == 1
