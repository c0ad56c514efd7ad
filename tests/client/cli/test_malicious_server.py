"""What the commands say of a server that does not give what the owner stored."""

import copy
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cipherlens.client.cli.failure import NOT_GENUINE
from cipherlens.crypto import KeyEntry, seal_network
from tests.client.malicious import Malicious, between

Run = Callable[..., Any]


@pytest.fixture
def malicious(target: str) -> Iterator[Malicious]:
    with between(target) as made:
        yield made


@pytest.fixture
def to(malicious: Malicious) -> tuple[str, str]:
    return ("--server", malicious.target)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"c{abs(hash(request.node.nodeid))}"


@pytest.fixture
def indexed(
    run: Run, to, name: str, keyring: Path, checkpoint: Path, folder: Path
) -> tuple[object, ...]:
    """Words that name a collection of cipher-images, which is indexed, and its server and key."""
    mine = ("--keyring", keyring, *to)
    assert run("collection", "create", name, "--kind", "cipher", *mine).code == 0
    assert run("model", "push", checkpoint, "--collection", name, *to).code == 0
    assert run("index", name, folder, *mine).code == 0
    return mine


@pytest.fixture(params=["plain", "masked"])
def coded(
    run: Run,
    to,
    name: str,
    keyring: Path,
    key: KeyEntry,
    hash_checkpoint,
    folder,
    tmp_path,
    request,
) -> tuple[object, ...]:
    """The same for a collection of codes, masked or not; the words name the network as well."""
    sealed = tmp_path / "hash.sealed"
    sealed.write_bytes(seal_network(hash_checkpoint.read_bytes(), key))
    masked = ("--keyring", keyring) if request.param == "masked" else ()
    made = run("collection", "create", name, "--kind", "code", "--bits", 24, *masked, *to)
    assert made.code == 0
    mine = ("--keyring", keyring, *to, "--model", sealed, "--device", "cpu")
    assert run("index", name, folder, *mine).code == 0
    return mine


def item_ids(run: Run, name: str, mine: tuple[object, ...]) -> dict[str, str]:
    """Return the ids of all items by name, as an honest server lists them."""
    lines = run("item", "list", name, *mine[:4], "--json").out.splitlines()
    return {each["name"]: each["item_id"] for each in map(json.loads, lines)}


def of_item(item_id: str, change: Callable[[Any], None]) -> Callable[[Any, Any], Any]:
    """Return what changes one item in the answers of a Fetch."""

    def altered(_request: Any, answer: Any) -> Any:
        if answer.item_id == item_id:
            change(answer.item)
        return answer

    return altered


def flip(data: bytes, position: int) -> bytes:
    altered = bytearray(data)
    altered[position] ^= 1
    return bytes(altered)


def altered_seal(item: Any) -> None:
    item.sealed_original = flip(item.sealed_original, -100)


def truncated_seal(item: Any) -> None:
    item.sealed_original = item.sealed_original[:-1]


def altered_picture(item: Any) -> None:
    item.cipher_image.pixels = flip(item.cipher_image.pixels, 7)


def older(item: Any) -> None:
    item.revision -= 1


def newer(item: Any) -> None:
    item.revision += 1


def stripped_seal(item: Any) -> None:
    item.sealed_original = b""


def stripped_and_altered(item: Any) -> None:
    stripped_seal(item)
    altered_picture(item)


@pytest.mark.parametrize(
    "change",
    [
        altered_seal,
        truncated_seal,
        altered_picture,
        older,
        newer,
        stripped_seal,
        stripped_and_altered,
    ],
)
def test_an_item_that_was_changed_is_not_written(
    run: Run, name: str, indexed, malicious: Malicious, tmp_path: Path, change
) -> None:
    ids = item_ids(run, name, indexed)
    malicious.alter["Fetch"] = of_item(ids["a.png"], change)
    out = tmp_path / "out"
    fetched = run("item", "fetch", name, "a.png", "b.png", *indexed, "--out", out, "--json")
    assert fetched.code == NOT_GENUINE
    changed, other = fetched.document["items"]
    assert (changed["files"], changed["genuine"]) == ([], False)
    assert (other["files"], other["genuine"]) == ([str(out / "b.png")], True)
    # Fetched without a key and decrypted later, it is found out as well.
    raw = tmp_path / "raw"
    assert run("item", "fetch", name, ids["a.png"], *indexed[2:], "--out", raw).code == 0
    for path in raw.iterdir():
        decrypted = run("decrypt", path, *indexed[:2], "--out", tmp_path / "plain")
        assert change in {stripped_seal, stripped_and_altered} or decrypted.code == NOT_GENUINE


