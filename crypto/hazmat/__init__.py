"""Hazardous materials: the sequences of a key, and the cipher on arrays of pixels.

Here a caller chooses what `cipherlens.crypto` chooses for him: nonces, and sequences that come from
no key. A nonce used for two images, or sequences of a seeded generator, give away what they
encrypt. The key schedule, training on cipher-images and the measuring of leakage need it; whoever
encrypts pictures needs `ImageCipher`.
"""

from cipherlens.crypto.hazmat.blocks import decrypt_blocks, encrypt_blocks
from cipherlens.crypto.hazmat.sequences import Sequences

__all__ = ["Sequences", "decrypt_blocks", "encrypt_blocks"]
