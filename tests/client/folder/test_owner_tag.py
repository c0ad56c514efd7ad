import uuid

from cipherlens.client import Naming
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.crypto import KeyEntry

HERE, THERE = uuid.UUID(int=1), uuid.UUID(int=2)


def tags(
    key: KeyEntry, where: uuid.UUID, *, readable: bool = True, sealed: bool = True, encoder=b""
) -> OwnerTags:
    naming = Naming(key, where, readable_ids=readable)
    return OwnerTags(key, where, sealed=sealed, encoder_digest=encoder, naming=naming)


def test_a_tag_is_the_same_only_for_the_same(key: KeyEntry, image_key: KeyEntry) -> None:
    tag = tags(key, HERE).of("a.png", b"file")
    assert len(tag) == 32
    assert tags(key, HERE).of("a.png", b"file") == tag
    others = {
        tags(key, HERE).of("a.png", b"filf"),
        tags(key, HERE).of("b.png", b"file"),
        tags(key, HERE).of("a.pngf", b"ile"),
        tags(key, HERE, sealed=False).of("a.png", b"file"),
        tags(key, THERE).of("a.png", b"file"),
        tags(image_key, HERE).of("a.png", b"file"),
        tags(key, HERE, encoder=bytes(32)).of("a.png", b"file"),
        tags(key, HERE, encoder=b"n" * 32).of("a.png", b"file"),
    }
    assert len(others) == 8
    assert tag not in others


def test_the_name_stands_sealed_behind_it_where_the_id_does_not_tell_it(key: KeyEntry) -> None:
    tag, with_name = (
        tags(key, HERE).of("a.png", b""),
        tags(key, HERE, readable=False).of("a.png", b""),
    )
    assert with_name[:32] == tag
    assert with_name[32:] == Naming(key, HERE).sealed("a.png")
    assert b"a.png" not in with_name
