// From a decoded picture to prepared pixels, preparation version 1 (crypto/preparation.py): on white, and
// warped to the key's size as Pillow's bicubic filter does it, to the last bit.
//
// It begins with RGBA as a canvas gives them, upright. A browser's decoder may have applied a colour profile,
// which Pillow passes over, and has rounded half transparent pixels: then the pixels differ a little.

const CHANNELS = 3;
const PRECISION = 2 ** 22; // coefficients are integers of 22 bits behind the point, as in Pillow
const SUPPORT = 2;
const A = -0.5;

/** Returns { pixels, height, width } of RGBA bytes for a key of { height, width } in landscape. */
export function prepare(rgba, height, width, key) {
  if (rgba.length !== height * width * 4 || !rgba.length) {
    throw new RangeError(`rgba must be ${height * width * 4} bytes and more than none, got ${rgba.length}`);
  }
  const isPortrait = height > width;
  const [rows, columns] = isPortrait ? [key.width, key.height] : [key.height, key.width];
  const across = resampled(onWhite(rgba), { lines: height, size: width, step: 1, stride: width }, columns);
  const pixels = resampled(across, { lines: columns, size: height, step: columns, stride: 1 }, rows);
  return { pixels, height: rows, width: columns };
}

function onWhite(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * CHANNELS);
  for (let i = 0; i < rgba.length / 4; i += 1) {
    const alpha = rgba[4 * i + 3];
    for (let channel = 0; channel < CHANNELS; channel += 1) {
      const sum = 255 * (255 - alpha) + rgba[4 * i + channel] * alpha + 128;
      rgb[CHANNELS * i + channel] = ((sum >> 8) + sum) >> 8; // divided by 255
    }
  }
  return rgb;
}

/**
 * Returns an image whose lines have another size. A line is a row or a column: its pixels lie `step` apart, and
 * lines `stride`.
 */
function resampled(pixels, { lines, size, step, stride }, wanted) {
  if (size === wanted) return pixels;
  const result = new Uint8Array(lines * wanted * CHANNELS);
  // Rows become shorter or longer themselves, columns only fewer or more.
  const resultStride = step === 1 ? wanted : stride;
  for (let place = 0; place < wanted; place += 1) {
    const { first, weights } = weightsOf(place, size, wanted);
    for (let line = 0; line < lines; line += 1) {
      for (let channel = 0; channel < CHANNELS; channel += 1) {
        let sum = PRECISION / 2;
        weights.forEach((weight, i) => {
          sum += weight * pixels[(line * stride + (first + i) * step) * CHANNELS + channel];
        });
        const value = Math.floor(sum / PRECISION);
        const at = (line * resultStride + place * step) * CHANNELS + channel;
        result[at] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return result;
}

/** Returns which pixels of a line make the one at a place of the new line, and by how much. */
function weightsOf(place, size, wanted) {
  const scale = size / wanted;
  const filterScale = Math.max(1, scale);
  const reach = SUPPORT * filterScale;
  const center = (place + 0.5) * scale;
  const first = Math.max(0, Math.trunc(center - reach + 0.5));
  const end = Math.min(size, Math.trunc(center + reach + 0.5));
  const raw = Array.from({ length: end - first }, (_, i) =>
    bicubic((i + first - center + 0.5) * (1 / filterScale)),
  );
  const sum = raw.reduce((total, weight) => total + weight, 0);
  const weights = raw.map((weight) => {
    const exact = (weight / sum) * PRECISION;
    return Math.trunc(exact < 0 ? exact - 0.5 : exact + 0.5);
  });
  return { first, weights };
}

function bicubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * A;
  return 0;
}
