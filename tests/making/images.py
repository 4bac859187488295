"""Single images as arrays and bytes: blobs and their near-duplicates, stripes, noise, encodings."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def save_png(path: Path, pixels: np.ndarray, mode: str = "") -> None:
    """Write pixels as PNG, whatever the file's name ends with; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, "PNG")


def encode(image: Image.Image | np.ndarray, file_type: str = "PNG", **options) -> bytes:
    """Encode an image as a file of a type has it."""
    buffer = io.BytesIO()
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    image.save(buffer, file_type, **options)
    return buffer.getvalue()


def make_flat_png(value: int = 90, width: int = 8, height: int = 8) -> bytes:
    """Encode an image of one grey value."""
    return encode(np.full((height, width), value, np.uint8))


def make_raw_png(
    width, height, data=b"", depth=8, color_type=0, interlace=0, extra=(), behind=()
) -> bytes:
    """Put together a PNG by hand, for what Pillow does not write.

    Parameters
    ----------
    data
        Rows before compression, each with its filter byte in front; may be too few.
    depth, color_type, interlace
        Bits per sample, colour type and interlacing, as the PNG header has them.
    extra, behind
        Names and contents of further chunks, before and behind the pixels.
    """

    def chunk(name, body):
        crc = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + crc

    header = struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace)
    parts = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(data)), *behind, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def random_pixels(*shape: int, seed: int = 0) -> np.ndarray:
    """Uniform noise in uint8, of any shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_ramp(width: int, height: int) -> np.ndarray:
    """Grey values that rise from 0 to 255, row after row; (height, width), uint8."""
    return np.linspace(0, 255, width * height).astype(np.uint8).reshape(height, width)


def make_coarse(*seeds: int, size: int = 32) -> np.ndarray:
    """Six by six random grey values, smoothly enlarged; (size, size), uint8."""
    coarse = np.random.default_rng(seeds).integers(0, 256, (6, 6), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((size, size)))


def make_lines(seed: int, *, lying: bool = True) -> np.ndarray:
    """A noisy image with lying or standing lines; (64, 80), uint8."""
    pixels = np.random.default_rng(seed).normal(100, 25, (64, 80))
    if lying:
        pixels[seed % 7 :: 7] += 90
    else:
        pixels[:, seed % 7 :: 7] += 90
    return pixels.clip(0, 255).astype(np.uint8)


def make_wave_views(rng: np.random.Generator, n: int) -> np.ndarray:
    """Grey waves of random period and phase under some noise; (n, 1, 64, 64), uint8."""
    x = np.arange(64)
    period, phase = rng.uniform(6, 9, (n, 1, 1)), rng.uniform(0, 6, (n, 1, 1))
    tones = 120 + 60 * np.sin(2 * np.pi * x[None, None] / period + phase) + np.zeros((n, 64, 1))
    return np.clip(tones + rng.normal(0, 12, tones.shape), 0, 255).astype(np.uint8)[:, None]


def make_blobs(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """A grey image of smooth blobs, another one for each seed; (height, width), uint8."""
    rng = np.random.default_rng(seed)
    pixels = gaussian_filter(rng.normal(size=(height, width)), 4)
    pixels += 0.4 * gaussian_filter(rng.normal(size=(height, width)), 1.5)
    low, high = pixels.min(), pixels.max()
    return np.rint(30 + 190 * (pixels - low) / (high - low)).astype(np.uint8)


def resaved(pixels: np.ndarray, quality: int = 60) -> np.ndarray:
    """The image after a lossy JPEG."""
    return np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", quality=quality))))


def resized(pixels: np.ndarray, factor: float = 0.6) -> np.ndarray:
    """The image at another size, a multiple of its own."""
    image = Image.fromarray(pixels)
    size = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def cropped(pixels: np.ndarray, left=0.1, right=0.0, top=0.05, bottom=0.1) -> np.ndarray:
    """The image without its margins, given as shares of its width and height."""
    height, width = pixels.shape
    rows = slice(round(top * height), height - round(bottom * height))
    return pixels[rows, round(left * width) : width - round(right * width)]


def brightened(pixels: np.ndarray, gain: float = 0.5, lift: float = 90) -> np.ndarray:
    """The image with other contrast and brightness."""
    return np.clip(pixels * gain + lift, 0, 255).astype(np.uint8)


# What makes a near-duplicate of an image.
CHANGES = {
    "resaved": resaved,
    "resized": resized,
    "cropped": cropped,
    "brightened": brightened,
    "all": lambda pixels: resaved(brightened(cropped(resized(pixels, 0.8)), 0.7, 20)),
}


def make_subject_slices(seed: int, *, subjects: int = 20, slices: int = 8):
    """Make slices of simulated subjects.

    Returns
    -------
    tuple
        Images (n, 64, 64) of float32 in 0..255, labels (n,), by subject, and subjects (n,).
    """
    rng = np.random.default_rng(seed)

    def smooth(sigma):
        pixels = gaussian_filter(rng.normal(size=(64, 64)), sigma)
        return pixels / pixels.std()

    common = smooth(5)
    images, labels, names = [], [], []
    for subject in range(subjects):
        own, change = smooth(4), smooth(4)
        for number in range(slices):
            depth = number / slices - 0.5
            pixels = common + 0.6 * own + 0.5 * depth * change
            pixels = pixels + 0.1 * smooth(0.7)
            images.append(np.clip(120 + 40 * pixels, 0, 255))
            labels.append(subject % 2)
            names.append(subject)
    return np.array(images, np.float32), np.array(labels), np.array(names)
