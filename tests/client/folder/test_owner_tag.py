import uuid

from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.crypto import KeyEntry

HERE, THERE = uuid.UUID(int=1), uuid.UUID(int=2)


def test_a_tag_is_the_same_only_for_the_same(key: KeyEntry, image_key: KeyEntry) -> None:
    tag = OwnerTags(key, HERE, sealed=True).of("a.png", b"file")
    assert len(tag) == 32
    assert OwnerTags(key, HERE, sealed=True).of("a.png", b"file") == tag
    others = {
        OwnerTags(key, HERE, sealed=True).of("a.png", b"filf"),
        OwnerTags(key, HERE, sealed=True).of("b.png", b"file"),
        OwnerTags(key, HERE, sealed=True).of("a.pngf", b"ile"),
        OwnerTags(key, HERE, sealed=False).of("a.png", b"file"),
        OwnerTags(key, THERE, sealed=True).of("a.png", b"file"),
        OwnerTags(image_key, HERE, sealed=True).of("a.png", b"file"),
        OwnerTags(key, HERE, sealed=True, encoder_digest=bytes(32)).of("a.png", b"file"),
        OwnerTags(key, HERE, sealed=True, encoder_digest=b"n" * 32).of("a.png", b"file"),
    }
    assert len(others) == 8
    assert tag not in others
