"""What a scripted server may answer in place of a message."""

from collections.abc import Callable

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status


def failing(
    code: grpc.StatusCode, message: str, *details: object
) -> Callable[[grpc.ServicerContext], None]:
    """Return an answer that aborts with a status and its details."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)
    return lambda context: context.abort_with_status(rpc_status.to_status(status))


BUSY = failing(
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    "64 calls are under way",
    error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="cipherlens"),
    error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=1_000_000)),
)
STOPPING = failing(grpc.StatusCode.UNAVAILABLE, "the server is shutting down")
