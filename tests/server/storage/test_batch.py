from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import Kind
from cipherlens.server.storage.records import CipherPixels
from cipherlens.server.storage.rows import ITEM_COLUMNS, change, stored
from cipherlens.server.storage.schema import ciphertexts, items
from tests.server.storage.conftest import Item, batch_of

SMALL = st.binary(max_size=6)
IMAGES = st.builds(
    CipherPixels, height=st.integers(1, 9), width=st.integers(1, 9), nonce=SMALL, pixels=SMALL
)
ITEMS = st.lists(
    st.builds(
        Item,
        item_id=st.text(min_size=1, max_size=5),
        revision=st.integers(0, 2**63 - 1),
        owner_tag=SMALL,
        sealed=SMALL,
        cipher=st.none() | IMAGES,
        content=SMALL,
        representation=st.binary(min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=4,
)


def joined(batch, first):
    """Return the rows of a batch as they are read: item, ciphertext and representation in one."""
    beside = {row[1]: row for row in batch.ciphertext_rows(1)}
    rows = zip(batch.item_rows(1, first), batch.representation_rows(2, first), strict=True)
    for item, (*_, computed_at, data, checksum) in rows:
        ciphertext = beside.get(item[1], (None,) * len(ciphertexts.columns))
        yield SimpleNamespace(
            **{
                **dict(zip(ciphertexts.columns.keys(), ciphertext, strict=True)),
                **dict(zip(items.columns.keys(), item, strict=True)),
                "ciphertext_checksum": ciphertext[-1],
            },
            computed_at=computed_at,
            data=data,
            data_checksum=checksum,
        )


def representation_of(row):
    return row.computed_at, row.data, row.data_checksum


@given(ITEMS, st.integers(1, 2**62))
def test_what_is_read_of_a_batch_is_what_was_put_in(given_items, first):
    by_id = {each.item_id: each for each in given_items}
    batch = batch_of(list(by_id.values()))
    for number, as_read in enumerate(joined(batch, first)):
        item = by_id[as_read.item_id]
        feed = (*(getattr(as_read, name) for name in ITEM_COLUMNS), *representation_of(as_read))
        assert change(feed) == batch.changes(first)[number]
        assert change(feed).sequence == first + number
        found = stored(as_read, Kind.CIPHER if item.cipher else Kind.VECTOR)
        assert (found.cipher, found.sealed) == (item.cipher, item.sealed)
        assert (found.summary.revision, found.summary.owner_tag) == (item.revision, item.owner_tag)


@given(ITEMS)
def test_what_is_wanted_of_a_batch_is_a_batch_of_what_is_wanted(given_items):
    wanted = [number % 2 == 0 for number in range(len(given_items))]
    kept = [each for each, is_wanted in zip(given_items, wanted, strict=True) if is_wanted]
    assert batch_of(given_items).only(wanted) == batch_of(kept)


@given(ITEMS, ITEMS)
def test_contents_are_equal_where_all_that_was_sent_is(one, other):
    def sent(item):
        return (item.owner_tag, item.sealed, item.cipher, item.content)

    pairs = zip(one, other, strict=False)
    digests = zip(batch_of(one).content_digests, batch_of(other).content_digests, strict=False)
    for (a, b), (digest, other_digest) in zip(pairs, digests, strict=True):
        assert (digest == other_digest) == (sent(a) == sent(b))
