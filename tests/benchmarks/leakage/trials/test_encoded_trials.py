"""Trials on what real networks make of sixty pictures of noise in three tints."""

import pytest

from benchmarks.leakage.trials import labels, masks


@pytest.fixture
def tinted(make_pictures):
    return {"tinted": make_pictures(128, 192, 60)}


def test_masks_fall_with_pairs_and_with_the_stored_pictures_in_no_order(tinted):
    trial = masks.run(tinted, "quick")
    found = trial.tables["Strangers' pictures found among masked codes and vectors, by known pairs"]
    unknown = float(found["tinted: no attack"]["codes of 48 bits"].partition(" ")[0])
    assert unknown < 0.2
    assert found["tinted: 16 pairs"]["codes of 48 bits"] != found["tinted: no attack"]
    ordered = found["tinted: no pair, but all stored pictures in no order"]
    assert float(ordered["vectors of 256 numbers"].partition(" ")[0]) > 0.9


def test_labels_are_judged_for_everything_that_is_stored(tinted):
    trial = labels.run(tinted, "quick")
    table = trial.tables["Labels told from what is stored, share right"]
    assert len(table) == 5
    masked, plain = (table[f"tinted: vectors, {each}masked"] for each in ("", "not "))
    assert masked["10 of each class, neighbours"] == plain["10 of each class, neighbours"]
    assert plain["the most frequent label"] == "0.333"
