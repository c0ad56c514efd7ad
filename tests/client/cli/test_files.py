import os
from pathlib import Path

import numpy as np
import pytest

from cipherlens.crypto import CipherImage, ImageCipher, open_image, prepare


@pytest.fixture
def picture(tmp_path: Path, noise) -> Path:
    path = tmp_path / "beach.jpg"
    noise(5).save(path)
    return path


def test_there_and_back_with_the_original(run, keyring: Path, picture: Path, tmp_path) -> None:
    secret, plain = tmp_path / "secret", tmp_path / "plain"
    outcome = run("encrypt", picture, "--keyring", keyring, "--seal", "--view", "--out", secret)
    assert outcome.code == 0
    names = ["beach.jpg.cimg", "beach.jpg.sealed", "beach.jpg.view.png"]
    assert sorted(path.name for path in secret.iterdir()) == names
    assert outcome.out.splitlines() == [str(secret / name) for name in names]
    image = CipherImage.from_bytes((secret / names[0]).read_bytes())
    assert np.array_equal(open_image(secret / names[2]), image.pixels)
    assert run("decrypt", secret / names[0], "--keyring", keyring, "--out", plain).code == 0
    assert (plain / "beach.jpg").read_bytes() == picture.read_bytes()


def test_there_and_back_without_the_original(
    run, keyring: Path, picture: Path, tmp_path: Path, key
) -> None:
    secret, plain = tmp_path / "secret", tmp_path / "plain"
    run("encrypt", picture, "--keyring", keyring, "--out", secret)
    assert [path.name for path in secret.iterdir()] == ["beach.jpg.cimg"]
    run("decrypt", secret / "beach.jpg.cimg", "--keyring", keyring, "--out", plain)
    expected = prepare(open_image(picture), key.parameters)
    assert np.array_equal(open_image(plain / "beach.png"), expected)


def test_a_pair_may_be_renamed_but_not_mixed(run, keyring: Path, tmp_path: Path, noise) -> None:
    secret = tmp_path / "secret"
    for number in (1, 2):
        noise(number).save(tmp_path / f"{number}.png")
        run("encrypt", tmp_path / f"{number}.png", "--keyring", keyring, "--seal", "--out", secret)
    for suffix in ("cimg", "sealed"):
        (secret / f"1.png.{suffix}").rename(secret / f"renamed.png.{suffix}")
    renamed = secret / "renamed.png.cimg"
    assert run("decrypt", renamed, "--keyring", keyring, "--out", tmp_path / "out").code == 0
    assert (tmp_path / "out/renamed.png").read_bytes() == (tmp_path / "1.png").read_bytes()
    (secret / "2.png.sealed").replace(secret / "renamed.png.sealed")
    mixed = run("decrypt", renamed, "--keyring", keyring, "--out", tmp_path / "mixed")
    assert mixed.code == 1
    assert "is of another cipher-image" in mixed.err
    assert list((tmp_path / "mixed").iterdir()) == []


def test_a_crash_between_the_two_files_leaves_an_original_that_opens(
    run, keyring: Path, picture: Path, tmp_path: Path, noise, monkeypatch
) -> None:
    from cipherlens.client.cli import files

    secret, plain = tmp_path / "secret", tmp_path / "plain"
    words = ("encrypt", picture, "--keyring", keyring, "--seal", "--out", secret, "--force")
    assert run(*words).code == 0
    noise(6).save(picture)
    write, count = files.replace_file, iter((0, 1))

    def stop_before_the_second(path: Path, data: bytes) -> None:
        if next(count):
            raise KeyboardInterrupt
        write(path, data)

    with monkeypatch.context() as crash:
        crash.setattr(files, "replace_file", stop_before_the_second)
        assert run(*words).code == 130
    sealed = secret / "beach.jpg.sealed"
    assert run("decrypt", sealed, "--keyring", keyring, "--out", plain).code == 0
    assert (plain / "beach.jpg").read_bytes() == picture.read_bytes()


