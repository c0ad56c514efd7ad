from benchmarks.leakage.trials.known_pictures import run


def test_a_chosen_picture_opens_all_under_one_key_and_nothing_under_fresh_ones(few):
    trial = run({"noise": few}, "quick")
    opened = trial.tables["Of other pictures' blocks, opened byte for byte"]
    assert opened["noise, P=16, M=1/4, one key"]["one chosen"] == "1"
    fresh = [
        each
        for each in trial.rounds
        if "fresh" in each["case"] and each["attacker"] == "one chosen"
    ]
    assert len(fresh) == 3
    assert all(each["blocks"] < 0.2 for each in fresh)
