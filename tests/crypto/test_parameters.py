"""Parameters: ranges, messages, both orientations."""

import dataclasses

import pytest

from cipherlens.crypto import CipherParameters, Scope


@pytest.mark.parametrize(("block_size", "blknum"), [(8, 384), (16, 96), (1, 24576), (64, 6)])
def test_sizes_of_an_image(block_size, blknum):
    parameters = CipherParameters(block_size=block_size, substituted_blocks=0)
    assert parameters.blknum == blknum
    assert parameters.image_bytes == 128 * 192 * 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scheme_version": 2}, "scheme_version must be 1, got 2"),
        ({"preparation_version": 0}, "preparation_version must be 1, got 0"),
        ({"height": 0}, "height must be 1 to 16384, got 0"),
        ({"height": 200}, "width must be 200 to 16384, got 192"),
        ({"width": 16392}, "width must be 128 to 16384, got 16392"),
        ({"block_size": 7}, "height must be a multiple of block_size 7, got 128"),
        ({"width": 196}, "width must be a multiple of block_size 8, got 196"),
        ({"block_size": 0}, "block_size must be 1 to 128, got 0"),
        ({"substituted_blocks": 385}, "substituted_blocks must be 0 to 384, got 385"),
        ({"substituted_blocks": -1}, "substituted_blocks must be 0 to 384, got -1"),
        ({"scope": "user"}, "scope must be collection or image, got 'user'"),
    ],
)
def test_errors_name_field_limit_and_value(fields, message):
    with pytest.raises(ValueError, match=message):
        CipherParameters(**fields)


@pytest.mark.parametrize("value", [8.0, "8", True, None])
def test_numbers_must_be_ints(value):
    with pytest.raises(TypeError, match="block_size must be an int"):
        CipherParameters(block_size=value)


def test_scope_may_be_given_by_its_text():
    assert CipherParameters(scope="image").scope is Scope.IMAGE


def test_shape_matches_both_orientations_and_nothing_else():
    parameters = CipherParameters()
    assert parameters.shape_matches(128, 192)
    assert parameters.shape_matches(192, 128)
    assert not parameters.shape_matches(128, 128)


def test_differences_name_every_field():
    other = CipherParameters(block_size=16, substituted_blocks=24)
    assert CipherParameters().differences(other) == [
        "block_size 8 is not 16",
        "substituted_blocks 96 is not 24",
    ]
    assert other.differences(other) == []


def test_parameters_cannot_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CipherParameters().block_size = 16


def test_by_default_every_image_has_sequences_of_its_own():
    assert CipherParameters().scope is Scope.IMAGE
