"""A tiny set of images on disk, two classes that differ in their stripes."""

import numpy as np
from PIL import Image

from gellib.data import load_imageset
from gellib.data.splits import split_imageset


def make_set(folder, *, per_class=6, size=48, seed=0):
    rng = np.random.default_rng(seed)
    for name in ("gel", "not_gel"):
        (folder / name).mkdir(parents=True)
        for i in range(per_class):
            noise = rng.integers(0, 80, (size, size + 4 * i), dtype=np.uint8)
            if name == "gel":
                noise[:, ::8] += 150
            else:
                noise[::8] += 150
            Image.fromarray(noise).save(folder / name / f"{i}.png")
    images = load_imageset(folder).with_digests()
    return split_imageset(images, val_fraction=0.25, test_fraction=0.25, seed=0)
