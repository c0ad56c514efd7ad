import uuid

import pytest

from cipherlens.client import Client, FailedPrecondition, NotFound, manifest_copy
from cipherlens.client.manifest_copy import pull_manifest, push_manifest


@pytest.mark.parametrize("size", [0, 99, 100, 101, 200, 1000])
def test_parts_of_any_number_are_one_manifest(
    client: Client, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(manifest_copy, "PART_BYTES", 100)
    where = client.create_code_collection(f"parts-{size}", 24)
    with pytest.raises(NotFound):
        pull_manifest(client, where)
    signed = bytes(number % 251 for number in range(size))
    push_manifest(client, where, signed, 1)
    assert pull_manifest(client, where) == signed


def test_a_shorter_one_takes_the_place_of_a_longer(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest_copy, "PART_BYTES", 100)
    where = client.create_code_collection(f"shorter-{uuid.uuid4().hex}", 24)
    push_manifest(client, where, b"a" * 250, 1)
    push_manifest(client, where, b"b" * 120, 2)
    assert pull_manifest(client, where) == b"b" * 120
    with pytest.raises(FailedPrecondition):
        push_manifest(client, where, b"c" * 120, 1)
