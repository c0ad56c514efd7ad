"""What items and queries are compared by, checked row by row."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import BITS, FINGERPRINT_BYTES, NONCE_BYTES, CipherProfile, check_codes
from cipherlens.server.config import Limits
from cipherlens.server.engine import Batch, CipherBatch, CodeBatch, VectorBatch
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import invalid_field
from cipherlens.server.storage.records import CipherPixels
from cipherlens.v1 import cipher_image_pb2, representation_pb2, retrieval_service_pb2
from cipherlens.wire import MalformedMessage, codes_from, profile_from, vectors_from

# Between them the squares of a row, and their sum, lose nothing that matters in float32.
_SMALLEST_SQUARE, _LARGEST_SQUARE = 1e-20, 1e30

Rows = representation_pb2.Vectors | representation_pb2.Codes


def batch_of(
    field: str,
    which: str | None,
    request: retrieval_service_pb2.IndexRequest | retrieval_service_pb2.SearchRequest,
    limits: Limits,
) -> Batch:
    """Return what a request holds in the member of its oneof that is set."""
    if which == "cipher_images":
        return _cipher_batch(request.cipher_images.images, limits)
    if which is None:
        raise InvalidField(field, "one of cipher_images, vectors and codes is required")
    rows = getattr(request, which)
    return batches_like(rows, limits)(rows.data)


def batches_like(rows: Rows, limits: Limits) -> Callable[[bytes], VectorBatch | CodeBatch]:
    """Return what makes a batch of bytes that stand for such rows, as many or another number.

    Raises InvalidField, as does what it returns, for bytes that hold a wrong row.
    """
    if isinstance(rows, representation_pb2.Codes):
        return _codes_like(rows)
    return _vectors_like(rows, limits)


def profile(field: str, claim: cipher_image_pb2.CipherProfile, limits: Limits) -> CipherProfile:
    """Return what cipher-images claim, if it can be true."""
    if len(claim.key_fingerprint) != FINGERPRINT_BYTES:
        raise InvalidField(
            f"{field}.key_fingerprint",
            f"must have {FINGERPRINT_BYTES} bytes",
            value=len(claim.key_fingerprint),
        )
    if claim.height * claim.width > limits.max_image_pixels:
        raise LimitExceeded(
            f"{field}.height * width",
            limit=limits.max_image_pixels,
            value=claim.height * claim.width,
            unit="pixels",
        )
    try:
        return profile_from(claim)
    except MalformedMessage as error:
        raise invalid_field(field, error) from error


def _cipher_batch(images: Sequence[cipher_image_pb2.CipherImage], limits: Limits) -> CipherBatch:
    # The images of a batch nearly always claim the same; checking each claim once is enough.
    checked: dict[bytes, CipherProfile] = {}
    profiles, pixels = [], []
    for position, image in enumerate(images):
        field = f"cipher_images[{position}]"
        claim = image.profile.SerializeToString(deterministic=True)
        if claim not in checked:
            checked[claim] = profile(f"{field}.profile", image.profile, limits)
        profiles.append(checked[claim])
        pixels.append(_pixels(field, image, checked[claim]))
    return CipherBatch(pixels, profiles)


def _pixels(field: str, image: cipher_image_pb2.CipherImage, claim: CipherProfile) -> CipherPixels:
    if not claim.shape_matches(image.height, image.width):
        raise InvalidField(
            f"{field}.height, width",
            f"must be {claim.height} x {claim.width} or {claim.width} x {claim.height}",
            value=f"{image.height} x {image.width}",
        )
    if len(image.nonce) != NONCE_BYTES:
        raise InvalidField(
            f"{field}.nonce", f"must have {NONCE_BYTES} bytes", value=len(image.nonce)
        )
    if claim.scope == "collection" and any(image.nonce):
        raise InvalidField(f"{field}.nonce", "must be all zero with the scope collection")
    size = image.height * image.width * 3
    if len(image.pixels) != size:
        raise InvalidField(f"{field}.pixels", f"must have {size} bytes", value=len(image.pixels))
    return CipherPixels(
        height=image.height, width=image.width, nonce=image.nonce, pixels=image.pixels
    )


def _vectors_like(
    vectors: representation_pb2.Vectors, limits: Limits
) -> Callable[[bytes], VectorBatch]:
    dimension = vectors.dimension
    if dimension > limits.max_dimension:
        raise LimitExceeded(
            "vectors.dimension", limit=limits.max_dimension, value=dimension, unit="numbers"
        )
    try:
        vectors_from(vectors)
    except MalformedMessage as error:
        raise invalid_field("vectors", error) from error

    def batch(data: bytes) -> VectorBatch:
        sent = np.frombuffer(data, "<f4").reshape(-1, dimension)
        return VectorBatch(rows=unit_rows(sent), sent=sent)

    return batch


def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, dimension) float32 scaled to unit length.

    Raises InvalidField naming the first row that has no direction.
    """
    squares = np.einsum("ij,ij->i", rows, rows)
    if all(_SMALLEST_SQUARE < each < _LARGEST_SQUARE for each in squares.tolist()):  # not NaN
        return np.asarray(rows / np.sqrt(squares)[:, None], np.float32)
    # In float64 the squares of all float32 values are in range: the length of a vector is zero
    # only if all its values are, and not finite only if one of them is not.
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if not np.isfinite(lengths).all():
        row = int(np.argmin(np.isfinite(lengths)))
        raise InvalidField(f"vectors.data[{row}]", "holds a value that is NaN or infinite")
    if not lengths.all():
        row = int(np.argmin(lengths))
        raise InvalidField(f"vectors.data[{row}]", "is zero: it has no direction")
    return np.asarray(rows / lengths[:, None], np.float32)


def _codes_like(codes: representation_pb2.Codes) -> Callable[[bytes], CodeBatch]:
    bits = codes.bits
    if bits not in BITS:
        raise InvalidField("codes.bits", f"must be one of {BITS}", value=bits)
    try:
        size = codes_from(codes).shape[1]
    except MalformedMessage as error:
        raise invalid_field("codes", error) from error

    def batch(data: bytes) -> CodeBatch:
        rows = np.frombuffer(data, np.uint8).reshape(-1, size)
        if bits % 8:
            _check_unused_bits(rows, bits)
        return CodeBatch(rows, bits)

    return batch


def _check_unused_bits(rows: NDArray[np.uint8], bits: int) -> None:
    try:
        check_codes(rows, bits)
    except ValueError as error:
        raise InvalidField("codes.data", str(error)) from error
