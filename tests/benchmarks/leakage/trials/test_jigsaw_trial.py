import numpy as np

from benchmarks.leakage.trials.jigsaw import run
from cipherlens.model.data.images import PreparedImages


def test_what_only_moved_is_put_together(smooth):
    images = PreparedImages(
        images=tuple(smooth),
        labels=np.zeros(4, dtype=np.int64),
        names=tuple("abcd"),
        class_names=("waves",),
        height=64,
        width=96,
    )
    trial = run({"waves": images}, "quick")
    moved = [each for each in trial.rounds if each["case"] == "P=16, M=0, fresh keys"]
    assert {each["in place"] for each in moved} == {1}
    assert max(each["in place, untouched"] for each in moved) < 0.3
    joint = [each for each in trial.rounds if each["case"] == "P=16, M=0, one key"]
    assert {each["in place"] for each in joint} == {1}
    quarter = [each for each in trial.rounds if each["case"] == "P=16, M=1/4, fresh keys"]
    assert min(each["substituted blocks known"] for each in quarter) == 1
