import pytest

from benchmarks.leakage.trials.trial import quarters, short, spread, titled
from benchmarks.methods.cases import Case
from cipherlens.crypto import Scope


def test_a_case_says_what_it_is():
    case = Case(block_size=8, share=quarters(4)[0], scope=Scope.IMAGE)
    assert titled(case) == "P=8, M=all, fresh keys"
    assert case.parameters(128, 192).substituted_blocks == 384


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5], "0.5"),
        ([0.25, 0.75], "0.5 (0.25 to 0.75)"),
        ([0.99951, 1.0], "1"),
        ([12345], "12345"),
    ],
)
def test_a_spread_has_three_digits(values, text):
    assert spread(values) == text


def test_short():
    assert short(0.123456) == "0.123"
