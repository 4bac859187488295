// Reads one picture as gellib.data.images.read_image does, and prepares it as
// gellib.models.features.unaugmented_view does: the same levels, to the bit where the browser
// decodes to the same bytes as Pillow (PNG and TIFF are decoded here; JPEG may differ by a level).
//
// A decoded picture is {width, height, colors: 1 or 3, values, alpha: or null, deep}: `values` has
// `colors` numbers per pixel; `deep` says that they are of more than 8 bits.
"use strict";

class Unreadable extends Error {} // its message is a key of the texts

const STARTS = {
  png: [0x89, 0x50, 0x4e, 0x47], jpeg: [0xff, 0xd8, 0xff], gif: [0x47, 0x49, 0x46, 0x38],
  bmp: [0x42, 0x4d], tiff: [0x49, 0x49, 0x2a, 0], tiffBig: [0x4d, 0x4d, 0, 0x2a],
};
const LOW_PERCENTILE = 0.1, HIGH_PERCENTILE = 99.9, SAMPLE = 16e6; // as gellib.data.pixels
const UNIT = 1 << 22; // of the weights of Pillow's resampling

function kindOf(bytes) {
  for (const [kind, start] of Object.entries(STARTS)) {
    if (start.every((value, place) => bytes[place] === value)) return kind;
  }
  const text = String.fromCharCode(...bytes.subarray(0, 12));
  return text.startsWith("RIFF") && text.endsWith("WEBP") ? "webp" : "";
}

/** Reads a file as levels {width, height, channels, data}: 1 channel for grey, 3 for colour. */
async function readPicture(file, facts) {
  if (file.size === 0) throw new Unreadable("empty");
  if (file.size > facts.max_bytes) throw new Unreadable("large");
  const bytes = new Uint8Array(await file.arrayBuffer());
  const kind = kindOf(bytes);
  if (!kind) throw new Unreadable("foreign");
  const check = (width, height) => {
    if (!(width > 0 && height > 0)) throw new Unreadable("damaged");
    if (width * height > facts.max_pixels) throw new Unreadable("large");
  };
  let picture;
  try {
    if (kind === "png") picture = await decodePng(bytes, check);
    else if (kind.startsWith("tiff")) picture = await decodeTiff(bytes, check);
    picture = picture || await decodeInBrowser(bytes, check);
  } catch (error) {
    throw error instanceof Unreadable ? error : new Unreadable("damaged");
  }
  return toLevels(picture, facts.preprocessing.color === "grey" ? 1 : 3);
}

async function decodeInBrowser(bytes, check) {
  const how = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
  const bitmap = await createImageBitmap(new Blob([bytes]), how);
  const {width, height} = bitmap;
  check(width, height);
  const canvas = document.createElement("canvas");
  Object.assign(canvas, {width, height});
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  canvas.width = canvas.height = 0; // frees its memory at once
  return {width, height, ...separateAlpha(rgba, 4), deep: false};
}

/** Splits samples of pixels with alpha behind the colours. */
function separateAlpha(samples, channels) {
  const colors = channels - 1, count = samples.length / channels;
  const values = new samples.constructor(count * colors);
  const alpha = new samples.constructor(count);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < colors; c++) values[i * colors + c] = samples[i * channels + c];
    alpha[i] = samples[i * channels + colors];
  }
  return {colors, values, alpha};
}

function toLevels(picture, channels) {
  const {width, height, colors} = picture;
  const levels = picture.deep ? deepLevels(picture) : flatLevels(picture);
  if (colors === channels) return {width, height, channels, data: levels};
  const data = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    if (channels === 1) {
      const red = levels[3 * i], green = levels[3 * i + 1], blue = levels[3 * i + 2];
      data[i] = (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
    } else data.fill(levels[i], 3 * i, 3 * i + 3);
  }
  return {width, height, channels, data};
}

