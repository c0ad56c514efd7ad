"""How long it takes to make a query's trapdoor beside 2,000 to 10,000 stored images: DLHEIR Fig. 6.

From the picture file to what a search takes: a code of the hash network, or the encrypted picture.
In process, where there is no collection, and through the owner's service on five servers of role
`all`, each of which holds as many codes. The floor is an empty call of the same service, the list
of its keys. All take turns in every round; a figure is the median over the rounds of a round's
mean.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.places import SAMPLES
from benchmarks.harness.progress import told
from benchmarks.harness.rounds import asking, medians_us
from benchmarks.harness.server import serving
from benchmarks.harness.stored import store_codes
from benchmarks.methods.keys import measured_key
from benchmarks.timing.features import DATA, SEED, code_features
from benchmarks.timing.growth import SIZES, level, panel, ratio, table
from benchmarks.timing.local import Codes
from benchmarks.timing.networks import BITS, facts, random_dlheir, trained_hash_network
from cipherlens.client import Client, EncryptionClient
from cipherlens.crypto import (
    CipherParameters,
    ImageCipher,
    Keyring,
    PreparedSize,
    Scope,
    open_image,
    prepare,
)
from cipherlens.model.data.images import list_folder
from cipherlens.model.hash_encoder import HashEncoder

PLACE = 16

PICTURES = 100
ROUNDS = {"quick": (15, 4), "full": (51, 10)}
FLOOR = "empty call of the service"

NOTES = """
The paper shows this figure as curves without numbers; it says that its trapdoors take longer than
those of the schemes it compares with (SIFT, MPEG-7: see [scheme-time](#scheme-time)), because a
picture goes through the deep layers of a DenseNet. In ours nothing depends on the size of the
collection: a growth of 1 is what to expect, and what it strays from 1 is the machine. The paper's
network is measured with random weights, which changes no time, in process alone. The cipher is that
of the E2E paper: 128x192, P=8, M=96; scope image draws its sequences anew for every picture.
"""

Contenders = dict[tuple[str, int], Callable[[], object]]
"""What makes a trapdoor, by its name and the size of the collection beside it, 0 for none."""


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one trapdoor beside collections of each size."""
    network = trained_hash_network(profile)
    codes = code_features(profile, [BITS])[BITS].stored
    files = list_folder(SAMPLES).paths[:PICTURES]
    rounds, calls = ROUNDS[profile]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        contenders = _local(files, network.checkpoint, random_dlheir(folder, 384))
        for size in told("starting servers", SIZES):
            owner = stack.enter_context(
                _owner(folder / str(size), network.checkpoint, codes[:size])
            )
            contenders |= _served(owner, files, size)
        times = medians_us(contenders, rounds=rounds, calls=calls)
    return {
        "unit": "microseconds for one trapdoor",
        "data": f"queries: demo/samples, {len(files)} pictures. Stored codes: {DATA}",
        "seed": SEED,
        "rounds": rounds,
        "calls_per_round": calls,
        "networks": {"Fashion-MNIST hash network": facts(network)},
        **tables(times),
    }


def tables(times: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    """Return the tables and the plot of microseconds by trapdoor and size of the collection."""
    rows = {
        name: [times[name, size] for size in SIZES]
        for name in dict.fromkeys(name for name, size in times if size)
    }
    alone = {name: value for (name, size), value in times.items() if not size}
    floor = statistics.median(rows[FLOOR])
    typical = alone | {name: statistics.median(values) for name, values in rows.items()}
    drawn = panel(
        "from the picture file to the query",
        rows | {name: level(value) for name, value in alone.items()},
        x="images in the collection",
        y="time (µs)",
    )
    return {
        "results": table(rows),
        "tables": {
            "Whatever the size (through the service: the median over the sizes)": {
                name: {"microseconds": value, "over the empty call": ratio(value, floor)}
                for name, value in typical.items()
            }
        },
        "plots": {"trapdoor-time": {"title": "Making a trapdoor", "panels": [drawn]}},
    }


def _local(files: tuple[Path, ...], network: Path, dlheir: Path) -> Contenders:
    """Return what makes trapdoors in this process, the networks warm already."""
    encoders = {
        "code, Fashion-MNIST hash network, in process": HashEncoder(network),
        "code, DLHEIR 384x384, in process": HashEncoder(dlheir),
    }
    makers = {name: _coder(encoder) for name, encoder in encoders.items()}
    for scope in Scope:
        cipher = ImageCipher(measured_key(CipherParameters(scope=scope), SEED))
        makers[f"cipher-image, scope {scope}, in process"] = _encryptor(cipher)
    return {(name, 0): asking(make, files) for name, make in makers.items()}


def _coder(encoder: HashEncoder) -> Callable[[Path], object]:
    size: PreparedSize = encoder
    encoder.encode(np.zeros((1, encoder.height, encoder.width, 3), np.uint8))
    return lambda path: encoder.encode(prepare(open_image(path), size)[None])


def _encryptor(cipher: ImageCipher) -> Callable[[Path], object]:
    return lambda path: cipher.encrypt_image(prepare(open_image(path), cipher.parameters))


def _served(owner: EncryptionClient, files: tuple[Path, ...], size: int) -> Contenders:
    """Return what makes trapdoors through the owner's service beside so many images."""
    return {
        ("code, Fashion-MNIST hash network, through the service", size): asking(
            lambda path: owner.trapdoor_codes([path]), files
        ),
        ("cipher-image, scope collection, through the service", size): asking(
            owner.trapdoor, files
        ),
        (FLOOR, size): owner.list_keys,
    }


@contextmanager
def _owner(folder: Path, network: Path, codes: Codes) -> Iterator[EncryptionClient]:
    """Run a server of role `all` with a key, a hash network and stored codes; give its client."""
    folder.mkdir()
    path = folder / "measured.keys"
    keyring = Keyring()
    keyring.add(measured_key(CipherParameters(scope=Scope.COLLECTION), SEED))
    keyring.save(path, unprotected=True)
    arguments = ["--role", "all", "--keyring", str(path), "--hash-model", str(network)]
    with serving(folder / "data", *arguments) as address:
        with Client(address) as client:
            store_codes(client, "codes", codes, BITS)
        with EncryptionClient(address) as owner:
            yield owner
