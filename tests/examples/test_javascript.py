"""The examples in JavaScript, in Node and in Chromium."""

import io
import json
import threading
import uuid
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.crypto import (
    CipherImage,
    CipherParameters,
    ImageCipher,
    KeyEntry,
    Original,
    Scope,
    SealedContext,
    open_image,
    prepare,
    seal,
)
from tests.chromium import launched

pytestmark = pytest.mark.languages

ROOT = Path(__file__).parents[2]

# What a reader of the cipher-image and of the original beside it does, and then encrypts anew.
READER = """
import { readFileSync } from 'node:fs';
import { digest, fromFile, toFile } from './cipher_image_file.js';
import { ImageCipher } from './image_cipher.js';
import { sealKey } from './key_schedule.js';
import { openSealed } from './sealed_original.js';

const given = JSON.parse(readFileSync(0, 'utf8'), (name, value) =>
  typeof value === 'string' ? Uint8Array.from(Buffer.from(value, 'hex')) : value);
const image = fromFile(given.file);
const cipher = new ImageCipher(given.root, image.parameters);
const plain = cipher.decrypt(image);
const { collection } = given;
const place = { collection, itemId: 'a', revision: 7, companionDigest: digest(image) };
const key = sealKey(given.root, collection);
const { mediaType, data } = await openSealed(given.sealed, key, given.verify_key, place);
const again = toFile(cipher.encrypt(plain, image.height, image.width));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
console.log(JSON.stringify({ plain: hex(plain), data: hex(data), mediaType, again: hex(again) }));
"""

PAGE = """<!doctype html><script type="importmap">{"imports": {"@noble/hashes/blake3.js":
"/examples/javascript/node_modules/@noble/hashes/blake3.js"}}</script>"""
CHECKED = """async () => {
  const all = await import('/examples/javascript/vectors.js');
  const read = async (name) => (await fetch(`/tests/vectors/${name}`)).json();
  return [all.checkImageCipher(await read('image_cipher.json')),
          all.checkPreparation(await read('preparation.json')),
          await all.checkSealedOriginal(await read('sealed_original.json'))];
}"""

# What a page does that encrypts by itself: from the file of a picture to that of a cipher-image.
ENCRYPTED = """async ([file, root, key]) => {
  const { ImageCipher } = await import('/examples/javascript/image_cipher.js');
  const { toFile } = await import('/examples/javascript/cipher_image_file.js');
  const { prepare } = await import('/examples/javascript/preparation.js');
  const exact = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };
  const decoded = await createImageBitmap(new Blob([Uint8Array.from(file)]), exact);
  const { width, height } = decoded;
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(decoded, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const prepared = prepare(rgba, height, width, key);
  const image = new ImageCipher(Uint8Array.from(root), key)
    .encrypt(prepared.pixels, prepared.height, prepared.width);
  return [...toFile(image)];
}"""


def expected(vectors, name):
    """Return how many cases a file of vectors has."""
    document = vectors(name)
    whole = [document[each] for each in ("file", "sealed") if each in document]
    failing = document.get("must_not_read") or document.get("must_not_open") or ()
    return len(document.get("cases", ())) + len(whole) + len(failing)


@pytest.fixture
def counts():
    """How many cases of the image cipher, the preparation and sealed originals there are."""

    def read(name):
        return json.loads((ROOT / "tests" / "vectors" / name).read_text())

    names = ("image_cipher.json", "preparation.json", "sealed_original.json")
    return [expected(read, name) for name in names]


def test_the_vectors_hold_in_node(node):
    printed = node("--test", "--test-reporter=tap", "test/")
    assert "# pass 3\n" in printed
    assert "# skipped 0\n" in printed


@pytest.fixture
def page(node):
    """A page in a browser that can import the modules and read the vectors."""
    handler = partial(Quiet, directory=ROOT)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, launched() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = browser.new_page()
        made.route("**/page", lambda route: route.fulfill(content_type="text/html", body=PAGE))
        made.goto(f"http://127.0.0.1:{server.server_address[1]}/page")
        yield made
        server.shutdown()


def test_the_vectors_hold_in_a_browser(page, counts):
    assert page.evaluate(CHECKED) == counts


@pytest.mark.parametrize("size", [(300, 200), (90, 260), (31, 17)])
def test_a_browser_prepares_and_encrypts_a_picture_as_we_do(page, size):
    width, height = size
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    key = KeyEntry.generate("k", CipherParameters())
    parameters = {
        "height": 128,
        "width": 192,
        "blockSize": 8,
        "substitutedBlocks": 96,
        "scope": "image",
    }
    made = page.evaluate(ENCRYPTED, [list(file.getvalue()), list(key.root), parameters])
    image = CipherImage.from_bytes(bytes(made))
    decrypted = ImageCipher(key).decrypt_image(image)
    assert np.array_equal(decrypted, prepare(open_image(file.getvalue()), key.parameters))


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("shape", [(16, 24, 8, 3), (32, 32, 4, 64), (40, 60, 20, 0)])
def test_javascript_reads_what_python_wrote_and_python_what_javascript_wrote(node, scope, shape):
    height, width, block, substituted = shape
    parameters = CipherParameters(
        height=height,
        width=width,
        block_size=block,
        substituted_blocks=substituted,
        scope=scope,
    )
    key = KeyEntry.generate("k", parameters)
    cipher = ImageCipher(key)
    plain = np.random.default_rng().integers(0, 256, (width, height, 3), np.uint8)
    image = cipher.encrypt_image(plain)
    collection = uuid.uuid4()
    context = SealedContext(
        collection_uuid=collection, item_id="a", revision=7, companion_digest=image.digest()
    )
    sealed = seal(Original(media_type="image/png", data=b"a file"), key, context)
    given = {
        "root": key.root,
        "verify_key": key.verify_key,
        "file": image.to_bytes(),
        "sealed": sealed,
        "collection": collection.bytes,
    }
    typed = json.dumps({name: value.hex() for name, value in given.items()})
    found = json.loads(node("--input-type=module", "-e", READER, typed=typed))
    assert found["plain"] == plain.tobytes().hex()
    assert (found["data"], found["mediaType"]) == (b"a file".hex(), "image/png")
    again = CipherImage.from_bytes(bytes.fromhex(found["again"]))
    assert np.array_equal(cipher.decrypt_image(again), plain)
    assert (again.nonce == image.nonce) == (scope is Scope.COLLECTION)


def test_a_client_creates_indexes_searches_and_reads_why_it_is_refused(node, target):
    lines = node("search.js", target).splitlines()
    assert lines[0] == "hits: green, red"
    assert lines[1].startswith("refused: INVALID_ARGUMENT, INVALID_FIELD, k {")
    assert lines[2].startswith("refused: ALREADY_EXISTS, ALREADY_EXISTS,  {")
    assert len(lines) == 3


class Quiet(SimpleHTTPRequestHandler):
    """Gives files, and says nothing of it."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""
