"""A collection is made, with what answers searches in it: all of it in one transaction."""

from typing import TYPE_CHECKING

from cipherlens.base import Kind
from cipherlens.server.engine.batches import NewCollection
from cipherlens.server.engine.checks import check_model
from cipherlens.server.errors import NotFound
from cipherlens.server.storage import Transaction
from cipherlens.server.storage.records import Collection, CollectionState, Generation

if TYPE_CHECKING:
    from cipherlens.model.embedder import Embedder


def made_collection(
    transaction: Transaction, new: NewCollection, embedder: "Embedder | None"
) -> CollectionState:
    """Make a collection and its first generation; `embedder` is of the model that it names.

    Cipher-images without a model have no generation yet. Raises AlreadyExists; NotFound if the
    model is not held any more; ProfileRefused if it is of other cipher-images.
    """
    collections = transaction.collections
    made = collections.create(
        name=new.name,
        kind=new.kind,
        dimension=new.dimension,
        bits=new.bits,
        profile=new.profile,
        index_choice=new.index_choice,
    ).collection
    if new.kind is not Kind.CIPHER:
        first = collections.add_generation(
            made,
            model_digest=new.encoder_digest,
            numeric_mode="",
            length=new.dimension or new.bits,
            mask_id=new.mask_id,
        )
    elif embedder is not None:
        first = _of_model(transaction, made, new.encoder_digest, embedder)
    else:
        return collections.state(made)
    collections.set_generations(made, active=first.id, shadow=None)
    return collections.state(made)


def _of_model(
    transaction: Transaction, made: Collection, digest: bytes, embedder: "Embedder"
) -> Generation:
    if digest not in {each.digest for each in transaction.models.listed()}:
        raise NotFound("model", digest.hex())  # deleted since it was tried
    check_model(made, embedder.configuration)
    return transaction.collections.add_generation(
        made,
        model_digest=digest,
        numeric_mode=embedder.numeric_mode,
        length=embedder.dimension,
    )
