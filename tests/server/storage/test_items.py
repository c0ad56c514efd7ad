import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cipherlens.base import Kind
from cipherlens.server.errors import AlreadyExists, NotFound, StaleRevision
from cipherlens.server.storage.records import Computed, Damaged, StoredItem
from tests.server.storage.conftest import batch_of


def put(database, made, batch):
    collection, generation = made
    with database.write() as transaction:
        state = transaction.collections.state(collection)
        return transaction.items.put(state, generation, batch_of(batch))


def delete(database, made, ids, up_to=None):
    with database.write() as transaction:
        state = transaction.collections.state(made[0])
        up_to = state.sequence if up_to is None else up_to
        return transaction.items.delete(state, ids, up_to=up_to, lasting=int)


def changes(database, made, since=0):
    with database.read() as transaction:
        return list(transaction.items.changes(*made, after=since, until=2**62))


def fetched(database, made, ids):
    with database.read() as transaction:
        return transaction.items.fetched(transaction.collections.state(made[0]), ids)


def test_an_item_comes_back_as_it_went_in(database, make_collection, item):
    made = make_collection()
    put(database, made, [item("a", sealed=b"sealed"), item("b")])
    found = fetched(database, made, ["b", "a", "c"])
    assert set(found) == {"a", "b"}
    assert (found["a"].sealed, found["a"].representation) == (b"sealed", b"12345678")
    assert (found["a"].summary.owner_tag, found["a"].summary.sealed_size) == (b"tag", 6)
    assert (found["b"].sealed, found["b"].cipher) == (b"", None)


def test_a_cipher_image_comes_back_as_it_went_in(database, make_collection, item):
    made = make_collection(kind=Kind.CIPHER)
    wanted = item("a", sealed=b"s", cipher=True)
    put(database, made, [wanted])
    assert fetched(database, made, ["a"])["a"].cipher == wanted.cipher


def test_sequences_are_taken_in_order_and_only_for_changes(database, make_collection, item):
    made = make_collection()
    assert put(database, made, [item("a"), item("b")]).sequence == 2
    again = put(database, made, [item("b"), item("c"), item("a")])
    assert (again.sequence, again.unchanged_count) == (3, 2)
    assert [each.item_id for each in again.changes] == ["c"]
    same = put(database, made, [item("a")])
    assert (same.sequence, same.changes) == (3, ())
    assert delete(database, made, ["b", "x"]).sequence == 4
    assert [(c.sequence, c.item_id) for c in changes(database, made)] == [
        (1, "a"),
        (3, "c"),
        (4, "b"),
    ]


@pytest.mark.parametrize(
    ("revision", "content"), [(5, b"other678"), (4, b"12345678"), (0, b"x" * 8)]
)
def test_a_revision_that_is_not_higher_is_stale_and_the_batch_stays_out(
    database, make_collection, item, revision, content
):
    made = make_collection()
    put(database, made, [item("a", revision=5)])
    with pytest.raises(StaleRevision) as caught:
        put(database, made, [item("new"), item("a", revision=revision, content=content)])
    assert caught.value.metadata["stored"] == "5"
    assert [each.item_id for each in changes(database, made)] == ["a"]


def test_a_late_retry_does_not_raise_the_dead(database, make_collection, item):
    made = make_collection()
    put(database, made, [item("a", revision=3)])
    delete(database, made, ["a"])
    for revision in (1, 3):
        with pytest.raises(StaleRevision, match="deleted"):
            put(database, made, [item("a", revision=revision)])
    put(database, made, [item("a", revision=4)])
    assert set(fetched(database, made, ["a"])) == {"a"}


