import grpc
import pytest
from google.rpc import status_pb2

from cipherlens.base import ProfileMismatch
from cipherlens.model.errors import CheckpointError
from cipherlens.server import errors
from cipherlens.server.status import CODES, INTERNAL_MESSAGE, rich_status, status_code


def found(error):
    status = rich_status(error)
    return (
        status.code,
        status.details,
        status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"]),
    )


def test_a_subclass_has_its_nearest_ancestors_code():
    assert status_code(errors.StaleRevision("")) is grpc.StatusCode.FAILED_PRECONDITION
    assert status_code(errors.LimitExceeded("f", limit=1, value=2, unit="x")) is (
        grpc.StatusCode.INVALID_ARGUMENT
    )


def test_every_failure_that_callers_are_told_of_has_a_code():
    def descendants(of):
        return {each for kid in of.__subclasses__() for each in ({kid} | descendants(kid))}

    for each in descendants(errors.ServerError):
        assert any(ancestor in CODES for ancestor in each.__mro__), each


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("secret"), ValueError("secret")]
)
def test_what_is_not_in_the_table_says_nothing(error):
    code, text, status = found(error)
    assert (code, text) == (grpc.StatusCode.INTERNAL, INTERNAL_MESSAGE)
    assert not status.details


def test_details_name_reason_field_limit_and_value():
    _, text, status = found(errors.LimitExceeded("k", limit=10, value=11, unit="hits"))
    assert text == "k: too large in hits (limit 10), got 11"
    assert [each.type_url.rpartition(".")[2] for each in status.details] == [
        "ErrorInfo",
        "BadRequest",
    ]


def test_a_model_error_has_a_reason_of_its_own_name():
    for error, code in (
        (CheckpointError("cut"), grpc.StatusCode.INVALID_ARGUMENT),
        (ProfileMismatch("other"), grpc.StatusCode.FAILED_PRECONDITION),
    ):
        status = rich_status(error)
        assert status.code is code
        assert b"_ERROR" in dict(status.trailing_metadata)["grpc-status-details-bin"] or (
            b"PROFILE_MISMATCH" in dict(status.trailing_metadata)["grpc-status-details-bin"]
        )


def test_a_long_quotation_is_cut_so_that_it_fits_into_headers():
    error = errors.Refused("\N{SNOWMAN}" * 5000, {"value": "\N{SNOWMAN}" * 5000})
    status = rich_status(error)
    assert len(status.details.encode()) < 700
    assert len(dict(status.trailing_metadata)["grpc-status-details-bin"]) < 4096