@pytest.mark.parametrize("other", ["item", "collection"])
def test_what_was_stored_elsewhere_is_not_written(
    run: Run, name, indexed, malicious: Malicious, tmp_path, checkpoint, folder: Path, other: str
) -> None:
    """The server hands out another item, or that of another collection, under the id asked for."""
    ids = item_ids(run, name, indexed)
    twin = f"{name}-twin"
    run("collection", "create", twin, "--kind", "cipher", *indexed)
    run("model", "push", checkpoint, "--collection", twin, *indexed[2:])
    run("index", twin, folder, *indexed)
    there, wanted = (twin, "a.png") if other == "collection" else (name, "b.png")
    source = item_ids(run, there, indexed)[wanted]
    from cipherlens.v1 import retrieval_service_pb2 as messages

    request = messages.FetchRequest(collection=there, item_ids=[source])
    (stolen,) = malicious._stub.Fetch(request)

    def exchanged(_request: Any, answer: Any) -> Any:
        given = copy.deepcopy(stolen)
        given.item_id = given.item.item_id = answer.item_id
        return given

    malicious.alter["Fetch"] = exchanged
    out = tmp_path / "out"
    fetched = run("item", "fetch", name, "a.png", *indexed, "--out", out, "--json")
    assert (fetched.code, fetched.document["items"][0]["files"]) == (NOT_GENUINE, [])
    assert ids["a.png"] == fetched.document["items"][0]["item_id"]


def test_an_older_revision_that_the_owner_had_is_found_out(
    run: Run, name: str, indexed, malicious: Malicious, tmp_path: Path, folder: Path, noise
) -> None:
    from cipherlens.v1 import retrieval_service_pb2 as messages

    ids = item_ids(run, name, indexed)
    request = messages.FetchRequest(collection=name, item_ids=[ids["a.png"]])
    (before,) = malicious._stub.Fetch(request)
    noise(70).save(folder / "a.png")
    assert "1 indexed" in run("index", name, folder, *indexed).out
    malicious.alter["Fetch"] = lambda _request, _answer: before
    words = ("item", "fetch", name, "a.png", *indexed, "--out", tmp_path / "out", "--json")
    fetched = run(*words)
    assert fetched.code == NOT_GENUINE
    assert "has revision" in fetched.document["items"][0]["error"]
    # The folder is indexed again: what the server lists as older than was signed is sent anew.
    malicious.alter["ListItems"] = rolled_back(ids["a.png"], before.item)
    assert "1 indexed" in run("index", name, folder, *indexed).out


def rolled_back(item_id: str, item: Any) -> Callable[[Any, Any], Any]:
    """Return what lists one item as it was."""

    def altered(_request: Any, answer: Any) -> Any:
        for each in answer.items:
            if each.item_id == item_id:
                each.revision, each.owner_tag = item.revision, item.owner_tag
        return answer

    return altered


def test_an_item_that_is_denied_is_found_out(
    run: Run, name: str, indexed, malicious: Malicious, tmp_path: Path
) -> None:
    from cipherlens.v1 import retrieval_service_pb2 as messages

    def denied(_request: Any, answer: Any) -> Any:
        missing = messages.ITEM_STATE_MISSING
        return messages.FetchResponse(item_id=answer.item_id, state=missing)

    malicious.alter["Fetch"] = denied
    fetched = run("item", "fetch", name, "a.png", *indexed, "--out", tmp_path / "out")
    assert fetched.code == NOT_GENUINE
    assert "lists it" in fetched.err


def hits_altered(change: Callable[[Any], None]) -> Callable[[Any, Any], Any]:
    def altered(_request: Any, answer: Any) -> Any:
        for hits in answer.results:
            change(hits)
        return answer

    return altered


def one_less(hits: Any) -> None:
    for field in ("item_ids", "revisions", "similarities", "distances"):
        values = getattr(hits, field)
        if values:
            del values[0]


def twice(hits: Any) -> None:
    hits.item_ids[1], hits.revisions[1] = hits.item_ids[0], hits.revisions[0]


def unknown(hits: Any) -> None:
    hits.item_ids[0] = "a" * 32


