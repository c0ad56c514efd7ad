// The file of a cipher-image, format version 1 (crypto/cipher_image.py has its layout).

import { blake3 } from '@noble/hashes/blake3.js';
import { checkImage, checkParameters } from './image_cipher.js';
import { derived } from './key_schedule.js';

const MAGIC = new TextEncoder().encode('CLIMAGE\0');
const HEADER_BYTES = 68;
const CHECKSUM_BYTES = 32;
const SCOPES = { 1: 'collection', 2: 'image' };

/** Returns the file of a cipher-image. */
export function toFile(image) {
  const body = bodyOf(image);
  return joined(body, blake3(body));
}

/** Returns the cipher-image of a file. Raises an error unless it is one, whole and unchanged. */
export function fromFile(file) {
  if (file.length < HEADER_BYTES + CHECKSUM_BYTES) throw new Error('the file is too short');
  const body = file.subarray(0, -CHECKSUM_BYTES);
  if (compare(blake3(body), file.subarray(-CHECKSUM_BYTES))) throw new Error('the checksum is wrong');
  const view = new DataView(body.buffer, body.byteOffset);
  if (compare(body.subarray(0, 8), MAGIC) || view.getUint16(8, true) !== 1) {
    throw new Error('not a cipher-image file of version 1');
  }
  if (view.getUint8(15) !== 0) throw new Error('the reserved byte must be 0');
  const image = {
    parameters: {
      schemeVersion: view.getUint16(10, true),
      preparationVersion: view.getUint16(12, true),
      height: view.getUint32(16, true),
      width: view.getUint32(20, true),
      blockSize: view.getUint32(24, true),
      substitutedBlocks: view.getUint32(28, true),
      scope: SCOPES[view.getUint8(14)],
    },
    height: view.getUint16(32, true),
    width: view.getUint16(34, true),
    keyFingerprint: body.slice(36, 52),
    nonce: body.slice(52, 68),
    pixels: body.slice(HEADER_BYTES),
  };
  checkParameters(image.parameters);
  checkImage(image);
  return image;
}

/** Returns the 32-byte digest that stands for a cipher-image in seals and manifests. */
export const digest = (image) => derived('cipher-image digest', bodyOf(image));

function bodyOf({ parameters, height, width, keyFingerprint, nonce, pixels }) {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(MAGIC);
  view.setUint16(8, 1, true);
  view.setUint16(10, parameters.schemeVersion, true);
  view.setUint16(12, parameters.preparationVersion, true);
  view.setUint8(14, parameters.scope === 'image' ? 2 : 1);
  view.setUint32(16, parameters.height, true);
  view.setUint32(20, parameters.width, true);
  view.setUint32(24, parameters.blockSize, true);
  view.setUint32(28, parameters.substitutedBlocks, true);
  view.setUint16(32, height, true);
  view.setUint16(34, width, true);
  header.set(keyFingerprint, 36);
  header.set(nonce, 52);
  return joined(header, pixels);
}

/** Returns bytes one after the other. */
export function joined(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}

/** Returns whether bytes differ; this is no comparison of secrets. */
const compare = (one, other) =>
  one.length !== other.length || one.some((byte, index) => byte !== other[index]);
