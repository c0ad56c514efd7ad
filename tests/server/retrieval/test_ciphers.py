"""Cipher collections and their models, end to end through a real server."""

import hashlib
import json
import threading

import grpc
import numpy as np
import pytest

from cipherlens.model.inference import NetworkRunner
from cipherlens.server.call import Call
from cipherlens.server.config import Limits
from cipherlens.server.engine import takeover
from cipherlens.server.engine.takeover import Takeover
from cipherlens.server.errors import StorageUnavailable
from cipherlens.server.storage.collections import Collections
from cipherlens.server.storage.items import Items
from cipherlens.v1 import cipher_image_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb


def ids(count, prefix="i"):
    return [f"{prefix}{n}" for n in range(count)]


@pytest.fixture
def served(cloud, cipher_profile, checkpoint):
    """Return a server with an empty cipher collection "e" and a model at work in it."""
    cloud.create_ciphers(cipher_profile())
    cloud.push(checkpoint(), "e", name="tiny")
    return cloud


@pytest.fixture(scope="module")
def steady(start_cloud, cipher_profile, checkpoint):
    """Return such a server for tests that change nothing."""
    cloud = start_cloud()
    cloud.create_ciphers(cipher_profile())
    cloud.push(checkpoint(), "e", name="tiny")
    yield cloud
    cloud.stop(0)


def embedded(checkpoint_bytes, images):
    """Return what the model makes of each image by itself."""
    from cipherlens.model.embedder import Embedder

    embedder = Embedder(checkpoint_bytes, "cpu")
    pixels = [
        np.array(np.frombuffer(each.pixels, np.uint8)).reshape(1, each.height, each.width, 3)
        for each in images.images
    ]
    return np.concatenate([embedder.embed(each) for each in pixels])


def test_a_pushed_model_serves_an_empty_collection_at_once(cloud, cipher_profile, checkpoint):
    made = cloud.create_ciphers(cipher_profile())
    assert (made.dimension, made.profile) == (0, cipher_profile())
    data = checkpoint()
    answer = cloud.push(data, "e", name="tiny")
    digest = hashlib.sha256(data).digest()
    assert (answer.model.digest, answer.model.name, answer.model.dimension) == (digest, "tiny", 8)
    assert answer.model.profile == cipher_profile()
    assert answer.collection.active_generation.model_digest == digest
    assert answer.collection.active_generation.numeric_mode.startswith("cpu-")
    assert answer.collection.dimension == 8
    info = cloud.stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=20)
    assert info.model_device == "cpu"


def test_a_search_ranks_by_what_the_model_makes_of_the_pixels(served, checkpoint, cipher_images):
    images = cipher_images(30)
    served.index(ids(30), "e", cipher_images=images)
    rows = embedded(checkpoint(), images)
    found = served.search(
        "e", k=30, cipher_images=images, parameters=pb.SearchParameters(exact=True)
    )
    for query, hits in zip(rows, found.results, strict=True):
        at = [int(each[1:]) for each in hits.item_ids]
        np.testing.assert_allclose(hits.similarities, rows[at] @ query, atol=0.01)
        assert hits.similarities[0] > 0.9999


def test_both_orientations_in_one_batch(served, cipher_images):
    images = cipher_images(3)
    images.images.extend(cipher_images(3, portrait=True, seed=1).images)
    served.index(ids(6), "e", cipher_images=images)
    assert [each[0] for each in served.ids_found("e", k=1, cipher_images=images)] == ids(6)


def test_a_cipher_image_comes_back_as_it_went_in_and_retries_change_nothing(served, cipher_images):
    images = cipher_images(3)
    served.index(ids(3), "e", cipher_images=images, sealed=b"sealed")
    again = served.index(ids(3), "e", cipher_images=images, sealed=b"sealed")
    assert (again.written_count, again.unchanged_count) == (0, 3)
    served.restart()
    found = served.fetch(ids(3), "e")
    assert [found[each].item.cipher_image for each in ids(3)] == list(images.images)
    assert {each.item.sealed_original for each in found.values()} == {b"sealed"}
    assert [each[0] for each in served.ids_found("e", k=1, cipher_images=images)] == ids(3)


