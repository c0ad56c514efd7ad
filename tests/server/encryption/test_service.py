"""EncryptionService through a real server, beside the cloud's."""

import io
import threading
import uuid

import grpc
import numpy as np
import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters, KeyEntry, Keyring
from cipherlens.server.app import CipherLensServer
from cipherlens.server.call import Call
from cipherlens.server.config import Limits, Role, ServerConfig
from cipherlens.server.encryption import pictures
from cipherlens.server.errors import CallCancelled
from cipherlens.v1 import cipher_image_pb2, encryption_service_pb2_grpc
from cipherlens.v1 import encryption_service_pb2 as pb

IMAGE = cipher_image_pb2.KEY_SCOPE_IMAGE
COLLECTION = cipher_image_pb2.KEY_SCOPE_COLLECTION
PLACE = pb.SealTarget(collection_uuid=str(uuid.UUID(int=7)), item_id="a", revision=3)


def parameters(**changes):
    fields = {
        "height": 16,
        "width": 32,
        "block_size": 8,
        "substituted_blocks": 2,
        "scope": IMAGE,
        **changes,
    }
    return cipher_image_pb2.CipherProfile(**fields)


def picture(seed=0, size=(32, 16), kind="PNG"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def pixels_of(data):
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture
def owner(tmp_path):
    """Return a stub of a server that holds a keyring with one key, and the keyring's path."""
    path = tmp_path / "keyring"
    Keyring().save(path, unprotected=True)
    config = ServerConfig(
        data_dir=tmp_path / "data",
        role=Role.OWNER,
        keyring=path,
        listen="127.0.0.1:0",
        limits=Limits(
            max_batch_items=4,
            max_message_bytes=400_000,
            max_sealed_bytes=100_000,
            max_image_pixels=4096,
        ),
    )
    server = CipherLensServer(config)
    with grpc.insecure_channel(f"127.0.0.1:{server.start()}") as channel:
        stub = encryption_service_pb2_grpc.EncryptionServiceStub(channel)
        stub.CreateKey(pb.CreateKeyRequest(name="one", profile=parameters()), timeout=20)
        stub.path = path
        yield stub
    server.stop(0)


def encrypted(stub, data, key="", seal=None):
    request = pb.EncryptRequest(key=key, images=[pb.PlainImage(data=data, seal=seal)])
    return stub.Encrypt(request, timeout=20).images[0]


def decrypted(stub, key="", **item):
    request = pb.DecryptRequest(key=key, items=[pb.DecryptItem(**item)])
    return stub.Decrypt(request, timeout=20).images[0]


def test_a_made_key_is_in_the_file_when_the_call_answers(owner):
    answer = owner.CreateKey(
        pb.CreateKeyRequest(name="two", profile=parameters(scope=COLLECTION)), timeout=20
    )
    assert answer.key.name == "two"
    assert (answer.key.profile.scheme_version, answer.key.profile.preparation_version) == (1, 1)
    stored = Keyring.load(owner.path)
    assert [each.name for each in stored.entries] == ["one", "two"]
    assert stored.entries[1].fingerprint == answer.key.profile.key_fingerprint
    listed = owner.ListKeys(pb.ListKeysRequest(), timeout=20).keys
    assert [each.name for each in listed] == ["one", "two"]
    root = stored.entries[1].root
    assert root not in answer.SerializeToString()


def test_no_key_is_logged_or_told(owner, caplog):
    """Whatever is asked, well or badly: neither root, seed nor what follows from them."""
    (entry,) = Keyring.load(owner.path).entries
    image = encrypted(owner, picture(), seal=PLACE)
    moved = pb.SealTarget(collection_uuid=PLACE.collection_uuid, item_id="b", revision=3)
    said = [image.SerializeToString()]
    with caplog.at_level(0):
        opened = decrypted(
            owner,
            cipher_image=image.cipher_image,
            sealed_original=image.sealed_original,
            seal=PLACE,
        )
        said.append(opened.SerializeToString())
        for method, request in [
            ("ListKeys", pb.ListKeysRequest()),
            ("CreateKey", pb.CreateKeyRequest(name="one", profile=parameters())),
            ("Encrypt", pb.EncryptRequest(images=[pb.PlainImage(data=b"none")])),
            ("Decrypt", pb.DecryptRequest(items=[pb.DecryptItem(sealed_original=b"x")])),
            (
                "Trapdoor",
                pb.TrapdoorRequest(kind=pb.TRAPDOOR_KIND_CIPHER_IMAGE, pictures=[picture()]),
            ),
            (
                "ReleaseKeys",
                pb.ReleaseKeysRequest(items=[pb.SealedHead(head=b"x" * 200, seal=moved)]),
            ),
        ]:
            try:
                answer = getattr(owner, method)(request, timeout=20)
                said.append(answer.SerializeToString())
            except grpc.RpcError as error:
                said.append(str(error).encode() + str(error.trailing_metadata()).encode())
    said.append(caplog.text.encode())
    uuid_of_place = uuid.UUID(PLACE.collection_uuid)
    for secret in (
        entry.root,
        entry.signing_seed,
        entry.seal_key(uuid_of_place),
        entry.mask_key(uuid_of_place),
    ):
        for text in (secret, secret.hex().encode(), repr(secret)[2:-1].encode()):
            assert text not in b"".join(said)


def test_a_key_that_another_program_added_is_not_lost(owner):
    keyring = Keyring.load(owner.path)
    from cipherlens.crypto import CipherParameters, KeyEntry, Scope

    keyring.add(
        KeyEntry.generate(
            "other",
            CipherParameters(
                height=16, width=32, block_size=8, substituted_blocks=0, scope=Scope.IMAGE
            ),
        )
    )
    keyring.save(owner.path, unprotected=True)
    owner.CreateKey(pb.CreateKeyRequest(name="two", profile=parameters()), timeout=20)
    assert [each.name for each in Keyring.load(owner.path).entries] == ["one", "other", "two"]


def test_a_name_that_is_taken(owner, failure):
    request = pb.CreateKeyRequest(name="one", profile=parameters())
    code, _, details = failure(owner.CreateKey, request, timeout=20)
    assert (code.name, details["ErrorInfo"].metadata["name"]) == ("ALREADY_EXISTS", "one")
    assert len(Keyring.load(owner.path).entries) == 1


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("", {}, "name"),
        ("a/b", {}, "name"),
        ("n", {"scope": 0}, "profile.scope"),
        ("n", {"key_fingerprint": b"x" * 16}, "profile.key_fingerprint"),
        ("n", {"substituted_blocks": 9}, "profile"),
        ("n", {"block_size": 0}, "profile"),
        ("n", {"height": 0}, "profile"),
        ("n", {"height": 128, "width": 128}, "profile.height * width"),
        ("n", {"scheme_version": 9}, "profile"),
    ],
)
def test_keys_that_cannot_be(owner, failure, name, changes, field):
    request = pb.CreateKeyRequest(name=name, profile=parameters(**changes))
    code, _, details = failure(owner.CreateKey, request, timeout=20)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["ErrorInfo"].metadata["field"] == field
    assert len(Keyring.load(owner.path).entries) == 1


