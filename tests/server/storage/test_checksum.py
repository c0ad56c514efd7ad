import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.storage.checksum import agrees, checksum, with_sequence, with_sequences

VALUES = st.one_of(st.binary(), st.text(), st.integers(-(2**63), 2**63 - 1))


@given(st.lists(VALUES), st.lists(VALUES))
def test_only_equal_lists_have_equal_checksums(one, other):
    def typed(values):
        return [(type(each), each) for each in values]

    assert (checksum(*one) == checksum(*other)) == (typed(one) == typed(other))


@given(st.lists(VALUES))
def test_a_checksum_agrees_with_its_values_and_no_others(values):
    assert agrees(checksum(*values), *values)
    assert not agrees(checksum(*values), *values, b"")


@given(st.lists(st.one_of(VALUES, st.none(), st.floats(), st.integers())))
def test_whatever_a_damaged_row_holds_the_answer_is_no(values):
    assert not agrees(b"x" * 16, *values)


def test_text_that_is_no_text_compares():
    assert not agrees(checksum("a"), b"\xff".decode(errors="surrogateescape"))


SEQUENCES = st.integers(0, 2**63 - 1)


@given(st.binary(min_size=16, max_size=16), SEQUENCES, SEQUENCES)
def test_a_sequence_can_be_added_later_and_taken_out_again(digest, one, other):
    assert (with_sequence(digest, one) == with_sequence(digest, other)) == (one == other)
    assert with_sequence(with_sequence(digest, one), one) == digest


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5), st.integers(0, 2**62))
def test_sequences_of_a_batch_are_added_as_one_by_one(digests, first):
    rows = np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
    assert with_sequences(rows, first) == [
        with_sequence(digest, sequence) for sequence, digest in enumerate(digests, first)
    ]