def test_without_a_model_nothing_is_written_or_ranked(
    cloud, cipher_profile, cipher_images, failure
):
    cloud.create_ciphers(cipher_profile())
    before = cloud.state()
    for call in (
        lambda: cloud.index(["a"], "e", cipher_images=cipher_images(1)),
        lambda: cloud.search("e", cipher_images=cipher_images(1)),
    ):
        code, _, details = failure(call)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert details["ErrorInfo"].reason == "NO_MODEL"
    assert cloud.state() == before


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"key_fingerprint": b"g" * 16}, "key_fingerprint"),
        ({"substituted_blocks": 3}, "substituted_blocks 3 is not 2"),
        ({"scheme_version": 2}, "scheme_version 2 is not 1"),
        ({"scope": cipher_image_pb2.KEY_SCOPE_IMAGE}, "scope image is not collection"),
        ({"block_size": 16, "substituted_blocks": 1}, "block_size 16 is not 8"),
    ],
)
def test_a_cipher_image_that_claims_another_making_is_refused_naming_both(
    steady, cipher_profile, cipher_images, failure, changes, word
):
    images = cipher_images(2)
    images.images[1].profile.CopyFrom(cipher_profile(**changes))
    for call in (
        lambda: steady.index(ids(2), "e", cipher_images=images),
        lambda: steady.search("e", cipher_images=images),
    ):
        code, text, details = failure(call)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert details["ErrorInfo"].reason == "PROFILE_MISMATCH"
        assert word in text
    assert steady.collection("e").item_count == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"pixels": bytes(1535)}, "pixels"),
        ({"pixels": bytes(1537)}, "pixels"),
        ({"pixels": b""}, "pixels"),
        ({"height": 8, "width": 64}, "height, width"),
        ({"height": 0}, "height, width"),
        ({"nonce": b""}, "nonce"),
        ({"nonce": b"n" * 16}, "nonce"),
    ],
)
def test_cipher_images_that_cannot_be(steady, cipher_images, failure, changes, field):
    images = cipher_images(2)
    for name, value in changes.items():
        setattr(images.images[1], name, value)
    for call in (
        lambda: steady.index(ids(2), "e", cipher_images=images),
        lambda: steady.search("e", cipher_images=images),
    ):
        code, _, details = failure(call)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details["ErrorInfo"].metadata["field"] == f"cipher_images[1].{field}"
    assert steady.collection("e").item_count == 0


