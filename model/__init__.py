"""Networks that find images by their cipher-images: training, evaluation, checkpoints, embedding.

The modules `profile`, `config`, `files`, `checkpoint`, `networks`, `inference` and `embedder` serve
the cloud side: they never import `cipherlens.crypto`. Names are imported from the modules
themselves, so that reading a profile does not load torch.
"""

__all__ = [
    "augmentation",
    "checkpoint",
    "code_metrics",
    "codes",
    "config",
    "corel10k",
    "cost",
    "data",
    "data_spec",
    "dlheir",
    "embedder",
    "encryption",
    "errors",
    "evaluate",
    "evaluate_codes",
    "evaluate_vectors",
    "evaluation",
    "fashion_mnist",
    "files",
    "hash_encoder",
    "hash_network",
    "idx",
    "inference",
    "losses",
    "metrics",
    "network_config",
    "networks",
    "precision",
    "profile",
    "recipes",
    "sampling",
    "schedule",
    "train",
    "training_state",
]
