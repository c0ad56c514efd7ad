// From a 32-byte root to keys and keyed sequences, scheme version 1 (crypto/hazmat/schedule.py).

import { blake3 } from '@noble/hashes/blake3.js';

const text = new TextEncoder();
const PREFIX = 'cipherlens 2026-11-21 v1 ';
const PURPOSES = {
  permutation: ['block permutation', 1, 0],
  selection: ['block selection', 2, 0],
  red: ['substitution R', 3, 0],
  green: ['substitution G', 3, 1],
  blue: ['substitution B', 3, 2],
};
const COLOUR_LEVELS = 256;

/** Returns BLAKE3 derive_key of some bytes under one of the fixed contexts. */
export function derived(context, bytes, dkLen = 32) {
  return blake3(bytes, { context: text.encode(PREFIX + context), dkLen });
}

/** Returns the 16-byte public name of a root. */
export const fingerprint = (root) => derived('key fingerprint', root, 16);

/** Returns the five subkeys of the image cipher; they do not tell the root. */
export function imageKeys(root) {
  if (root.length !== 32) throw new RangeError(`root must be 32 bytes, got ${root.length}`);
  const entries = Object.entries(PURPOSES);
  return Object.fromEntries(entries.map(([name, [of]]) => [name, derived(`subkey ${of}`, root)]));
}

/** Returns the 32-byte key that opens the originals of one collection, of its UUID's 16 bytes. */
export const sealKey = (root, collection) =>
  blake3(collection, { key: derived('subkey seal', root) });

/** Returns { permutation, selection, tables } of a 16-byte nonce, as arrays of numbers. */
export function sequences(keys, parameters, nonce) {
  const blocks = blockCount(parameters);
  const drawn = (name, size) => {
    const message = streamMessage(parameters, blocks, PURPOSES[name], nonce);
    return argsort(blake3(message, { key: keys[name], dkLen: 8 * size }), size);
  };
  return {
    permutation: drawn('permutation', blocks),
    selection: drawn('selection', blocks).slice(0, parameters.substitutedBlocks),
    tables: ['red', 'green', 'blue'].map((name) => Uint8Array.from(drawn(name, COLOUR_LEVELS))),
  };
}

/** Returns how many blocks an image has. */
export const blockCount = ({ height, width, blockSize }) =>
  (height / blockSize) * (width / blockSize);

function streamMessage({ schemeVersion, blockSize, substitutedBlocks }, blocks, [, code, channel], nonce) {
  const message = new Uint8Array(32);
  const view = new DataView(message.buffer);
  view.setUint16(0, schemeVersion, true);
  view.setUint16(2, blockSize, true);
  view.setUint32(4, substitutedBlocks, true);
  view.setUint32(8, blocks, true);
  message.set([code, channel], 12);
  message.set(nonce, 16);
  return message;
}

/** Returns the stable argsort of little-endian 64-bit words. */
function argsort(bytes, size) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = Array.from({ length: size }, (_, i) => view.getBigUint64(8 * i, true));
  const order = (a, b) => (words[a] < words[b] ? -1 : words[a] > words[b] ? 1 : a - b);
  return words.map((_, i) => i).sort(order);
}
