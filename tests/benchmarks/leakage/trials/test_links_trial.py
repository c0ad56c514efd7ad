from benchmarks.leakage.trials.links import run


def test_equal_pictures_are_found_and_noise_has_no_classes(few):
    trial = run({"noise": few}, "quick")
    table = trial.tables[
        "The picture that a query is of, or was made of, is first among the stored"
    ]
    for row in ("P=16, M=1/4, fresh keys", "P=16, M=all, fresh keys", "P=16, M=all, one key"):
        assert table[f"noise, {row}: same pattern"]["the same"] == "1"
    assert table["noise, P=16, M=all, fresh keys: same bytes"]["the same"] == "0"
    assert table["noise, P=16, M=1/4, one key: laid over"]["JPEG 90"] == "1"
    headline = trial.headline["the same, first of 9: noise, P=16, M=1/4, fresh keys, by same bytes"]
    assert headline == {"reached": "1", "without the attack": "0.111"}
