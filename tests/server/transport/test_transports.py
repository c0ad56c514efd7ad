"""What transports answer by themselves: messages beyond limits, streams that are broken off."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cipherlens.server.config import Limits
from cipherlens.v1 import retrieval_service_pb2 as pb

NAMES = [f"i{number}" for number in range(40)]


def test_a_message_beyond_the_limit_is_refused_by_the_transport(small_cloud, failure):
    small_cloud.create()
    before = small_cloud.state()
    code, text, details = failure(small_cloud.index, ["n"], sealed=b"x" * (2 << 20))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (2097170 vs. " in text
    # gRPC's own library gives no details.
    assert {each.reason for each in details.values()} <= {"LIMIT_EXCEEDED"}
    assert small_cloud.state() == before


def test_a_fetch_that_is_broken_off_gives_its_place_back(make_cloud, vectors, gaussian):
    cloud = make_cloud(limits=Limits(max_concurrent_calls=1))
    cloud.create()
    for start in range(0, 40, 10):
        names, rows = NAMES[start : start + 10], gaussian(10, seed=start)
        cloud.index(names, vectors=vectors(rows), sealed=b"s" * 1_000_000)
    health = health_pb2_grpc.HealthStub(cloud.channel)
    for _ in range(3):
        fetching = cloud.stub.Fetch(pb.FetchRequest(collection="v", item_ids=NAMES), timeout=20)
        assert next(fetching).item_id == "i0"
        fetching.cancel()
        while cloud.server._admission._under_way:
            health.Check(health_pb2.HealthCheckRequest(), timeout=20)
    assert cloud.collection().item_count == 40
