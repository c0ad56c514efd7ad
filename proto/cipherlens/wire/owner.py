"""Cipher-images as the owner's side holds them: the one module here that reaches key code."""

import numpy as np

from cipherlens.crypto import CipherImage, CipherParameters
from cipherlens.v1 import cipher_image_pb2
from cipherlens.wire.errors import MalformedMessage
from cipherlens.wire.profiles import cipher_image_message, profile_from


def encrypted_message(image: CipherImage) -> cipher_image_pb2.CipherImage:
    """Return the message of a cipher-image."""
    return cipher_image_message(
        image.profile,
        height=image.height,
        width=image.width,
        nonce=image.nonce,
        pixels=image.pixels.tobytes(),
    )


def encrypted_from(message: cipher_image_pb2.CipherImage) -> CipherImage:
    """Return the cipher-image in a message, its pixels a view of the message's bytes.

    Raises:
        MalformedMessage: its parts do not fit together, or it is of a scheme not known here.
    """
    profile = profile_from(message.profile)
    try:
        pixels = np.frombuffer(message.pixels, np.uint8)
        return CipherImage(
            parameters=CipherParameters.of(profile),
            key_fingerprint=profile.key_fingerprint,
            height=message.height,
            width=message.width,
            nonce=message.nonce,
            pixels=pixels.reshape(message.height, message.width, 3),
        )
    except ValueError as error:
        raise MalformedMessage("", str(error)) from error
