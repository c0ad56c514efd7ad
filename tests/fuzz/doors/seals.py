"""What is sealed: nothing opens but what the owner sealed, where he sealed it."""

from collections.abc import Callable

from cipherlens.crypto import (
    CryptoError,
    ItemNames,
    Keyring,
    OpenError,
    Original,
    SealedContext,
    open_network,
    open_sealed,
    read_network,
    release_key,
    seal,
    seal_network,
    sealed_head,
)
from cipherlens.crypto.seal import open_released
from tests.fuzz.doors.keys import COLLECTION, OWNER, without_chance
from tests.fuzz.target import Target

_PLACE = SealedContext(
    collection_uuid=COLLECTION, item_id="a", revision=1, companion_digest=bytes(32)
)


def sealed_original(_folder):
    """Bytes of a sealed original, by the collection's key and by the released one."""
    originals = [
        Original(media_type="image/png", data=b"plain" * 40),
        Original(media_type="x" * 255, data=b""),
    ]
    with without_chance():
        sealed = {seal(each, OWNER, _PLACE): each for each in originals}
    seal_key = OWNER.seal_key(COLLECTION)

    def attempt(data):
        opened = _opened(lambda: open_sealed(data, seal_key, OWNER.verify_key, _PLACE))
        assert opened == sealed.get(data)
        head = _opened(lambda: sealed_head(data))
        if head is None:
            return False
        own_key = _opened(lambda: release_key(head, OWNER, _PLACE))
        assert (own_key is None) == (data not in sealed)
        wrong = own_key or bytes(44)
        again = _opened(lambda: open_released(data, wrong, OWNER.verify_key, _PLACE))
        assert again == sealed.get(data)
        return True

    return Target(name="sealed-original", seeds=list(sealed), attempt=attempt)


def sealed_head_of_a_stranger(_folder):
    """What somebody sends to have a key released: only what the owner signed brings one."""
    with without_chance():
        head = sealed_head(seal(Original(media_type="image/png", data=b"plain"), OWNER, _PLACE))

    def attempt(data):
        return _opened(lambda: release_key(data, OWNER, _PLACE)) is not None and _is(data, head)

    return Target(name="sealed-head", seeds=[head], attempt=attempt)


def sealed_network(_folder):
    """Bytes of a sealed hash network, by the key and by a keyring."""
    checkpoint = b"a checkpoint is not looked into" * 4
    with without_chance():
        sealed = seal_network(checkpoint, OWNER)
    keyring = Keyring([OWNER])

    def attempt(data):
        opened = _opened(lambda: open_network(data, OWNER))
        assert opened == (checkpoint if data == sealed else None)
        try:
            read = read_network(data, keyring)
        except CryptoError:
            return False
        # What does not begin like a seal is taken for a plain checkpoint, as it is.
        assert read in (opened, data)
        return opened is not None

    return Target(name="sealed-network", seeds=[sealed], attempt=attempt)


def sealed_name(_folder):
    """An item's id and its sealed name, behind each other: no name but the one that was sealed."""
    names = ItemNames(OWNER.seal_key(COLLECTION))
    texts = ["a.png", "fruit/äpfel.png", "x" * 31, "y" * 32, "\u202egnp.exe"]
    pairs = [names.id_of(each).encode() + names.sealed(each) for each in texts]

    def attempt(data):
        item_id, sealed = data[:32].decode(errors="replace"), data[32:]
        name = _opened(lambda: names.opened(item_id, sealed))
        return name is not None and _is(data, *pairs)

    return Target(name="sealed-name", seeds=pairs, attempt=attempt)


def _opened(how: Callable[[], object]):
    """Return what opens, None where the one error says that it does not."""
    try:
        return how()
    except OpenError as error:
        assert error.__cause__ is None
        assert error.args == ("the sealed data does not open",)
        return None


def _is(data, *genuine) -> bool:
    assert data in genuine
    return True
