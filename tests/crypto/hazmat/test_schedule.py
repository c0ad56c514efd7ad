"""The key schedule: official BLAKE3 vectors, our own, and the sort that makes permutations."""

import uuid

import numpy as np
import pytest
from blake3 import blake3

from cipherlens.crypto import CipherParameters
from cipherlens.crypto.hazmat.schedule import (
    IMAGE_PURPOSES,
    ImageKeys,
    Purpose,
    derive_collection_key,
    derive_permutations,
    derive_subkey,
    fingerprint,
    stable_argsort,
    stream_message,
)


def test_blake3_agrees_with_its_official_vectors(vectors):
    document = vectors("blake3.json")
    key = document["key"].encode()
    for case in document["cases"]:
        data = bytes(i % 251 for i in range(case["input_len"]))
        outputs = {
            "hash": blake3(data),
            "keyed_hash": blake3(data, key=key),
            "derive_key": blake3(data, derive_key_context=document["context_string"]),
        }
        for mode, output in outputs.items():
            expected = bytes.fromhex(case[mode])
            assert len(expected) == 131
            assert output.digest(length=131) == expected, (mode, case["input_len"])
            assert output.digest() == expected[:32]


def test_subkeys_agree_with_their_vectors(vectors):
    document = vectors("subkeys.json")
    root = bytes.fromhex(document["root"])
    derived = {purpose.value: derive_subkey(root, purpose).hex() for purpose in Purpose}
    assert derived == document["subkeys"]
    assert fingerprint(root).hex() == document["fingerprint"]
    collection = uuid.UUID(document["collection_uuid"])
    assert derive_collection_key(root, Purpose.SEAL, collection).hex() == document["seal_key"]


def test_keys_of_one_root_are_all_different():
    root = bytes(32)
    keys = {derive_subkey(root, purpose) for purpose in Purpose}
    for purpose in (Purpose.SEAL, Purpose.MASK):
        keys |= {derive_collection_key(root, purpose, uuid.UUID(int=n)) for n in range(3)}
    assert len(keys) == len(Purpose) + 6


def test_stream_message_differs_with_everything_that_it_names():
    def message(purpose=Purpose.PERMUTATION, nonce=bytes(16), **fields):
        return stream_message(CipherParameters(**fields), purpose, nonce)

    messages = {
        message(),
        message(block_size=16),
        message(substituted_blocks=97),
        message(height=64),
        message(purpose=Purpose.SELECTION),
        message(purpose=Purpose.SUBSTITUTION_R),
        message(purpose=Purpose.SUBSTITUTION_G),
        message(purpose=Purpose.SUBSTITUTION_B),
        message(nonce=bytes(15) + b"\1"),
    }
    assert len(messages) == 9
    assert {len(each) for each in messages} == {32}


@pytest.mark.parametrize("purpose", [Purpose.SEAL, Purpose.MASK, Purpose.NETWORK])
def test_a_subkey_without_a_stream_has_none(purpose):
    with pytest.raises(KeyError):
        stream_message(CipherParameters(), purpose, bytes(16))


def test_image_keys_are_the_five_subkeys_and_show_nothing():
    keys = ImageKeys.of(bytes(32))
    assert len(IMAGE_PURPOSES) == 5
    for purpose in IMAGE_PURPOSES:
        assert keys[purpose] == derive_subkey(bytes(32), purpose)
        assert keys[purpose].hex() not in repr(keys)
    with pytest.raises(KeyError):
        keys[Purpose.SEAL]


def test_image_keys_of_another_purpose_or_length_are_refused():
    subkeys = {purpose: bytes(32) for purpose in IMAGE_PURPOSES}
    with pytest.raises(ValueError, match="of the five purposes"):
        ImageKeys(subkeys | {Purpose.SEAL: bytes(32)})
    with pytest.raises(ValueError, match="SELECTION must be 32 bytes, got 31"):
        ImageKeys(subkeys | {Purpose.SELECTION: bytes(31)})


def test_ties_are_sorted_by_position():
    words = np.array([[3, 1, 3, 1, 2], [5, 4, 3, 2, 1]], np.uint64)
    assert stable_argsort(words).tolist() == [[1, 3, 4, 0, 2], [4, 3, 2, 1, 0]]


def test_sort_agrees_with_the_stable_one_under_many_ties():
    words = np.random.default_rng(1).integers(0, 40, (200, 384), dtype=np.uint64)
    expected = np.argsort(words, axis=1, kind="stable")
    assert np.array_equal(stable_argsort(words), expected)


def test_permutations_are_uniform():
    """Every element reaches every place about equally often: chi-square over 6,000 nonces."""
    parameters = CipherParameters(height=8, width=64, substituted_blocks=4)
    nonces = np.zeros((6000, 16), np.uint8)
    nonces[:, :2] = np.arange(6000, dtype="<u2").view(np.uint8).reshape(-1, 2)
    drawn = derive_permutations(ImageKeys.of(bytes(32)), Purpose.PERMUTATION, parameters, nonces, 8)
    counts = np.stack([np.bincount(drawn[:, place], minlength=8) for place in range(8)])
    chi_square = ((counts - 750) ** 2 / 750).sum()
    # 49 degrees of freedom: the mean is 49, the deviation 9.9; a skew of 5 % would give 168.
    assert 15 < chi_square < 110
