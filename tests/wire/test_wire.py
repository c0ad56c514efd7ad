"""Messages to values and back, and what no value can be made of."""

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import RetryInfo

from cipherlens import wire
from cipherlens.base import CipherProfile, IndexChoice, Kind, Scope
from cipherlens.v1.cipher_image_pb2 import CipherProfile as ProfileMessage
from cipherlens.v1.representation_pb2 import Codes, Vectors
from cipherlens.wire import MalformedMessage

PROFILE = CipherProfile(
    scheme_version=1,
    preparation_version=1,
    height=16,
    width=24,
    block_size=8,
    substituted_blocks=2,
    scope=Scope.IMAGE,
    key_fingerprint=bytes(range(16)),
)


def test_the_public_names_exist() -> None:
    assert all(hasattr(wire, name) for name in wire.__all__)
    assert sorted(wire.__all__) == sorted(set(wire.__all__))


def test_a_cloud_process_loads_no_key_code_with_it() -> None:
    program = "import sys, cipherlens.wire; print('cipherlens.crypto' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]


@pytest.mark.parametrize("kind", Kind)
def test_kinds_come_back(kind: Kind) -> None:
    assert wire.kind_from(wire.kind_message(kind)) is kind


@pytest.mark.parametrize("number", [0, 9])
def test_a_kind_that_is_none_is_named(number: int) -> None:
    with pytest.raises(MalformedMessage, match=f"kind: must be .*, got {number}") as caught:
        wire.kind_from(number)
    assert (caught.value.field, caught.value.value) == ("kind", number)


@pytest.mark.parametrize("choice", IndexChoice)
def test_choices_of_an_index_come_back(choice: IndexChoice) -> None:
    assert wire.index_choice_from(wire.index_choice_message(choice)) is choice


def test_an_index_that_is_not_stated_is_auto() -> None:
    assert wire.index_choice_from(0) is IndexChoice.AUTO


def test_an_index_that_is_not_known_is_named() -> None:
    with pytest.raises(MalformedMessage, match=r"index: must be .*, got 9"):
        wire.index_choice_from(9)


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("fingerprint", [b"", bytes(range(16))])
def test_claims_come_back(scope: Scope, fingerprint: bytes) -> None:
    values = {**PROFILE.to_dict(), "scope": scope, "key_fingerprint": fingerprint.hex()}
    profile = CipherProfile.from_dict(values)
    data = wire.profile_message(profile).SerializeToString()
    assert wire.profile_from(ProfileMessage.FromString(data)) == profile


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"scope": 0}, "scope", "must be COLLECTION or IMAGE"),
        ({"scope": 7}, "scope", "must be COLLECTION or IMAGE"),
        ({"block_size": 7}, "", "block_size must divide 16 and 24"),
        ({"key_fingerprint": b"x"}, "", "key_fingerprint must have 0 or 16 bytes"),
    ],
)
def test_claims_that_cannot_be_true(changes: dict[str, object], field: str, problem: str) -> None:
    message = wire.profile_message(PROFILE)
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(MalformedMessage, match=problem) as caught:
        wire.profile_from(message)
    assert caught.value.field == field


def test_vectors_are_little_endian_float32() -> None:
    rows = np.array([[1, -2], [0.5, 3]], ">f4")
    message = wire.vectors_message(rows)
    assert (message.dimension, message.data) == (2, np.array([1, -2, 0.5, 3], "<f4").tobytes())
    assert wire.vectors_from(message).tolist() == rows.tolist()


def test_the_bytes_of_a_code_tell_its_bits() -> None:
    for size, bits in ((2, 12), (3, 24), (4, 32), (6, 48), (8, 64), (16, 128), (32, 256)):
        rows = np.arange(3 * size, dtype=np.uint8).reshape(3, size)
        message = wire.codes_message(rows)
        assert message.bits == bits
        assert wire.codes_from(message).tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Vectors(dimension=0, data=b"1234"), "dimension"),
        (Vectors(dimension=2, data=b""), "data"),
        (Vectors(dimension=2, data=b"123456789"), "data"),
        (Codes(bits=0, data=b"1"), "bits"),
        (Codes(bits=12, data=b"123"), "data"),
        (Codes(bits=12), "data"),
    ],
)
def test_rows_that_are_not_whole(message: Vectors | Codes, field: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        (wire.vectors_from if isinstance(message, Vectors) else wire.codes_from)(message)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_moments_come_back_to_the_microsecond() -> None:
    moment = datetime(2026, 11, 24, 1, 2, 3, 456789, UTC)
    assert wire.datetime_from(wire.timestamp_message(int(moment.timestamp() * 1e6))) == moment


@pytest.mark.parametrize(
    "details",
    [
        wire.ErrorDetails(reason="NOT_FOUND", metadata={"name": "x"}),
        wire.ErrorDetails(reason="INVALID_FIELD", field="k", description="k: too large"),
        wire.ErrorDetails(reason="QUEUE_FULL", retry_after_s=1.25),
        wire.ErrorDetails(reason="STOPPING", retry_after_s=0.0),
    ],
)
def test_details_come_back(details: wire.ErrorDetails) -> None:
    assert wire.details_from(wire.details_message(details)) == details


def test_details_of_others_are_passed_over() -> None:
    unknown = Any()
    unknown.Pack(Duration(seconds=1))
    assert wire.details_from([unknown]) == wire.ErrorDetails()


def test_details_that_do_not_decode_are_passed_over() -> None:
    packed = wire.details_message(wire.ErrorDetails(reason="A", field="k", retry_after_s=2.0))
    for each in packed[1:]:
        each.value = b"\xff" + each.value
    assert wire.details_from(packed) == wire.ErrorDetails(reason="A")


def test_a_time_to_wait_is_a_number_of_seconds_whatever_it_says() -> None:
    for delay, seconds in ((Duration(seconds=2**62), 2.0**62), (Duration(seconds=-5), 0.0)):
        packed = Any()
        packed.Pack(RetryInfo(retry_delay=delay))
        assert wire.details_from([packed]).retry_after_s == seconds


@pytest.mark.parametrize(
    "moment", [Timestamp(seconds=2**62), Timestamp(seconds=-(2**62)), Timestamp(nanos=-1)]
)
def test_a_moment_that_no_calendar_has(moment: Timestamp) -> None:
    with pytest.raises(MalformedMessage):
        wire.datetime_from(moment)
