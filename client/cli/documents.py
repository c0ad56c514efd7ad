"""The JSON form of what commands print. Scripts rely on these keys."""

from dataclasses import asdict
from typing import Any

from cipherlens.client.core.collection import Collection, Generation, Model
from cipherlens.client.core.item import Hit, ItemSummary
from cipherlens.client.folder.tally import FolderReport
from cipherlens.crypto import GrantedKey, KeyEntry


def key_document(key: KeyEntry) -> dict[str, Any]:
    """Return a key as others may know it."""
    return {
        "name": key.name,
        "fingerprint": key.fingerprint.hex(),
        **asdict(key.parameters),
        "verify_key": key.verify_key.hex(),
        "created_at": key.created_at.isoformat(),
    }


def granted_document(key: GrantedKey) -> dict[str, Any]:
    """Return a granted key as others may know it."""
    return {
        "name": key.name,
        "grant_id": str(key.grant_id),
        "fingerprint": key.fingerprint.hex(),
        "verify_key": key.verify_key.hex(),
        "collection_uuid": str(key.collection_uuid),
        "kind": str(key.kind),
        "rights": key.rights.value,
        "expires_at": key.expires_at and key.expires_at.isoformat(),
    }


def collection_document(collection: Collection) -> dict[str, Any]:
    """Return a collection."""
    return {
        "name": collection.name,
        "uuid": str(collection.uuid),
        "kind": str(collection.kind),
        "dimension": collection.dimension,
        "bits": collection.bits,
        "profile": collection.profile and collection.profile.to_dict(),
        "item_count": collection.item_count,
        "damaged_count": collection.damaged_count,
        "sequence": collection.sequence,
        "active_generation": _generation_document(collection.active),
        "shadow_generation": _generation_document(collection.shadow),
        "mask_id": collection.mask_id,
        "index_choice": str(collection.index_choice),
        "index": asdict(collection.index),
        "created_at": collection.created_at.isoformat(),
    }


def _generation_document(generation: Generation | None) -> dict[str, Any] | None:
    if generation is None:
        return None
    return {**asdict(generation), "model_digest": generation.model_digest.hex()}


def model_document(model: Model) -> dict[str, Any]:
    """Return a model."""
    return {
        "digest": model.digest.hex(),
        "name": model.name,
        "size_bytes": model.size_bytes,
        "backbone": model.backbone,
        "dimension": model.dimension,
        "profile": model.profile and model.profile.to_dict(),
        "created_at": model.created_at.isoformat(),
    }


def hit_document(hit: Hit, name: str | None) -> dict[str, Any]:
    """Return a hit, and its name if it could be opened."""
    return {
        "rank": hit.rank,
        "item_id": hit.item_id,
        "name": name,
        "revision": hit.revision,
        "similarity": hit.similarity,
        "distance": hit.distance,
    }


def summary_document(item: ItemSummary, name: str | None, tags: list[str] | None) -> dict[str, Any]:
    """Return an item without its ciphertext, and its name and tags if they could be opened."""
    opened = {"name": name, "tags": tags}
    sealed = {"owner_tag": item.owner_tag.hex(), "sealed_tags": item.sealed_tags.hex()}
    return {**asdict(item), **opened, **sealed}


def report_document(report: FolderReport, *, complete: bool) -> dict[str, Any]:
    """Return how far the indexing of a folder has come."""
    return {
        "complete": complete,
        "found": report.found,
        "indexed": report.indexed,
        "unchanged": report.unchanged,
        "pruned": report.pruned,
        "other_files": report.other_files,
        "skipped": [{"file": each.name, "reason": each.reason} for each in report.skipped],
    }