@pytest.mark.parametrize("size", [(32, 16), (16, 32)])
def test_a_picture_of_the_keys_size_comes_back_exactly(owner, size):
    plain = picture(size=size)
    image = encrypted(owner, plain).cipher_image
    assert (image.width, image.height) == size
    assert image.pixels != pixels_of(plain).tobytes()
    answer = decrypted(owner, cipher_image=image)
    assert answer.media_type == "image/png"
    np.testing.assert_array_equal(pixels_of(answer.data), pixels_of(plain))


def test_an_original_comes_back_byte_for_byte(owner):
    plain = picture(size=(50, 40), kind="JPEG")
    made = encrypted(owner, plain, seal=PLACE)
    assert plain not in made.sealed_original
    answer = decrypted(
        owner, cipher_image=made.cipher_image, sealed_original=made.sealed_original, seal=PLACE
    )
    assert (answer.media_type, answer.data) == ("image/jpeg", plain)


def altered(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_what_does_not_open_is_refused_in_one_sentence(owner, failure):
    owner.CreateKey(pb.CreateKeyRequest(name="two", profile=parameters()), timeout=20)
    made = encrypted(owner, picture(), key="one", seal=PLACE)
    other = encrypted(owner, picture(seed=1), key="one", seal=PLACE)
    right = {
        "cipher_image": made.cipher_image,
        "sealed_original": made.sealed_original,
        "seal": PLACE,
        "key": "one",
    }
    sealed = made.sealed_original
    wrong = [
        {"key": "two"},
        {"cipher_image": other.cipher_image},
        {"seal": pb.SealTarget(collection_uuid=PLACE.collection_uuid, item_id="b", revision=3)},
        {"seal": pb.SealTarget(collection_uuid=PLACE.collection_uuid, item_id="a", revision=4)},
        {"seal": pb.SealTarget(collection_uuid=str(uuid.uuid4()), item_id="a", revision=3)},
        {"sealed_original": sealed[:-1]},
        {"sealed_original": b"x"},
        *({"sealed_original": altered(sealed, place)} for place in (0, 5, 10, 30, 60, -2)),
    ]
    assert decrypted(owner, **right).data == picture()
    found = {failure(decrypted, owner, **{**right, **change})[:2] for change in wrong}
    assert found == {(grpc.StatusCode.FAILED_PRECONDITION, "the sealed data does not open")}


def test_a_cipher_image_of_a_key_that_is_not_here(owner, failure):
    image = encrypted(owner, picture()).cipher_image
    image.profile.key_fingerprint = b"x" * 16
    assert failure(decrypted, owner, cipher_image=image)[0] is grpc.StatusCode.NOT_FOUND
    code, text, _ = failure(decrypted, owner, key="one", cipher_image=image)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert (b"x" * 16).hex() in text


def test_an_unknown_key_is_named(owner, failure):
    code, text, _ = failure(encrypted, owner, picture(), key="nobody")
    assert (code, "nobody" in text) == (grpc.StatusCode.NOT_FOUND, True)


@pytest.mark.parametrize("data", [b"", b"no picture", picture()[:100]])
def test_what_is_no_picture_is_refused_by_its_place(owner, failure, data):
    request = pb.EncryptRequest(images=[pb.PlainImage(data=picture()), pb.PlainImage(data=data)])
    code, _, details = failure(owner.Encrypt, request, timeout=20)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["BadRequest"].field_violations[0].field == "images[1].data"


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({"collection_uuid": "", "item_id": "a"}, "images[0].seal.collection_uuid"),
        ({"collection_uuid": PLACE.collection_uuid, "item_id": ""}, "images[0].seal.item_id"),
        (
            {"collection_uuid": PLACE.collection_uuid, "item_id": "a", "revision": 2**53},
            "images[0].seal.revision",
        ),
    ],
)
def test_places_that_cannot_be(owner, failure, place, field):
    code, _, details = failure(encrypted, owner, picture(), seal=pb.SealTarget(**place))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["ErrorInfo"].metadata["field"] == field


