// Decodes PNG and TIFF: the browser reduces PNG to 8 bits, applies its colour profile and loses the
// colours of transparent pixels, and reads no TIFF.
"use strict";

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// -- PNG -----------------------------------------------------------------------------------------

/** Decodes a PNG; null if it is interlaced and of 8 bits or fewer, which is for the browser. */
async function decodePng(bytes, check) {
  const file = new DataView(bytes.buffer), chunks = {IDAT: []};
  for (let at = 8; at + 8 <= bytes.length;) {
    const length = file.getUint32(at), name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (name === "IEND" || content.length < length) break;
    if (name === "IDAT") chunks.IDAT.push(content); else chunks[name] = content;
    at += 12 + length;
  }
  const header = new DataView(chunks.IHDR.slice().buffer);
  const width = header.getUint32(0), height = header.getUint32(4);
  const depth = header.getUint8(8), kind = header.getUint8(9);
  check(width, height);
  if (header.getUint8(12)) {
    if (depth === 16) throw new Unreadable("rare");
    return null;
  }
  const channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind];
  const line = Math.ceil(width * channels * depth / 8);
  const raw = await inflate(await new Blob(chunks.IDAT).arrayBuffer());
  if (raw.length < (line + 1) * height) throw new Unreadable("damaged");
  unfilter(raw, line, height, Math.max(1, channels * depth >> 3));
  const rows = new Uint8Array(line * height);
  for (let y = 0; y < height; y++) {
    rows.set(raw.subarray(y * (line + 1) + 1, (y + 1) * (line + 1)), y * line);
  }
  const samples = unpack(rows, {width: width * channels, height, line, depth, little: false});
  const found = pngColors(samples, {depth, kind, channels, chunks});
  return turned({width, height, deep: depth === 16, ...found}, exifOrientation(chunks.eXIf));
}

function unfilter(raw, line, height, pixel) {
  for (let y = 0, row = 1; y < height; y++, row += line + 1) {
    const filter = raw[row - 1];
    for (let x = 0; x < line; x++) {
      const left = x >= pixel ? raw[row + x - pixel] : 0;
      const up = y ? raw[row + x - line - 1] : 0;
      const corner = y && x >= pixel ? raw[row + x - pixel - line - 1] : 0;
      if (filter === 1) raw[row + x] += left;
      else if (filter === 2) raw[row + x] += up;
      else if (filter === 3) raw[row + x] += (left + up) >> 1;
      else if (filter === 4) {
        const a = Math.abs(up - corner), b = Math.abs(left - corner);
        const c = Math.abs(left + up - 2 * corner);
        raw[row + x] += a <= b && a <= c ? left : b <= c ? up : corner;
      }
    }
  }
}

function pngColors(samples, {depth, kind, channels, chunks}) {
  const key = chunks.tRNS, table = chunks.PLTE;
  if (kind === 3) {
    const values = new Uint8Array(samples.length * 3);
    const alpha = key ? new Uint8Array(samples.length) : null;
    samples.forEach((index, place) => {
      for (let c = 0; c < 3; c++) values[3 * place + c] = table[3 * index + c];
      if (alpha) alpha[place] = index < key.length ? key[index] : 255;
    });
    return {colors: 3, values, alpha};
  }
  if (channels === 2 || channels === 4) return separateAlpha(samples, channels);
  let alpha = null;
  if (key) {
    const clear = Array.from({length: channels}, (_, c) => 256 * key[2 * c] + key[2 * c + 1]);
    alpha = new Uint8Array(samples.length / channels);
    for (let i = 0; i < alpha.length; i++) {
      alpha[i] = clear.every((value, c) => samples[i * channels + c] === value) ? 0 : 255;
    }
  }
  const scale = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  return {colors: channels, values: scale > 1 ? samples.map(v => v * scale) : samples, alpha};
}

function exifOrientation(exif) {
  try {
    const {tags} = readDirectory(exif.slice(), 0);
    return tags[274] ? tags[274][0] : 1;
  } catch { // damaged EXIF does not make the picture unreadable
    return 1;
  }
}

/** Unpacks rows of samples of any depth to one typed array. */
function unpack(rows, {width, height, line, depth, little, format = 1}) {
  const count = width * height, view = new DataView(rows.buffer, rows.byteOffset, rows.length);
  if (depth === 8) return format === 2 ? Int8Array.from(rows) : rows;
  if (depth < 8) {
    const out = new Uint8Array(count), mask = 2 ** depth - 1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const bit = x * depth;
        out[y * width + x] = rows[y * line + (bit >> 3)] >> (8 - depth - (bit & 7)) & mask;
      }
    }
    return out;
  }
  const names = {"16,1": "Uint16", "16,2": "Int16", "32,1": "Uint32", "32,2": "Int32",
    "32,3": "Float32", "64,3": "Float64"};
  const name = names[`${depth},${format}`];
  if (!name) throw new Unreadable("rare");
  const types = {Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array};
  const out = new types[`${name}Array`](count), read = view[`get${name}`].bind(view);
  for (let i = 0; i < count; i++) out[i] = read(i * depth / 8, little);
  return out;
}

