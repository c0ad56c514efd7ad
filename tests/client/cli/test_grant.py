from pathlib import Path

import pytest

from cipherlens.crypto import Keyring, recipient_text


@pytest.fixture
def user(run, tmp_path: Path) -> Path:
    """A user's keyring, which holds an identity and nothing else."""
    path = tmp_path / "user.keys"
    assert run("keys", "identity", "new", path, "--no-passphrase").code == 0
    return path


@pytest.fixture
def to_user(user: Path) -> str:
    (identity,) = Keyring.load(user).received.identities
    return recipient_text(identity.recipient)


@pytest.fixture
def shared(run, to, keyring: Path, checkpoint: Path, folder: Path, request) -> str:
    """A collection of pictures."""
    name = f"shared-{abs(hash(request.node.nodeid))}"
    run("collection", "create", name, "--kind", "cipher", "--keyring", keyring, *to)
    run("model", "push", checkpoint, "--collection", name, *to)
    assert run("index", name, folder, "--keyring", keyring, *to).code == 0
    return name


def test_a_user_searches_and_opens_as_far_as_his_grant_goes(
    run, to, keyring: Path, user: Path, to_user: str, shared: str, folder: Path, tmp_path: Path, key
) -> None:
    search, both = tmp_path / "search.grant", tmp_path / "both.grant"
    mine = ("--keyring", keyring, "--to", to_user, *to)
    assert run("grant", "new", shared, *mine, "--out", search).code == 0
    owner = ("--owner", key.verify_key.hex())
    assert run("keys", "import", user, search, "--name", "search", *owner).code == 0
    his = ("--keyring", user, *to)
    found = run("search", shared, folder / "a.png", *his)
    assert found.code == 0
    assert ".png" not in found.out  # names open with the seal key
    fetched = run("item", "fetch", shared, "a.png", *his, "--out", tmp_path / "out")
    assert fetched.code == 1
    assert "granted to search cipher collection" in fetched.err
    refused = run("index", shared, folder, *his)
    assert refused.code == 1
    assert "the owner alone indexes" in refused.err

    assert run("grant", "new", shared, *mine, "--open", "--out", both).code == 0
    assert run("keys", "import", user, both, "--name", "both").code == 0
    named = ("--key", "both")
    assert "a.png" in run("search", shared, folder / "a.png", *his, *named).out
    fetched = run("item", "fetch", shared, "a.png", *his, *named, "--out", tmp_path / "out")
    assert fetched.code == 0
    assert (tmp_path / "out" / "a.png").read_bytes() == (folder / "a.png").read_bytes()

    shown = run("keys", "show", user, "--json").document
    assert [each["rights"] for each in shown["grants"]] == ["search", "search and open"]
    assert run("keys", "remove", user, "search").code == 0
    assert "both" in run("keys", "show", user).out


def test_grants_are_listed_and_ended_in_honest_words(
    run, to, keyring: Path, to_user: str, shared: str, tmp_path: Path
) -> None:
    out = tmp_path / "a.grant"
    words = ("--keyring", keyring, "--to", to_user, "--expires", "90d", *to)
    made = run("grant", "new", shared, *words, "--out", out, "--json").document
    (listed,) = run("grant", "list", "--keyring", keyring, "--json").document["grants"]
    assert (listed["grant_id"], listed["state"]) == (made["grant_id"], "stands")
    ended = run("grant", "end", made["grant_id"][:6], "--keyring", keyring)
    assert ended.code == 0
    assert "its holder can still use it" in ended.err
    assert "ended" in run("grant", "list", "--keyring", keyring).out
    assert run("grant", "end", "nope", "--keyring", keyring).code == 3


def test_what_is_no_recipient_date_or_free_name_is_refused(
    run, to, keyring: Path, to_user: str, shared: str, tmp_path: Path
) -> None:
    out = tmp_path / "a.grant"
    words = ("grant", "new", shared, "--keyring", keyring, *to)
    for wrong, sentence in (
        (("--to", "clr1nobody", "--out", out), "recipient must be a text"),
        (("--to", to_user, "--expires", "soon", "--out", out), "2027-12-31"),
        (("--to", to_user, "--out", keyring), "is there already"),
    ):
        outcome = run(*words, *wrong)
        assert outcome.code == 2
        assert sentence in outcome.err
    assert not out.exists()
    assert run("grant", "list", "--keyring", keyring, "--json").document["grants"] == []


def test_a_grant_of_another_owner_is_not_taken_for_his(
    run, to, keyring: Path, user: Path, to_user: str, shared: str, tmp_path: Path
) -> None:
    out = tmp_path / "a.grant"
    run("grant", "new", shared, "--keyring", keyring, "--to", to_user, *to, "--out", out)
    outcome = run("keys", "import", user, out, "--owner", "00" * 32)
    assert outcome.code == 1
    assert "not by " + "00" * 32 in outcome.err
    assert Keyring.load(user).received.granted() == []
    stranger = tmp_path / "stranger.keys"
    run("keys", "identity", "new", stranger, "--no-passphrase")
    refused = run("keys", "import", stranger, out)
    assert refused.code == 1
    assert "no identity of this keyring" in refused.err


def test_an_expired_grant_says_so(
    run, to, keyring: Path, user: Path, to_user: str, shared: str, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.grant"
    words = ("--keyring", keyring, "--to", to_user, "--expires", "2020-01-01", *to)
    assert run("grant", "new", shared, *words, "--out", out).code == 0
    assert run("keys", "import", user, out).code == 0
    outcome = run("search", shared, folder / "a.png", "--keyring", user, *to)
    assert outcome.code == 1
    assert "expired at 2020-01-01 00:00 UTC" in outcome.err


def test_identities_are_shown_by_their_public_halves(run, user: Path, to_user: str) -> None:
    assert run("keys", "identity", "new", user, "--name", "second").out.startswith("clr1")
    document = run("keys", "identity", "show", user, "--json").document
    assert [each["name"] for each in document["identities"]] == ["me", "second"]
    assert document["identities"][0]["recipient"] == to_user
    assert to_user in run("keys", "identity", "show", user).out
