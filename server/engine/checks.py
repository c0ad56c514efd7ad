"""Whether a batch, or a model, fits the collection it is sent to."""

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import IndexChoice, Kind
from cipherlens.model.checkpoint import CheckpointConfiguration
from cipherlens.model.errors import CheckpointError
from cipherlens.server.embedding import have_direction
from cipherlens.server.engine.batches import Batch, check_profile
from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import (
    CollectionReplaced,
    InvalidField,
    MaskRefused,
    ModelRefused,
    NoModel,
    NumericModeRefused,
    ProfileRefused,
)
from cipherlens.server.index import Device, obstacle
from cipherlens.server.storage.records import Collection, Generation


def check_index(kind: Kind, choice: IndexChoice, device: Device) -> None:
    """Raise InvalidField unless a collection of the kind can have the index here."""
    problem = obstacle(kind, choice, device)
    if problem is not None:
        raise InvalidField("index", problem, value=choice)


def check_uuid(collection: Collection, wanted: str) -> None:
    """Raise CollectionReplaced if a request is for a collection of another UUID; "" is for any."""
    if wanted not in ("", collection.uuid):
        raise CollectionReplaced(
            f"collection_uuid: collection {collection.name!r} is {collection.uuid}, not {wanted}",
            {"field": "collection_uuid", "wanted": collection.uuid, "value": wanted},
        )


def check_batch(collection: Collection, batch: Batch) -> None:
    """Raise InvalidField or ProfileRefused unless the collection holds, or compares, such items."""
    if batch.kind is not collection.kind:
        raise InvalidField(
            batch.field,
            f"collection {collection.name!r} holds the kind {collection.kind}",
            value=batch.kind,
        )
    batch.check_fits(collection)


def check_served(live: LiveCollection, model_digest: bytes, mask_id: str) -> ItemIndex:
    """Return the index that answers, if it is of the mask, and of the model if any is expected.

    Raises NotFound, NoModel, ModelRefused, MaskRefused.
    """
    collection, serving = live.collection, live.serving
    live.check_there()  # after the index was taken: a dropped collection has none
    if serving is None:
        raise NoModel(
            f"collection {collection.name!r} has no model yet: push one first",
            {"collection": collection.name},
        )
    active = serving.generation.model_digest
    if model_digest and model_digest != active:
        served = active.hex() or "a model that was not stated"
        raise ModelRefused(
            f"model_digest: collection {collection.name!r} is served by {served}, "
            f"not by {model_digest.hex()}",
            {"active": active.hex(), "value": model_digest.hex()},
        )
    if mask_id or serving.generation.mask_id:
        _check_mask(collection, serving.generation.mask_id, mask_id)
    return serving


def _check_mask(collection: Collection, stored: str, sent: str) -> None:
    """Raise MaskRefused unless rows are under the mask of the collection, and of no other."""
    wanted = f"{stored}:{collection.uuid}" if stored else ""
    if sent != wanted:
        raise MaskRefused(
            f"mask_id: collection {collection.name!r} is under {wanted or 'no mask'}, "
            f"what was sent is under {sent or 'no mask'}",
            {"field": "mask_id", "wanted": wanted, "value": sent},
        )


def check_takes_models(collection: Collection) -> None:
    """Raise ModelRefused unless the collection holds cipher-images."""
    if collection.kind is not Kind.CIPHER:
        raise ModelRefused(
            f"collection {collection.name!r} holds the kind {collection.kind} and takes no model",
            {"collection": collection.name},
        )


def check_model(collection: Collection, configuration: CheckpointConfiguration) -> None:
    """Raise ProfileRefused unless the model was trained on such cipher-images."""
    if configuration.profile is None:
        raise ProfileRefused(
            "the model was trained on plain images and cannot read cipher-images",
            {"collection": collection.name},
        )
    check_profile(collection, configuration.profile, "model")


def check_numeric_mode(live: LiveCollection, generation: Generation, mode: str) -> None:
    """Raise NumericModeRefused if rows made in that arithmetic do not go with those stored.

    They do where a generation is being filled in it, which takes over.
    """
    shadow = live.shadow
    if mode == generation.numeric_mode or (shadow is not None and shadow.numeric_mode == mode):
        return
    name = live.collection.name
    raise NumericModeRefused(
        f"the vectors of collection {name!r} were made in {generation.numeric_mode}, and this "
        f"server computes in {mode}: push the same model again, and all are made anew",
        {"collection": name, "stored": generation.numeric_mode, "value": mode},
    )


def document_of(configuration: CheckpointConfiguration) -> str:
    """Return the JSON document that is kept of a model's configuration.

    Raises CheckpointError for a hash network, which must not lie here in the clear: whoever can
    run it can match any picture with stored codes.
    """
    if configuration.architecture == "hash":
        raise CheckpointError(
            "the server takes no hash network: its owner and the users run it, it travels sealed"
        )
    try:
        return configuration.to_json()
    except (ValueError, RecursionError) as error:  # NaN, as Python's JSON reads but may not write
        raise CheckpointError(f"checkpoint configuration is damaged: {error}") from error


def check_directions(rows: NDArray[np.float32]) -> None:
    """Raise InvalidField naming the first image of which the model makes no unit vector."""
    found = have_direction(rows)
    if not found.all():
        position = int(np.argmin(found))
        raise InvalidField(
            f"cipher_images[{position}]", "the model makes a vector of it that has no direction"
        )
