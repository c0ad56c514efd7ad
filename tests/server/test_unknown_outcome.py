"""What a caller is told of a commit that was cut off, and what he finds then."""

import pytest

from tests.postgres_server import PASSWORD


@pytest.fixture
def cloud(make_cloud, postgres, line):
    return make_cloud(database=line.url(postgres.new_database(), postgres.folder))


def told(failure, call, *arguments, **fields):
    """Make a call that must fail as one whose outcome is unknown."""
    code, text, details = failure(call, *arguments, **fields)
    assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "OUTCOME_UNKNOWN")
    assert details["RetryInfo"].retry_delay.seconds == 1
    assert PASSWORD not in text


@pytest.mark.parametrize("how", ["before", "after"])
def test_the_same_request_again_is_answered_well(cloud, line, vectors, gaussian, failure, how):
    cloud.create()
    line.cut = how
    told(failure, cloud.index, ["a"], vectors=vectors(gaussian(1)))
    again = cloud.index(["a"], vectors=vectors(gaussian(1)))
    assert (again.sequence, again.unchanged_count) == (1, int(how == "after"))
    assert cloud.ids_found(vectors=vectors(gaussian(1))) == [["a"]]


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_model_serves_if_its_commit_was_kept(
    cloud, line, checkpoint, cipher_profile, cipher_images, failure, settled, how
):
    cloud.create_ciphers(cipher_profile())
    cloud.push(
        checkpoint()
    )  # its bytes are there: what is cut off is the commit that sets it to work
    line.cut = how
    told(failure, cloud.push, checkpoint(), "e")
    live = cloud.engine._registry.find("e")
    settled(lambda: not live.is_behind)
    assert (live.serving is not None) == (how == "after")
    cloud.push(checkpoint(), "e")
    cloud.index(["a"], "e", cipher_images=cipher_images(1))
    assert cloud.ids_found("e", cipher_images=cipher_images(1)) == [["a"]]
    cloud.restart()
    assert cloud.ids_found("e", cipher_images=cipher_images(1)) == [["a"]]
