"""How often shortcuts planted in one class are found, and how often clean sets raise an alarm.

    python tests/benchmarks/shortcuts.py [--sets 20] [--kinds "date stamp" ...] [--folder FOLDER]

Sets of 60 images in two classes of 30. A mark is planted in all images of one class (100 %), or in
80 % of one and 20 % of the other. The images are simulated gels, or those of one class in FOLDER;
labels are drawn at random, so that nothing else tells the classes apart. A clean set alarms if the
check reports any shortcut at all, of the files or in the images. Sets share a pool of images that
are measured once per kind.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from gellib.audit.file_properties import image_properties
from gellib.audit.shortcuts import find_shortcuts
from gellib.data.duplicates import ImageSummary, summarise_images
from gellib.labsim.simulate import CLASSES, draw_image

N = 60
GOALS = {1.0: 0.9, 0.8: 0.6}
CLEAN_GOAL = 0.05
Plant = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def draw_images(n: int, seed: int, *, gels: bool = True) -> list[np.ndarray]:
    """Draw simulated gels, or other images, of all kinds and of several sizes."""
    names, drawn = [name for name in CLASSES if CLASSES[name] == gels], []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        name = names[int(rng.integers(len(names)))]
        drawn.append(draw_image(name, rng, *(int(side) for side in rng.integers(200, 420, 2))))
    return drawn


def read_small(path: Path) -> np.ndarray:
    """Read an image as grey, of 600 pixels at most."""
    image = Image.open(path).convert("L")
    image.thumbnail((600, 600))
    return np.asarray(image)


def _ink(place: np.ndarray) -> int:
    """Black or white, whichever is seen there."""
    return 0 if place.size and place.mean() >= 128 else 255


def stamp(top: bool) -> Plant:
    """A date at the upper left or lower right, another one in each image."""

    def plant(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        image = Image.fromarray(grey)
        draw, font = ImageDraw.Draw(image), ImageFont.load_default(max(9, grey.shape[0] // 22))
        text = f"{rng.integers(2010, 2024)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
        wide, high = (int(side) for side in draw.textbbox((0, 0), text, font=font)[2:])
        x = 6 if top else max(0, image.width - wide - 6)
        y = 5 if top else max(0, image.height - high - 5)
        draw.text((x, y), text, fill=_ink(grey[y : y + high, x : x + wide]), font=font)
        return np.asarray(image)

    return plant


def watermark(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words across the middle, a quarter opaque."""
    layer = Image.new("L", grey.shape[::-1], 0)
    middle, font = (layer.width // 2, layer.height // 2), ImageFont.load_default(layer.width // 8)
    ImageDraw.Draw(layer).text(middle, "LAB COPY", fill=255, font=font, anchor="mm")
    share = np.asarray(layer) / 255 / 4
    return (grey * (1 - share) + (255 if grey.mean() < 128 else 0) * share).astype(np.uint8)


def ruler(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    marked, step = grey.copy(), max(6, grey.shape[0] // 30)
    for number, row in enumerate(range(3, grey.shape[0] - 2, step)):
        marked[row, : 12 if number % 5 == 0 else 6] = _ink(grey[:, :12])
    return marked


def arrow(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = Image.fromarray(grey)
    draw, (wide, high) = ImageDraw.Draw(image), image.size
    ink = _ink(grey[int(high * 0.2) : int(high * 0.35), int(wide * 0.7) : int(wide * 0.85)])
    draw.line([(wide * 0.85, high * 0.2), (wide * 0.72, high * 0.33)], fill=ink, width=3)
    tip = [(0.7, 0.35), (0.71, 0.28), (0.77, 0.34)]
    draw.polygon([(wide * x, high * y) for x, y in tip], fill=ink)
    return np.asarray(image)


def frame(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    marked = np.full_like(grey, 0 if grey.mean() > 100 else 255)
    marked[2:-2, 2:-2] = grey[2:-2, 2:-2]
    return marked


def caption(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A white strip with a figure's number below."""
    marked, high = grey.copy(), max(14, grey.shape[0] // 14)
    marked[-high:] = 255
    image, font = Image.fromarray(marked), ImageFont.load_default(int(high * 0.75))
    text = f"Fig. {rng.integers(1, 99)}"
    ImageDraw.Draw(image).text((6, grey.shape[0] - high), text, fill=0, font=font)
    return np.asarray(image)


def vignette(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Corners darker by 30 %."""
    y, x = (np.linspace(-1, 1, side) for side in grey.shape)
    return (grey * (1 - 0.15 * (x[None] ** 2 + y[:, None] ** 2))).astype(np.uint8)


def brighter(by: int) -> Plant:
    return lambda grey, rng: np.clip(grey.astype(int) + by, 0, 255).astype(np.uint8)


def softer(radius: float) -> Plant:
    blur = ImageFilter.GaussianBlur(radius)
    return lambda grey, rng: np.asarray(Image.fromarray(grey).filter(blur))


def compressed(quality: int) -> Plant:
    def plant(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        with tempfile.TemporaryFile() as file:
            Image.fromarray(grey).save(file, "JPEG", quality=quality)
            return np.asarray(Image.open(file))

    return plant


PLANTED: dict[str, Plant] = {
    "date stamp": stamp(top=False),
    "date stamp, upper left": stamp(top=True),
    "watermark": watermark,
    "brightness +8": brighter(8),
    "brightness +25": brighter(25),
    "softening, 1 px": softer(1),
    "softening, 2 px": softer(2),
    "ruler": ruler,
    "arrow": arrow,
    "frame": frame,
    "caption": caption,
    "vignette": vignette,
    "JPEG quality 30": compressed(30),
    "noise": lambda grey, rng: np.clip(grey + rng.normal(0, 4, grey.shape), 0, 255).astype("u1"),
    "contrast 0.8": lambda grey, rng: (grey * 0.8 + 25).astype(np.uint8),
}


class Pool:
    """Grey images and, measured once per planted kind, what the check knows of them."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.images = list(images)
        self._measured: dict[str, list[ImageSummary]] = {}

    def summaries(self, kind: str = "") -> list[ImageSummary]:
        """Return the summary of each image with a mark of `PLANTED`, or without one, as a JPEG."""
        if kind not in self._measured:
            with tempfile.TemporaryDirectory() as folder:
                paths = []
                for number, grey in enumerate(self.images):
                    rng = np.random.default_rng([number, len(kind)])
                    marked = PLANTED[kind](grey, rng) if kind else grey
                    paths.append(str(Path(folder) / f"{number}.jpg"))
                    Image.fromarray(marked).save(paths[-1], quality=90)
                self._measured[kind] = summarise_images(paths, traits=True)
        return self._measured[kind]


def find_planted(pool: Pool, kind: str, share: float, seed: int) -> list[str]:
    """Plant a mark in images of a pool and return the names of what the check reports.

    Parameters
    ----------
    pool
        The images.
    kind
        A key of `PLANTED`; empty: a clean set.
    share
        Share of the images of one class that have it; of the other 1 minus this.
    seed
        Seed of the choice of images and the labels.
    """
    rng = np.random.default_rng([seed, len(kind)])
    n = min(N, len(pool.images))
    chosen, labels = (
        rng.choice(len(pool.images), n, replace=False),
        rng.permutation(np.arange(n) % 2),
    )
    has = np.zeros(n, bool)
    marked = seed % 2  # the class that has it
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(labels == label))
        has[rows[: round(len(rows) * (share if label == marked else 1 - share))]] = bool(kind)
    summaries = [pool.summaries(kind if own else "")[i] for i, own in zip(chosen, has, strict=True)]
    return reported(summaries, labels, seed)


def reported(summaries: Sequence[ImageSummary], labels: np.ndarray, seed: int) -> list[str]:
    """Return the names of the shortcuts that the check reports."""
    traits = [summary.traits for summary in summaries if summary.traits is not None]
    found = find_shortcuts(image_properties(summaries), labels, seed=seed, traits=traits)
    return [shortcut.name for shortcut in found if shortcut.high]


def unlike_classes(gels: Pool, others: Pool, seed: int) -> list[str]:
    """Return what is reported of 30 gels and 30 images of other things, made in the same way."""
    rng = np.random.default_rng([seed, 3])
    summaries = [
        pool.summaries()[i]
        for pool in (gels, others)
        for i in rng.choice(len(pool.images), N // 2, replace=False)
    ]
    return reported(summaries, np.arange(N) // (N // 2), seed)


def show(what: str, found: list[list[str]], goal: float) -> None:
    by = ", ".join(sorted({name for names in found for name in names}))
    print(f"{what:<34} {sum(map(bool, found)):>3} of {len(found):<4} {goal:<6.0%} {by}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--clean", type=int, default=100, help="clean sets")
    parser.add_argument("--pool", type=int, default=120, help="simulated images")
    parser.add_argument("--kinds", nargs="*", default=list(PLANTED))
    parser.add_argument("--folder", default="", help="images of one class, instead of gels")
    args = parser.parse_args()
    if args.folder:
        paths = sorted(path for path in Path(args.folder).iterdir() if path.is_file())
        pool = Pool([read_small(path) for path in paths])
    else:
        pool = Pool(draw_images(args.pool, seed=31))
    print(f"{'planted':<34} {'found':<11} {'goal':<6} by")
    for kind in args.kinds:
        for share, goal in GOALS.items():
            found = [find_planted(pool, kind, share, seed) for seed in range(args.sets)]
            show(f"{kind}, {share:.0%}", found, goal)
    alarms = [find_planted(pool, "", 0, seed) for seed in range(args.clean)]
    show("none (clean)", alarms, CLEAN_GOAL)
    if not args.folder:
        others = Pool(draw_images(args.pool, seed=31, gels=False))
        alarms = [unlike_classes(pool, others, seed) for seed in range(args.sets)]
        show("none, gels and other images", alarms, CLEAN_GOAL)


if __name__ == "__main__":
    main()
