"""Tokens: random, recognisable, and not to be had from what is kept."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from cipherlens.server.access import Permission, Scope, issue
from cipherlens.server.access.token import digest_of, id_of

SEARCH = Permission(Scope.SEARCH, "*")


def test_a_token_says_what_it_is_and_its_record_does_not_hold_it() -> None:
    token, record = issue("alice", [SEARCH, SEARCH], timedelta(days=2))
    assert re.fullmatch(r"clens_[0-9a-f]{16}_[0-9a-f]{64}", token)
    assert id_of(token) == record.token_id
    assert record.has(digest_of(token))
    secret = token.rpartition("_")[2]
    assert secret not in repr(record)
    assert record.permissions == (SEARCH,)
    assert record.expires_at - record.created_at == timedelta(days=2)
    assert timedelta(0) <= datetime.now(UTC) - record.created_at < timedelta(minutes=1)


def test_no_two_are_alike_and_none_is_taken_for_another() -> None:
    made = [issue("x", [SEARCH], timedelta(1)) for _ in range(50)]
    assert len({token.rpartition("_")[2] for token, _ in made}) == 50
    (first, record), (second, _) = made[:2]
    mixed = f"clens_{record.token_id}_{second.rpartition('_')[2]}"
    assert not any(record.has(digest_of(each)) for each in (second, mixed, first[:-1]))


@pytest.mark.parametrize(
    "text", ["", "clens", "clens__", "clens_00_00", "CLENS_" + "0" * 16 + "_" + "0" * 64]
)
def test_what_has_not_the_form_has_no_id(text: str) -> None:
    assert id_of(text) is None


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a\n", "\N{SNOWMAN}"])
def test_a_name_is_short_and_plain(name: str) -> None:
    with pytest.raises(ValueError, match="name: must be"):
        issue(name, [SEARCH], timedelta(1))


def test_a_token_allows_something() -> None:
    with pytest.raises(ValueError, match="must allow something"):
        issue("x", [], timedelta(1))
