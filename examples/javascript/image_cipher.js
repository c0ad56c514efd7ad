// The image cipher, scheme version 1, for Node and for browsers (crypto/cipher.py).
//
// It encrypts and decrypts prepared pictures: RGB bytes, row by row, of exactly the key's size or its
// portrait, which preparation.js brings them to.

import { blockCount, fingerprint, imageKeys, sequences } from './key_schedule.js';

const CHANNELS = 3;
const NONCE_BYTES = 16;

/** Encrypts and decrypts under one key. */
export class ImageCipher {
  #keys;

  /**
   * Takes the 32-byte root of a key and its parameters:
   * { height, width, blockSize, substitutedBlocks, scope: 'collection' or 'image' }.
   */
  constructor(root, parameters) {
    this.parameters = { schemeVersion: 1, preparationVersion: 1, ...parameters };
    checkParameters(this.parameters);
    this.keyFingerprint = fingerprint(root);
    this.#keys = imageKeys(root);
  }

  /** Returns the cipher-image of prepared pixels; no caller chooses a nonce. */
  encrypt(pixels, height, width) {
    const nonce = new Uint8Array(NONCE_BYTES);
    if (this.parameters.scope === 'image') crypto.getRandomValues(nonce);
    return this.#cipherImage(pixels, height, width, nonce);
  }

  /** Returns the prepared pixels of a cipher-image, byte for byte. */
  decrypt(image) {
    if (!sameBytes(image.keyFingerprint, this.keyFingerprint)) {
      throw new Error('the cipher-image is of another key');
    }
    for (const [name, value] of Object.entries(this.parameters)) {
      if (image.parameters[name] !== value) {
        throw new Error(`${name} ${image.parameters[name]} of the cipher-image is not ${value}`);
      }
    }
    checkImage(image);
    const { permutation, selection, tables } = sequences(this.#keys, this.parameters, image.nonce);
    const inverses = tables.map(inverse);
    const chosen = new Set(selection);
    const plain = new Uint8Array(image.pixels.length);
    permutation.forEach((origin, position) => {
      const table = chosen.has(position) ? inverses : null;
      copyBlock(image.pixels, position, plain, origin, image.width, this.parameters.blockSize, table);
    });
    return plain;
  }

  #cipherImage(plain, height, width, nonce) {
    const { parameters, keyFingerprint } = this;
    const pixels = new Uint8Array(plain.length);
    const image = { parameters, keyFingerprint, height, width, nonce, pixels };
    checkImage(image);
    const { permutation, selection, tables } = sequences(this.#keys, parameters, nonce);
    const chosen = new Set(selection);
    permutation.forEach((origin, position) => {
      const table = chosen.has(position) ? tables : null;
      copyBlock(plain, origin, pixels, position, width, parameters.blockSize, table);
    });
    return image;
  }
}

/** Raises RangeError unless these are the parameters of a key. */
export function checkParameters(parameters) {
  const { schemeVersion, preparationVersion, height, width, blockSize, substitutedBlocks, scope } = parameters;
  const fits =
    schemeVersion === 1 &&
    preparationVersion === 1 &&
    blockSize >= 1 &&
    height >= blockSize &&
    width >= height &&
    height % blockSize === 0 &&
    width % blockSize === 0 &&
    substitutedBlocks >= 0 &&
    substitutedBlocks <= blockCount(parameters) &&
    ['collection', 'image'].includes(scope);
  if (!fits) throw new RangeError(`these are no parameters of a key: ${JSON.stringify(parameters)}`);
}

/** Raises RangeError unless an image's numbers fit each other. */
export function checkImage({ parameters, keyFingerprint, height, width, nonce, pixels }) {
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  if (short !== parameters.height || long !== parameters.width) {
    throw new RangeError(`an image must be ${parameters.height}x${parameters.width} or its portrait, got ${height}x${width}`);
  }
  if (pixels.length !== height * width * CHANNELS) {
    throw new RangeError(`pixels must be ${height * width * CHANNELS} bytes, got ${pixels.length}`);
  }
  if (keyFingerprint.length !== 16 || nonce.length !== NONCE_BYTES) {
    throw new RangeError('key fingerprint and nonce must be 16 bytes');
  }
  if (parameters.scope === 'collection' && nonce.some((byte) => byte !== 0)) {
    throw new RangeError('nonce must be all zero in collection scope');
  }
}

/** Copies one block of pixels, through one table for each channel if there are any. */
function copyBlock(source, from, target, to, width, blockSize, tables) {
  const start = (number) => {
    const across = width / blockSize;
    const row = Math.floor(number / across) * blockSize;
    return (row * width + (number % across) * blockSize) * CHANNELS;
  };
  const [read, write] = [start(from), start(to)];
  for (let y = 0; y < blockSize; y += 1) {
    const line = y * width * CHANNELS;
    for (let x = 0; x < blockSize * CHANNELS; x += 1) {
      const value = source[read + line + x];
      target[write + line + x] = tables ? tables[x % CHANNELS][value] : value;
    }
  }
}

function inverse(table) {
  const result = new Uint8Array(table.length);
  table.forEach((value, index) => {
    result[value] = index;
  });
  return result;
}

const sameBytes = (one, other) =>
  one.length === other.length && one.every((byte, index) => byte === other[index]);
