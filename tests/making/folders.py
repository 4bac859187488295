"""Labelled images on disk, and image sets without files."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from gellib.data import ImageSet, load_imageset
from gellib.data.imageset import make_imageset
from gellib.data.splits import split_imageset
from gellib.evaluation import SINGLE_LABEL, Task
from making.images import CHANGES, make_blobs, make_coarse, make_lines, save_png

GEL_CLASSES = ("gel", "not_gel")


def make_stripes_and_dots(root: Path, *, train: int = 10, test: int = 4) -> Path:
    """Write so many images per class into root/{train,test}/{stripes,dots}; returns root."""
    rng = np.random.default_rng(0)
    for split, n in (("train", train), ("test", test)):
        for label in ("dots", "stripes"):
            for i in range(n):
                image = rng.normal(90, 20, (48, 40))
                if label == "stripes":
                    image[rng.integers(0, 6) :: 6] += 100
                else:
                    image[rng.integers(0, 48, 30), rng.integers(0, 40, 30)] += 120
                save_png(root / split / label / f"{i:02d}.png", image.clip(0, 255).astype(np.uint8))
    return root


def make_split_stripes(root: Path, *, per_class=6, size=48, seed=0) -> ImageSet:
    """Write stripes that stand (gel) or lie (not_gel); returns them with digests, split."""
    rng = np.random.default_rng(seed)
    for name in GEL_CLASSES:
        for i in range(per_class):
            noise = rng.integers(0, 80, (size, size + 4 * i), dtype=np.uint8)
            if name == "gel":
                noise[:, ::8] += 150
            else:
                noise[::8] += 150
            save_png(root / name / f"{i}.png", noise)
    images = load_imageset(root).with_digests()
    return split_imageset(images, val_fraction=0.25, test_fraction=0.25, seed=0)


def make_gels(root: Path, per_class: dict[str, int], classes=GEL_CLASSES, seed=0) -> pd.DataFrame:
    """Draw bands in lanes for the first class, blots for others, into root/<split>/<class>.

    Parameters
    ----------
    per_class
        Images per class of each split, such as `{"train": 6, "test": 11}`.

    Returns
    -------
    DataFrame
        `file` (below root), `split` and `label` (number of the class), one row per image.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for split, n in per_class.items():
        for number, label in enumerate(classes):
            folder = root / split / label
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(n):
                width, height = rng.integers(90, 260, size=2)
                image = Image.new("L", (int(width), int(height)), int(rng.integers(160, 235)))
                draw = ImageDraw.Draw(image)
                for _ in range(25):
                    x, y = rng.uniform(0, width), rng.uniform(0, height)
                    w, h = (14, 4) if number == 0 else rng.uniform(4, 40, size=2)
                    shape = draw.rectangle if number == 0 else draw.ellipse
                    x = x // 22 * 22 if number == 0 else x
                    shape((x, y, x + w, y + h), fill=int(rng.integers(10, 120)))
                name = f"{label}_{i:02d}.png"
                image.save(folder / name)
                rows.append({"file": f"{split}/{label}/{name}", "split": split, "label": number})
    return pd.DataFrame(rows)


def make_multilabel(root: Path, n: int = 90) -> Path:
    """Write images that are bright, have lines, a spot, or some of them, and labels.csv."""
    rng = np.random.default_rng(0)
    lines = [",Image,Label"]
    for i in range(n):
        own = rng.random(3) < (0.5, 0.5, 0.3)
        own[i % 3] |= not own.any()
        pixels = rng.normal(170 if own[0] else 70, 12, (40, 40))
        if own[1]:
            pixels[::6] -= 60
        if own[2]:
            pixels[10:24, 12:26] = 250
        save_png(root / f"{i}.png", pixels.clip(0, 255).astype(np.uint8))
        names = " ".join(str(c) for c in np.flatnonzero(own))
        lines.append(f"{i},{i},{names}")
    (root / "labels.csv").write_text("\n".join(lines))
    return root


def make_files(root: Path, *names: str) -> None:
    """Write an image of 8 x 4 under each name, as PNG; no two are alike."""
    for name in names:
        content = np.random.default_rng(list(name.encode())).bytes(32)
        save_png(root / name, np.frombuffer(content, np.uint8).reshape(4, 8))