def old(hits: Any) -> None:
    hits.revisions[0] -= 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (one_less, "there are 4 hits where manifest 1 promises 5"),
        (twice, "is a hit twice"),
        (unknown, "is not in manifest 1"),
        (old, "listed is"),
    ],
)
def test_hits_are_held_to_the_manifest(
    run: Run, name: str, indexed, malicious: Malicious, folder: Path, change, sentence: str
) -> None:
    words = ("search", name, folder / "a.png", *indexed, "--json")
    honest = run(*words)
    assert (honest.code, honest.document["problems"]) == (0, [])
    malicious.alter["Search"] = hits_altered(change)
    found = run(*words)
    assert found.code == NOT_GENUINE
    assert any(sentence in problem for problem in found.document["problems"])
    told = run(*words[:-1]).err
    assert sentence in told
    assert "'manifest pull'" in told


def exchange_ends(hits: Any) -> None:
    """Give the last hit the rank and score of the first, and the other way round."""
    ids, revisions = list(hits.item_ids), list(hits.revisions)
    ids[0], ids[-1] = ids[-1], ids[0]
    revisions[0], revisions[-1] = revisions[-1], revisions[0]
    hits.item_ids[:], hits.revisions[:] = ids, revisions


def test_an_omitted_hit_and_a_false_ranking_are_found_by_a_search_anew(
    run: Run, name: str, coded, malicious: Malicious, folder: Path
) -> None:
    words = ("search", name, folder / "a.png", "-k", 3, *coded, "--json")
    honest = run(*words, "--verify")
    assert (honest.code, honest.document["problems"]) == (0, [])
    best = honest.document["hits"][0]["item_id"]

    def without_the_best(request: Any, answer: Any) -> Any:
        request.k = 4
        full = malicious._stub.Search(request)
        for field in ("item_ids", "revisions", "distances"):
            values = list(getattr(full.results[0], field))
            del getattr(answer.results[0], field)[:]
            getattr(answer.results[0], field).extend(values[1:])
        return answer

    for alter, sentence in (
        (without_the_best, f"item '{best}' is nearer than the last hit and was left out"),
        (hits_altered(exchange_ends), f"item '{best}' is given a score of"),
    ):
        malicious.alter["Search"] = alter
        assert run(*words).code == 0  # the manifest alone cannot show it
        found = run(*words, "--verify")
        assert found.code == NOT_GENUINE
        assert any(sentence in problem for problem in found.document["problems"])


def test_codes_that_were_changed_or_are_held_back_do_not_verify(
    run: Run, name: str, coded, malicious: Malicious, folder: Path
) -> None:
    words = ("search", name, folder / "a.png", *coded, "--json", "--verify")
    ids = item_ids(run, name, coded)

    def other_code(item: Any) -> None:
        item.code = flip(item.code, 0) if item.code else b""

    malicious.alter["Fetch"] = of_item(ids["b.png"], other_code)
    found = run(*words)
    assert found.code == NOT_GENUINE
    assert any("another digest" in problem for problem in found.document["problems"])


def test_verifying_cipher_images_asks_whether_all_is_there(
    run: Run, name: str, indexed, malicious: Malicious, folder: Path
) -> None:
    words = ("search", name, folder / "a.png", *indexed, "--json", "--verify")
    assert run(*words).code == 0
    ids = item_ids(run, name, indexed)
    malicious.alter["Fetch"] = of_item(ids["b.png"], older)
    found = run(*words)
    assert found.code == NOT_GENUINE


def test_the_page_of_hits_shows_no_picture_that_nothing_vouches_for(
    run: Run, name: str, indexed, malicious: Malicious, folder: Path, tmp_path: Path
) -> None:
    def strip_all(_request: Any, answer: Any) -> Any:
        for item in answer.items:
            stripped_and_altered(item)
        return answer

    page = tmp_path / "hits.html"
    words = ("search", name, folder / "a.png", "-k", 2, *indexed, "--html", page)
    malicious.alter["Search"] = strip_all
    assert run(*words).code == NOT_GENUINE
    assert page.read_text().count("another digest than revision") == 2


def test_names_that_were_exchanged_do_not_open(
    run: Run, name: str, indexed, malicious: Malicious
) -> None:
    def exchanged(_request: Any, answer: Any) -> Any:
        tags = [each.owner_tag for each in answer.items]
        for each, tag in zip(answer.items, reversed(tags), strict=True):
            each.owner_tag = tag
        return answer

    malicious.alter["ListItems"] = exchanged
    assert run("item", "list", name, *indexed).code == NOT_GENUINE


