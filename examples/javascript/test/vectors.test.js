// The vectors of the Python code, in Node: `npm test`.

import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkImageCipher, checkPreparation, checkSealedOriginal } from '../vectors.js';

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../../../tests/vectors/${name}`, import.meta.url), 'utf8'));

test('the image cipher agrees with its vectors', () => {
  assert.ok(checkImageCipher(read('image_cipher.json')) > 10);
});

test('pictures are prepared as their vectors say', () => {
  assert.ok(checkPreparation(read('preparation.json')) > 10);
});

test('sealed originals open as their vectors say', async () => {
  assert.ok((await checkSealedOriginal(read('sealed_original.json'))) > 10);
});
