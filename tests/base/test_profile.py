from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import CipherProfile, ProfileMismatch


@given(
    block=st.sampled_from([1, 2, 4, 8, 16]),
    rows=st.integers(1, 8),
    extra=st.integers(0, 8),
    scope=st.sampled_from(["collection", "image"]),
    fingerprint=st.one_of(st.just(b""), st.binary(min_size=16, max_size=16)),
    share=st.floats(0, 1),
)
def test_a_dictionary_gives_the_same_profile_back(
    block: int, rows: int, extra: int, scope: str, fingerprint: bytes, share: float
) -> None:
    profile = CipherProfile(
        scheme_version=1,
        preparation_version=2,
        height=block * rows,
        width=block * (rows + extra),
        block_size=block,
        substituted_blocks=int(share * rows * (rows + extra)),
        scope=scope,
        key_fingerprint=fingerprint,
    )
    assert CipherProfile.from_dict(profile.to_dict()) == profile
    assert profile.blknum == rows * (rows + extra)


def test_differences_name_both_values(profile: CipherProfile) -> None:
    other = replace(profile, block_size=4, key_fingerprint=b"\xab" * 16)
    assert profile.differences(other) == [
        "block_size 4 is not 8",
        f"key_fingerprint {'ab' * 16} is not {bytes(range(16)).hex()}",
    ]
    assert profile.differences(profile) == []


def test_every_field_counts(profile: CipherProfile) -> None:
    changes = {
        "scheme_version": 2,
        "preparation_version": 2,
        "height": 8,
        "width": 32,
        "block_size": 4,
        "substituted_blocks": 3,
        "scope": "image",
        "key_fingerprint": bytes(16),
    }
    assert set(changes) == set(profile.to_dict())
    for name, value in changes.items():
        (difference,) = profile.differences(replace(profile, **{name: value}))
        assert difference.startswith(name)


def test_an_empty_fingerprint_fits_any_key_but_no_other_parameters(profile: CipherProfile) -> None:
    any_key = replace(profile, key_fingerprint=b"")
    any_key.require(profile, "the query")
    profile.require(any_key, "the model")
    assert any_key.differences(replace(profile, block_size=4)) == ["block_size 4 is not 8"]


def test_require_names_what_does_not_fit(profile: CipherProfile) -> None:
    with pytest.raises(ProfileMismatch, match="the query does not fit: scope image is not coll"):
        profile.require(replace(profile, scope="image"), "the query")


def test_both_orientations_match(profile: CipherProfile) -> None:
    assert profile.shape_matches(16, 24)
    assert profile.shape_matches(24, 16)
    assert not profile.shape_matches(16, 16)


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("scheme_version", 0, ValueError),
        ("height", 25, ValueError),
        ("height", 16.0, TypeError),
        ("height", True, TypeError),
        ("block_size", 5, ValueError),
        ("substituted_blocks", 7, ValueError),
        ("scope", "user", ValueError),
        ("key_fingerprint", b"short", ValueError),
        ("key_fingerprint", "ab", TypeError),
    ],
)
def test_fields_out_of_range(
    profile: CipherProfile, field: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=field):
        replace(profile, **{field: value})


def test_dictionaries_with_other_fields(profile: CipherProfile) -> None:
    values = profile.to_dict()
    with pytest.raises(ValueError, match="does not know colour"):
        CipherProfile.from_dict({**values, "colour": 1})
    del values["scope"]
    with pytest.raises(ValueError, match="lacks scope"):
        CipherProfile.from_dict(values)
