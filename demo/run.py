"""The whole way on real pictures: key, encryption, server, search, decryption, gallery.

The model that comes with the samples reads cipher-images of any key; --train trains one anew.
Everything runs through the doors that users have: the command line for the owner's and the cloud's
programs, the Python client for the queries. The figures are the E2E paper's: every held-out image
queries the other held-out images.
"""

import argparse
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.client import Client, Hits
from cipherlens.client.gallery import Gallery, GalleryHit, GalleryRow, write_gallery
from cipherlens.crypto import Keyring
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.images import LabelledFiles, list_folder, split
from cipherlens.model.evaluation.metrics import (
    average_precision,
    chance_average_precision,
    precision_at,
)

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
TRAINING = HERE / "any-key.toml"
MODEL = HERE / "model.safetensors"
PAGE = HERE / "index.html"
COLLECTION = "samples"
SHOWN_HITS = 14
LEAD = (
    "The server held only what stands under \u201cwhat the server sees\u201d. It ranked the "
    "cipher-images; the owner decrypted the hits on this page. Rest the pointer on a hit to see "
    "it as it is stored. Every category has one query: its first held-out picture."
)
_READY = re.compile(r"listening on (\S+)")


class DemoFailed(Exception):
    """A step ended with an error that it has printed itself."""