@pytest.mark.parametrize("command", ["encrypt", "decrypt"])
def test_files_that_would_be_written_as_one_are_refused_before_work(
    run, keyring: Path, tmp_path: Path, noise, command: str
) -> None:
    if command == "encrypt":
        paths = [tmp_path / "a/i.png", tmp_path / "b/i.png"]
    else:
        paths = [tmp_path / "x.jpg.cimg", tmp_path / "x.png.cimg"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        noise(1).save(path, "png")
    out = tmp_path / "out"
    outcome = run(command, *paths, "--keyring", keyring, "--out", out, "--force")
    assert outcome.code == 2
    assert f"{paths[0]} and {paths[1]} would both be written" in outcome.err
    assert not out.exists()


def test_a_pair_named_whole_is_one_original(run, keyring, picture: Path, tmp_path: Path) -> None:
    secret, plain = tmp_path / "secret", tmp_path / "plain"
    run("encrypt", picture, "--keyring", keyring, "--seal", "--out", secret)
    outcome = run("decrypt", *secret.iterdir(), "--keyring", keyring, "--out", plain)
    assert (outcome.code, outcome.out) == (0, f"{plain / 'beach.jpg'}\n")


def test_what_never_ends_is_no_picture(run, keyring: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    paths = [tmp_path / "pipe.png", tmp_path / "zero.png"]
    outcome = run("encrypt", *paths, "--keyring", keyring, "--out", tmp_path / "o", "--json")
    assert [each["error"] for each in outcome.document["failed"]] == ["is not a regular file"] * 2


def test_a_path_that_is_not_utf8_can_be_told(run, keyring, picture: Path, tmp_path: Path) -> None:
    odd = picture.rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    outcome = run("encrypt", odd, "--keyring", keyring, "--out", tmp_path / "o")
    assert outcome.code == 0
    assert outcome.out.endswith("\\udcff.jpg.cimg\n")
    outcome = run(
        "encrypt", odd, "--keyring", keyring, "--out", tmp_path / "o", "--json", "--force"
    )
    (written,) = outcome.document["done"][0]["written"]
    assert Path(written).exists()


def test_nothing_is_written_over_without_force(run, keyring: Path, picture: Path) -> None:
    words = ("encrypt", picture, "--keyring", keyring, "--out", picture.parent)
    assert run(*words).code == 0
    first = (picture.parent / "beach.jpg.cimg").read_bytes()
    refused = run(*words)
    assert refused.code == 1
    assert "--force" in refused.err
    assert run(*words, "--force").code == 0
    assert (picture.parent / "beach.jpg.cimg").read_bytes() == first


def test_a_broken_file_does_not_stop_the_others(run, keyring, picture: Path, tmp_path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    absent = tmp_path / "absent.png"
    outcome = run(
        "encrypt", broken, absent, picture, "--keyring", keyring, "--out", tmp_path / "o", "--json"
    )
    assert outcome.code == 1
    assert [each["file"] for each in outcome.document["done"]] == [str(picture)]
    assert [each["file"] for each in outcome.document["failed"]] == [str(broken), str(absent)]
    assert outcome.document["failed"][1]["error"] == "No such file or directory"


def test_a_damaged_cipher_image(run, keyring: Path, picture: Path, tmp_path: Path) -> None:
    run("encrypt", picture, "--keyring", keyring, "--out", tmp_path)
    path = tmp_path / "beach.jpg.cimg"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    outcome = run("decrypt", path, "--keyring", keyring, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert "checksum" in outcome.err


def test_a_cipher_image_of_a_key_that_is_not_there(run, keyring, tmp_path, image_key, noise):
    foreign = ImageCipher(image_key).encrypt_image(prepare(noise(1), image_key.parameters))
    path = tmp_path / "f.png.cimg"
    path.write_bytes(foreign.to_bytes())
    outcome = run("decrypt", path, "--keyring", keyring, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert image_key.fingerprint.hex() in outcome.err


def test_a_sealed_original_keeps_the_cipher_image_it_opens_beside(
    run, keyring: Path, picture: Path, tmp_path: Path
) -> None:
    words = ("encrypt", picture, "--keyring", keyring, "--out", tmp_path / "secret", "--force")
    assert run(*words, "--seal").code == 0
    first = (tmp_path / "secret/beach.jpg.cimg").read_bytes()
    refused = run(*words)
    assert refused.code == 1
    assert "--seal" in refused.err
    assert (tmp_path / "secret/beach.jpg.cimg").read_bytes() == first
    assert run(*words, "--seal").code == 0


def test_only_what_encrypt_wrote_is_decrypted(run, keyring: Path, picture: Path, tmp_path) -> None:
    outcome = run("decrypt", picture, "--keyring", keyring, "--out", tmp_path / "out")
    assert outcome.code == 1
    assert "does not end in .cimg" in outcome.err