/** Composites 8-bit values over white, as Pillow does; a constant alpha says nothing. */
function flatLevels({values, alpha, colors}) {
  const {least, most} = extremes(alpha || []);
  if (!alpha || least === most) return values;
  return values.map((value, place) => {
    const a = Math.floor(alpha[Math.floor(place / colors)] * 255 / most);
    const mixed = (value * a + 255 * (255 - a)) * 128 + (128 << 7);
    return (((mixed >> 8) + mixed) >> 8) >> 7;
  });
}

/** Scales deeper values so that their 0.1 and 99.9 percentiles become 0 and 255. */
function deepLevels(picture) {
  const {values, colors, inverted} = picture;
  const range = extremes(picture.alpha || []);
  const alpha = range.least === range.most ? null : picture.alpha;
  const levels = stretched(values, alpha, picture);
  if (inverted) levels.forEach((level, place) => { levels[place] = 255 - level; });
  if (!alpha) return levels;
  return levels.map((level, place) => {
    const share = Math.min(1, Math.max(0, alpha[Math.floor(place / colors)] / range.most));
    return even(255 - (255 - level) * share);
  });
}

function stretched(values, alpha, {width, height, colors}) {
  const out = new Uint8Array(values.length);
  const whole = !(values instanceof Float32Array || values instanceof Float64Array);
  const all = extremes(values);
  if (whole && all.least >= 0 && all.most <= 255) { out.set(values); return out; }
  const step = Math.ceil(Math.sqrt(values.length / SAMPLE)), seen = [];
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      const pixel = y * width + x;
      if (alpha && !(alpha[pixel] > 0)) continue;
      for (let c = 0; c < colors; c++) seen.push(values[pixel * colors + c]);
    }
  }
  const sorted = Float64Array.from(seen).filter(Number.isFinite).sort();
  if (!sorted.length) throw new Unreadable("blank");
  // In the precision of gellib: single for 16 bits, where all is scaled to -1..1.
  const round = whole && values.BYTES_PER_ELEMENT <= 2 ? Math.fround : value => value;
  const largest = Math.max(Math.abs(sorted[0]), Math.abs(sorted[sorted.length - 1])) || 1;
  let low = round(percentile(sorted, LOW_PERCENTILE) / largest);
  let high = round(percentile(sorted, HIGH_PERCENTILE) / largest);
  if (low === high) [low, high] = [sorted[0] / largest, sorted[sorted.length - 1] / largest];
  if (low === high) return out;
  const span = round(high - low);
  for (let i = 0; i < values.length; i++) {
    let value = round(values[i] / largest);
    if (Number.isNaN(value)) value = low;
    value = round(Math.min(high, Math.max(low, value)) - low);
    out[i] = even(round(255 * round(value / span)));
  }
  return out;
}

function extremes(values) {
  let least = Infinity, most = -Infinity;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return {least, most};
}

