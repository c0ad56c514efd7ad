"""The examples in JavaScript, in Node and in Chromium."""

import json
import threading
import uuid
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from cipherlens.crypto import (
    CipherImage,
    CipherParameters,
    ImageCipher,
    KeyEntry,
    Original,
    Scope,
    SealedContext,
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
  const { checkImageCipher, checkSealedOriginal } = await import('/examples/javascript/vectors.js');
  const read = async (name) => (await fetch(`/tests/vectors/${name}`)).json();
  return [checkImageCipher(await read('image_cipher.json')),
          await checkSealedOriginal(await read('sealed_original.json'))];
}"""


def expected(vectors, name):
    """Return how many cases a file of vectors has."""
    document = vectors(name)
    failing = document.get("must_not_read") or document["must_not_open"]
    return len(document.get("cases", ())) + 1 + len(failing)


@pytest.fixture
def counts():
    """How many cases of the image cipher and of sealed originals there are."""

    def read(name):
        return json.loads((ROOT / "tests" / "vectors" / name).read_text())

    return [expected(read, name) for name in ("image_cipher.json", "sealed_original.json")]


def test_the_vectors_hold_in_node(node):
    printed = node("--test", "--test-reporter=tap", "test/")
    assert "# pass 2\n" in printed
    assert "# skipped 0\n" in printed


def test_the_vectors_hold_in_a_browser(node, counts):
    handler = partial(Quiet, directory=ROOT)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, launched() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.route("**/page", lambda route: route.fulfill(content_type="text/html", body=PAGE))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/page")
        assert page.evaluate(CHECKED) == counts
        server.shutdown()


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