def test_a_server_s_copy_of_a_manifest_is_the_owners_and_no_older(
    run: Run, name: str, indexed, malicious: Malicious, tmp_path: Path, folder: Path, noise
) -> None:
    reader = (*indexed, "--manifests", tmp_path / "reader")
    assert run("manifest", "show", name, *reader).code == 3
    assert run("manifest", "pull", name, *indexed).code == 3
    pushed = run("manifest", "push", name, *indexed, "--json").document
    assert (pushed["counter"], pushed["item_count"]) == (1, 5)
    from cipherlens.v1 import retrieval_service_pb2 as messages

    request = messages.FetchRequest(
        collection=f"{name}.manifest", item_ids=[f"{pushed['uuid']}/000000"]
    )
    (before,) = malicious._stub.Fetch(request)
    noise(71).save(folder / "more.png")
    assert run("index", name, folder, *indexed).code == 0
    assert run("manifest", "push", name, *indexed).code == 0
    assert run("manifest", "pull", name, *reader, "--json").document["counter"] == 2
    assert run("search", name, folder / "a.png", *reader).code == 0
    malicious.alter["Fetch"] = lambda _request, _answer: before
    old = run("manifest", "pull", name, *reader)
    assert old.code == NOT_GENUINE
    assert "counter 1, 2 was seen before" in old.err

    def forged(_request: Any, answer: Any) -> Any:
        answer.item.sealed_original = flip(answer.item.sealed_original, 40)
        return answer

    malicious.alter["Fetch"] = forged
    assert run("manifest", "pull", name, *reader).code == NOT_GENUINE
    assert run("manifest", "show", name, *reader, "--json").document["counter"] == 2


def test_what_programs_wrote_is_signed_as_it_is_now(
    run: Run, to, target: str, name: str, keyring: Path, key: KeyEntry, tmp_path: Path, noise
) -> None:
    import numpy as np

    from cipherlens.client import Client

    picture: Image.Image = noise(3)
    with Client(target, key=key) as client:
        client.create_vector_collection(name, 8)
        rows = np.random.default_rng(0).normal(size=(3, 8))
        client.index_vectors(name, ["a", "b", "c"], rows, originals=[picture] * 3)
    mine = ("--keyring", keyring, *to)
    signed = run("manifest", "sign", name, *mine, "--json").document
    assert (signed["counter"], signed["item_count"]) == (1, 3)
    words = ("item", "fetch", name, "a", "--readable-ids", *mine, "--out", tmp_path / "out")
    assert run(*words).code == 0
    assert run("item", "delete", name, "b", "--readable-ids", "--yes", *mine).code == 0
    shown = run("manifest", "show", name, *mine, "--json").document
    assert (shown["counter"], shown["item_count"]) == (2, 2)


@pytest.fixture
def tagged(run: Run, name: str, coded, folder: Path) -> tuple[object, ...]:
    """The words of a search by tag "x", which a.png, b.png and c.jpg have of five pictures."""
    tags = folder.parent / "tags.csv"
    tags.write_text("a.png,x\nb.png,x\nc.jpg,x\n")
    assert "3 indexed" in run("index", name, folder, *coded, "--tags", tags).out
    return ("search", name, folder / "a.png", *coded, "--json", "--tag", "x")


def without_filter(request: Any, answer: Any, malicious: Malicious) -> Any:
    """Answer as if no tags were asked for."""
    request.ClearField("filter")
    return malicious._stub.Search(request)


def stripped_tags(item: Any) -> None:
    item.sealed_tags = b""


def test_a_search_by_tags_is_held_to_the_manifest(
    run: Run, name: str, coded, tagged, malicious: Malicious
) -> None:
    honest = run(*tagged)
    assert (honest.code, honest.document["problems"]) == (0, [])
    assert sorted(hit["name"] for hit in honest.document["hits"]) == ["a.png", "b.png", "c.jpg"]
    verified = run(*tagged, "--verify")
    assert (verified.code, verified.document["problems"]) == (0, [])
    ids = item_ids(run, name, coded)
    malicious.alter["Search"] = lambda *of: without_filter(*of, malicious)
    found = run(*tagged)
    assert found.code == NOT_GENUINE
    wrong = sorted(ids[each] for each in ("deep/d.png", "deep/er/e.webp"))
    assert sorted(found.document["problems"]) == [
        f"item {each!r} has other tags in manifest 2 than were asked for" for each in wrong
    ]
    malicious.alter["Search"] = hits_altered(one_less)
    left_out = run(*tagged)
    assert left_out.code == NOT_GENUINE
    assert left_out.document["problems"] == ["there are 2 hits where manifest 2 promises 3"]


