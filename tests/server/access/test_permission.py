"""What a permission allows, and what it is written as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.access import (
    EVERYONE,
    OF_COLLECTIONS,
    OF_OWNERS,
    Permission,
    Principal,
    Scope,
    permissions_of,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
OF_KEYS = st.just("") | NAMES | st.builds("{}/{}".format, NAMES | st.just("*"), st.uuids())
WITHIN = {
    **dict.fromkeys(OF_COLLECTIONS, NAMES),
    **dict.fromkeys(OF_OWNERS, OF_KEYS),
    Scope.SERVER: st.just(""),
}


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("photos", ["photos"], ["photo", "photos2", "Photos", "", "photos\n"]),
        ("album-*", ["album-", "album-a.b"], ["album", "my-album-1", ""]),
        ("*", ["a", "photos", "x" * 64], []),
        ("a*z", ["az", "a-z"], ["a", "za", "azb"]),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_a_pattern_is_a_name_in_which_a_star_is_anything(pattern, inside, outside) -> None:
    permission = Permission(Scope.SEARCH, pattern)
    assert [each for each in inside if not permission.allows(Scope.SEARCH, each)] == []
    assert [each for each in outside if permission.allows(Scope.SEARCH, each)] == []


@given(NAMES, st.sampled_from(sorted(OF_COLLECTIONS)), st.sampled_from(list(Scope)))
def test_no_scope_includes_another(name: str, given_scope: Scope, asked: Scope) -> None:
    principal = Principal("x", [Permission(given_scope, name)])
    assert principal.may_within({asked}, name) == (asked is given_scope)
    assert principal.may_within(OF_COLLECTIONS, name)
    assert not principal.may_within(OF_COLLECTIONS, f"{name}x")
    assert not principal.may(asked)


def test_owners_scopes_stand_apart_and_show_no_collection() -> None:
    for scope in OF_OWNERS | {Scope.SERVER}:
        principal = Principal("x", [Permission(scope)])
        assert [each for each in Scope if principal.may(each)] == [scope]
        assert not principal.may_within(set(Scope), "photos")


def test_everyone_may_everything() -> None:
    assert all(EVERYONE.may_within({scope}, "any") for scope in OF_COLLECTIONS)
    assert all(EVERYONE.may(scope) for scope in set(Scope) - OF_COLLECTIONS)


@given(st.sampled_from(list(Scope)).flatmap(lambda scope: st.tuples(st.just(scope), WITHIN[scope])))
def test_what_is_written_is_read(parts: tuple[Scope, str]) -> None:
    permission = Permission(*parts)
    assert Permission.parse(str(permission)) == permission
    assert permissions_of(str(permission)) == (permission,)


def test_a_list_of_scopes_for_a_list_of_collections() -> None:
    assert list(map(str, permissions_of("search, fetch:photos,album-*"))) == [
        *("search:photos", "search:album-*", "fetch:photos", "fetch:album-*")
    ]
    assert list(map(str, permissions_of("trapdoor,encrypt"))) == ["trapdoor", "encrypt"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the scopes are"),
        ("read:photos", "the scopes are search"),
        ("search", "search needs names"),
        ("search:", "search needs names"),
        ("search:pho tos", "search needs names"),
        ("search:[a-z]", "search needs names"),
        ("search:a?", "search needs names"),
        ("search:photos,", "search needs names"),
        ("server:photos", "leave out 'photos'"),
        ("search,server:photos", "leave out 'photos'"),
        ("decrypt:a key", "decrypt is for keys"),
        ("decrypt:k/photos", "its UUID behind"),
        ("decrypt:/00000000-0000-0000-0000-000000000001", "decrypt is for keys"),
    ],
)
def test_what_is_no_permission_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        permissions_of(text)
