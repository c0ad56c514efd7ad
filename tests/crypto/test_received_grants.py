"""Grants in a keyring: kept in its file, found by collection, refused beyond what they say."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from cipherlens.base import Kind
from cipherlens.crypto import (
    Grant,
    GrantError,
    Identity,
    Keyring,
    KeyringError,
    NotGranted,
    Rights,
    UnknownKey,
    read_network,
    seal_network,
)

HERE, ELSEWHERE = uuid.UUID(int=5), uuid.UUID(int=6)
ME = Identity.generate("me")


def grant(entry, where=HERE, kind=Kind.CIPHER, recipient=None, expires_at=None):
    return Grant.make(entry, recipient or ME.recipient, where, kind, Rights.SEARCH, expires_at)


@pytest.fixture
def ring():
    return Keyring(identities=[ME])


def test_a_file_gives_back_grants_and_identities(ring, tmp_path, make_entry):
    owner = make_entry()
    key = ring.receive(grant(owner), "theirs")
    ring.save(tmp_path / "k", unprotected=True)
    loaded = Keyring.load(tmp_path / "k")
    assert loaded.received.identities == (ME,)
    assert loaded.received.granted() == [key]
    assert loaded.entries == ()


def test_the_collection_chooses_the_grant(ring, make_entry):
    owner = make_entry()
    here = ring.receive(grant(owner), "here")
    codes = ring.receive(grant(owner, ELSEWHERE, Kind.CODE), "elsewhere")
    assert ring.key_for(HERE, owner.fingerprint) == here
    assert ring.key_for(ELSEWHERE) == codes
    assert ring.key_for(HERE, name="elsewhere") == codes
    with pytest.raises(NotGranted, match="grants for other collections only"):
        ring.key_for(uuid.uuid4(), owner.fingerprint)
    with pytest.raises(UnknownKey):
        ring.key_for(HERE, bytes(16))
    with pytest.raises(UnknownKey):
        ring.get()


def test_the_owners_own_key_comes_first(make_entry):
    owner = make_entry()
    ring = Keyring([owner], identities=[ME])
    ring.receive(grant(owner), "theirs")
    assert ring.key_for(HERE, owner.fingerprint) is owner
    assert ring.holders(owner.fingerprint) == [owner]


def test_a_network_opens_with_the_one_grant_that_has_its_key(ring, make_entry):
    owner = make_entry()
    sealed = seal_network(b"a network", owner)
    ring.receive(grant(owner), "pictures")
    with pytest.raises(NotGranted):
        read_network(sealed, ring)
    ring.receive(grant(owner, ELSEWHERE, Kind.CODE), "codes")
    ring.receive(grant(owner, uuid.uuid4(), Kind.VECTOR), "vectors")
    assert read_network(sealed, ring) == b"a network"


def test_what_has_expired_is_told(ring, make_entry):
    owner, past = make_entry(), datetime.now(UTC) - timedelta(seconds=2)
    ring.receive(grant(owner, expires_at=past), "theirs")
    for find in (
        lambda: ring.key_for(HERE, owner.fingerprint),
        lambda: ring.key_for(HERE),
        lambda: ring.key_for(HERE, name="theirs"),
    ):
        with pytest.raises(GrantError, match="expired at"):
            find()
    later = datetime.now(UTC) + timedelta(days=1)
    renewed = ring.receive(grant(owner, expires_at=later), "renewed")
    assert ring.key_for(HERE, owner.fingerprint) == renewed


def test_a_grant_for_somebody_else_is_refused(ring, make_entry):
    with pytest.raises(GrantError, match="no identity of this keyring"):
        ring.receive(grant(make_entry(), recipient=Identity.generate("x").recipient), "theirs")


def test_names_and_grants_are_unique(make_entry):
    owner = make_entry("mine")
    ring = Keyring([owner], identities=[ME])
    first = grant(owner)
    with pytest.raises(ValueError, match="already has a key named 'mine'"):
        ring.receive(first, "mine")
    ring.receive(first, "theirs")
    with pytest.raises(ValueError, match="already has grant"):
        ring.receive(first, "again")
    with pytest.raises(ValueError, match="already has a key named 'theirs'"):
        ring.receive(grant(owner), "theirs")
    with pytest.raises(ValueError, match="already has an identity named 'me'"):
        ring.received.add_identity(Identity.generate("me"))
    ring.received.remove("theirs")
    assert ring.received.granted() == []


def test_grants_of_another_kind_are_kept_and_a_damaged_one_is_named(make_entry):
    odd = {"kind": "later", "kept": 1}
    ring = Keyring(grants=[odd], identities=[ME])
    ring.receive(grant(make_entry()), "theirs")
    assert ring.received.documents[0] == odd
    damaged = Keyring(grants=[{"kind": "grant", "name": "bad", "grant": "AAAA"}])
    with pytest.raises(KeyringError, match="the keyring's grant 'bad': not a grant"):
        damaged.received.granted()