def test_an_original_that_the_cloud_would_not_take_is_refused(owner, failure):
    plain = picture(size=(300, 300))
    assert len(plain) > 100_000
    code, _, details = failure(encrypted, owner, plain, seal=PLACE)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["ErrorInfo"].reason == "LIMIT_EXCEEDED"


@pytest.mark.parametrize("count", [0, 5])
def test_batches_have_a_size(owner, failure, count):
    for call, request in (
        (owner.Encrypt, pb.EncryptRequest(images=[pb.PlainImage(data=picture())] * count)),
        (owner.Decrypt, pb.DecryptRequest(items=[pb.DecryptItem()] * count)),
    ):
        assert failure(call, request, timeout=20)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_nothing_to_decrypt(owner, failure):
    code, _, details = failure(decrypted, owner)
    assert (code.name, details["ErrorInfo"].metadata["field"]) == ("INVALID_ARGUMENT", "items[0]")


def test_a_broken_cipher_image_is_refused_by_its_place(owner, failure):
    image = encrypted(owner, picture()).cipher_image
    image.pixels = image.pixels[:-1]
    code, _, details = failure(decrypted, owner, cipher_image=image)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert details["ErrorInfo"].metadata["field"] == "items[0].cipher_image"


def test_an_owner_serves_no_collections(owner, tmp_path):
    assert not (tmp_path / "data").exists()


def test_a_name_that_could_be_a_fingerprint_is_refused(owner, failure):
    request = pb.CreateKeyRequest(name="ab" * 16, profile=parameters())
    code, text, _ = failure(owner.CreateKey, request, timeout=20)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "fingerprint" in text


def test_keys_that_other_programs_add_meanwhile_are_kept(owner, monkeypatch):
    load, others = Keyring.load, iter(["theirs", "theirs too"])

    def interrupted(*arguments):
        found = load(*arguments)
        if name := next(others, None):
            theirs = load(*arguments)
            theirs.add(KeyEntry.generate(name, CipherParameters()))
            theirs.save(owner.path, unprotected=True)
        return found

    monkeypatch.setattr(Keyring, "load", interrupted)
    owner.CreateKey(pb.CreateKeyRequest(name="two", profile=parameters()), timeout=20)
    names = [each.name for each in load(owner.path).entries]
    assert names == ["one", "theirs", "theirs too", "two"]


def test_more_than_an_answer_holds_is_refused_before_any_work(owner, failure):
    # Each cipher-image has 12,288 bytes, and what is no picture would be named if it were read.
    large = parameters(height=64, width=64)
    owner.CreateKey(pb.CreateKeyRequest(name="large", profile=large), timeout=20)
    images = [pb.PlainImage(data=bytes(90_000), seal=PLACE)] * 4
    request = pb.EncryptRequest(key="large", images=images)
    code, text, details = failure(owner.Encrypt, request, timeout=20)
    assert (code, details["ErrorInfo"].metadata["field"]) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "images",
    )
    assert "bytes of answer (limit 400000), got 409152" in text


def test_nobody_works_for_a_caller_that_is_gone(owner, monkeypatch):
    begun, gone, ended, seen = threading.Event(), threading.Event(), threading.Event(), []
    real, check = pictures.open_image, Call.check

    def watched(data):
        seen.append(data)
        begun.set()
        gone.wait(20)
        return real(data)

    def checked(call):
        call.on_end(gone.set)
        try:
            check(call)
        except CallCancelled:
            ended.set()
            raise

    monkeypatch.setattr(pictures, "open_image", watched)
    monkeypatch.setattr(Call, "check", checked)
    request = pb.EncryptRequest(images=[pb.PlainImage(data=picture())] * 4)
    call = owner.Encrypt.future(request, timeout=20)
    assert begun.wait(20)
    call.cancel()
    assert ended.wait(20)
    assert len(seen) == 1