// -- TIFF ----------------------------------------------------------------------------------------

const TAG_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 11: 4, 12: 8};

/** Reads the tags of one directory: numbers of each, and where the next directory is. */
function readDirectory(bytes, at) {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = bytes[0] === 0x49, tags = {};
  const start = at || file.getUint32(4, little), count = file.getUint16(start, little);
  for (let i = 0; i < count; i++) {
    const entry = start + 2 + 12 * i;
    const tag = file.getUint16(entry, little), type = file.getUint16(entry + 2, little);
    const n = file.getUint32(entry + 4, little), size = TAG_BYTES[type] || 0;
    if (!size || n > bytes.length) continue;
    const place = size * n > 4 ? file.getUint32(entry + 8, little) : entry + 8;
    if (place + size * n > bytes.length) continue;
    tags[tag] = Array.from({length: n}, (_, k) => (
      size === 2 ? file.getUint16(place + 2 * k, little)
        : size === 4 ? file.getUint32(place + 4 * k, little) : bytes[place + size * k]));
  }
  return {tags, next: file.getUint32(start + 2 + 12 * count, little), little};
}

/** Decodes the first full page of a TIFF; pages of reduced resolution and masks are passed over. */
async function decodeTiff(bytes, check) {
  let page = readDirectory(bytes, 0), first = page;
  const reduced = ({tags}) => (tags[254] && tags[254][0] & 5) || (tags[255] && tags[255][0] === 2);
  for (let looked = 0; reduced(page) && page.next && looked < 64; looked++) {
    page = readDirectory(bytes, page.next);
  }
  const {tags, little} = reduced(page) ? first : page;
  const one = (tag, otherwise) => (tags[tag] ? tags[tag][0] : otherwise);
  const width = one(256), height = one(257), channels = one(277, 1), depth = one(258, 1);
  check(width, height);
  const photometric = one(262, 1), format = one(339, 1);
  if (![0, 1, 2, 3].includes(photometric) || ![1, 2, 3].includes(format)) throw new Unreadable("rare");
  if ((tags[258] || []).some(bits => bits !== depth)) throw new Unreadable("rare");
  const layout = {width, height, channels, depth, format, little, predictor: one(317, 1),
    compression: one(259, 1), separate: one(284, 1) === 2, reversed: one(266, 1) === 2};
  const samples = await tiffSamples(bytes, tags, layout);
  return turned({width, height, ...tiffColors(samples, tags, {...layout, photometric})}, one(274, 1));
}

async function tiffSamples(bytes, tags, layout) {
  const {width, height, channels, depth, separate} = layout, tiled = Boolean(tags[322]);
  const wide = tiled ? tags[322][0] : width;
  const tall = tiled ? tags[323][0] : Math.min(height, (tags[278] || [height])[0]);
  const offsets = tags[tiled ? 324 : 273], counts = tags[tiled ? 325 : 279];
  const parts = separate ? 1 : channels, columns = Math.ceil(width / wide);
  const each = columns * Math.ceil(height / tall), planes = separate ? channels : 1;
  if (!offsets || offsets.length < each * planes) throw new Unreadable("damaged");
  let samples = null;
  for (let number = 0; number < each * planes; number++) {
    const plane = Math.floor(number / each), within = number % each;
    const left = within % columns * wide, top = Math.floor(within / columns) * tall;
    const rows = tiled ? tall : Math.min(tall, height - top);
    const length = counts ? counts[number] : bytes.length - offsets[number];
    if (offsets[number] + length > bytes.length) throw new Unreadable("damaged");
    const stored = bytes.subarray(offsets[number], offsets[number] + length);
    const line = Math.ceil(wide * parts * depth / 8);
    const plain = await decompress(stored, line * rows, layout);
    if (plain.length < line * rows) throw new Unreadable("damaged");
    const block = tiffBlock(plain.slice(0, line * rows), wide, rows, parts, line, layout);
    samples = samples || new block.constructor(width * height * channels);
    for (let y = 0; y < rows && top + y < height; y++) {
      for (let x = 0; x < wide && left + x < width; x++) {
        const to = ((top + y) * width + left + x) * channels + plane;
        for (let c = 0; c < parts; c++) samples[to + c] = block[(y * wide + x) * parts + c];
      }
    }
  }
  return samples;
}

async function decompress(stored, size, {compression, reversed}) {
  if (reversed) throw new Unreadable("rare"); // bits in reverse order
  if (compression === 1) return stored;
  if (compression === 5) return unpackLzw(stored, size);
  if (compression === 32773) return unpackBits(stored, size);
  if (compression === 8 || compression === 32946) return inflate(stored);
  throw new Unreadable("rare");
}

