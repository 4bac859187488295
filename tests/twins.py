"""Pictures and their near-duplicates; slices of subjects."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def blobs(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """A grey picture of smooth blobs, another one for each seed."""
    rng = np.random.default_rng(seed)
    picture = gaussian_filter(rng.normal(size=(height, width)), 4)
    picture += 0.4 * gaussian_filter(rng.normal(size=(height, width)), 1.5)
    low, high = picture.min(), picture.max()
    return np.rint(30 + 190 * (picture - low) / (high - low)).astype(np.uint8)


def resaved(picture: np.ndarray, quality: int = 60) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


def resized(picture: np.ndarray, factor: float = 0.6) -> np.ndarray:
    image = Image.fromarray(picture)
    size = round(image.width * factor), round(image.height * factor)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def cropped(picture: np.ndarray, left=0.1, right=0.0, top=0.05, bottom=0.1) -> np.ndarray:
    height, width = picture.shape
    rows = slice(round(top * height), height - round(bottom * height))
    return picture[rows, round(left * width) : width - round(right * width)]


def brightened(picture: np.ndarray, gain: float = 0.5, lift: float = 90) -> np.ndarray:
    return np.clip(picture * gain + lift, 0, 255).astype(np.uint8)


CHANGES = {
    "resaved": resaved,
    "resized": resized,
    "cropped": cropped,
    "brightened": brightened,
    "all": lambda picture: resaved(brightened(cropped(resized(picture, 0.8)), 0.7, 20)),
}


def write_png(path, picture: np.ndarray, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).convert(mode).save(path)


def subject_slices(seed: int, *, subjects: int = 20, slices: int = 8):
    """Slices (n, 64, 64) of simulated subjects, their labels (by subject) and subjects."""
    rng = np.random.default_rng(seed)

    def smooth(sigma):
        picture = gaussian_filter(rng.normal(size=(64, 64)), sigma)
        return picture / picture.std()

    common = smooth(5)
    pictures, labels, names = [], [], []
    for subject in range(subjects):
        own, change = smooth(4), smooth(4)
        for number in range(slices):
            depth = number / slices - 0.5
            picture = common + 0.6 * own + 0.5 * depth * change
            picture = picture + 0.1 * smooth(0.7)
            pictures.append(np.clip(120 + 40 * picture, 0, 255))
            labels.append(subject % 2)
            names.append(subject)
    return np.array(pictures, np.float32), np.array(labels), np.array(names)
