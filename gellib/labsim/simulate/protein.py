"""Simulated cells under a fluorescence microscope: where in the cell a protein is, several places.

Red is the cell's skeleton, blue the nucleus, green the protein that the labels are about.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from gellib.labsim.simulate.cell_field import Cells
from gellib.labsim.simulate.draw import pick, to_bytes
from gellib.labsim.simulate.textures import texture
from gellib.labsim.simulate.write import new_folder

PLACES = (
    "Mitochondria",
    "Nuclear bodies",
    "Nucleoli",
    "Golgi apparatus",
    "Nucleoplasm",
    "Nucleoli fibrillar center",
    "Cytosol",
    "Plasma membrane",
    "Centrosome",
    "Nuclear speckles",
)
# How often each combination of labels is found, of 1000 images of such a collection.
COMBINATIONS = {
    "4": 142, "6 4": 91, "6": 82, "0": 62, "7": 50, "3": 46, "2 4": 44, "9": 43, "1": 41,
    "2": 39, "7 4": 33, "5": 27, "3 4": 26, "0 4": 23, "8": 20, "1 4": 19, "7 6": 19, "8 4": 16,
    "5 4": 15, "6 2": 13, "6 1": 12, "6 2 4": 10, "9 6": 10, "7 6 4": 8, "6 3": 7, "6 3 4": 6,
    "6 1 4": 6, "8 6": 5, "5 6": 5, "0 2": 5, "0 6": 4, "5 6 4": 4, "7 9": 4, "8 6 4": 3,
    "3 2 4": 3, "7 2": 3, "9 4": 3, "3 2": 3, "0 6 4": 2, "7 3 4": 2, "7 1": 2, "0 2 4": 2,
    "3 1": 2, "0 9": 2, "7 3": 2, "7 1 4": 1, "7 2 4": 1, "0 1": 1, "0 5": 1, "7 8": 1,
    "7 6 2 4": 1, "7 8 4": 1, "3 9": 1, "3 5": 1, "0 7": 1, "1 2": 1, "0 8": 1, "9 2": 1,
    "6 1 2": 1, "1 2 4": 1,
}  # fmt: skip
SIZE_PX = 192
LEAST = 40


def draw_labels(rng: np.random.Generator) -> str:
    """Draw the labels of one image, such as `6 4`."""
    return pick(rng, COMBINATIONS)


def draw_image(labels: str, rng: np.random.Generator, size_px: int = SIZE_PX) -> np.ndarray:
    """Draw a field of cells with the protein in the labelled places: uint8 (size, size, 3)."""
    cells = Cells(rng, size_px)
    green = np.zeros((size_px, size_px), np.float32)
    for place in map(int, labels.split()):
        one = _DRAW[place](rng, cells)
        green = np.maximum(green, one * np.float32(rng.uniform(0.55, 1.0)))
    # What is bound where it should not be: faint, everywhere, and not a label.
    green = green + np.float32(rng.uniform(0.0, 0.1)) * cells.body * cells.grain
    red = cells.skeleton * np.float32(rng.uniform(0.8, 1.7))
    blue = cells.nuclei * np.float32(rng.uniform(0.55, 1.0)) * (0.75 + 0.5 * (cells.grain - 0.5))
    image = np.stack([red, green, blue], axis=-1)
    noise = np.float32(rng.uniform(0.01, 0.045))
    image = image + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return to_bytes(image * rng.uniform(0.7, 1.1, 3).astype(np.float32))


def _mitochondria(rng, cells):
    lines = np.abs(texture(rng, cells.size, cells.size, "fine", 1.6) - 0.5)
    near = np.exp(-(((cells.nucleus - 1.35) / 0.75) ** 2)) * cells.body * (1 - cells.nuclei)
    return np.exp(-((lines / 0.09) ** 2)) * near


def _nuclear_bodies(rng, cells):
    return cells.dots(rng, (2, 6), low=0.0, high=0.75, radius=0.1)


def _nucleoli(rng, cells):
    return cells.dots(rng, (1, 3), low=0.0, high=0.55, radius=0.27)


def _golgi(rng, cells):
    image = np.zeros((cells.size, cells.size), np.float32)
    for _ in range(int(rng.integers(7, 12))):
        for place in cells.beside(rng, rng.uniform(1.15, 1.5), 0.38):
            cells.stamp(image, place, cells.radius * rng.uniform(0.07, 0.15))
    return image * cells.body


def _nucleoplasm(rng, cells):
    holes = cells.dots(rng, (1, 3), low=0.0, high=0.55, radius=0.24)
    return cells.nuclei * (0.6 + 0.4 * cells.grain) * (1 - 0.75 * holes)


def _fibrillar_center(rng, cells):
    image = np.zeros((cells.size, cells.size), np.float32)
    for centre in cells.centres:
        for _ in range(int(rng.integers(1, 3))):
            middle = centre + rng.normal(0, 0.3, 2) * cells.radius
            for _ in range(int(rng.integers(3, 7))):
                place = middle + rng.normal(0, 0.12, 2) * cells.radius
                cells.stamp(image, place, cells.radius * 0.06)
    return image


def _cytosol(rng, cells):
    return cells.body * (1 - 0.85 * cells.nuclei) * (0.45 + 0.4 * cells.grain)


def _membrane(rng, cells):
    rim = np.exp(-(((cells.edge - 0.006) / 0.012) ** 2)) * (cells.away < cells.reach)
    outer = np.exp(-(((cells.away - cells.reach) / 0.014) ** 2))
    return np.maximum(rim, outer * cells.body) * (0.7 + 0.3 * cells.grain)


def _centrosome(rng, cells):
    image = np.zeros((cells.size, cells.size), np.float32)
    for place in cells.beside(rng, 1.2, 0.1):
        cells.stamp(image, place, cells.radius * 0.11)
    return image


def _speckles(rng, cells):
    ragged = texture(rng, cells.size, cells.size, "rough", 1.3)
    spots = cells.dots(rng, (12, 26), low=0.0, high=0.85, radius=0.085, wobble=0.5)
    return spots * (0.6 + 0.6 * ragged)


_DRAW = (
    _mitochondria,
    _nuclear_bodies,
    _nucleoli,
    _golgi,
    _nucleoplasm,
    _fibrillar_center,
    _cytosol,
    _membrane,
    _centrosome,
    _speckles,
)


def write_protein(
    out: Path,
    *,
    n: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `out/labels.csv` (`Image,Label` behind an unnamed index) and `out/train/<number>.png`.

    Labels are numbers, several of one image separated by spaces: positions in `PLACES`, which
    `out/classes.csv` names. Parameters are those of `write_gel_split`; `n` counts all images.

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
    lines = [",Image,Label"]
    with new_folder(Path(out)) as folder:
        (folder / "train").mkdir()
        for index in range(n):
            rng = np.random.default_rng([seed, index])
            labels = draw_labels(rng)
            pixels = draw_image(labels, rng)
            Image.fromarray(pixels).save(folder / "train" / f"{index + 1}.png")
            lines.append(f"{index},{index + 1},{labels}")
            if progress is not None:
                progress(index + 1, n)
        names = [f"{number},{place}" for number, place in enumerate(PLACES)]
        text = "\n".join(["label,name", *names]) + "\n"
        (folder / "classes.csv").write_text(text, encoding="utf-8")
        (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