function tiffBlock(plain, wide, rows, parts, line, {depth, format, little, predictor}) {
  let order = little;
  if (predictor === 3) { // bytes of floats, most significant ones first
    const size = depth / 8, out = new Uint8Array(plain.length);
    for (let y = 0; y < rows; y++) {
      const row = y * line;
      for (let x = parts; x < line; x++) plain[row + x] += plain[row + x - parts];
      for (let x = 0; x < line; x++) {
        out[row + x % (line / size) * size + Math.floor(x / (line / size))] = plain[row + x];
      }
    }
    [plain, order] = [out, false];
  }
  const block = unpack(plain, {width: wide * parts, height: rows, line, depth, format, little: order});
  if (predictor === 2) {
    for (let y = 0; y < rows; y++) {
      const row = y * wide * parts;
      for (let x = parts; x < wide * parts; x++) block[row + x] += block[row + x - parts];
    }
  }
  return block;
}

function unpackBits(stored, size) {
  const out = new Uint8Array(size);
  for (let from = 0, to = 0; from < stored.length && to < size;) {
    const n = stored[from++];
    if (n < 128) {
      out.set(stored.subarray(from, from + Math.min(n + 1, size - to)), to);
      from += n + 1;
      to += n + 1;
    } else if (n > 128) {
      out.fill(stored[from++], to, to + 257 - n);
      to += 257 - n;
    }
  }
  return out;
}

function unpackLzw(stored, size) {
  const out = new Uint8Array(size), starts = [], lengths = [];
  let to = 0, bits = 9, buffer = 0, held = 0, before = -1, next = 258;
  for (let from = 0; from < stored.length && to < size;) {
    while (held < bits && from < stored.length) {
      buffer = (buffer << 8 | stored[from++]) & 0xffffff;
      held += 8;
    }
    if (held < bits) break;
    const code = buffer >> (held - bits) & (1 << bits) - 1;
    held -= bits;
    if (code === 257) break;
    if (code === 256) { [bits, next, before] = [9, 258, -1]; continue; }
    const start = to;
    if (code < 256) out[to++] = code;
    else {
      if (before < 0 || code > next) throw new Unreadable("damaged");
      // A code that is not there yet is the text before and its own first byte.
      const [source, length] = code < next ? [starts[code], lengths[code]]
        : [before, start - before + 1];
      for (let i = 0; i < length && to < size; i++) out[to++] = out[source + i];
    }
    if (before >= 0 && next < 4096) {
      [starts[next], lengths[next]] = [before, start - before + 1];
      next++;
    }
    if (next + 1 >= 1 << bits && bits < 12) bits++;
    before = start;
  }
  return out;
}

/** Gives samples the meaning that the tags say, as gellib.data.tiff_samples does. */
function tiffColors(samples, tags, {channels, depth, format, photometric, width, height}) {
  const extra = tags[338] || [];
  if (photometric === 3) return palette(samples, tags[320], channels);
  const colors = channels >= 3 && (photometric === 2 || channels === 3) ? 3 : 1;
  const plain = !extra.length && photometric === 2 && channels === 4;
  const known = plain || (extra.length && colors === channels - extra.length
    && [1, 2, 999].includes(extra[0]));
  const pixels = width * height, pick = (from, count) => {
    if (count === channels) return samples;
    const out = new samples.constructor(pixels * count);
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < count; c++) out[i * count + c] = samples[i * channels + from + c];
    }
    return out;
  };
  let values = pick(0, colors);
  const alpha = known ? pick(colors, 1) : null, inverted = photometric === 0;
  if (depth > 8 || format !== 1) {
    return {colors, values: withoutHoles(values, tags[42113]), alpha, deep: true, inverted};
  }
  if (depth < 8) values = values.map(value => Math.floor(value * 255 / (2 ** depth - 1)));
  if (inverted) values = values.map(value => 255 - value);
  if (alpha && extra[0] === 1) { // colours were multiplied by alpha
    values = values.map((value, place) => {
      const a = alpha[Math.floor(place / colors)];
      return a === 0 || a === 255 ? value : Math.min(255, Math.floor(255 * value / a));
    });
  }
  return {colors, values, alpha, deep: false};
}

/** Gives pixels without a measurement, by the number that GDAL's tag names, the least of all. */
function withoutHoles(values, text) {
  const word = String.fromCharCode(...(text || [])).replace(/\0/g, "").trim();
  const hole = word ? Number(word) : NaN;
  const least = values.reduce((low, value) => value !== hole && value < low ? value : low, Infinity);
  return hole === hole && least < Infinity ? values.map(v => v === hole ? least : v) : values;
}

function palette(samples, table, channels) {
  const count = table.length / 3, deep = table.some(value => value > 255);
  const values = new Uint8Array(samples.length / channels * 3);
  for (let i = 0; i < samples.length / channels; i++) {
    const index = samples[i * channels];
    if (index >= count) throw new Unreadable("damaged");
    for (let c = 0; c < 3; c++) {
      const value = table[c * count + index];
      values[3 * i + c] = deep ? value >> 8 : value;
    }
  }
  return {colors: 3, values, alpha: null, deep: false};
}