@pytest.mark.parametrize(
    ("push", "code", "word"),
    [
        ({"digest": b"x" * 32}, "INVALID_ARGUMENT", "header.digest"),
        ({"digest": b"short"}, "INVALID_ARGUMENT", "header.digest"),
        ({"size": 10}, "INVALID_ARGUMENT", "chunk"),
        ({"size": 10**5}, "INVALID_ARGUMENT", "header.size_bytes"),
        ({"size": 2**40}, "INVALID_ARGUMENT", "header.size_bytes"),
        ({"name": "x" * 65}, "INVALID_ARGUMENT", "header.name"),
    ],
)
def test_pushes_that_do_not_arrive_as_announced(steady, checkpoint, failure, push, code, word):
    before = steady.state()
    found, text, _ = failure(steady.push, checkpoint(seed=5), "e", **push)
    assert (found.name, text.startswith(word)) == (code, True)
    assert steady.state() == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"plain": True}, "PROFILE_MISMATCH"),
        ({"key_fingerprint": b"g" * 16}, "PROFILE_MISMATCH"),
        ({"height": 32}, "PROFILE_MISMATCH"),
        ({"substituted_blocks": 5}, "PROFILE_MISMATCH"),
    ],
)
def test_a_model_for_other_images_is_refused(steady, checkpoint, failure, change, reason):
    before = steady.state()
    code, _, details = failure(steady.push, checkpoint(seed=5, **change), "e")
    assert (code.name, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", reason)
    assert steady.state() == before


def test_a_model_of_any_key_fits(served, checkpoint):
    answer = served.push(checkpoint(seed=5, key_fingerprint=b""), "e")
    assert answer.collection.active_generation.model_digest == answer.model.digest


def test_what_is_no_checkpoint_is_refused(steady, checkpoint, failure):
    before = steady.state()
    data = checkpoint(seed=5)
    for bad in (b"", b"no model", data[:100], data[:-10]):
        code, _, details = failure(steady.push, bad, "e")
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details["ErrorInfo"].reason == "CHECKPOINT_ERROR"
    assert steady.state() == before


def test_a_vector_collection_takes_no_model(served, checkpoint, failure):
    served.create()
    before = served.state()
    code, _, details = failure(served.push, checkpoint(seed=5), "v")
    assert (code.name, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "MODEL_MISMATCH")
    assert served.state() == before


def test_a_model_may_be_kept_without_a_collection(cloud, checkpoint):
    answer = cloud.push(checkpoint(seed=5), name="spare")
    assert not answer.HasField("collection")
    cloud.restart()
    (model,) = cloud.stub.ListModels(pb.ListModelsRequest(), timeout=20).models
    assert model == answer.model


def test_a_model_is_deleted_once_no_collection_needs_it(
    served, checkpoint, cipher_images, settled, failure
):
    served.index(ids(2), "e", cipher_images=cipher_images(2))
    first = served.collection("e").active_generation.model_digest

    def delete(digest):
        return served.stub.DeleteModel(pb.DeleteModelRequest(digest=digest), timeout=20)

    code, _, details = failure(delete, first)
    assert (code.name, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "MODEL_IN_USE")
    assert details["ErrorInfo"].metadata["collection"] == "e"
    second = checkpoint(seed=1)
    digest = hashlib.sha256(second).digest()
    served.push(second, "e")
    settled(lambda: served.engine._registry.find("e").serving.generation.model_digest == digest)
    delete(first)
    code, _, _ = failure(delete, first)
    assert code is grpc.StatusCode.NOT_FOUND
    served.restart()
    models = served.stub.ListModels(pb.ListModelsRequest(), timeout=20).models
    assert [each.digest for each in models] == [digest]
    assert served.ids_found("e", k=1, cipher_images=cipher_images(2)) == [["i0"], ["i1"]]


@pytest.mark.parametrize("digest", [b"", b"x" * 31])
def test_a_deletion_names_a_model(cloud, failure, digest):
    code, text, _ = failure(cloud.stub.DeleteModel, pb.DeleteModelRequest(digest=digest))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("digest: ")


def test_a_model_that_cannot_be_set_to_work_is_not_kept(served, checkpoint, failure, monkeypatch):
    def fail(*_arguments, **_named):
        raise StorageUnavailable("not now")

    before = served.state()
    monkeypatch.setattr(Collections, "set_generations", fail)
    code, _, _ = failure(served.push, checkpoint(seed=7), "e")
    assert code is grpc.StatusCode.UNAVAILABLE
    assert served.state() == before


def test_arithmetic_of_two_kinds_is_not_mixed(
    served, checkpoint, cipher_images, settled, failure, monkeypatch
):
    """As after a folder has moved from a GPU to a machine without one."""
    served.index(ids(2), "e", cipher_images=cipher_images(2))
    model = checkpoint()
    monkeypatch.setattr(NetworkRunner, "numeric_mode", property(lambda _: "cuda-bf16"))
    served.restart()
    code, text, details = failure(served.index, ["n"], "e", cipher_images=cipher_images(1, seed=5))
    reason = details["ErrorInfo"].reason
    assert (code.name, reason) == ("FAILED_PRECONDITION", "NUMERIC_MODE_MISMATCH")
    assert "push the same model again" in text
    assert served.ids_found("e", k=1, cipher_images=cipher_images(2)) == [["i0"], ["i1"]]
    served.push(model, "e")
    settled(lambda: served.collection("e").active_generation.numeric_mode == "cuda-bf16")
    served.index(["n"], "e", cipher_images=cipher_images(1, seed=5))
    assert served.collection("e").item_count == 3


def test_an_item_written_when_a_swap_finds_nothing_lacking_is_not_lost(
    served, checkpoint, cipher_images, settled, monkeypatch
):
    served.index(ids(3), "e", cipher_images=cipher_images(3))
    ask, late = Items.unrepresented, []

    def then_write(*arguments, **named):
        lacking = ask(*arguments, **named)
        if not lacking and not late:
            late.append("late")
            served.index(late, "e", cipher_images=cipher_images(1, seed=77))
        return lacking

    monkeypatch.setattr(Items, "unrepresented", then_write)
    second = checkpoint(seed=1)
    served.push(second, "e")
    digest = hashlib.sha256(second).digest()
    settled(lambda: served.engine._registry.find("e").serving.generation.model_digest == digest)
    made = served.collection("e")
    assert late
    assert (made.item_count, made.active_generation.item_count, made.damaged_count) == (4, 4, 0)
    found = served.search("e", k=1, cipher_images=cipher_images(1, seed=77))
    assert found.results[0].item_ids == ["late"]


def test_writes_do_not_wait_while_a_swap_embeds_what_came_late(
    served, checkpoint, cipher_images, settled, monkeypatch
):
    served.index(ids(3), "e", cipher_images=cipher_images(3))
    ask, embed, complete, tried = Items.unrepresented, Takeover._embedded, [], []

    def then_write(*arguments, **named):
        lacking = ask(*arguments, **named)
        complete.extend([True] if not lacking else [])
        if len(complete) == 3:  # the index is made, and nothing came meanwhile
            complete.append(True)
            served.index(["late"], "e", cipher_images=cipher_images(1, seed=77))
        return lacking

    def while_writing(self, live, generation, found):
        if "late" in [each.summary.item_id for each in found]:
            tried.append(None)
            served.index(["meanwhile"], "e", cipher_images=cipher_images(1, seed=78))
        return embed(self, live, generation, found)

    monkeypatch.setattr(Items, "unrepresented", then_write)
    monkeypatch.setattr(Takeover, "_embedded", while_writing)
    second = checkpoint(seed=1)
    served.push(second, "e")
    digest = hashlib.sha256(second).digest()
    settled(lambda: served.engine._registry.find("e").serving.generation.model_digest == digest)
    made = served.collection("e")
    assert (made.item_count, made.active_generation.item_count) == (5, 5)
    assert len(tried) == 1


def test_a_model_swap_while_searches_and_writes_go_on(
    served, checkpoint, cipher_images, settled, monkeypatch
):
    monkeypatch.setattr(takeover, "_ITEMS_PER_STEP", 7)
    images = cipher_images(40)
    served.index(ids(40), "e", cipher_images=images)
    wrong, stop, first_round = [], threading.Event(), threading.Event()

    def search():
        while not stop.is_set():
            found = served.search("e", k=1, cipher_images=cipher_images(5))
            if [each.item_ids[0] for each in found.results] != ids(5):
                wrong.append(found)
            first_round.set()

    def write():
        for number in range(40, 60):
            served.index([f"i{number}"], "e", cipher_images=cipher_images(1, seed=number))
            served.delete([f"i{number - 30}"], "e")

    threads = [threading.Thread(target=each) for each in (search, write)]
    for each in threads:
        each.start()
    assert first_round.wait(20)
    second = checkpoint(seed=1)
    digest = hashlib.sha256(second).digest()
    answer = served.push(second, "e")
    assert digest in (
        answer.collection.shadow_generation.model_digest,
        answer.collection.active_generation.model_digest,
    )
    settled(lambda: served.engine._registry.find("e").serving.generation.model_digest == digest)
    threads[1].join(60)
    stop.set()
    threads[0].join(60)
    assert wrong == []
    made = served.collection("e")
    assert not made.HasField("shadow_generation")
    assert (made.item_count, made.active_generation.item_count) == (40, 40)
    for _ in range(2):
        kept = [f"i{n}" for n in [*range(10), *range(30, 60)]]
        assert served.listed("e") == sorted(kept)
        (found,) = served.ids_found("e", k=100, cipher_images=cipher_images(1))
        assert sorted(found) == sorted(kept)
        queries = cipher_images(10)
        assert [each[0] for each in served.ids_found("e", k=1, cipher_images=queries)] == ids(10)
        served.restart()


def test_a_swap_that_a_restart_cut_short_is_finished(
    make_cloud, cipher_profile, checkpoint, cipher_images, settled, monkeypatch
):
    cloud = make_cloud()
    cloud.create_ciphers(cipher_profile())
    cloud.push(checkpoint(), "e")
    cloud.index(ids(20), "e", cipher_images=cipher_images(20))
    monkeypatch.setattr(takeover, "_ITEMS_PER_STEP", 4)
    take_over = Takeover._take_over
    monkeypatch.setattr(
        Takeover, "_take_over", lambda *_: (_ for _ in ()).throw(RuntimeError("halt"))
    )
    pushed = cloud.push(checkpoint(seed=1), "e").collection
    assert pushed.active_generation.item_count == 20
    settled(lambda: cloud.collection("e").shadow_generation.item_count == 20)
    cloud.stop()
    monkeypatch.setattr(Takeover, "_take_over", take_over)
    cloud.start()
    settled(lambda: not cloud.collection("e").HasField("shadow_generation"))
    made = cloud.collection("e").active_generation
    assert (made.id, made.item_count) == (pushed.shadow_generation.id, 20)
    found = cloud.ids_found("e", k=1, cipher_images=cipher_images(20))
    assert [each[0] for each in found] == ids(20)


def test_pushing_the_model_at_work_calls_the_other_off(
    served, checkpoint, cipher_images, monkeypatch
):
    served.index(ids(3), "e", cipher_images=cipher_images(3))
    active = served.collection("e").active_generation
    monkeypatch.setattr(Takeover, "step", lambda *_: None)
    shadow = served.push(checkpoint(seed=1), "e").collection.shadow_generation
    again = served.push(checkpoint(seed=1), "e").collection.shadow_generation
    assert again.id == shadow.id
    back = served.push(checkpoint(), "e").collection
    assert (back.active_generation.id, back.HasField("shadow_generation")) == (active.id, False)


def test_a_collection_dropped_while_a_model_fills_it(
    served, checkpoint, cipher_images, cipher_profile, monkeypatch
):
    served.index(ids(20), "e", cipher_images=cipher_images(20))
    monkeypatch.setattr(takeover, "_ITEMS_PER_STEP", 2)
    served.push(checkpoint(seed=1), "e")
    served.stub.DeleteCollection(pb.DeleteCollectionRequest(name="e"), timeout=20)
    made = served.create_ciphers(cipher_profile())
    assert (made.item_count, made.HasField("active_generation")) == (0, False)
    served.push(checkpoint(), "e")
    served.index(ids(2), "e", cipher_images=cipher_images(2))
    assert [each[0] for each in served.ids_found("e", k=1, cipher_images=cipher_images(2))] == ids(
        2
    )


def test_a_model_digest_that_does_not_serve_is_refused(steady, cipher_images, failure):
    code, text, details = failure(
        steady.search, "e", cipher_images=cipher_images(1), model_digest=b"x" * 32
    )
    assert (code.name, details["ErrorInfo"].reason) == ("FAILED_PRECONDITION", "MODEL_MISMATCH")
    assert (b"x" * 32).hex() in text


def test_a_lost_or_damaged_model_file_fails_its_collection_only_until_it_is_pushed_again(
    served, checkpoint, cipher_images, vectors, gaussian, failure
):
    served.create()
    served.index(["a"], vectors=vectors(gaussian(1)))
    served.index(ids(3), "e", cipher_images=cipher_images(3))
    served.stop()
    (path,) = (served.config.data_dir / "models").iterdir()
    whole = path.read_bytes()
    for bad in (None, whole[:-1] + b"?"):
        path.unlink() if bad is None else path.write_bytes(bad)
        served.start()
        code, text, details = failure(served.search, "e", cipher_images=cipher_images(1))
        assert (code.name, details["ErrorInfo"].reason) == ("DATA_LOSS", "DATA_DAMAGED")
        assert hashlib.sha256(whole).hexdigest() in text
        assert served.ids_found(vectors=vectors(gaussian(1))) == [["a"]]
        assert len(served.fetch(ids(3), "e")) == 3
        served.push(whole, "e")
        found = served.ids_found("e", k=1, cipher_images=cipher_images(3))
        assert [each[0] for each in found] == ids(3)
        served.stop()
    served.start()


def test_a_failing_network_is_an_internal_error_and_nothing_is_written(
    served, cipher_images, failure, monkeypatch, caplog
):
    queue = served.engine.models._embedding.queue(
        served.collection("e").active_generation.model_digest, Call()
    )

    def fail(_pixels):
        raise RuntimeError("secret of the network")

    monkeypatch.setattr(queue, "_embed", fail)
    before = served.state()
    code, text, details = failure(served.index, ["a"], "e", cipher_images=cipher_images(1))
    assert (code.name, details) == ("INTERNAL", {})
    assert "secret" not in text
    assert "secret of the network" in caplog.text
    assert served.state() == before


def test_a_full_queue_says_when_to_come_back(
    make_cloud, cipher_profile, checkpoint, cipher_images, failure
):
    cloud = make_cloud(limits=Limits(max_batch_items=2), max_waiting_images=2)
    cloud.create_ciphers(cipher_profile())
    cloud.push(checkpoint(), "e")
    code, _, details = failure(cloud.search, "e", cipher_images=cipher_images(3))
    assert (code.name, details["ErrorInfo"].reason) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert details["RetryInfo"].retry_delay.nanos > 0


def network(checkpoint_bytes, change):
    """Return a checkpoint whose tensors were changed by a function of name and tensor."""
    from safetensors.torch import load, save

    length = int.from_bytes(checkpoint_bytes[:8], "little")
    metadata = json.loads(checkpoint_bytes[8 : 8 + length])["__metadata__"]
    tensors = {name: change(name, each) for name, each in load(checkpoint_bytes).items()}
    return save(tensors, metadata)


def test_a_model_without_a_direction_is_refused_when_it_comes(steady, checkpoint, failure):
    before = steady.state()
    silent = network(checkpoint(), lambda name, each: each * (not name.startswith("feature.")))
    code, text, _ = failure(steady.push, silent, "e")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "zero or not finite" in text
    assert steady.state() == before


def test_an_image_without_a_direction_is_refused_and_the_next_start_goes_well(
    served, cipher_images, failure, monkeypatch
):
    served.index(["good"], "e", cipher_images=cipher_images(1))
    queue = served.engine.models._embedding.queue(
        served.collection("e").active_generation.model_digest, Call()
    )
    monkeypatch.setattr(queue, "_embed", lambda pixels: np.zeros((len(pixels), 8), np.float32))
    for call in (
        lambda: served.index(["bad"], "e", cipher_images=cipher_images(1, seed=1)),
        lambda: served.search("e", cipher_images=cipher_images(1)),
    ):
        code, text, _ = failure(call)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("cipher_images[0]: the model makes")
    served.restart()
    assert served.listed("e") == ["good"]


def test_a_new_model_sets_aside_what_it_has_no_direction_for(
    served, checkpoint, cipher_images, settled, monkeypatch
):
    from cipherlens.model.embedder import Embedder

    sent = cipher_images(3, seed=7)
    served.index(["a", "b", "c"], "e", cipher_images=sent)
    embed = Embedder.embed
    second = np.frombuffer(sent.images[1].pixels, np.uint8)

    def halting(embedder, pixels):
        rows = embed(embedder, pixels)
        rows[(pixels.reshape(len(pixels), -1) == second).all(axis=1)] = 0
        return rows

    monkeypatch.setattr(Embedder, "embed", halting)
    served.push(checkpoint(seed=1), "e")
    settled(lambda: not served.collection("e").HasField("shadow_generation"))
    monkeypatch.undo()
    found = served.search("e", cipher_images=cipher_images(1)).results[0].item_ids
    assert sorted(found) == ["a", "c"]
    assert served.collection("e").damaged_count == 1


def test_a_network_that_does_not_run_is_refused_when_it_comes(steady, failure, tmp_path):
    from cipherlens.base import CipherProfile
    from cipherlens.model.checkpoint import CheckpointConfiguration, save
    from cipherlens.model.config import NetworkConfig
    from cipherlens.model.networks.end_to_end import EndToEndNetwork

    config = NetworkConfig(
        backbone="vit_tiny_patch16_224", height=16, width=32, feature_dim=8, classes=3
    )
    profile = CipherProfile(
        scheme_version=1,
        preparation_version=1,
        height=16,
        width=32,
        block_size=8,
        substituted_blocks=2,
        scope="collection",
        key_fingerprint=b"f" * 16,
    )
    path = tmp_path / "model.safetensors"
    save(path, EndToEndNetwork(config), CheckpointConfiguration(network=config, profile=profile))
    code, text, _ = failure(steady.push, path.read_bytes(), "e")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "does not run on images of" in text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"training": {"loss": float("nan")}}, "damaged"),
        (
            {
                "architecture": "hash",
                "profile": None,
                "network": {
                    "backbone": "dlheir",
                    "bits": 12,
                    "threshold": 0.5,
                    "height": 32,
                    "width": 32,
                    "classes": 3,
                },
            },
            "takes no hash network",
        ),
    ],
)
def test_configurations_that_the_server_cannot_keep(steady, checkpoint, failure, change, word):
    data = checkpoint()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    document = {**json.loads(header["__metadata__"]["cipherlens"]), **change}
    header["__metadata__"]["cipherlens"] = json.dumps(document)
    text = json.dumps(header).encode()
    changed = len(text).to_bytes(8, "little") + text + data[8 + length :]
    before = steady.state()
    code, said, _ = failure(steady.push, changed)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert word in said
    assert steady.state() == before


def test_a_model_name_that_would_write_to_a_terminal_is_refused(steady, checkpoint, failure):
    code, text, _ = failure(steady.push, checkpoint(), name="\x1b[2J")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("header.name: must hold no control characters")