def make_coarse_file(path: Path, value: int = 0) -> None:
    """Write an image that its folder's name and the value decide, as PNG."""
    save_png(path, make_coarse(value, zlib.crc32(path.parent.name.encode())))


def make_set(root: Path, files: dict[str, np.ndarray]) -> ImageSet:
    """Write {name: pixels} as PNG and load the set."""
    for name, pixels in files.items():
        save_png(root / name, pixels)
    return load_imageset(root)


def make_two_classes(root: Path, n: int = 14, start: int = 0) -> Path:
    """Write n images of blobs into root/{a,b} in turn; returns root."""
    for i in range(n):
        save_png(root / "ab"[i % 2] / f"{i:02d}.png", make_blobs(start + i))
    return root


def make_messy(root: Path) -> Path:
    """Class b is in colour; a copy, a near copy in the other class, a broken file, a giant."""
    for i in range(40):
        mode = "RGB" if i % 2 else "L"
        save_png(root / "ab"[i % 2] / f"{i:02d}.png", make_blobs(i), mode)
    (root / "a" / "copy.png").write_bytes((root / "a" / "00.png").read_bytes())
    save_png(root / "b" / "near.png", CHANGES["cropped"](make_blobs(2)), "RGB")
    save_png(root / "a" / "giant.png", make_blobs(77, 1600, 1700))
    (root / "b" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return root


def make_mislabelled(root: Path) -> ImageSet:
    """Write 20 images of lines per class, three of which lie in the other class's folder."""
    for i in range(20):
        for kind in ("lying", "standing"):
            other = {"lying": "standing", "standing": "lying"}[kind]
            file = root / (other if i < 3 else kind) / f"{kind}{i:02d}.png"
            save_png(file, make_lines(i, lying=kind == "lying"))
    return load_imageset(root)


def make_awkward(root: Path) -> ImageSet:
    """Write images whose names mean something to matplotlib, a photo and a broken file."""
    rng = np.random.default_rng(0)
    for name, count in (("5$ to 9$", 5), ("a class of a name that is much too long for it", 4)):
        for i in range(count):
            pixels = rng.integers(0, 256, (30 + i, 40 + i), dtype=np.uint8)
            save_png(root / name / f"{i} {{x}} $.png", pixels)
    (root / "5$ to 9$" / "broken $.jpg").write_text("not $ an image")
    Image.new("RGB", (64, 48)).save(root / "5$ to 9$" / "photo.jpg", "JPEG")
    return load_imageset(root)


def list_counted(*counts: int, splits=None, groups=None, names=None) -> ImageSet:
    """List `counts` images per class that are not there, in the order of their labels."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    n = len(labels)
    table = pd.DataFrame(
        {
            "file": [f"{label}/{i:03}.png" for i, label in enumerate(labels)],
            "path": [f"/data/{label}/{i:03}.png" for i, label in enumerate(labels)],
            "label": labels,
            "split": splits or [""] * n,
            "group": groups or [""] * n,
            "digest": [""] * n,
        }
    )
    classes = tuple(names or "abcdef"[: len(counts)])
    return ImageSet(Path("/data"), table, classes, SINGLE_LABEL)


def list_labelled(labels, task: Task, classes, *, root=Path("/x"), splits=("",)) -> ImageSet:
    """List images that are not there by their labels; splits go round."""
    rows = [
        {"file": f"{i:04}.png", "path": str(root / f"{i:04}.png"), "label": label,
         "split": splits[i % len(splits)]}
        for i, label in enumerate(labels)
    ]  # fmt: skip
    return make_imageset(root, rows, classes, task)


def list_grouped(counts: dict[tuple[str, int], int], *, per_group: int = 1) -> ImageSet:
    """List images that are not there, so many per (split, label), in groups of one class."""
    rows = [
        {
            "file": f"{label}/{i:03d}.png",
            "label": label,
            "split": split,
            "group": f"{label}{i // per_group}",
        }
        for (split, label), count in counts.items()
        for i in range(count)
    ]
    return make_imageset(Path("."), rows, ("a", "b", "c"), SINGLE_LABEL)