/** Rounds halves to even, as numpy does. */
function even(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function percentile(sorted, percent) {
  const place = percent / 100 * (sorted.length - 1), first = Math.floor(place);
  const next = sorted[Math.min(first + 1, sorted.length - 1)];
  return sorted[first] + (next - sorted[first]) * (place - first);
}

/** Turns and mirrors pixels as the EXIF or TIFF orientation 1 to 8 says. */
function turned(picture, orientation) {
  if (!(orientation >= 2 && orientation <= 8)) return picture;
  const {width, height, colors} = picture, swap = orientation >= 5;
  const size = {width: swap ? height : width, height: swap ? width : height};
  const flipDown = [3, 4, 7, 8].includes(orientation);
  const flipRight = [2, 3, 6, 7].includes(orientation);
  const move = (from, parts) => {
    const to = new from.constructor(from.length);
    for (let y = 0; y < size.height; y++) {
      for (let x = 0; x < size.width; x++) {
        const a = flipDown ? size.height - 1 - y : y, b = flipRight ? size.width - 1 - x : x;
        const source = swap ? b * width + a : a * width + b;
        for (let c = 0; c < parts; c++) {
          to[(y * size.width + x) * parts + c] = from[source * parts + c];
        }
      }
    }
    return to;
  };
  const alpha = picture.alpha && move(picture.alpha, 1);
  return {...picture, ...size, values: move(picture.values, colors), alpha};
}

// -- from levels to the view ---------------------------------------------------------------------

/** Makes the view of a picture: uint8, channel by channel, image_size x image_size. */
function viewOf(picture, facts) {
  const {image_size: size, resize_size: resized, contrast, interpolation} = facts.preprocessing;
  const {width, height, channels} = picture;
  const data = contrast === "stretch" ? moreContrast(picture.data) : picture.data;
  const side = Math.min(width, height) * size / resized;
  const across = passOf(width, (width - side) / 2, side, size, interpolation);
  const down = passOf(height, (height - side) / 2, side, size, interpolation);
  const downFirst = facts.tall_down_first && height > Math.max(2 * width - size, size);
  const view = new Uint8Array(channels * size * size);
  for (let c = 0; c < channels; c++) {
    let plane = {data, width, height, step: channels, start: c};
    for (const first of [downFirst, !downFirst]) {
      plane = first ? resizeDown(plane, down) : resizeAcross(plane, across);
    }
    view.set(plane.data, c * size * size);
  }
  return view;
}

function moreContrast(data) {
  const counts = new Float64Array(256);
  for (const level of data) counts[level]++;
  const at = rank => {
    let seen = 0;
    for (let level = 0; level < 256; level++) if ((seen += counts[level]) > rank) return level;
    return 255;
  };
  const [low, high] = [1, 99].map(percent => {
    const place = percent / 100 * (data.length - 1), first = Math.floor(place);
    const next = at(Math.min(first + 1, data.length - 1));
    return at(first) + (next - at(first)) * (place - first);
  });
  if (high <= low) return data;
  const scale = 255 / (high - low);
  const table = Array.from({length: 256}, (_, level) => (
    Math.floor(Math.min(255, Math.max(0, (level - low) * scale + 0.5)))));
  return data.map(level => table[level]);
}

const FILTERS = {
  bilinear: [1, x => Math.max(0, 1 - x)],
  bicubic: [2, x => x < 1 ? (1.5 * x - 2.5) * x * x + 1
    : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0],
};

/** Weights of one pass, as Pillow has them: for each place, the first pixel and whole numbers. */
function passOf(length, start, side, size, interpolation) {
  const [reach, filter] = FILTERS[interpolation];
  const from = Math.fround(start), scale = Math.fround(Math.fround(start + side) - from) / size;
  const wide = Math.max(scale, 1), support = reach * wide;
  return Array.from({length: size}, (_, place) => {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let x = first; x < end; x++) weights.push(filter(Math.abs((x - centre + 0.5) / wide)));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const whole = weights.map(weight => {
      const scaled = weight / total * UNIT;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return {first, weights: Int32Array.from(whole)};
  });
}

const clipped = sum => Math.min(255, Math.max(0, sum >> 22));

function resizeAcross({data, width, height, step, start}, pass) {
  const size = pass.length, out = new Uint8Array(height * size);
  for (let y = 0; y < height; y++) {
    const row = y * width * step + start;
    for (let x = 0; x < size; x++) {
      const {first, weights} = pass[x];
      let sum = UNIT / 2;
      for (let i = 0; i < weights.length; i++) sum += weights[i] * data[row + (first + i) * step];
      out[y * size + x] = clipped(sum);
    }
  }
  return {data: out, width: size, height, step: 1, start: 0};
}

function resizeDown({data, width, step, start}, pass) {
  const size = pass.length, out = new Uint8Array(size * width), sums = new Float64Array(width);
  for (let y = 0; y < size; y++) {
    const {first, weights} = pass[y];
    sums.fill(UNIT / 2);
    for (let i = 0; i < weights.length; i++) {
      const row = (first + i) * width * step + start;
      for (let x = 0; x < width; x++) sums[x] += weights[i] * data[row + x * step];
    }
    for (let x = 0; x < width; x++) out[y * width + x] = clipped(sums[x]);
  }
  return {data: out, width, height: size, step: 1, start: 0};
}
