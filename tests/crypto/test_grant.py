"""Grants: what they hold and what never, and everything that must not open."""

import pickle
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import Kind
from cipherlens.crypto import (
    CryptoError,
    FormatError,
    Grant,
    GrantedKey,
    GrantError,
    Identity,
    ImageCipher,
    NotGranted,
    Original,
    Rights,
    SealedContext,
    open_network,
    open_sealed,
    seal,
    seal_network,
)
from cipherlens.crypto.hazmat.schedule import IMAGE_PURPOSES, Purpose
from cipherlens.crypto.signing import Signed

HERE, ELSEWHERE = uuid.UUID(int=5), uuid.UUID(int=6)
ME = Identity(
    name="me", private_key=bytes(range(160, 192)), created_at=datetime(2026, 1, 2, tzinfo=UTC)
)
OF_KIND = {
    Kind.CIPHER: {*IMAGE_PURPOSES, Purpose.TAG},
    Kind.VECTOR: {Purpose.MASK, Purpose.TAG},
    Kind.CODE: {Purpose.MASK, Purpose.NETWORK, Purpose.TAG},
}


def granted(entry, kind=Kind.CIPHER, rights=Rights.SEARCH, expires_at=None):
    return Grant.make(entry, ME.recipient, HERE, kind, rights, expires_at).open(ME, "theirs")


def test_grants_agree_with_their_vectors(vectors, reference, make_entry):
    case = vectors("grants.json")
    assert reference.grant_cases() == case
    owner = make_entry(height=16, width=24, substituted_blocks=3, scope="image")
    for data in case["must_open"].values():
        grant = Grant.read(bytes.fromhex(data))
        assert grant.verify_key == owner.verify_key
        key = grant.open(ME, "theirs")
        assert key.profile == owner.profile
        for purpose, secret in key.secrets.items():
            assert (
                secret
                == {
                    **{each: owner.image_keys()[each] for each in IMAGE_PURPOSES},
                    Purpose.SEAL: owner.seal_key(grant.collection_uuid),
                    Purpose.MASK: owner.mask_key(grant.collection_uuid),
                    Purpose.NETWORK: owner.network_key(),
                }[purpose]
            )


def test_vectors_that_must_not_open_do_not(vectors):
    cases = vectors("grants.json")["must_not_open"]
    assert len(cases) == 10
    for data in cases.values():
        with pytest.raises((FormatError, GrantError)):
            Grant.read(bytes.fromhex(data)).open(ME, "theirs")


def test_a_grant_is_for_its_recipient_alone(vectors):
    grant = Grant.read(bytes.fromhex(vectors("grants.json")["of another recipient"]))
    with pytest.raises(GrantError, match="identity 'me' is clr1"):
        grant.open(ME, "theirs")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("rights", Rights)
def test_a_grant_holds_what_its_kind_and_rights_take_and_no_more(make_entry, kind, rights):
    entry = make_entry()
    key = granted(entry, kind, rights)
    expected = OF_KIND[kind] | ({Purpose.SEAL} if rights is Rights.OPEN else set())
    assert set(key.secrets) == expected
    assert entry.root not in key.secrets.values()
    assert entry.signing_seed not in key.secrets.values()


def test_what_is_wrapped_shows_in_no_byte(make_entry):
    entry = make_entry()
    data = Grant.make(entry, ME.recipient, HERE, Kind.CIPHER, Rights.OPEN).data
    for secret in (entry.root, entry.signing_seed, entry.seal_key(HERE)):
        assert secret not in data
    assert b"PERMUTATION" not in data


