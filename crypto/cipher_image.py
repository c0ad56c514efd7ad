"""A cipher-image: pixels, and all that they say of themselves.

The file is a header of 68 bytes, little-endian, the pixels in raster order, and a checksum:

    offset  size  field
         0     8  magic "CLIMAGE" and a zero byte
         8     2  format version, 1
        10     2  scheme version
        12     2  preparation version
        14     1  scope (1 collection, 2 image)
        15     1  zero
        16     4  prepared height of the key (landscape)
        20     4  prepared width of the key (landscape)
        24     4  block size P
        28     4  number of substituted blocks M
        32     2  height of this image
        34     2  width of this image
        36    16  key fingerprint
        52    16  nonce
        68     -  height * width * 3 bytes of pixels, R G B
         -    32  BLAKE3 of everything before

The checksum finds accidents. It is no protection against a forger: that is the work of the
sealed original beside the cipher-image, whose associated data holds `CipherImage.digest`.
"""

import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3
from PIL import Image

from cipherlens.base import FINGERPRINT_BYTES, NONCE_BYTES, CipherProfile, Scope
from cipherlens.crypto.errors import FormatError
from cipherlens.crypto.parameters import CipherParameters

_MAGIC = b"CLIMAGE\0"
_FORMAT_VERSION = 1
_HEADER = struct.Struct("<8sHHHBBIIIIHH16s16s")
_CHECKSUM_SIZE = 32
_SCOPE_CODES = {Scope.COLLECTION: 1, Scope.IMAGE: 2}
_SCOPES = {code: scope for scope, code in _SCOPE_CODES.items()}
_DIGEST_CONTEXT = "cipherlens 2026-11-21 v1 cipher-image digest"


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class CipherImage:
    """An encrypted image with its own description.

    Attributes:
        parameters: the parameters of the key that encrypted it.
        key_fingerprint: 16 bytes, the public name of that key.
        height: height in pixels, of the landscape or the portrait.
        width: width in pixels.
        nonce: 16 bytes; all zero in collection scope.
        pixels: (height, width, 3) uint8; kept as a read-only view.

    Raises:
        ValueError: a field does not fit the others.
        TypeError: the pixels are not uint8.
    """

    parameters: CipherParameters
    key_fingerprint: bytes
    height: int
    width: int
    nonce: bytes
    pixels: npt.NDArray[np.uint8] = field(repr=False)

    def __post_init__(self) -> None:
        """Check that the description and the pixels agree."""
        _check_size("key_fingerprint", self.key_fingerprint, FINGERPRINT_BYTES)
        _check_size("nonce", self.nonce, NONCE_BYTES)
        if self.parameters.scope is Scope.COLLECTION and any(self.nonce):
            raise ValueError("nonce must be all zero in collection scope")
        if not self.parameters.shape_matches(self.height, self.width):
            prepared = f"{self.parameters.height}x{self.parameters.width}"
            raise ValueError(
                f"height x width must be {prepared} or its portrait, got {self.height}x{self.width}"
            )
        if self.pixels.dtype != np.uint8:
            raise TypeError(f"pixels must be uint8, got {self.pixels.dtype}")
        if self.pixels.shape != (self.height, self.width, 3):
            expected = (self.height, self.width, 3)
            raise ValueError(f"pixels must be {expected}, got {self.pixels.shape}")
        pixels = np.ascontiguousarray(self.pixels).view()
        pixels.flags.writeable = False
        object.__setattr__(self, "pixels", pixels)

    def __eq__(self, other: object) -> bool:
        """Return whether every field and every pixel is the same."""
        if not isinstance(other, CipherImage):
            return NotImplemented
        return self._canonical() == other._canonical()

    def __hash__(self) -> int:
        """Return a hash that equal cipher-images share."""
        return hash(self.digest())

    def to_bytes(self) -> bytes:
        """Return the file of this cipher-image."""
        body = self._canonical()
        return body + blake3(body).digest()

    @classmethod
    def from_bytes(cls, data: bytes) -> "CipherImage":
        """Return the cipher-image of a file.

        Raises:
            FormatError: the bytes are not such a file, whole and unchanged.
        """
        _, _, scheme, preparation, scope, _, *rest = _read_header(data)
        prepared_height, prepared_width, block_size, substituted, *rest = rest
        height, width, fingerprint, nonce = rest
        pixels = np.frombuffer(data, np.uint8, height * width * 3, _HEADER.size)
        try:
            return cls(
                parameters=CipherParameters(
                    scheme_version=scheme,
                    preparation_version=preparation,
                    height=prepared_height,
                    width=prepared_width,
                    block_size=block_size,
                    substituted_blocks=substituted,
                    scope=_SCOPES[scope],
                ),
                key_fingerprint=fingerprint,
                height=height,
                width=width,
                nonce=nonce,
                pixels=pixels.reshape(height, width, 3),
            )
        except (ValueError, KeyError) as error:
            raise FormatError(f"not a cipher-image that this version reads: {error}") from error

    def digest(self) -> bytes:
        """Return the 32-byte digest that stands for this cipher-image in seals and manifests."""
        return blake3(self._canonical(), derive_key_context=_DIGEST_CONTEXT).digest()

    @property
    def profile(self) -> CipherProfile:
        """Return what this cipher-image claims."""
        return self.parameters.profile(self.key_fingerprint)

    def view(self) -> Image.Image:
        """Return the pixels as a picture to look at; it alone cannot be decrypted."""
        return Image.fromarray(self.pixels)

    def _canonical(self) -> bytes:
        """Return header and pixels, the one encoding of this cipher-image."""
        parameters = self.parameters
        header = _HEADER.pack(
            _MAGIC,
            _FORMAT_VERSION,
            parameters.scheme_version,
            parameters.preparation_version,
            _SCOPE_CODES[parameters.scope],
            0,
            parameters.height,
            parameters.width,
            parameters.block_size,
            parameters.substituted_blocks,
            self.height,
            self.width,
            self.key_fingerprint,
            self.nonce,
        )
        return header + self.pixels.tobytes()


def _check_size(name: str, value: bytes, size: int) -> None:
    """Raise unless value is size bytes."""
    if not isinstance(value, bytes):
        raise TypeError(f"{name} must be bytes, got {type(value).__name__}")
    if len(value) != size:
        raise ValueError(f"{name} must be {size} bytes, got {len(value)}")


def _read_header(data: bytes) -> tuple[Any, ...]:
    """Return the fields of a header, once magic, version, length and checksum have passed."""
    if len(data) < _HEADER.size + _CHECKSUM_SIZE:
        raise FormatError(f"a cipher-image has more than {len(data)} bytes: truncated")
    fields = _HEADER.unpack_from(data)
    if fields[0] != _MAGIC:
        raise FormatError("not a cipher-image: the magic bytes are missing")
    if fields[1] != _FORMAT_VERSION:
        raise FormatError(f"cipher-image format version must be {_FORMAT_VERSION}, got {fields[1]}")
    height, width = fields[10:12]
    expected = _HEADER.size + height * width * 3 + _CHECKSUM_SIZE
    if len(data) != expected:
        raise FormatError(f"a {height}x{width} cipher-image has {expected} bytes, got {len(data)}")
    if blake3(data[:-_CHECKSUM_SIZE]).digest() != data[-_CHECKSUM_SIZE:]:
        raise FormatError("the checksum of the cipher-image is wrong: it is damaged")
    if fields[5] != 0:
        raise FormatError(f"the reserved byte of a cipher-image must be 0, got {fields[5]}")
    return fields
