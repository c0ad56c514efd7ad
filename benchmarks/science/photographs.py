"""Photographs, prepared for a cipher or a network."""

import numpy as np

from benchmarks.harness.photographs import photograph_files
from cipherlens.crypto import PreparedSize
from cipherlens.model.data.images import LabelledFiles, PreparedImages, load_prepared


def photographs(size: PreparedSize) -> tuple[str, PreparedImages] | None:
    """Return where the photographs are from, and them; None where there are none."""
    found = photograph_files()
    if found is None:
        return None
    listed = LabelledFiles(
        root=found.root,
        paths=tuple(found.files),
        labels=np.zeros(len(found.files), dtype=np.int64),
        class_names=("photographs",),
    )
    return found.origin, load_prepared(listed, size)
