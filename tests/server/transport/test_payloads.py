import pytest

from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField, QueueFull
from cipherlens.server.transport.payloads import Payloads, decoded
from cipherlens.v1 import retrieval_service_pb2 as pb


def test_messages_are_counted_by_their_bytes():
    payloads = Payloads(Limits(max_message_bytes=10, max_sealed_bytes=1))
    payloads.take(79)
    with payloads.counted(b"1"), pytest.raises(QueueFull, match="requests of 80 bytes") as caught:
        payloads.take(1)
    assert caught.value.metadata == {"limit": "80", "value": "81"}
    with payloads.counted(b"1"):  # what was refused, and what is done, is counted no more
        pass
    payloads.give_back(79)
    payloads.take(80)


def test_what_is_no_request_is_named():
    request = pb.GetCollectionRequest(name="x")
    assert decoded(pb.GetCollectionRequest, request.SerializeToString()) == request
    with pytest.raises(InvalidField, match="request: does not decode as a GetCollectionRequest"):
        decoded(pb.GetCollectionRequest, b"\x0a\x02\xff\xfe")
