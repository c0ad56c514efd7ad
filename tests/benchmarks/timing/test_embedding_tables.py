"""The rows of the benchmarks of embedding, from times that no machine measured."""

import numpy as np
import pytest
from PIL import Image

from benchmarks.harness.photographs import photograph_files
from benchmarks.timing import embedding, folder
from benchmarks.timing.embedding import ALONE, row
from cipherlens.client.folder.walk import Walk


def test_an_embedding_network_is_judged_by_the_best_that_it_does_bare():
    medians = {f"bare, batch of {size}": 10.0 * size for size in embedding.BATCHES}
    medians["bare, batch of 8"] = 40.0  # 200 images a second
    medians |= {f"bare, {embedding.SIDE_BY_SIDE}": 250.0, ALONE: 11.5}
    medians |= dict.fromkeys(embedding.RATES, 100.0)
    medians["searches of 16"] = 190.0
    found = row(medians)
    assert found["bare pass of one, ms"] == 10.0
    assert found["p50 / bare pass"] == 1.15
    assert (found["bare, best batch"], found["bare, images/s"]) == (8, 200.0)
    assert found["searches of 16 / bare"] == 0.95
    assert found["searches of 16 / bare passes side by side"] == 0.76


def test_a_folder_is_judged_by_its_slowest_stage():
    seconds = {folder.READ: 2.0, folder.MAKE: 0.5, folder.SEND: 4.0, folder.WHOLE: 5.0}
    found = folder.row(seconds, pictures=100, size_bytes=3_000_000)
    assert found["end to end / slowest stage"] == 0.8
    assert (found["pictures"], found["MB"], found[folder.SEND]) == (100, 3.0, 25.0)


def test_the_stages_take_the_pictures_of_a_folder(tmp_path):
    for number in range(3):
        Image.new("RGB", (30, 20), (number, 0, 0)).save(tmp_path / f"{number}.png")
    key = embedding.measured_key(folder.PARAMETERS, 1)
    pictures = list(folder.prepared(Walk(tmp_path, 512).files, key))
    assert [int(each.pixels[0, 0, 0]) for each in pictures] == [0, 1, 2]
    assert np.stack([each.pixels for each in pictures]).shape == (3, 128, 192, 3)


def test_photographs_are_those_of_the_folder_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))
    assert photograph_files() is None
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg")
    found = photograph_files()
    assert found is not None
    assert (found.origin, found.files) == (str(tmp_path), [tmp_path / "a.jpg"])


def test_without_photographs_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PHOTOGRAPHS", str(tmp_path))
    monkeypatch.setattr(folder, "_measured", lambda *_: ({}, {}))
    document = folder.run("quick")
    assert document["notes"] == ["The packages with photographs are not here."]
    assert len(document["results"]) == 1


@pytest.mark.parametrize("batch", [1, 3])
def test_a_bare_pass_is_timed(tmp_path, batch):
    checkpoint = embedding.checkpoints(tmp_path)["the demo's network"]
    bare = embedding.Bare.of(checkpoint)
    assert bare.milliseconds(batch, 0.01) > 0
    assert bare.side_by_side_per_s(batch, 0.01) > 0
