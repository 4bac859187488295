"""Simulated slices of ageing brains in four stages of dementia, several slices per person.

The stages differ only in how much is lost, and people differ among themselves by nearly as much:
who is recognised from another slice of the same person is known, who is not has to be judged.
"""

import importlib.util
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gellib.labsim.simulate.brain import WEIGHTINGS, Head, draw_head, frame, scanned, slice_of
from gellib.labsim.simulate.draw import to_bytes
from gellib.labsim.simulate.textures import field
from gellib.labsim.simulate.write import new_folder

# How many of 6400 images show each stage, and how much of the brain it takes on average.
CLASSES = {
    "Mild_Demented": (896, 0.62),
    "Moderate_Demented": (64, 1.0),
    "Non_Demented": (3200, 0.0),
    "Very_Mild_Demented": (2240, 0.3),
}
SIZE_PX = 128
SLICES = 8  # of a person, about
LEAST = 64
_LEAST_PEOPLE = 4
_SPREAD = 0.13  # of the loss, from person to person of one stage


def images_per_class(n: int) -> dict[str, int]:
    """Return how many of about `n` images show each stage; of none fewer than 8."""
    total = sum(images for images, _ in CLASSES.values())
    return {name: max(8, round(n * images / total)) for name, (images, _) in CLASSES.items()}


def person(name: str, seed: int, number: int) -> Head:
    """Draw person number `number` of a stage."""
    place = list(CLASSES).index(name)
    rng = np.random.default_rng([seed, place, number])
    head = draw_head(rng)
    loss = max(0.0, CLASSES[name][1] + rng.normal(0, _SPREAD))
    head.width, head.height = 0.42, 0.47 + rng.normal(0, 0.008)
    head.ventricle *= 0.85 + 1.0 * loss
    head.sulcus *= 0.85 + 0.75 * loss
    return head


def draw_image(name: str, seed: int, number: int, index: int) -> np.ndarray:
    """Draw slice `index` of a person: uint8 (128, 128).

    Parameters
    ----------
    name
        One of `CLASSES`.
    seed
        Seed of the data set.
    number
        Number of the person within the class.
    index
        Number of the slice of this person.
    """
    place = list(CLASSES).index(name)
    head = person(name, seed, number)
    look = np.random.default_rng([seed, place, number, 0])
    tissue = {key: value * look.uniform(0.9, 1.1) for key, value in WEIGHTINGS["T1"].items()}
    zoom, bottom = look.uniform(0.95, 1.04), look.uniform(-0.25, 0.2)
    patches = field(look, SIZE_PX, SIZE_PX, 9)
    rng = np.random.default_rng([seed, place, number, 1 + index])
    across, along = frame(head, SIZE_PX, SIZE_PX, zoom * (1 + rng.normal(0, 0.006)))
    image, brain = slice_of(head, across, along, tissue, bottom + 0.03 * (index - SLICES / 2))
    image = image * (1 + np.float32(0.05) * patches * brain)
    scan = np.random.default_rng([seed, place, number, 0, 1])
    window = scanned(scan, image, (0.0, 0.0))
    grain = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(0.012)
    return to_bytes(window + grain * (image > 0.02))


def write_alzheimer(
    out: Path,
    *,
    n: int = 1280,
    seed: int = 0,
    parquet: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write about `n` images in four stages, at 896 : 64 : 3200 : 2240, a fifth for testing.

    They are Parquet in the layout of Hugging Face, `out/data/{train,test}-*.parquet`, with the
    columns image, label and subject; or `out/images/<class>/*.png` and `labels.csv` with the
    columns file, label, split and group. No person is in both splits.

    Parameters
    ----------
    out
        A new or empty folder.
    n
        Number of images, `LEAST` or more.
    seed
        Seed of all images.
    parquet
        Whether to write Parquet; None: if pyarrow is installed.
    progress
        Called after each image with the number of images done and the total.

    Raises
    ------
    ValueError
        If `n` is below `LEAST`.
    """
    if n < LEAST:
        raise ValueError(f"n: got {n}, expected {LEAST} or more images")
    if parquet is None:
        parquet = importlib.util.find_spec("pyarrow") is not None
    counts = images_per_class(n)
    with new_folder(Path(out)) as folder:
        rows = []
        for name, subject, split, number, index in _plan(counts):
            stream = io.BytesIO()
            Image.fromarray(draw_image(name, seed, number, index)).save(stream, "PNG")
            rows.append((name, subject, split, f"{subject}-{index:02d}.png", stream.getvalue()))
            if progress is not None:
                progress(len(rows), sum(counts.values()))
        (_write_parquet if parquet else _write_folders)(folder, rows)


def _plan(counts: dict[str, int]) -> Iterator[tuple[str, str, str, int, int]]:
    """Yield class, subject, split, number of the person, number of the slice."""
    for place, (name, count) in enumerate(counts.items()):
        people = max(_LEAST_PEOPLE, round(count / SLICES))
        test = max(1, round(people / 5))
        for number, slices in enumerate(np.array_split(np.arange(count), people)):
            split = "test" if number < test else "train"
            for index in range(len(slices)):
                yield name, f"subject-{place}{number:04d}", split, number, index


def _write_folders(folder: Path, rows: list[tuple]) -> None:
    lines = ["file,label,split,group"]
    for name, subject, split, file, data in rows:
        path = folder / "images" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        lines.append(f"images/{name}/{file},{name},{split},{subject}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_parquet(folder: Path, rows: list[tuple]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(CLASSES)
    features = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
        "subject": {"dtype": "string", "_type": "Value"},
    }
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
            ("subject", pa.string()),
        ],
        metadata=about,
    )
    (folder / "data").mkdir()
    for split in ("train", "test"):
        table = [
            {"image": {"bytes": data, "path": file}, "label": names.index(name), "subject": subject}
            for name, subject, part, file, data in rows
            if part == split
        ]
        # Not in the order of the classes: readers of the first rows are to see all of them.
        order = np.random.default_rng(len(table)).permutation(len(table))
        target = folder / "data" / f"{split}-00000-of-00001.parquet"
        pq.write_table(pa.Table.from_pylist([table[i] for i in order], schema), target)