def test_a_hit_left_out_of_a_search_by_tags_is_found_by_a_search_anew(
    run: Run, name: str, tagged, malicious: Malicious
) -> None:
    best = run(*tagged).document["hits"][0]["item_id"]

    def without_the_best(request: Any, answer: Any) -> Any:
        request.k = 3
        full = malicious._stub.Search(request)
        one_less(full.results[0])
        return full

    malicious.alter["Search"] = without_the_best
    words = (*tagged, "-k", 2)
    assert run(*words).code == 0  # two hits with the tag: the manifest alone cannot show it
    found = run(*words, "--verify")
    assert found.code == NOT_GENUINE
    sentence = f"item '{best}' is nearer than the last hit and was left out"
    assert found.document["problems"] == [sentence]


def test_tags_that_a_server_leaves_out_are_found_out(
    run: Run, name: str, coded, tagged, malicious: Malicious, folder: Path, tmp_path: Path
) -> None:
    ids = item_ids(run, name, coded)
    mine = coded[:4]
    malicious.alter["Fetch"] = of_item(ids["a.png"], stripped_tags)
    sentence = f"item '{ids['a.png']}' has no tags, not those that revision"
    found = run(*tagged, "--verify")
    assert found.code == NOT_GENUINE
    assert any(sentence in problem for problem in found.document["problems"])
    fetched = run("item", "fetch", name, "a.png", *mine, "--out", tmp_path / "out", "--json")
    assert fetched.code == NOT_GENUINE
    assert sentence in fetched.document["items"][0]["error"]

    def stripped(_request: Any, answer: Any) -> Any:
        for each in answer.items:
            if each.item_id == ids["a.png"]:
                stripped_tags(each)
        return answer

    # The owner does not sign what is left: other files are indexed, this one is passed over.
    del malicious.alter["Fetch"]
    malicious.alter["ListItems"] = stripped
    again = run("index", name, folder, *coded)
    assert "4 unchanged" in again.out
    assert "the tags that the manifest lists for it are not on the server" in again.err
    del malicious.alter["ListItems"]
    assert "5 unchanged" in run("index", name, folder, *coded).out
    assert run("manifest", "show", name, *mine, "--json").document["counter"] == 2


def test_a_manifest_that_knows_no_tags_is_told(
    run: Run, name: str, coded, tagged, key: KeyEntry, keyring: Path
) -> None:
    """As one of format 2 does not."""
    from cipherlens.client.manifests import ManifestFolder
    from cipherlens.crypto import Manifest

    where = uuid.UUID(run("manifest", "show", name, *coded[:4], "--json").document["uuid"])
    folder = ManifestFolder.beside(keyring)
    known = folder.load(where, key.verify_key)
    assert known is not None
    items = {item_id: listed._replace(tags=None) for item_id, listed in known.items.items()}
    bare = Manifest(collection_uuid=where, counter=3, items=items)
    folder.keep(where, bare.sign(key), key.verify_key)
    assert run(*tagged).code == 0
    refused = run(*tagged, "--verify")
    assert refused.code == 1
    assert "manifest 3 does not say which tags 5 items have" in refused.err
    assert "'manifest sign'" in refused.err
    assert run("manifest", "sign", name, *coded[:4]).code == 0
    assert run(*tagged, "--verify").code == 0


@pytest.mark.parametrize("rights", [(), ("--open",)], ids=["search", "open"])
def test_who_was_granted_a_key_holds_the_server_to_the_owners_manifest(
    run: Run, name: str, indexed, malicious: Malicious, tmp_path: Path, folder: Path, key, rights
) -> None:
    from cipherlens.crypto import Keyring, recipient_text

    user, grant = tmp_path / "user.keys", tmp_path / "a.grant"
    run("keys", "identity", "new", user, "--no-passphrase")
    (identity,) = Keyring.load(user).received.identities
    words = ("--to", recipient_text(identity.recipient), *rights, "--out", grant)
    assert run("grant", "new", name, *indexed, *words).code == 0
    assert run("keys", "import", user, grant, "--owner", key.verify_key.hex()).code == 0
    assert run("manifest", "push", name, *indexed).code == 0
    his = ("--keyring", user, *indexed[2:])
    assert run("manifest", "pull", name, *his).code == 0
    query = ("search", name, folder / "a.png", *his)
    assert run(*query).code == 0
    malicious.alter["Search"] = hits_altered(one_less)
    assert run(*query).code == NOT_GENUINE
    if rights:
        ids = item_ids(run, name, indexed)
        malicious.alter["Fetch"] = of_item(ids["a.png"], stripped_seal)
        fetched = run("item", "fetch", name, "a.png", *his, "--out", tmp_path / "out")
        assert fetched.code == NOT_GENUINE
