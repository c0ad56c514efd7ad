import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import CipherImage, CipherParameters, ImageCipher, KeyEntry, Scope
from cipherlens.v1 import cipher_image_pb2
from cipherlens.wire import MalformedMessage
from cipherlens.wire.owner import encrypted_from, encrypted_message


@st.composite
def cipher_images(draw: st.DrawFn) -> CipherImage:
    block = draw(st.integers(1, 4))
    high = draw(st.integers(1, 3))
    wide = draw(st.integers(high, 4))
    scope = draw(st.sampled_from(Scope))
    parameters = CipherParameters(
        height=high * block,
        width=wide * block,
        block_size=block,
        substituted_blocks=draw(st.integers(0, high * wide)),
        scope=scope,
    )
    height, width = draw(
        st.sampled_from([(high * block, wide * block), (wide * block, high * block)])
    )
    pixels = draw(st.binary(min_size=height * width * 3, max_size=height * width * 3))
    return CipherImage(
        parameters=parameters,
        key_fingerprint=draw(st.binary(min_size=16, max_size=16)),
        height=height,
        width=width,
        nonce=bytes(16) if scope is Scope.COLLECTION else draw(st.binary(min_size=16, max_size=16)),
        pixels=np.frombuffer(pixels, np.uint8).reshape(height, width, 3),
    )


@given(cipher_images())
def test_a_cipher_image_survives_the_wire(image: CipherImage) -> None:
    data = encrypted_message(image).SerializeToString()
    assert encrypted_from(cipher_image_pb2.CipherImage.FromString(data)) == image


def test_pixels_that_are_cut_off_are_found() -> None:
    key = KeyEntry.generate("k", CipherParameters(height=8, width=16, substituted_blocks=1))
    message = encrypted_message(ImageCipher(key).encrypt_image(np.zeros((8, 16, 3), np.uint8)))
    message.pixels = message.pixels[:-1]
    with pytest.raises(MalformedMessage, match="cannot reshape"):
        encrypted_from(message)
