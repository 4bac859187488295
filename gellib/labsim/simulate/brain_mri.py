"""Simulated brain MRI with and without a tumour, in files as mixed as those of such collections."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gellib.labsim.simulate.brain import (
    WEIGHTINGS,
    draw_head,
    frame,
    inside,
    scanned,
    slice_of,
)
from gellib.labsim.simulate.draw import Canvas, chance, pick, to_bytes, word
from gellib.labsim.simulate.tumours import Tumours
from gellib.labsim.simulate.write import new_folder

CLASSES = ("no", "yes")
YES_SHARE = 155 / 253
LEAST = 12
_WEIGHTING = {"T1 contrast": 0.42, "FLAIR": 0.26, "T2": 0.18, "T1": 0.14}
_LONG_PX = {"150 240": 0.3, "240 340": 0.5, "340 520": 0.17, "630 700": 0.03}
# How an image of either class is stored: JPEG in colour or grey, PNG with alpha or a palette.
_MODES = {"RGB": 0.83, "L": 0.12, "RGBA": 0.025, "P": 0.025}
_WRONG_EXTENSION = 0.7  # of the PNG files: they are called .jpg
_COPIES = 0.05  # share of images that are copies of another one of their class


def draw_image(label: str, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw one slice, `no` or `yes`: uint8 (height, width).

    Parameters
    ----------
    label
        `no` or `yes`.
    height, width
        Pixels.
    rng
        Decides everything else.
    """
    if label not in CLASSES:
        raise ValueError(f"no class {label!r}: expected one of {', '.join(CLASSES)}")
    head = draw_head(rng)
    # Half of the people are old: wide ventricles alone are no tumour.
    if chance(rng, 0.5):
        head.ventricle *= rng.uniform(1.0, 1.9)
        head.sulcus *= rng.uniform(1.0, 1.6)
    weighting = pick(rng, _WEIGHTING)
    tissue = {
        name: value * rng.uniform(0.88, 1.12) for name, value in WEIGHTINGS[weighting].items()
    }
    zoom = rng.uniform(0.82, 1.08)
    across, along = frame(head, width, height, zoom)
    level = rng.uniform(-0.6, 0.9)
    tumours = Tumours(rng, across, along)
    if label == "yes":
        for _ in range(1 + int(rng.integers(1, 4) if chance(rng, 0.12) else 0)):
            tumours.add_tumour(head, weighting)
    pushed_across, pushed_along = tumours.pushed(across, along)
    image, brain = slice_of(head, pushed_across, pushed_along, tissue, level)
    if level < -0.3 and chance(rng, 0.5):
        image = _eyes(rng, image, across, along, tissue)
    if chance(rng, 0.25):
        image = _white_spots(rng, image, across, along, weighting)
    if chance(rng, 0.06 if label == "no" else 0.03):
        image = _calcified(rng, image, across, along)
    image = tumours.drawn(image, brain)
    return to_bytes(_framed(rng, scanned(rng, image), width, height))


def _eyes(rng, image, across, along, tissue):
    """Two balls of fluid in the low front corners, as in slices through the orbits."""
    size = rng.uniform(0.14, 0.18)
    for side in (-1, 1):
        away = np.hypot(across - side * 0.36, along + 0.72) / np.float32(size)
        image = image + (np.float32(0.3) - image) * inside(1.25 - away, 0.2)
        image = image + (tissue["fluid"] - image) * inside(1 - away, 0.12)
    return image


def _white_spots(rng, image, across, along, weighting):
    """Small bright patches beside the ventricles, as age leaves them: no tumour."""
    value = 0.8 if weighting in ("T2", "FLAIR") else 0.33
    for _ in range(int(rng.integers(3, 18))):
        x = rng.choice([-1, 1]) * rng.uniform(0.16, 0.42)
        y, size = rng.uniform(-0.4, 0.45), rng.uniform(0.015, 0.05)
        away = np.hypot((across - x) / size, (along - y) / (size * rng.uniform(0.6, 2)))
        share = np.float32(rng.uniform(0.3, 0.9)) * np.exp(-(away**2))
        image = image + (np.float32(value) - image) * share
    return image


