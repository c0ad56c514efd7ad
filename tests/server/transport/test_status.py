import pytest
from google.rpc import code_pb2

from cipherlens.base import ProfileMismatch
from cipherlens.model.errors import CheckpointError
from cipherlens.server import errors
from cipherlens.server.transport.status import CODES, INTERNAL_MESSAGE, code_of, status_of
from cipherlens.wire import details_from


def test_a_subclass_has_its_nearest_ancestors_code():
    assert code_of(errors.StaleRevision("")) == code_pb2.FAILED_PRECONDITION
    assert code_of(errors.LimitExceeded("f", limit=1, value=2, unit="x")) == (
        code_pb2.INVALID_ARGUMENT
    )


def test_every_failure_that_callers_are_told_of_has_a_code():
    def descendants(of):
        return {each for kid in of.__subclasses__() for each in ({kid} | descendants(kid))}

    for each in descendants(errors.ServerError):
        if each.__name__.startswith("_"):
            continue  # caught by the module that raises it
        assert any(ancestor in CODES for ancestor in each.__mro__), each


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), KeyError("secret"), ValueError("secret")]
)
def test_what_is_not_in_the_table_says_nothing(error):
    status = status_of(error)
    assert (status.code, status.message) == (code_pb2.INTERNAL, INTERNAL_MESSAGE)
    assert not status.details


def test_details_name_reason_field_limit_and_value():
    status = status_of(errors.LimitExceeded("k", limit=10, value=11, unit="hits"))
    assert status.message == "k: too large in hits (limit 10), got 11"
    assert [each.type_url.rpartition(".")[2] for each in status.details] == [
        "ErrorInfo",
        "BadRequest",
    ]


def test_a_model_error_has_a_reason_of_its_own_name():
    for error, code, reason in (
        (CheckpointError("cut"), code_pb2.INVALID_ARGUMENT, "CHECKPOINT_ERROR"),
        (ProfileMismatch("other"), code_pb2.FAILED_PRECONDITION, "PROFILE_MISMATCH"),
    ):
        status = status_of(error)
        assert status.code == code
        assert details_from(status.details).reason == reason


def test_a_long_quotation_is_cut_so_that_it_fits_into_headers():
    error = errors.Refused("\N{SNOWMAN}" * 5000, {"value": "\N{SNOWMAN}" * 5000})
    status = status_of(error)
    assert len(status.message.encode()) < 700
    assert len(status.SerializeToString()) < 4096


def test_half_a_letter_is_written_out():
    """JSON may hold half of a pair of surrogates, which no message takes."""
    error = CheckpointError("checkpoint does not know \ud800")
    status = status_of(error)
    assert status.message == r"checkpoint does not know \ud800"
    assert details_from(status.details).reason == "CHECKPOINT_ERROR"
