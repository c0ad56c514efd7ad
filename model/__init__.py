"""Networks that find images by their cipher-images: training, evaluation, checkpoints, embedding.

The modules `profile`, `config`, `checkpoint`, `networks` and `embedder` serve the cloud side: they
never import `cipherlens.crypto`. Names are imported from the modules themselves, so that reading
a profile does not load torch.
"""

__all__ = [
    "augmentation",
    "checkpoint",
    "config",
    "data",
    "embedder",
    "encryption",
    "errors",
    "evaluate",
    "losses",
    "metrics",
    "networks",
    "precision",
    "profile",
    "sampling",
    "schedule",
    "train",
    "training_state",
]