def _calcified(rng, image, across, along):
    """A bright pineal gland or plexus on the midline."""
    away = np.hypot(across - rng.normal(0, 0.02), along - rng.uniform(0.18, 0.3))
    return np.maximum(image, np.float32(0.9) * inside(rng.uniform(0.02, 0.05) - away, 0.015))


def _framed(rng, image, width, height):
    """Margins, letters and scales, as screens and journals leave them."""
    kind = rng.random()
    if kind < 0.1:
        margin = round(width * rng.uniform(0.03, 0.16))
        image = image.copy()
        image[:, :margin] = image[:, -margin:] = np.float32(1.0 if chance(rng, 0.4) else 0.0)
    if chance(rng, 0.35):
        canvas = Canvas(width, height, image, over=1)
        size = rng.uniform(0.025, 0.05)
        for _ in range(int(rng.integers(1, 4))):
            x, y = rng.choice([0.02, 0.84]), rng.choice([0.02, 0.07, 0.9, 0.95])
            canvas.text(x, y, word(rng, int(rng.integers(1, 7))), size, rng.uniform(0.6, 1.0))
        if chance(rng, 0.25):
            canvas.line([[0.35, 0.97], [0.65, 0.97]], 0.9, 0.004)
        if chance(rng, 0.15):
            canvas.box(0.004, 0.004, 0.995, 0.995, None, rng.uniform(0.4, 1.0), 0.004)
        image = canvas.array()
    return image


def write_brain_mri(
    out: Path,
    *,
    n: int = 253,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `out/no/* no.jpg` and `out/yes/Y*.jpg`, `n` images in all, 155 of 253 with a tumour.

    Sizes, modes, file types and wrong extensions are as mixed as in collections from the web, and
    distributed equally in both classes. One image in twenty is a copy of another one of its class.
    Parameters and errors are those of `write_gel_split`; `n` is the number of all images.

    Parameters
    ----------
    out
        Folder to write to; created where it is missing.
    n
        Images in all.
    seed
        Decides all images.
    progress
        Whether to show a progress bar.
    """
    if n < LEAST:
        raise ValueError(f"n: got {n}, expected {LEAST} or more images")
    counts = {"yes": round(n * YES_SHARE)}
    counts["no"] = n - counts["yes"]
    done = 0
    with new_folder(Path(out)) as folder:
        for number, label in enumerate(CLASSES):
            (folder / label).mkdir()
            for index in range(counts[label]):
                name = f"Y{index + 1}" if label == "yes" else f"{index + 1} no"
                _write_image(folder / label / name, label, seed, number, index)
                done += 1
                if progress is not None:
                    progress(done, n)


def _write_image(target: Path, label: str, seed: int, number: int, index: int) -> None:
    original = _original(seed, number, index)
    shape = np.random.default_rng([seed, number, original, 1])
    low, high = map(int, pick(shape, _LONG_PX).split())
    long_px, aspect = shape.uniform(low, high), shape.uniform(0.74, 1.0)
    image = Image.fromarray(draw_image(label, shape, round(long_px * aspect), round(long_px)))
    look = np.random.default_rng([seed, number, index, 2])
    if original != index:
        scale = look.uniform(0.6, 0.95)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
    mode = pick(look, _MODES)
    png = mode in ("RGBA", "P")
    suffix = ".png" if png else str(look.choice([".jpg", ".jpg", ".jpg", ".JPG", ".jpeg"]))
    if png and chance(look, _WRONG_EXTENSION):
        suffix = ".jpg"
    image = image.quantize(64) if mode == "P" else image.convert(mode)
    target = target.with_name(target.name + suffix)
    if png:
        image.save(target, "PNG", optimize=True)
    else:
        image.save(target, "JPEG", quality=int(look.integers(55, 95)))


def _original(seed: int, number: int, index: int) -> int:
    """Return the number of the image in a file: its own, or an earlier one's."""
    rng = np.random.default_rng([seed, number, index])
    if index > 4 and chance(rng, _COPIES):
        return _original(seed, number, int(rng.integers(index)))
    return index
