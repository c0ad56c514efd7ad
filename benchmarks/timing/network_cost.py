"""What the hash networks cost: DLHEIR's Table 2 beside multiply-accumulates that are counted."""

from typing import Any

import torch

from cipherlens.model.networks.cost import multiply_accumulates, parameter_count
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network_config import HashNetworkConfig

PLACE = 12
AT_PAPERS_SCALE = True

NAMES = {"dlheir": "DLHEIR", "densenet201": "Original CNN + hash layer"}
SIDES = (384, 224)

PAPER = {
    ("dlheir", 48): (176.64, 158.25),
    ("dlheir", 32): (176.54, 158.25),
    ("dlheir", 24): (176.49, 158.21),
    ("dlheir", 12): (176.41, 158.13),
    ("densenet201", 48): (184.19, 164.97),
    ("densenet201", 32): (183.87, 164.68),
    ("densenet201", 24): (183.71, 164.54),
    ("densenet201", 12): (183.46, 164.32),
}
"""Table 2: parameters in units of 10^5, and "MFLOPs"."""

NOTES = """\
Parameters are those of learned weights and of batch-norm statistics together, for 100 classes, as
Keras counts them. With that all eight rows of the paper come out to the last digit, for networks
that the text of the paper only sketches: the original is DenseNet201 without its top and the hash
layer; DLHEIR keeps 18 of the 32 dense layers of block 4, and one inverted residual block without
expansion takes 1472 channels to 512.

The paper's MFLOPs are 8.96 times the parameters in millions, in every row, whatever the layers are
and however large the picture is. So they are no count of the work at 384x384. What is counted here
are the multiply-accumulates of all convolutions and matrix products for one picture: 27 times the
paper's figure at 224x224 and 79 times at 384x384. The shortened network saves less than one percent
of them, because its new block costs nearly what the fourteen layers cost that it replaces.
"""


def run(profile: str) -> dict[str, Any]:  # noqa: ARG001 - nothing is estimated: one profile
    """Return parameters and multiply-accumulates of the eight networks; nothing is random."""
    return {
        "unit": "parameters in 10^5, multiply-accumulates (MACs) in 10^9 for one picture",
        "seed": "none: nothing is drawn",
        "exact": ["parameters"],  # the paper's come out to the last digit
        "results": {_name(*case): _row(*case) for case in PAPER},
        "paper": {
            _name(*case): {"parameters": parameters, "MFLOPs": mflops}
            for case, (parameters, mflops) in PAPER.items()
        },
    }


def _name(backbone: str, bits: int) -> str:
    return f"{NAMES[backbone]}, {bits} bits"


def _row(backbone: str, bits: int) -> dict[str, float]:
    """Return one network's figures; it has no weights, so that counting takes no memory."""
    with torch.device("meta"):
        network = HashNetwork(HashNetworkConfig(backbone=backbone, bits=bits, classes=100))
    parameters = parameter_count(network)
    mflops = PAPER[backbone, bits][1]
    return {
        "parameters": round(parameters / 1e5, 2),
        **{
            f"MACs at {side}x{side}": round(multiply_accumulates(network, side, side) / 1e9, 3)
            for side in SIDES
        },
        "paper's MFLOPs to 10^6 parameters": round(mflops / (parameters / 1e6), 3),
    }
