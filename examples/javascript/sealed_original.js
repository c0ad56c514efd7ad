// Opening a sealed original, format version 2 (crypto/seal.py, crypto/salted.py): the owner's Ed25519
// signature by WebCrypto, the keys by BLAKE3, the rest AES-256-GCM by WebCrypto.

import { blake3 } from '@noble/hashes/blake3.js';
import { joined } from './cipher_image_file.js';

const text = new TextEncoder();
const HEADER_BYTES = 46;
const SIGNATURE_BYTES = 64;
const SIGNED = text.encode('cipherlens 2026-11-25 v1 signature of a sealed original\0');
const DIGEST = text.encode('cipherlens 2026-11-25 v1 sealed digest');
const COMPANION = text.encode('cipherlens 2026-11-21 v1 companion digest');

/** Says that a seal does not open; the one error, whatever is wrong. */
export class OpenError extends Error {
  constructor() {
    super('the sealed original does not open');
  }
}

/** Returns the 32-byte digest of a packed code or vector; a cipher-image has `digest`. */
export const companionDigest = (bytes) => blake3(bytes, { context: COMPANION });

/**
 * Returns { mediaType, data } of a sealed original.
 *
 * sealKey and verifyKey are 32 bytes; the place is { collection: 16 bytes of its UUID, itemId,
 * revision, companionDigest: 32 bytes }, the one where the original stood.
 */
export async function openSealed(sealed, sealKey, verifyKey, place) {
  try {
    return await opened(sealed, sealKey, verifyKey, place);
  } catch {
    throw new OpenError(); // without its cause
  }
}

async function opened(sealed, sealKey, verifyKey, place) {
  const { header, body, signature } = parts(sealed);
  const bound = [
    header,
    place.collection,
    text.encode(place.itemId),
    length(place.revision),
    place.companionDigest,
  ];
  const signed = blake3(measured([...bound, blake3(body)]), { context: DIGEST });
  const owner = await crypto.subtle.importKey('raw', verifyKey, 'Ed25519', false, ['verify']);
  const isOwners = await crypto.subtle.verify('Ed25519', owner, signature, joined(SIGNED, signed));
  if (!isOwners) throw new OpenError();
  const secret = blake3(header.subarray(14, HEADER_BYTES), { key: sealKey, dkLen: 44 });
  const key = await crypto.subtle.importKey('raw', secret.subarray(0, 32), 'AES-GCM', false, ['decrypt']);
  const how = { name: 'AES-GCM', iv: secret.subarray(32), additionalData: measured(bound) };
  const data = new Uint8Array(await crypto.subtle.decrypt(how, key, body));
  return { mediaType: new TextDecoder().decode(header.subarray(HEADER_BYTES)), data };
}

function parts(sealed) {
  const view = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  const magic = new TextDecoder().decode(sealed.subarray(0, 4));
  const end = HEADER_BYTES + view.getUint8(5);
  const size = end + Number(view.getBigUint64(6, true)) + 16 + SIGNATURE_BYTES;
  if (magic !== 'CLSO' || view.getUint8(4) !== 2 || sealed.length !== size) throw new OpenError();
  return {
    header: sealed.subarray(0, end),
    body: sealed.subarray(end, -SIGNATURE_BYTES),
    signature: sealed.subarray(-SIGNATURE_BYTES),
  };
}

/** Returns every part with its length before it. */
const measured = (list) => joined(...list.flatMap((part) => [length(part.length), part]));

/** Returns a number as 8 little-endian bytes. */
function length(number) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(number), true);
  return bytes;
}