def main() -> int:
    """Run the demo; leave nothing behind but the page."""
    arguments = _arguments()
    work = Path(tempfile.mkdtemp(prefix="cipherlens-demo-"))
    os.environ["TMPDIR"] = str(work)  # what the programs below leave about goes with the rest
    try:
        _demo(work, arguments)
    except KeyboardInterrupt:
        print("\nInterrupted: everything is stopped and cleaned up.", file=sys.stderr)
        return 130
    except DemoFailed as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    finally:
        if arguments.keep:
            print(f"Kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 0


def _demo(work: Path, arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    say("1/6  A key. It stays with the owner; the server never has it.")
    keyring = work / "keyring.json"
    cipherlens("keys", "new", keyring, "--name", "demo", "--no-passphrase")

    model = _model(work, keyring, arguments)

    say("3/6  A cloud server in a process of its own, without any key.")
    files, held_out = _held_out(arguments.training)
    with _serving(work / "cloud") as address:
        say("4/6  The held-out pictures are encrypted, sealed and uploaded.")
        _upload(work, address, keyring, model, files, held_out)
        say("5/6  Each of them queries all others.")
        with Client(address, key=Keyring.load(keyring).get()) as client:
            measured = _measure(client, files, held_out)
            figures = _figures(work, keyring, measured, len(files.class_names))
            say(f"6/6  The hits, decrypted: {arguments.page}")
            _write_page(arguments.page, client, files, held_out, measured, figures)
    print()
    for name, value in figures.items():
        print(f"  {name:<36}{value}")
    print(f"\nDone in {time.monotonic() - began:.0f} s. Open {arguments.page} in a browser.")


def say(text: str) -> None:
    """Print a step."""
    print(f"\n{text}", flush=True)


def cipherlens(*arguments: object) -> None:
    """Run the command line. Raises DemoFailed if it fails, after it has said why."""
    done = subprocess.run([*_command(), *map(str, arguments)], check=False)
    if done.returncode:
        raise DemoFailed(f"cipherlens {arguments[0]} ended with exit code {done.returncode}")


def _command() -> list[str]:
    """Return the installed program beside this Python."""
    return [str(Path(sys.executable).with_name("cipherlens"))]


def _model(work: Path, keyring: Path, arguments: argparse.Namespace) -> Path:
    """Return the checkpoint that the server is given, trained here if that is asked for."""
    if not arguments.train:
        say("2/6  A model that reads cipher-images of any key. It comes with the samples and has")
        print("     seen neither this key nor the held-out pictures.")
        return MODEL
    say("2/6  A model that reads cipher-images of any key, trained on encrypted pictures.")
    model = _train(work, keyring, arguments, plain=False)
    if not arguments.no_twin:
        say("     Its twin: the same network, seed and schedule, on the plain pictures.")
        _train(work, keyring, arguments, plain=True)
    return model


def _train(work: Path, keyring: Path, arguments: argparse.Namespace, *, plain: bool) -> Path:
    out = work / ("twin.safetensors" if plain else "model.safetensors")
    options = ["--plain"] if plain else []
    common = ["--data", SAMPLES, "--keyring", keyring, "--seed", arguments.seed]
    cipherlens("train", arguments.training, *common, "--out", out, *options)
    return out


def _held_out(training: Path) -> tuple[LabelledFiles, NDArray[np.intp]]:
    """Return the sample files, and the positions of those that no training has seen."""
    files = list_folder(SAMPLES)
    return files, split(files.labels, TrainConfig.from_toml(training).split).test


@contextmanager
def _serving(data_dir: Path) -> Iterator[str]:
    """Run `cipherlens serve` on a free port and give its address; stop it in good order."""
    process = subprocess.Popen(
        [*_command(), "serve", "--data-dir", str(data_dir), "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches us alone; we stop it
    )
    try:
        yield _address(process)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)
        process.wait(30)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        print(f"     {line.rstrip()}")
        if found := _READY.search(line):
            return found[1]
    raise DemoFailed(f"the server ended with exit code {process.wait()}")


def _upload(
    work: Path,
    address: str,
    keyring: Path,
    model: Path,
    files: LabelledFiles,
    held_out: NDArray[np.intp],
) -> None:
    folder = work / "held-out"
    for position in held_out:
        source = files.paths[position]
        target = folder / source.relative_to(SAMPLES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    server = ("--server", address)
    cipherlens(
        "collection", "create", COLLECTION, "--kind", "cipher", "--keyring", keyring, *server
    )
    cipherlens("model", "push", model, "--collection", COLLECTION, *server)
    cipherlens("index", COLLECTION, folder, "--keyring", keyring, *server)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The server's answers to all held-out queries, and which hits are of the query's category.

    The server knows items by keyed ids; `names` are those that the owner opens.
    """

    hits: list[Hits]
    names: dict[str, str]
    relevance: NDArray[np.bool_]


def _measure(client: Client, files: LabelledFiles, held_out: NDArray[np.intp]) -> _Measured:
    """Search with every held-out image; relevance is (queries, others) bool, by rank."""
    paths = [files.paths[position] for position in held_out]
    found = client.search_images(COLLECTION, paths, k=len(paths))
    names = client.item_names(COLLECTION, found[0].item_ids)
    relevance = [
        [
            _category(name) == path.parent.name
            for name in map(names.__getitem__, hits.item_ids)
            if name != _name(path)
        ]
        for path, hits in zip(paths, found, strict=True)
    ]
    return _Measured(found, names, np.array(relevance))


def _figures(
    work: Path,
    keyring: Path,
    measured: _Measured,
    categories: int,
) -> dict[str, str]:
    """Return what was reached, beside what chance and the plain twin reach."""
    relevance = measured.relevance
    counts = relevance.sum(axis=1)
    chance = np.mean([chance_average_precision(int(n), relevance.shape[1]) for n in counts])
    score = average_precision(relevance).mean()
    ceiling = np.minimum(counts, 10).mean() / 10  # not every picture has ten of its category
    precision = precision_at(relevance, 10).mean()
    figures = {
        "held-out pictures": f"{len(relevance)} in {categories} categories",
        "mAP on cipher-images": f"{score:.3f}  ({score / chance:.1f} x chance)",
        "P@10 on cipher-images": f"{precision:.3f}  (at most {ceiling:.3f})",
        "mAP of a random order (by formula)": f"{chance:.3f}",
        "P@10 of a random order": f"{(counts / relevance.shape[1]).mean():.3f}",
    }
    if (work / "twin.safetensors").exists():
        twin = _twin_map(work / "twin.safetensors", keyring)
        figures["mAP of the plain twin"] = f"{twin:.3f}  (cipher / plain {score / twin:.2f})"
    return figures


def _twin_map(checkpoint: Path, keyring: Path) -> float:
    """Return the mAP of the plain twin on the same held-out pictures."""
    command = [*_command(), "evaluate", str(checkpoint), "--data", str(SAMPLES)]
    done = subprocess.run(
        [*command, "--keyring", str(keyring), "--json"], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise DemoFailed(f"cipherlens evaluate ended with exit code {done.returncode}")
    return float(json.loads(done.stdout)["map"])


def _write_page(
    page: Path,
    client: Client,
    files: LabelledFiles,
    held_out: NDArray[np.intp],
    measured: _Measured,
    figures: dict[str, str],
) -> None:
    """Show one query of every category: the first held-out picture, whatever came of it."""
    first = {
        int(files.labels[position]): row for row, position in reversed(list(enumerate(held_out)))
    }
    rows = [
        _gallery_row(client, files.paths[held_out[row]], measured.hits[row], measured.names)
        for _, row in sorted(first.items())
    ]
    write_gallery(
        page,
        Gallery(
            title="CipherLens: images found among encrypted images",
            lead=LEAD,
            facts=figures,
            rows=rows,
        ),
    )


def _gallery_row(client: Client, path: Path, hits: Hits, names: dict[str, str]) -> GalleryRow:
    others = [hit for hit in hits if names[hit.item_id] != _name(path)][:SHOWN_HITS]
    stored = {
        fetched.item_id: fetched.item
        for fetched in client.fetch(COLLECTION, [hit.item_id for hit in others])
    }
    return GalleryRow(
        label=_category(_name(path)),
        picture=Image.open(path),
        seen=client.encrypt_query(path).view(),
        hits=[
            GalleryHit(
                label=names[hit.item_id],
                score=f"{hit.similarity:.3f}",
                picture=Image.open(io.BytesIO(client.open_original(stored[hit.item_id]).data)),
                seen=stored[hit.item_id].cipher_image.view(),
                relevant=_category(names[hit.item_id]) == path.parent.name,
            )
            for hit in others
        ],
    )


def _name(path: Path) -> str:
    """Return the name that indexing the folder gave the picture."""
    return path.relative_to(SAMPLES).as_posix()


def _category(name: str) -> str:
    return name.partition("/")[0]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true", help="train a model, and its plain twin")
    parser.add_argument("--no-twin", action="store_true", help="with --train: leave the twin out")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument("--training", type=Path, default=TRAINING, help="settings of the training")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the gallery goes")
    parser.add_argument("--keep", action="store_true", help="keep keyring, models and server data")
    arguments = parser.parse_args()
    if not arguments.training.is_file():
        parser.error(f"--training: there is no file {arguments.training}")
    if not arguments.page.absolute().parent.is_dir():
        parser.error(f"--page: there is no folder {arguments.page.parent}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
