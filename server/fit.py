"""Whether content, or a model, fits the collection it is sent to."""

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import CipherProfile, Kind
from cipherlens.model.checkpoint import CheckpointConfiguration
from cipherlens.model.errors import CheckpointError
from cipherlens.server.content import CipherBatch, Content, VectorBatch
from cipherlens.server.embedders import have_direction
from cipherlens.server.errors import InvalidField, ModelRefused, ProfileRefused
from cipherlens.server.live import LiveCollection
from cipherlens.server.storage.records import Collection
from cipherlens.server.view import View

_FIELDS = {Kind.CIPHER: "cipher_images", Kind.VECTOR: "vectors", Kind.CODE: "codes"}


def serving_view(live: LiveCollection, content: Content, model_digest: bytes) -> View:
    """Return the view that answers, if the content fits the collection and its model.

    Raises InvalidField, ModelRefused, ProfileRefused; NotFound if the collection is dropped.
    """
    collection = live.collection
    if content.kind is not collection.kind:
        raise InvalidField(
            _FIELDS[content.kind],
            f"collection {collection.name!r} holds the kind {collection.kind}",
            value=content.kind,
        )
    _check_content(collection, content)
    view = live.view
    live.check_there()  # after the view was taken: a dropped collection has none
    if view is None:
        raise ModelRefused(
            f"collection {collection.name!r} has no model yet: push one first",
            {"collection": collection.name},
        )
    if model_digest and model_digest != view.generation.model_digest:
        served = view.generation.model_digest.hex() or "a model that was not stated"
        raise ModelRefused(
            f"model_digest: collection {collection.name!r} is served by {served}, "
            f"not by {model_digest.hex()}",
            {"active": view.generation.model_digest.hex(), "value": model_digest.hex()},
        )
    return view


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
    _check_profile(collection, configuration.profile, "model")


def document_of(configuration: CheckpointConfiguration) -> str:
    """Return the JSON document that is kept of a model's configuration.

    Raises CheckpointError for a hash network, which must not lie here in the clear: whoever can
    run it can match any picture with stored codes.
    """
    if configuration.architecture != "e2e":
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


def _check_content(collection: Collection, content: Content) -> None:
    if isinstance(content, CipherBatch):
        for profile in set(content.profiles):
            _check_profile(collection, profile, "cipher-image")
    elif isinstance(content, VectorBatch):
        if content.rows.shape[1] != collection.dimension:
            raise InvalidField(
                "vectors.dimension",
                f"collection {collection.name!r} has the dimension {collection.dimension}",
                value=content.rows.shape[1],
            )
    elif content.bits != collection.bits:
        raise InvalidField(
            "codes.bits",
            f"collection {collection.name!r} has {collection.bits} bits",
            value=content.bits,
        )


def _check_profile(collection: Collection, profile: CipherProfile, what: str) -> None:
    assert collection.profile is not None
    if differences := collection.profile.differences(profile):
        raise ProfileRefused(
            f"the {what} does not fit collection {collection.name!r}: {'; '.join(differences)}",
            {"collection": collection.name, "differences": "; ".join(differences)},
        )
