"""Answers, made of what the engine returns."""

import json

from cipherlens.base import CipherProfile, Kind
from cipherlens.server.config import Limits
from cipherlens.server.engine import CollectionDescription
from cipherlens.server.storage.records import (
    CipherPixels,
    Collection,
    Generation,
    ItemSummary,
    ModelRecord,
    StoredItem,
)
from cipherlens.v1 import cipher_image_pb2, collection_pb2, item_pb2, retrieval_service_pb2
from cipherlens.wire import (
    cipher_image_message,
    index_choice_message,
    kind_message,
    profile_message,
    timestamp_message,
)


def collection_message(found: CollectionDescription) -> collection_pb2.Collection:
    """Return a collection as callers see it."""
    collection = found.collection
    active = found.active[0] if found.active else None
    return collection_pb2.Collection(
        uuid=collection.uuid,
        name=collection.name,
        kind=kind_message(collection.kind),
        dimension=active.length if active and collection.kind is not Kind.CODE else 0,
        bits=collection.bits,
        profile=profile_message(collection.profile) if collection.profile else None,
        active_generation=_generation_message(found.active),
        shadow_generation=_generation_message(found.shadow),
        sequence=found.sequence,
        item_count=found.item_count,
        damaged_count=found.damaged_count,
        index=_index_message(found),
        create_time=timestamp_message(collection.created_at_us),
        index_choice=index_choice_message(collection.index_choice),
    )


def item_message(collection: Collection, item: StoredItem) -> item_pb2.StoredItem:
    """Return an item with its ciphertext."""
    made = item_pb2.StoredItem(
        item_id=item.summary.item_id,
        revision=item.summary.revision,
        sequence=item.summary.sequence,
        owner_tag=item.summary.owner_tag,
        # Of a oneof, None leaves a field unset.
        cipher_image=_cipher_image_message(collection, item.cipher) if item.cipher else None,
        sealed_original=item.sealed,
        sealed_tags=item.summary.sealed_tags,
    )
    if collection.kind is Kind.VECTOR:
        made.vector = item.representation
    elif collection.kind is Kind.CODE:
        made.code = item.representation
    return made


def summary_message(item: ItemSummary) -> item_pb2.ItemSummary:
    """Return an item without its ciphertext."""
    return item_pb2.ItemSummary(
        item_id=item.item_id,
        revision=item.revision,
        sequence=item.sequence,
        owner_tag=item.owner_tag,
        sealed_size_bytes=item.sealed_size,
        sealed_tags=item.sealed_tags,
    )


def model_message(record: ModelRecord) -> retrieval_service_pb2.Model:
    """Return a model as callers see it."""
    document = json.loads(record.configuration)
    profile = document["profile"]
    return retrieval_service_pb2.Model(
        digest=record.digest,
        name=record.name,
        size_bytes=record.size_bytes,
        profile=profile_message(CipherProfile.from_dict(profile)) if profile else None,
        dimension=document["network"]["feature_dim"],
        backbone=document["network"]["backbone"],
        create_time=timestamp_message(record.created_at_us),
    )


def limits_message(limits: Limits) -> retrieval_service_pb2.Limits:
    """Return the limits that callers must know; the fields have the same names."""
    told = retrieval_service_pb2.Limits.DESCRIPTOR.fields
    return retrieval_service_pb2.Limits(**{each.name: getattr(limits, each.name) for each in told})


def _cipher_image_message(
    collection: Collection, cipher: CipherPixels
) -> cipher_image_pb2.CipherImage:
    assert collection.profile is not None
    return cipher_image_message(
        collection.profile,
        height=cipher.height,
        width=cipher.width,
        nonce=cipher.nonce,
        pixels=cipher.pixels,
    )


def _generation_message(
    counted: tuple[Generation, int] | None,
) -> collection_pb2.Generation | None:
    if counted is None:
        return None
    generation, item_count = counted
    return collection_pb2.Generation(
        id=generation.id,
        model_digest=generation.model_digest,
        numeric_mode=generation.numeric_mode,
        mask_id=generation.mask_id,
        item_count=item_count,
    )


def _index_message(found: CollectionDescription) -> collection_pb2.IndexStatus | None:
    index = found.index
    if index is None:
        return None
    return collection_pb2.IndexStatus(
        kind=index.kind,
        nlist=index.nlist,
        nprobe=index.nprobe,
        device=index.device,
        sequence=found.index_sequence,
    )
