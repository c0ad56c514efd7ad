"""An owner who encrypts: what a server gets of his pictures, and the truth to judge attacks by."""

from dataclasses import replace

import numpy as np

from benchmarks.leakage.blocks import Pixels
from benchmarks.methods.keys import measured_key
from cipherlens.base import NONCE_BYTES
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks


class Owner:
    """The key of a seed and its nonces, which come from the seed too: a run can be repeated."""

    def __init__(
        self, parameters: CipherParameters, seed: int, turned_bit: int | None = None
    ) -> None:
        """Make the key; its parameters say the scope, and one of its 256 bits may be turned."""
        self.parameters = parameters
        key = measured_key(parameters, seed)
        if turned_bit is not None:
            bit = 1 << turned_bit
            root = int.from_bytes(key.root, "little") ^ bit
            key = replace(key, root=root.to_bytes(len(key.root), "little"))
        self._keys = key.image_keys()
        self._draw = np.random.default_rng([seed, 1])

    def encrypt(self, pictures: Pixels) -> tuple[Pixels, Sequences]:
        """Return cipher pixels, (n, h, w, 3) uint8, and the sequences: one set, or one for each."""
        sequences = self._sequences(len(pictures))
        return encrypt_blocks(pictures, sequences, self.parameters.block_size), sequences

    def seen(self, pictures: Pixels) -> Pixels:
        """Return what a server gets of pictures."""
        return self.encrypt(pictures)[0]

    def _sequences(self, count: int) -> Sequences:
        if self.parameters.scope is Scope.COLLECTION:
            nonces = np.zeros((1, NONCE_BYTES), np.uint8)
        else:
            nonces = self._draw.integers(0, 256, (count, NONCE_BYTES), dtype=np.uint8)
        return Sequences.derive(self._keys, self.parameters, nonces)
