import json
from collections.abc import Callable

import numpy as np

from benchmarks.methods.figures import Store
from benchmarks.science import hash_precision
from benchmarks.science.hash_precision import ceiling, measure
from benchmarks.science.study import Study
from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, SplitConfig
from cipherlens.model.data.images import PreparedImages

TINY = HashTrainConfig(
    network=HashNetworkConfig(backbone="test_resnet", height=32, width=32),
    split=SplitConfig(validation=0.25, test=0.25),
    epochs=1,
    batch_size=9,
    precision="fp32",
)


def test_precision_of_each_size_and_length(
    store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    studies = {
        side: Study(name="noise", data=make_pictures(side, side, count=144), store=store)
        for side in (32, 64)
    }
    document = json.loads(json.dumps(measure(studies, TINY, (12, 24))))
    rows = document["results"]
    assert list(rows) == [
        "32x32, 12 bits",
        "32x32, 24 bits",
        "64x64, 12 bits",
        "64x64, 24 bits",
        "ceiling",
    ]
    test = document["trainings"]["64x64, 24 bits"]["test"]
    assert rows["64x64, 24 bits"]["P@20"] == round(100 * test["precision_at"]["20"], 2)
    # 36 of a class are stored, so that at most 36 of 100 can be right.
    ceilings = rows["ceiling"]
    assert ceilings == {"P@20": 100, "P@40": 90, "P@60": 60, "P@80": 45, "P@100": 36}
    assert all(row[rank] <= ceilings[rank] for row in rows.values() for rank in ceilings)
    assert len(list(store.networks.glob("*.safetensors"))) == 4
    curves = document["plots"]["hash-precision-recall"]["panels"]
    assert [list(each["lines"]) for each in curves] == [["12 bits", "24 bits"]] * 2
    lines = document["plots"]["hash-precision"]["panels"][0]["lines"]
    precisions = [rows["32x32, 12 bits"][rank] for rank in ceilings]
    assert lines["32x32, 12 bits"] == [[20, 40, 60, 80, 100], precisions]


def test_the_ceiling_of_unequal_classes() -> None:
    """25 and 100 stored pictures: the first class can fill only a part of the ranks."""
    labels = np.repeat([0, 0, 1, 1], [25, 5, 100, 5])
    held_out = np.zeros(135, dtype=bool)
    held_out[25:30] = held_out[130:] = True
    blank = np.zeros((2, 2, 3), dtype=np.uint8)
    data = PreparedImages(
        images=(blank,) * 135,
        labels=labels,
        names=tuple(map(str, range(135))),
        class_names=("few", "many"),
        height=2,
        width=2,
        held_out=held_out,
    )
    assert ceiling(data, SplitConfig(validation=0.1)) == {
        "P@20": 100.0,
        "P@40": round(50 * (25 / 40 + 1), 2),
        "P@60": round(50 * (25 / 60 + 1), 2),
        "P@80": round(50 * (25 / 80 + 1), 2),
        "P@100": 62.5,
    }


def test_the_papers_ceiling() -> None:
    """80 pictures of a class are stored: the paper's own P@100 stays below 80 %."""
    assert all(row[4] < 80 for row in hash_precision.PAPER.values())


def test_the_settings_file_has_the_larger_size() -> None:
    network = HashTrainConfig.from_toml(hash_precision.CONFIG).network
    assert network.height == network.width == hash_precision.SIDES[0]
