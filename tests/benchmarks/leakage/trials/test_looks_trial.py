import pytest

from benchmarks.leakage.trials.looks import IDEAL, run


def of(trial, case):
    return [each for each in trial.rounds if each["case"] == case]


def test_one_pixel_changes_one_pixel_under_one_key_and_much_under_fresh_ones(few):
    trial = run({"noise": few}, "quick")
    pixels = 64 * 96
    for each in of(trial, "P=16, M=1/4, one key"):
        assert each["NPCR of a pixel"] == pytest.approx(100 / pixels)
        assert each["NPCR of a key bit"] > 90
    for each in of(trial, "P=16, M=1/4, fresh keys"):
        assert each["NPCR of a pixel"] > 90


def test_what_is_sealed_is_like_random_bytes(few):
    for each in of(run({"noise": few}, "quick"), "sealed originals (AES-256-GCM)"):
        for name, ideal in IDEAL.items():
            tolerance = 60 if name == "chi-square" else 0.1 + 0.01 * ideal
            assert each[name] == pytest.approx(ideal, abs=tolerance), name
        assert abs(each["SSIM"]) < 0.05