def test_search_encrypts_and_decrypts_cipher_images_and_opens_no_seal(make_entry):
    entry = make_entry(height=16, width=24, substituted_blocks=3)
    key = granted(entry)
    pixels = (bytes(range(256)) * 5)[: 16 * 24 * 3]
    image = np.frombuffer(pixels, np.uint8).reshape(16, 24, 3)
    ours, theirs = ImageCipher(entry), ImageCipher(key)
    assert np.array_equal(ours.decrypt_image(theirs.encrypt_image(image)), image)
    assert np.array_equal(theirs.decrypt_image(ours.encrypt_image(image)), image)
    with pytest.raises(NotGranted, match=f"granted to search cipher collection {HERE}; .*: seal"):
        key.seal_key(HERE)


def test_open_opens_the_seals_of_one_collection(make_entry):
    entry = make_entry()
    key = granted(entry, rights=Rights.OPEN)
    context = SealedContext(
        collection_uuid=HERE, item_id="i", revision=1, companion_digest=bytes(32)
    )
    original = Original(media_type="image/png", data=b"picture")
    sealed = seal(original, entry, context)
    assert open_sealed(sealed, key.seal_key(HERE), key.verify_key, context) == original
    with pytest.raises(NotGranted, match=f"not for {ELSEWHERE}"):
        key.seal_key(ELSEWHERE)


@pytest.mark.parametrize("rights", Rights)
def test_who_was_granted_anything_signs_and_seals_nothing(make_entry, rights):
    key = granted(make_entry(), rights=rights)
    context = SealedContext(
        collection_uuid=HERE, item_id="i", revision=1, companion_digest=bytes(32)
    )
    assert not key.may_sign
    for what in Signed:
        with pytest.raises(NotGranted, match="signed by the owner alone"):
            key.sign(what, b"text")
    with pytest.raises(NotGranted):
        seal(Original(media_type="image/png", data=b""), key, context)


def test_codes_come_with_the_network_and_nothing_else_does(make_entry):
    entry = make_entry()
    sealed = seal_network(b"a network", entry)
    assert open_network(sealed, granted(entry, Kind.CODE)) == b"a network"
    for kind in (Kind.CIPHER, Kind.VECTOR):
        with pytest.raises(NotGranted, match="no key for this: network"):
            open_network(sealed, granted(entry, kind, Rights.OPEN))
    with pytest.raises(NotGranted):
        granted(entry, Kind.CODE, Rights.OPEN).image_keys()
    assert granted(entry, Kind.CODE).mask_key(HERE) == entry.mask_key(HERE)


@given(position=st.integers(0), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(make_entry, position, change):
    data = bytearray(Grant.make(make_entry(), ME.recipient, HERE, Kind.CODE, Rights.OPEN).data)
    data[position % len(data)] ^= change
    with pytest.raises(CryptoError):
        Grant.read(bytes(data)).open(ME, "theirs")


def test_no_truncation_or_extension_is_read(make_entry):
    data = Grant.make(make_entry(), ME.recipient, HERE, Kind.VECTOR, Rights.SEARCH).data
    for length in range(len(data)):
        with pytest.raises(CryptoError):
            Grant.read(data[:length])
    with pytest.raises(FormatError):
        Grant.read(data + b"\0")


def test_expiry_is_kept_and_heeded(make_entry):
    moment = datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)
    key = granted(make_entry(), expires_at=moment)
    assert key.expires_at == moment
    key.check_current(moment - timedelta(seconds=1))
    with pytest.raises(GrantError, match="'theirs' expired at 2027-03-04 05:06 UTC"):
        key.check_current(moment)
    granted(make_entry()).check_current(datetime(9999, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="expires_at must be after 1970"):
        granted(make_entry(), expires_at=datetime(1960, 1, 1, tzinfo=UTC))


def test_no_text_shows_the_secrets_and_they_are_not_pickled(make_entry):
    key = granted(make_entry(), rights=Rights.OPEN)
    assert isinstance(key, GrantedKey)
    for secret in key.secrets.values():
        assert secret.hex() not in repr(key)
        assert repr(secret) not in repr(key)
    with pytest.raises(TypeError, match="holds secrets"):
        pickle.dumps(key)
