"""Networks that find images by their cipher-images or codes, from training to use.

What an owner does has four parts: `networks`, `data`, `training` and `evaluation`. The modules
beside them describe a trained network and use it. The cloud side takes `config`, `checkpoint`,
`inference`, `embedder` and `networks`, which never import `cipherlens.crypto`. Names are imported
from the modules themselves, so that reading a configuration does not load torch.
"""

__all__ = [
    "checkpoint",
    "codes",
    "config",
    "data",
    "embedder",
    "errors",
    "evaluation",
    "hash_encoder",
    "inference",
    "loop_config",
    "networks",
    "precision",
    "training",
]
