"""The benchmarks there are."""

import importlib
from types import ModuleType

NAMES = {
    "encryption": "images encrypted per second, both scopes",
    "index-search": "one query through our indexes against bare FAISS",
    "rpc-search": "one query through the server against an empty call with the same answer",
    "restart": "seconds from the start of a server process to its first answer",
    "demo-seeds": "the demo's mAP on cipher-images and on plain ones, five seeds",
    "cipher-quality": "how unlike the pictures their cipher-images are (E2E Table I)",
    "settings": "mAP over alpha, margin, P and M (E2E Tables II and III)",
    "backbones": "ViT against ResNet50 (E2E Table IV)",
    "fashion-mnist-e2e": "mAP on cipher-images of Fashion-MNIST, one key and any key",
    "fashion-mnist-hash": "mAP of binary codes of Fashion-MNIST, four lengths",
    "hash-precision": "precision of binary codes at k = 20 to 100 (DLHEIR Fig. 3, Table 1)",
    "network-cost": "parameters and multiply-accumulates of the hash networks (DLHEIR Table 2)",
    "retrieval-time": "time of one search over 2,000 to 10,000 images (DLHEIR Table 3)",
    "feature-time": "time to make the features of 2,000 to 10,000 images (DLHEIR Fig. 4)",
    "index-time": "time to build the index of 2,000 to 10,000 images (DLHEIR Fig. 5)",
    "trapdoor-time": "time to make a query's trapdoor (DLHEIR Fig. 6)",
}
"""What each measures, in the order of the report."""

PROFILES = ("quick", "full")


def module_of(name: str) -> ModuleType:
    """Return the module of a benchmark."""
    return importlib.import_module(f"benchmarks.{name.replace('-', '_')}")
