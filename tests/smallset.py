"""A tiny labelled image set and a sweep over it that takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SWEEP = """
name: small
purpose: Does the machinery work?
params:
  dataset_dir: {images}
  image_size: 32
  num_epochs: 2
  weights: none
  batch_size: 4
  cache_dir: {cache}
grid:
  classifier_head: [single, multi]
  opt_alg: [adam, sgd]
"""


def make_images(root: Path, *, train: int = 10, test: int = 4) -> Path:
    """Write stripes and dots, PNG, into root/{train,test}/{stripes,dots}."""
    rng = np.random.default_rng(0)
    for split, n in (("train", train), ("test", test)):
        for label in ("dots", "stripes"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for i in range(n):
                image = rng.normal(90, 20, (48, 40))
                if label == "stripes":
                    image[rng.integers(0, 6) :: 6] += 100
                else:
                    image[rng.integers(0, 48, 30), rng.integers(0, 40, 30)] += 120
                Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{i:02d}.png")
    return root


def make_sweep(folder: Path) -> Path:
    """Write images and `small.yaml` into a folder; returns the sweep file."""
    make_images(folder / "images")
    file = folder / "small.yaml"
    text = SWEEP.format(images=folder / "images", cache=folder / "cache")
    file.write_text(text, encoding="utf-8")
    return file
