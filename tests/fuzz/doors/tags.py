"""Tags: texts that people give them as, and what a server has in their place."""

from cipherlens.crypto import OpenError
from cipherlens.crypto.item_tags import MAX_TAG_BYTES, SealedTags, TagTokens, checked_tag
from tests.fuzz.doors.keys import COLLECTION, OWNER
from tests.fuzz.mutation import mutated_text
from tests.fuzz.target import Target


def sealed_tags(_folder):
    """Tags as they lie beside an item: none open but those that were sealed for it."""
    beside = SealedTags(OWNER.seal_key(COLLECTION))
    several = (["a"], ["holiday", "camera=x100", "ü"], [f"{n}" * MAX_TAG_BYTES for n in range(9)])
    sealed = {b"": [], **{beside.sealed(each, "a", 1): sorted(each) for each in several}}

    def attempt(data):
        try:
            opened = beside.opened(data, "a", 1)
        except OpenError:
            opened = None
        assert opened == sealed.get(data)
        for other in (("b", 1), ("a", 2)):
            try:
                assert beside.opened(data, *other) == [] == opened
            except OpenError:
                continue
        return opened is not None

    return Target(name="sealed-tags", seeds=list(sealed), attempt=attempt)


def tag(_folder):
    """A tag's text: a ValueError, or one that comes back from its seal, and has one token."""
    beside = SealedTags(OWNER.seal_key(COLLECTION))
    tokens = TagTokens(bytes(32))

    def attempt(data):
        text = data.decode(errors="surrogatepass") if _is_text(data) else data.decode("latin-1")
        try:
            checked = checked_tag(text)
        except ValueError:
            return False
        assert checked_tag(checked) == checked
        assert beside.opened(beside.sealed([checked], "a", 1), "a", 1) == [checked]
        assert tokens.of([text]) == tokens.of([checked])
        assert len(tokens.of([checked])) == 1
        return True

    def mutate(data, rng):
        text = data.decode(errors="replace")
        return mutated_text(text, rng).encode(errors="surrogatepass")

    seeds = ["holiday", "camera=x100", "e\u0301", "\u202eab", "a" * MAX_TAG_BYTES]
    return Target(
        name="tag", seeds=[each.encode() for each in seeds], attempt=attempt, mutate=mutate
    )


def _is_text(data):
    try:
        data.decode(errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
