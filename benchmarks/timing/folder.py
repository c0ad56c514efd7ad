"""Indexing a folder of pictures from end to end, against each of its stages alone.

The stages are those of `index_folder`, in the same threads and batches: read the files and decode
and prepare the pictures; encrypt them and seal the originals; send them, which is to be embedded,
written and synced by the server. Each stage alone has the work of the one before it ready in
memory. The model is the demo's; all share the cores of one machine.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness.photographs import photograph_files
from benchmarks.harness.places import ROOT, SAMPLES
from benchmarks.harness.rounds import taken
from benchmarks.harness.server import running
from benchmarks.methods.keys import measured_key
from cipherlens.client import Client, index_folder
from cipherlens.client.core.batches import batched
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.folder.indexer import read_ahead
from cipherlens.client.folder.making import Making
from cipherlens.client.folder.sender import IN_FLIGHT
from cipherlens.client.folder.walk import PictureFile, Walk
from cipherlens.client.picture import PreparedPicture, prepare_picture
from cipherlens.crypto import CipherParameters, KeyEntry, Scope

PLACE = 15.6

NOTES = """
Client and server share the cores, so the other stages take their time from the slowest one, too:
what is lost from end to end is mostly processor time and not waiting.
"""

SEED = 1
ROUNDS = {"quick": 3, "full": 7}
PARAMETERS = CipherParameters(block_size=16, substituted_blocks=24, scope=Scope.IMAGE)
MODEL = ROOT / "demo" / "model.safetensors"
READ, MAKE, SEND, WHOLE = "read and decode", "encrypt and seal", "send", "end to end"

Made = EncryptedPicture | CodedPicture
Batch = list[tuple[PreparedPicture, Place]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A folder on its way into new collections of a server.

    batches: its pictures prepared, with their places, as `index_folder` puts them together.
    made: what becomes of them, batch by batch.
    """

    client: Client
    key: KeyEntry
    folder: Path
    files: Sequence[PictureFile]
    batches: list[Batch]
    made: list[Sequence[Made]]
    names: "count[int]"

    def read_s(self) -> float:
        """Return how long all pictures take to be read and prepared."""
        start = time.perf_counter()
        for _ in prepared(self.files, self.key):
            pass
        return time.perf_counter() - start

    def make_s(self) -> float:
        """Return how long they take to be encrypted and sealed."""
        making = Making(self.client, self.client.get_collection(self._new_collection()), None)
        return _seconds(partial(_make, making), self.batches)

    def send_s(self) -> float:
        """Return how long they take to be sent, embedded and written."""
        collection = self._new_collection()
        ids = [[place.item_id for _, place in batch] for batch in self.batches]
        return _seconds(
            lambda each: self.client.index_encrypted(collection, *each),
            list(zip(ids, self.made, strict=True)),
        )

    def whole_s(self) -> float:
        """Return how long `index_folder` takes."""
        collection = self._new_collection()
        start = time.perf_counter()
        report = index_folder(self.client, collection, self.folder)
        seconds = time.perf_counter() - start
        if report.indexed != len(self.files):
            raise RuntimeError(f"{report.indexed} of {len(self.files)} pictures were indexed")
        return seconds

    def _new_collection(self) -> str:
        """Return a new, empty collection with the model at work."""
        name = f"folder-{next(self.names)}"
        self.client.create_cipher_collection(name)
        self.client.push_model(MODEL, collection=name)
        return name


def run(profile: str) -> dict[str, Any]:
    """Return pictures a second of each stage, from end to end, and their ratio."""
    folders = {f"demo/samples ({MODEL.stem})": SAMPLES}
    results, rounds, notes = {}, {}, []
    with tempfile.TemporaryDirectory() as temporary:
        photographs = photograph_files()
        if photographs is None:
            notes.append("The packages with photographs are not here.")
        else:
            folders[f"photographs ({photographs.origin})"] = _linked(
                photographs.files, Path(temporary, "photographs")
            )
        for name, folder in folders.items():
            found, results[name] = _measured(folder, Path(temporary, name[:4]), ROUNDS[profile])
            rounds[name] = found
    return {
        "unit": "pictures a second",
        "seed": SEED,
        "rounds": rounds,
        "results": results,
        "notes": notes,
    }


def prepared(files: Iterable[PictureFile], key: KeyEntry) -> Iterable[PreparedPicture]:
    """Return the pictures of files, prepared by as many threads as `index_folder` has."""
    return read_ahead(
        lambda file: prepare_picture(file.path.read_bytes(), key.parameters), list(files)
    )


def row(seconds: Mapping[str, float], pictures: int, size_bytes: int) -> dict[str, float]:
    """Return the rates of a folder from how long each stage took for all of it."""
    rates = {name: pictures / each for name, each in seconds.items()}
    slowest = min((READ, MAKE, SEND), key=lambda stage: rates[stage])
    return {
        "pictures": pictures,
        "MB": round(size_bytes / 1e6, 1),
        **{name: round(rate, 1) for name, rate in rates.items()},
        "end to end / slowest stage": round(rates[WHOLE] / rates[slowest], 3),
    }


def _measured(
    folder: Path, data_dir: Path, rounds: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Return the seconds of every round, and the row of a folder."""
    key = measured_key(PARAMETERS, SEED)
    with (
        running(data_dir, "--device", "cpu") as server,
        Client(server.address, key=key) as client,
    ):
        ready = _ready(client, key, folder)
        ready.whole_s()  # what is read for the first time comes from the disk
        stages: dict[str, Callable[[], float]] = {
            READ: ready.read_s,
            MAKE: ready.make_s,
            SEND: ready.send_s,
            WHOLE: ready.whole_s,
        }
        found = taken(stages, rounds)
    size_bytes = sum(file.size_bytes for file in ready.files)
    medians = {name: median(each) for name, each in found.items()}
    return found, row(medians, len(ready.files), size_bytes)


def _ready(client: Client, key: KeyEntry, folder: Path) -> Run:
    """Return a folder with the work of every stage ready for the next."""
    files = Walk(folder, client.limits.max_item_id_bytes).files
    names = count()
    first = client.create_cipher_collection("first")
    making = Making(client, first, None)
    places = [Place(collection_uuid=first.uuid, item_id=file.name, revision=1) for file in files]
    entries = zip(prepared(files, key), places, strict=True)
    batches = list(batched(entries, lambda entry: entry[0].size_bytes))
    return Run(
        client=client,
        key=key,
        folder=folder,
        files=files,
        batches=batches,
        made=[_make(making, batch) for batch in batches],
        names=names,
    )


def _make(making: Making, batch: Batch) -> Sequence[Made]:
    return making.made([picture for picture, _ in batch], [place for _, place in batch])


def _seconds(work: Callable[[Any], object], batches: Sequence[Any]) -> float:
    """Return how long the work on all batches takes, as many at a time as `index_folder` has."""
    start = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        for _ in threads.map(work, batches):
            pass
    return time.perf_counter() - start


def _linked(files: Sequence[Path], folder: Path) -> Path:
    """Return a folder with links to the files and nothing else."""
    folder.mkdir()
    for number, file in enumerate(files):
        Path(folder, f"{number:03}{file.suffix}").symlink_to(file)
    return folder
