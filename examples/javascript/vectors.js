// Holds the JavaScript code to the vectors that the Python code is held to (tests/vectors), in Node and in
// browsers: each function returns how many cases have passed, or raises the first failure.

import { digest, fromFile, toFile } from './cipher_image_file.js';
import { ImageCipher } from './image_cipher.js';
import { imageKeys, sequences } from './key_schedule.js';
import { companionDigest, openSealed } from './sealed_original.js';
import { prepare } from './preparation.js';
import { blake3 } from '@noble/hashes/blake3.js';

const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Checks the image cipher against image_cipher.json. */
export function checkImageCipher(vectors) {
  const root = bytes(vectors.root);
  for (const each of vectors.cases) checkCase(root, vectors.fingerprint, each);
  checkFile(root, vectors.file);
  for (const [what, file] of Object.entries(vectors.must_not_read)) {
    mustFail(what, () => fromFile(bytes(file)));
  }
  return vectors.cases.length + 1 + Object.keys(vectors.must_not_read).length;
}

/** Checks the opening of seals against sealed_original.json. */
export async function checkSealedOriginal(vectors) {
  const place = {
    collection: bytes(vectors.collection_uuid),
    itemId: vectors.item_id,
    revision: vectors.revision,
    companionDigest: companionDigest(bytes(vectors.companion)),
  };
  const keys = [bytes(vectors.seal_key), bytes(vectors.verify_key)];
  const { mediaType, data } = await openSealed(bytes(vectors.sealed), ...keys, place);
  same('media type', mediaType, vectors.media_type);
  same('original', hex(data), vectors.plain);
  for (const [what, sealed] of Object.entries(vectors.must_not_open)) {
    const outcome = await openSealed(bytes(sealed), ...keys, place).catch((error) => error.constructor.name);
    same(what, outcome, 'OpenError');
  }
  return 1 + Object.keys(vectors.must_not_open).length;
}

/** Checks the preparation against preparation.json. */
export function checkPreparation({ cases }) {
  for (const each of cases) {
    const { height, width, transparent } = each;
    const key = { height: each.key_height, width: each.key_width };
    const made = prepare(rgba(height, width, transparent), height, width, key);
    const what = `${height}x${width} for ${key.height}x${key.width}`;
    same(what, [made.height, made.width], [each.prepared_height, each.prepared_width]);
    if ('prepared' in each) same(what, hex(made.pixels), each.prepared);
    same(what, hex(blake3(made.pixels)), each.prepared_blake3);
  }
  return cases.length;
}

function checkCase(root, fingerprint, each) {
  const cipher = new ImageCipher(root, parametersOf(each.parameters));
  same('fingerprint', hex(cipher.keyFingerprint), fingerprint);
  const drawn = sequences(imageKeys(root), cipher.parameters, bytes(each.nonce));
  same('permutation', drawn.permutation, each.permutation);
  same('selection', drawn.selection, each.selection);
  same('tables', drawn.tables.map(hex), each.tables);
  for (const name of ['landscape', 'portrait']) checkPicture(cipher, each, name);
}

function checkPicture(cipher, each, name) {
  const { height, width } = each.parameters;
  const [rows, columns] = name === 'landscape' ? [height, width] : [width, height];
  const plain = picture(rows, columns);
  same('plain picture', hex(blake3(plain)), each[`${name}_plain_blake3`]);
  const image = underNonce(each.nonce, () => cipher.encrypt(plain, rows, columns));
  same('nonce', hex(image.nonce), each.nonce);
  same('pixels', hex(blake3(image.pixels)), each[`${name}_pixels_blake3`]);
  if (`${name}_pixels` in each) same('pixels', hex(image.pixels), each[`${name}_pixels`]);
  same('digest', hex(digest(image)), each[`${name}_digest`]);
  same('decrypted', hex(cipher.decrypt(image)), hex(plain));
}

function checkFile(root, file) {
  const image = fromFile(bytes(file));
  same('file', hex(toFile(image)), file);
  const cipher = new ImageCipher(root, image.parameters);
  same('decrypted file', hex(cipher.decrypt(image)), hex(picture(image.height, image.width)));
}

/** Returns the picture of the vectors, by the formula that they state. */
function picture(height, width) {
  const at = (i) => [Math.floor(i / 3 / width), Math.floor(i / 3) % width, i % 3];
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [y, x, channel] = at(i);
    return 7 * y + 13 * x + 29 * channel + x * y;
  });
}

/** Returns the same with an alpha channel. */
function rgba(height, width, transparent) {
  const rgb = picture(height, width);
  return Uint8Array.from({ length: height * width * 4 }, (_, i) => {
    const pixel = Math.floor(i / 4);
    if (i % 4 < 3) return rgb[3 * pixel + (i % 4)];
    return transparent ? 11 * (pixel % width) + 17 * Math.floor(pixel / width) : 255;
  });
}

/** Calls make while the system's random source gives a known nonce. */
function underNonce(nonce, make) {
  const real = crypto.getRandomValues;
  crypto.getRandomValues = (array) => (array.set(bytes(nonce)), array);
  try {
    return make();
  } finally {
    crypto.getRandomValues = real;
  }
}

const parametersOf = ({ height, width, block_size, substituted_blocks, scope }) => ({
  height,
  width,
  blockSize: block_size,
  substitutedBlocks: substituted_blocks,
  scope,
});

function same(what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) {
    throw new Error(`${what}: got ${JSON.stringify(got)}, must be ${JSON.stringify(wanted)}`);
  }
}

function mustFail(what, call) {
  try {
    call();
  } catch {
    return;
  }
  throw new Error(`${what}: was read`);
}