def test_a_deletion_leaves_a_tombstone_and_no_ciphertext(database, make_collection, item):
    made = make_collection()
    put(database, made, [item("a", sealed=b"secret")])
    assert delete(database, made, ["a"]).changes[0].representation is None
    assert delete(database, made, ["a"]).changes == ()
    assert fetched(database, made, ["a"]) == {}
    (tombstone,) = changes(database, made)
    assert (tombstone.item_id, tombstone.revision, tombstone.representation) == ("a", 1, None)
    with database._reading() as connection:
        for table in ("ciphertexts", "representations"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0


def test_the_content_is_what_was_sent_not_what_was_made_of_it(database, make_collection, item):
    made = make_collection()
    put(database, made, [item("a")])
    sent = item("a")
    rounded = sent._replace(representation=b"12345679")
    assert put(database, made, [rounded]).unchanged_count == 1


def test_pages_follow_each_other_in_the_order_of_utf8_bytes(database, make_collection, item):
    made = make_collection()
    ids = ["b", "a/1", "ä", "z", "\U0001f600", "B", "a", "\uffee"]
    put(database, made, [item(each) for each in ids])
    delete(database, made, ["b"])
    found, after = [], ""
    with database.read() as transaction:
        while page := transaction.items.page(made[0], after=after, size=3):
            found += [each.item_id for each in page]
            after = page[-1].item_id
    assert found == sorted(set(ids) - {"b"}, key=str.encode)


def test_more_ids_than_fit_into_a_statement(database, make_collection, item):
    made = make_collection()
    ids = [f"i{n}" for n in range(1201)]
    assert len(put(database, made, [item(each) for each in ids]).changes) == 1201
    assert put(database, made, [item(each) for each in ids]).unchanged_count == 1201
    assert len(fetched(database, made, ids)) == 1201
    assert len(delete(database, made, ids).changes) == 1201


def test_what_was_seen_whole_is_not_read_again_unless_it_has_changed(
    database, make_collection, item
):
    made = make_collection()
    put(database, made, [item("a", sealed=b"s"), item("b", sealed=b"s")])
    with database.read() as transaction:
        whole = transaction.items.whole(*made, ["a", "b", "c"])
    assert whole == {"a": 1, "b": 2}
    put(database, made, [item("b", revision=2)])
    with database._writing() as connection:
        connection.execute(text("UPDATE ciphertexts SET sealed = :other"), OTHER)
    batch = batch_of([item("a", sealed=b"s"), item("b", revision=2), item("c")])
    with database.write() as transaction:
        state = transaction.collections.state(made[0])
        written = transaction.items.put(state, made[1], batch, whole)
    # The damage came after the look at it, so only what changed since is looked at.
    assert ([each.item_id for each in written.changes], written.unchanged_count) == (["c"], 2)


OTHER = {"other": bytes(8)}
DAMAGE = {
    "item row": "UPDATE items SET revision = revision + 1 WHERE item_id = 'a'",
    "item tag": "UPDATE items SET owner_tag = :other WHERE item_id = 'a'",
    "ciphertext": "UPDATE ciphertexts SET sealed = :other WHERE item_id = 'a'",
    "lost ciphertext": "DELETE FROM ciphertexts WHERE item_id = 'a'",
    "representation": "UPDATE representations SET data = :other WHERE item_id = 'a'",
    "stale": "UPDATE representations SET sequence = 77 WHERE item_id = 'a'",
    "lost representation": "DELETE FROM representations WHERE item_id = 'a'",
}
# PostgreSQL has no value of another type than its column's.
DAMAGE_OF_TYPES = {
    "item type": "UPDATE items SET content_digest = 'text' WHERE item_id = 'a'",
    "item null": "UPDATE items SET revision = 'nine' WHERE item_id = 'a'",
}


@pytest.mark.parametrize(
    ("dialect", "damage"),
    [
        *(pytest.param("sqlite", each, id=f"{name}-sqlite") for name, each in DAMAGE.items()),
        *(pytest.param("postgres", each, id=f"{name}-postgres") for name, each in DAMAGE.items()),
        *(pytest.param("sqlite", each, id=name) for name, each in DAMAGE_OF_TYPES.items()),
    ],
)
def test_damage_is_named_and_the_others_are_served_and_writing_again_mends(
    database, make_collection, item, damage
):
    made = make_collection()
    put(database, made, [item("a", sealed=b"s"), item("b", sealed=b"s")])
    with database._writing() as connection:
        assert connection.execute(text(damage), OTHER).rowcount == 1
    found = fetched(database, made, ["a", "b"])
    assert isinstance(found["a"], Damaged)
    assert isinstance(found["b"], StoredItem)
    written = put(database, made, [item("a", sealed=b"s"), item("b", sealed=b"s")])
    assert ([c.item_id for c in written.changes], written.unchanged_count) == (["a"], 1)
    assert isinstance(fetched(database, made, ["a"])["a"], StoredItem)


def test_a_cipher_image_without_its_representation_is_whole(database, make_collection, item):
    made = make_collection(kind=Kind.CIPHER)
    put(database, made, [item("a", cipher=True)])
    with database._writing() as connection:
        connection.execute(text(DAMAGE["representation"]), OTHER)
    assert isinstance(fetched(database, made, ["a"])["a"], StoredItem)
    assert [type(each) for each in changes(database, made)] == [Damaged]


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL has no text that is none
def test_a_damaged_id_stays_out_of_pages(database, make_collection, item):
    made = make_collection()
    put(database, made, [item("a"), item("b"), item("c")])
    with database._writing() as connection:
        connection.execute(
            text("UPDATE items SET item_id = CAST(x'62ff' AS TEXT) WHERE item_id = 'b'")
        )
    with database.read() as transaction:
        page = transaction.items.page(made[0], after="", size=10)
        assert [each.item_id for each in page] == ["a", "c"]


def test_a_representation_of_a_state_that_is_gone_is_not_stored(database, make_collection, item):
    made = make_collection(kind=Kind.CIPHER)
    put(database, made, [item("a", cipher=True), item("b", cipher=True), item("c", cipher=True)])
    with database.write() as transaction:
        shadow = transaction.collections.add_generation(
            made[0], model_digest=b"m" * 32, numeric_mode="x", length=2
        )
        transaction.collections.set_generations(made[0], active=made[1].id, shadow=shadow.id)
    put(database, made, [item("a", revision=2, cipher=True)])
    delete(database, made, ["b"])
    rows = [Computed(item_id=i, sequence=n, data=b"87654321") for n, i in enumerate("abc", 1)]
    with database.write() as transaction:
        state = transaction.collections.state(made[0])
        transaction.items.put_representations(state, shadow, rows)
        assert transaction.items.count_represented(shadow) == 1
        lacking = transaction.items.unrepresented(made[0], shadow, after=0, limit=9)
        assert [each.item_id for each in lacking] == ["a"]


def test_representations_for_a_generation_that_was_dropped_are_not_stored(
    database, make_collection, item
):
    made = make_collection(kind=Kind.CIPHER)
    put(database, made, [item("a", cipher=True)])
    with database.write() as transaction:
        transaction.collections.set_generations(made[0], active=None, shadow=None)
        state = transaction.collections.state(made[0])
        transaction.items.put_representations(
            state, made[1], [Computed(item_id="a", sequence=1, data=b"x")]
        )


def test_a_name_is_taken_once_and_a_new_collection_has_new_numbers(database, make_collection):
    first, generation = make_collection()
    with pytest.raises(AlreadyExists):
        make_collection()
    with database.write() as transaction:
        transaction.collections.drop("v")
    with pytest.raises(NotFound), database.read() as transaction:
        transaction.collections.state(first)
    second, new_generation = make_collection()
    assert second.uuid != first.uuid
    assert (second.id, new_generation.id) > (first.id, generation.id)


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.integers(0, 3), st.sampled_from([None, b"x" * 8, b"y" * 8])
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=25)
def test_any_run_of_writes_and_deletes_leaves_what_a_dictionary_would(new_collection, item, steps):
    database, make = new_collection
    made = make()
    model, alive = {}, set()
    for item_id, revision, content in steps:
        if content is None:
            delete(database, made, [item_id])
            alive.discard(item_id)
            continue
        stored = model.get(item_id)
        same = stored == (revision, content) and item_id in alive
        try:
            put(database, made, [item(item_id, revision=revision, content=content)])
        except StaleRevision:
            assert stored is not None
            assert revision <= stored[0]
            assert not same
            continue
        assert same or stored is None or revision > stored[0]
        model[item_id] = (revision, content)
        alive.add(item_id)
    found = fetched(database, made, list("abcd"))
    assert {i: (f.summary.revision, f.representation) for i, f in found.items()} == {
        i: model[i] for i in alive
    }
