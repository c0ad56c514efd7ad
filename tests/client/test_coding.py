"""Pictures that become codes, with a network that is not one: the library needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cipherlens.client import Client, Collection, index_folder, make_codes
from cipherlens.client.coding import check_encoder, code_pictures
from cipherlens.client.core.indexing import ItemHeads, picture_requests
from cipherlens.client.picture import (
    LOCAL_PLACE,
    EncryptedPicture,
    prepare_picture,
    read_original,
)
from cipherlens.crypto import (
    CryptoError,
    ImageCipher,
    ImageError,
    KeyEntry,
    Original,
    companion_digest,
    open_image,
    open_sealed,
    prepare,
)

Noise = Callable[..., Image.Image]


@dataclass(frozen=True)
class Brightness:
    """Makes 12 bits of a picture: which of twelve parts of it are brighter than its middle."""

    height: int = 32
    width: int = 48
    bits: int = 12
    digest: str = "ab" * 32

    def encode(self, pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.uint8]:
        assert pixels.shape[1:3] in {(32, 48), (48, 32)}
        parts = np.stack([part.mean(axis=(1, 2, 3)) for part in np.array_split(pixels, 12, axis=1)])
        return np.packbits((parts > parts.mean(axis=0)).T, axis=1, bitorder="little")


ENCODER = Brightness()


def expected(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return ENCODER.encode(prepare(picture, ENCODER)[None])[0]


def test_codes_stand_in_the_order_of_the_pictures(noise: Noise, tmp_path: Path) -> None:
    pictures = [noise(n, (60, 40) if n % 3 else (40, 60)) for n in range(70)]
    path = tmp_path / "p.png"
    pictures[1].save(path)
    prepared = prepare_picture(pictures[2], ENCODER)
    sources = [pictures[0], path, prepared, *pictures[3:]]
    codes = make_codes(iter(sources), ENCODER)
    assert (codes.shape, codes.dtype) == ((70, 2), np.uint8)
    assert np.array_equal(codes, np.stack([expected(picture) for picture in pictures]))
    assert len(np.unique(codes, axis=0)) > 30


def test_no_pictures_have_no_codes() -> None:
    assert make_codes([], ENCODER).shape == (0, 2)


def test_what_is_no_picture_has_no_code() -> None:
    with pytest.raises(ImageError):
        make_codes([b"no picture"], ENCODER)


def test_an_original_is_sealed_beside_its_code(key: KeyEntry, noise: Noise) -> None:
    prepared = [prepare_picture(noise(n), ENCODER) for n in range(2)]
    first, bare = code_pictures(
        [prepared[0], replace(prepared[1], original=None)], ENCODER, key, [LOCAL_PLACE] * 2
    )
    assert np.array_equal(first.code, expected(noise(0)))
    assert first.size_bytes == 2 + len(first.sealed_original)
    assert bare.sealed_original == b""
    from cipherlens.client.picture import sealed_context

    def opened(code: npt.NDArray[np.uint8]) -> Original:
        context = sealed_context(LOCAL_PLACE, companion_digest(code.tobytes()))
        return open_sealed(
            first.sealed_original,
            key.seal_key(LOCAL_PLACE.collection_uuid),
            key.verify_key,
            context,
        )

    assert opened(first.code) == prepared[0].original
    with pytest.raises(CryptoError):
        opened(first.code ^ 1)


def test_originals_are_read_of_whatever_a_picture_is(noise: Noise, tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    noise(1).save(path)
    read = read_original(path)
    assert (read.media_type, read.data) == ("image/jpeg", path.read_bytes())
    assert read_original(read) is read
    assert np.array_equal(open_image(read_original(noise(2)).data), noise(2))
    prepared = prepare_picture(path, ENCODER)
    assert read_original(prepared) == read
    with pytest.raises(ValueError, match="no original"):
        read_original(replace(prepared, original=None))


def test_a_request_holds_one_kind(client: Client, key: KeyEntry, noise: Noise) -> None:
    prepared = prepare_picture(noise(1), ENCODER)
    coded = code_pictures([prepared], ENCODER, key, [LOCAL_PLACE])
    encrypted = EncryptedPicture(cipher_image=ImageCipher(key).encrypt_image(prepared.pixels))
    heads = ItemHeads.of(["a", "b"], None, None)
    with pytest.raises(TypeError, match="all be cipher-images or all be codes"):
        list(picture_requests("c", heads, [*coded, encrypted], client.limits))


@pytest.fixture
def codes(client: Client, request: pytest.FixtureRequest) -> Collection:
    """A fresh collection of 12-bit codes."""
    return client.create_code_collection(f"codes-{abs(hash(request.node.nodeid))}", 12)


def test_a_folder_becomes_codes_once_and_is_then_left_alone(
    client: Client, codes: Collection, folder: Path, noise: Noise
) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    report = index_folder(client, codes.name, folder, encoder=ENCODER)
    assert (report.found, report.indexed, report.unchanged) == (6, 5, 0)
    assert [each.name for each in report.skipped] == ["broken.png"]
    again = index_folder(client, codes.name, folder, encoder=ENCODER)
    assert (again.indexed, again.unchanged) == (0, 5)
    noise(77).save(folder / "b.png")
    assert index_folder(client, codes.name, folder, encoder=ENCODER).indexed == 1
    trapdoors = make_codes([folder / "b.png"], ENCODER)
    (hits,) = client.search_codes(codes, trapdoors, k=1, with_items=True)
    assert hits[0].distance == 0
    assert client.item_names(codes, [hits[0].item_id]) == {hits[0].item_id: "b.png"}
    assert hits[0].item is not None
    assert client.open_original(hits[0].item).data == (folder / "b.png").read_bytes()


def test_another_network_counts_as_a_change(
    client: Client, codes: Collection, folder: Path
) -> None:
    index_folder(client, codes, folder, encoder=ENCODER)
    other = replace(ENCODER, digest="cd" * 32)
    assert index_folder(client, codes, folder, encoder=other).indexed == 5


def test_networks_that_do_not_fit_send_nothing(
    client: Client, codes: Collection, photos: str, folder: Path, key: KeyEntry
) -> None:
    longer = replace(ENCODER, bits=24)
    with pytest.raises(ValueError, match="codes of 12 bits, the hash network makes 24"):
        index_folder(client, codes, folder, encoder=longer)
    with pytest.raises(ValueError, match="holds codes: say which hash network"):
        index_folder(client, codes, folder)
    with pytest.raises(ValueError, match="kind cipher, not codes"):
        index_folder(client, photos, folder, encoder=ENCODER)
    with Client(client.target) as stranger, pytest.raises(ValueError, match="needs a key"):
        index_folder(stranger, codes, folder, encoder=ENCODER)
    assert client.get_collection(codes.name).item_count == 0


def test_a_collection_may_name_its_network(client: Client) -> None:
    digest = bytes.fromhex(ENCODER.digest)
    where = client.create_code_collection("named", 12, encoder_digest=digest)
    check_encoder(where, ENCODER)
    with pytest.raises(ValueError, match=f"{'ab' * 32}, this one is {'cd' * 32}"):
        check_encoder(where, replace(ENCODER, digest="cd" * 32))
