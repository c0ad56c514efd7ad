"""A collection that is to be made, and may be there already."""

import grpc

from cipherlens.client.core.call import Call
from cipherlens.client.core.collection import Collection
from cipherlens.client.errors import AlreadyExists
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.wire import index_choice_message, kind_message, profile_message


def check_same(there: Collection, made: Call[Collection]) -> None:
    """Raise AlreadyExists unless a collection that is there is what the call would have made."""
    asked = made.request
    assert isinstance(asked, messages.CreateCollectionRequest)
    profile = None if there.profile is None else profile_message(there.profile)
    has: dict[str, tuple[object, object]] = {
        "kind": (kind_message(there.kind), asked.kind),
        # That of cipher-images is the model's.
        "dimension": (there.dimension if asked.dimension else 0, asked.dimension),
        "bits": (there.bits, asked.bits),
        "index": (index_choice_message(there.index_choice), asked.index),
        "key": (profile, asked.profile if asked.HasField("profile") else None),
        "masks": (there.mask_id.removesuffix(f":{there.uuid}"), asked.mask_id),
    }
    if asked.encoder_digest:
        digest = b"" if there.active is None else there.active.model_digest
        has["network"] = (digest, asked.encoder_digest)
    if differing := [name for name, (is_, wanted) in has.items() if is_ != wanted]:
        raise AlreadyExists(
            f"collection {there.name!r} is there and is another, by its {', '.join(differing)}",
            code=grpc.StatusCode.ALREADY_EXISTS,
        )
