from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.model.config import SplitConfig
from cipherlens.model.data.images import (
    PreparedImages,
    by_shape,
    list_folder,
    load_prepared,
    split,
    split_images,
)
from cipherlens.model.errors import DataError


def test_classes_and_files_come_in_the_order_of_their_names(folder: Path) -> None:
    files = list_folder(folder)
    assert files.class_names == ("blue", "green", "red")
    assert list(files.paths) == sorted(files.paths)
    assert all(
        path.parent.name == files.class_names[label]
        for path, label in zip(files.paths, files.labels, strict=True)
    )


def test_only_images_of_class_folders_are_listed(tmp_path: Path) -> None:
    for name in ("b/1.PNG", "a/deeper/2.jpg", "a/.hidden/3.png", "a/4.txt", ".git/5.png", "6.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    files = list_folder(tmp_path)
    found = [path.relative_to(tmp_path).as_posix() for path in files.paths]
    assert (found, files.class_names) == (["a/deeper/2.jpg", "b/1.PNG"], ("a", "b"))
    assert files.labels.tolist() == [0, 1]


def test_one_class_is_too_few(tmp_path: Path) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "1.png").touch()
    with pytest.raises(DataError, match="1 class folders"):
        list_folder(tmp_path)


def test_prepared_images_have_the_keys_size(data: PreparedImages) -> None:
    assert {image.shape for image in data.images} == {(16, 24, 3), (24, 16, 3)}
    red = data.class_names.index("red")
    for image, label in zip(data.images, data.labels, strict=True):
        assert (image.mean(axis=(0, 1)).argmax() == 0) == (label == red)


def test_unreadable_files_are_skipped_and_named(
    tmp_path: Path, parameters: CipherParameters
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / name / "good.png")
    (tmp_path / "a" / "bad.png").write_bytes(b"no picture")
    seen: list[tuple[int, int]] = []
    loaded = load_prepared(
        list_folder(tmp_path), parameters, lambda done, total: seen.append((done, total))
    )
    assert loaded.names == ("a/good.png", "b/good.png")
    assert loaded.labels.tolist() == [0, 1]
    ((name, reason),) = loaded.skipped
    assert name == "a/bad.png"
    assert reason
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_class_without_one_readable_image(tmp_path: Path, parameters: CipherParameters) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="no image of class a can be read"):
        load_prepared(list_folder(tmp_path), parameters)


@given(
    counts=st.lists(st.integers(12, 40), min_size=2, max_size=6),
    validation=st.sampled_from([0.0, 0.1, 0.2]),
    test=st.sampled_from([0.0, 0.25, 0.3]),
    seed=st.integers(0, 50),
)
def test_a_split_parts_every_class(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    parts = split(labels, SplitConfig(validation=validation, test=test, seed=seed))
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(len(labels)))
    for label, count in enumerate(counts):
        assert (labels[parts.test] == label).sum() == round(count * test)
        assert (labels[parts.validation] == label).sum() == round(count * validation)


def test_the_seed_decides_the_split() -> None:
    labels = np.repeat(np.arange(3), 20)
    one, again, other = (split(labels, SplitConfig(seed=seed)).test for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_class_too_small_to_train_on() -> None:
    with pytest.raises(DataError, match="class 1 has 2 images"):
        split(np.array([0] * 10 + [1] * 2), SplitConfig())


def test_images_without_a_test_set_of_their_own_are_split_by_the_shares(
    data: PreparedImages,
) -> None:
    config = SplitConfig(validation=0.2, test=0.3, seed=5)
    found, expected = split_images(data, config), split(data.labels, config)
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(found, part), getattr(expected, part))


def test_held_out_images_are_the_test_part(data: PreparedImages) -> None:
    held_out = np.arange(len(data)) % 5 == 0
    images = replace(data, held_out=held_out)
    parts = split_images(images, SplitConfig(validation=0.25, test=0.3, seed=5))
    assert parts.test.tolist() == np.flatnonzero(held_out).tolist()
    assert sorted([*parts.train, *parts.validation]) == np.flatnonzero(~held_out).tolist()
    assert np.bincount(images.labels[parts.validation]).tolist() == [2, 2, 2]  # of 8 each
    assert images.take(parts.test).held_out.all()
    assert not images.take(parts.train).held_out.any()


def test_groups_by_orientation_hold_each_image_once(data: PreparedImages) -> None:
    groups = list(by_shape(data.images))
    assert len(groups) == 2
    positions = np.concatenate([each for each, _ in groups])
    assert sorted(positions) == list(range(len(data)))
    for chosen, stacked in groups:
        for position, image in zip(chosen, stacked, strict=True):
            assert np.array_equal(image, data.images[position])


def test_orientations_come_in_batches(data: PreparedImages) -> None:
    whole = {len(images[0]): images for _, images in by_shape(data.images)}
    batches = list(by_shape(data.images, 4))
    assert max(len(images) for _, images in batches) == 4
    for height, images in whole.items():
        own = [each for _, each in batches if len(each[0]) == height]
        assert np.array_equal(np.concatenate(own), images)
    positions = np.concatenate([each for each, _ in batches])
    assert sorted(positions) == list(range(len(data)))


def test_the_digest_sees_names_classes_and_pixels(data: PreparedImages) -> None:
    everything = np.arange(len(data))
    assert data.take(everything).digest() == data.digest()
    assert data.take(everything[:-1]).digest() != data.digest()
    assert data.take(everything[::-1]).digest() != data.digest()
    marked = [replace(data, held_out=everything < count).digest() for count in (3, 4)]
    assert len({data.digest(), *marked}) == 3
