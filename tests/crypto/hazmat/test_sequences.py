"""Sequences: permutations everywhere, from a key as from a generator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import CipherParameters
from cipherlens.crypto.hazmat import Sequences
from cipherlens.crypto.hazmat.schedule import ImageKeys

SIZES = st.tuples(st.integers(1, 6), st.integers(1, 6)).map(sorted)


def nonces(count):
    return np.arange(count * 16, dtype=np.uint8).reshape(count, 16)


def assert_permutations(rows, size):
    assert np.array_equal(np.sort(rows, axis=-1), np.broadcast_to(np.arange(size), rows.shape))


@given(blocks=SIZES, data=st.data(), root=st.binary(min_size=32, max_size=32))
def test_sequences_are_permutations(blocks, data, root):
    down, across = blocks
    parameters = CipherParameters(
        height=4 * down,
        width=4 * across,
        block_size=4,
        substituted_blocks=data.draw(st.integers(0, down * across)),
    )
    generator = np.random.default_rng(0)
    for drawn in (
        Sequences.derive(ImageKeys.of(root), parameters, nonces(3)),
        Sequences.random(generator, parameters, 3),
    ):
        assert len(drawn) == 3
        assert_permutations(drawn.permutation, parameters.blknum)
        assert drawn.tables.dtype == np.uint8
        assert_permutations(drawn.tables, 256)
        assert drawn.selection.shape == (3, parameters.substituted_blocks)
        assert all(len(set(row)) == len(row) for row in drawn.selection.tolist())
        assert (drawn.selection < parameters.blknum).all()
        table, inverse = drawn.tables[1, 2], drawn.inverse_tables()[1, 2]
        assert np.array_equal(inverse[table], np.arange(256))


def test_sequences_agree_with_their_vectors(vectors):
    document = vectors("image_cipher.json")
    root = bytes(range(32))
    for case in document["cases"]:
        parameters = CipherParameters(**case["parameters"])
        nonce = np.frombuffer(bytes.fromhex(case["nonce"]), np.uint8)[None]
        drawn = Sequences.derive(ImageKeys.of(root), parameters, nonce)
        assert drawn.permutation[0].tolist() == case["permutation"]
        assert drawn.selection[0].tolist() == case["selection"]
        assert [table.tobytes().hex() for table in drawn.tables[0]] == case["tables"]


def test_a_batch_of_nonces_gives_what_each_alone_gives():
    parameters = CipherParameters()
    batch = Sequences.derive(ImageKeys.of(bytes(32)), parameters, nonces(4))
    for number in range(4):
        alone = Sequences.derive(
            ImageKeys.of(bytes(32)), parameters, nonces(4)[number : number + 1]
        )
        assert np.array_equal(batch.permutation[number], alone.permutation[0])
        assert np.array_equal(batch.selection[number], alone.selection[0])
        assert np.array_equal(batch.tables[number], alone.tables[0])


def test_the_three_tables_and_all_images_differ():
    parameters = CipherParameters()
    for drawn in (
        Sequences.derive(ImageKeys.of(bytes(32)), parameters, nonces(5)),
        Sequences.random(np.random.default_rng(0), parameters, 5),
    ):
        assert len(np.unique(drawn.tables.reshape(15, 256), axis=0)) == 15
        assert len(np.unique(drawn.permutation, axis=0)) == 5
        assert not np.array_equal(drawn.permutation[:, :96], drawn.selection)


def test_a_seed_fixes_random_sequences():
    first, second = (
        Sequences.random(np.random.default_rng(7), CipherParameters(), 2) for _ in range(2)
    )
    assert np.array_equal(first.tables, second.tables)
    assert np.array_equal(first.permutation, second.permutation)


@pytest.mark.parametrize("text", [repr, str, "{}".format])
def test_text_shows_sizes_only(text):
    drawn = Sequences.random(np.random.default_rng(0), CipherParameters(), 2)
    assert text(drawn) == "Sequences(sets=2, blknum=384, substituted=96)"
