"""Checkpoints of trained networks, for what needs more of them than their figures."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.methods.figures import STORE, Figures, Store, figures_of, measured
from benchmarks.methods.trained_network import TrainedNetwork
from cipherlens.model.data.images import PreparedImages


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A network's checkpoint, and the figures of its training and of its test, JSON-able."""

    network: TrainedNetwork
    checkpoint: Path
    figures: Figures


def trained(network: TrainedNetwork, data: PreparedImages, store: Store = STORE) -> Trained:
    """Return the trained network and its figures, from an earlier run as far as that got here."""
    checkpoint = store.network(network, data)
    under_way = checkpoint.with_name(checkpoint.name + ".state").exists()
    whole = checkpoint.exists() and not under_way
    figures = (figures_of if whole else measured)(network, data, store)
    return Trained(network=network, checkpoint=checkpoint, figures=figures)
