"""Hash networks on Fashion-MNIST: the 10,000 test images query the 60,000 others by Hamming.

Beside each figure stands the one that QSMIH reports for plain images and codes of that length.
"""

from typing import Any

from benchmarks.harness.pictures import fashion_mnist
from benchmarks.methods.fashion_mnist import EVERY, hash_networks, table_row
from benchmarks.methods.figures import all_figures, seeds
from benchmarks.science.panels import precision_recall

PLACE = 10

QSMIH = {12: 0.842, 24: 0.873, 36: 0.863, 48: 0.860}

NOTES = """\
The hash layer and its loss are DLHEIR's, the network before it is a small residual one, from random
weights, on pictures scaled to 48x48. The 60,000 that are searched are those of the training, its
validation part included, as is the custom with this measure. Equal distances count as the mean over
their orders. QSMIH has 36 bits where we have DLHEIR's 32.
"""


def run(profile: str) -> dict[str, Any]:
    """Return the mAP of each length of code."""
    networks = hash_networks(profile)
    size = next(iter(networks.values())).config.network.height
    figures = all_figures(networks, fashion_mnist(size, every=EVERY[profile]))
    lines = {f"{bits} bits": [each] for bits, each in figures.items()}
    return {
        "data": f"Fashion-MNIST, 10,000 queries over {60_000 // EVERY[profile]:,}",
        "seed": seeds(figures),
        "trainings": figures,
        "plots": {
            "fashion-mnist-hash-recall": precision_recall("Precision and recall", {"": lines})
        },
        "results": {
            f"{bits} bits": table_row(each, {"QSMIH": QSMIH.get(bits, "")})
            for bits, each in figures.items()
        },
    }
