"""How often the check for duplicates errs, how often clean sets raise an alarm, how long it takes.

python tests/benchmarks/duplicates.py all [FOLDER]  kinds, lab, twins and families; under 15 minutes
python tests/benchmarks/duplicates.py kinds     pairs of each kind of change
python tests/benchmarks/duplicates.py kinds 40 21 FOLDER    the same on real images too
python tests/benchmarks/duplicates.py lab       different gels of one lab: margin, caption, layout
python tests/benchmarks/duplicates.py twins     simulated images with all changes at once
python tests/benchmarks/duplicates.py families  slices of subjects: how many clusters are found
python tests/benchmarks/duplicates.py quiet     clean simulated gel sets, seeds 0 to 99
python tests/benchmarks/duplicates.py speed     10,000 different gels: seconds, memory, false pairs
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from gellib.audit import check_dataset
from gellib.audit.file_properties import image_properties
from gellib.audit.shortcuts import find_shortcuts
from gellib.data.duplicates import find_clusters, near_pairs, summarise_images
from gellib.data.duplicates.groups import find_near
from gellib.data.duplicates.image_summary import ImageSummary, summarise_pixels
from gellib.data.image_files import ImageInfo
from gellib.labsim.simulate import CLASSES, draw_image
from gellib.labsim.simulate.write import write_gel

SIDE = 64


def small(grey: np.ndarray) -> np.ndarray:
    image = Image.fromarray(grey).convert("F")
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=3))


def changed(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut up to 10 % off each side, change contrast, brightness and gamma, resize, save as JPEG."""
    height, width = grey.shape
    left, right, top, bottom = rng.uniform(0, 0.1, 4)
    cut = grey[
        int(top * height) : height - int(bottom * height),
        int(left * width) : width - int(right * width),
    ]
    values = (cut / 255 - 0.5) * rng.uniform(0.6, 1.4) + 0.5 + rng.uniform(-0.2, 0.2)
    values = np.clip(values, 0, 1) ** rng.uniform(0.75, 1.33)
    image = Image.fromarray((255 * values).astype(np.uint8))
    scale = rng.uniform(0.5, 1.5)
    size = max(40, round(image.width * scale)), max(40, round(image.height * scale))
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(
        stream, "JPEG", quality=int(rng.integers(30, 95))
    )
    return np.asarray(Image.open(stream))


def pictures(n: int, seed: int):
    """Half gels, half anything."""
    names = list(CLASSES)
    gels = [name for name in names if CLASSES[name]]
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        name = gels[i % len(gels)] if i % 2 else names[i // 2 % len(names)]
        yield draw_image(name, rng, int(rng.integers(160, 420)), int(rng.integers(160, 420))), rng


def twins(n: int = 700, seed: int = 11) -> None:
    first, second = [], []
    for grey, rng in tqdm(pictures(n, seed), total=n):
        first.append(grey)
        second.append(changed(grey, rng))
    everything = first + second
    aspects = np.array([grey.shape[1] / grey.shape[0] for grey in everything])
    pairs = near_pairs(np.stack([small(grey) for grey in everything]), aspects)
    right = sum(j - i == n for i, j, _ in pairs)
    apart = n * (2 * n - 1) - n
    print(f"{right} of {n} changed copies found ({right / n:.1%})")
    print(f"{len(pairs) - right} of {apart} other pairs taken for duplicates")


def margin(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A white margin of 5 to 25 % of the image, another one on each side."""
    height, width = grey.shape
    top, bottom = (round(share * height) for share in rng.uniform(0.05, 0.25, 2))
    left, right = (round(share * width) for share in rng.uniform(0.05, 0.25, 2))
    return np.pad(grey, ((top, bottom), (left, right)), constant_values=255)


def turned(low: float, high: float):
    def change(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        angle = rng.uniform(low, high) * rng.choice([-1, 1])
        fill = int(np.median(grey[0]))
        return np.asarray(Image.fromarray(grey).rotate(angle, Image.BICUBIC, fillcolor=fill))

    return change


def part(low: float, high: float):
    """Cut a share of the width and of the height away, somewhere."""

    def change(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        spans = []
        for side in grey.shape:
            kept = round(side * (1 - rng.uniform(low, high)))
            start = int(rng.integers(0, side - kept + 1))
            spans.append(slice(start, start + kept))
        return grey[tuple(spans)]

    return change


def panel(rows: int, columns: int, gap: int, level: int = 255):
    """Put an image among others into a figure, all panels of one size."""

    def change(grey: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        width = int(rng.integers(180, 320))
        size = width, max(60, round(width * grey.shape[0] / grey.shape[1]))
        place = int(rng.integers(rows * columns))
        shown = [grey if i == place else draw_gel(rng) for i in range(rows * columns)]
        cells = [np.asarray(Image.fromarray(image).resize(size)) for image in shown]
        cells = [np.pad(cell, ((0, gap), (0, gap)), constant_values=level) for cell in cells]
        lines = [np.hstack(cells[at : at + columns]) for at in range(0, len(cells), columns)]
        return np.pad(np.vstack(lines), ((gap, 0), (gap, 0)), constant_values=level)

    return change


KINDS = {
    "inverted": lambda grey, rng: 255 - grey,
    "mirrored left to right": lambda grey, rng: grey[:, ::-1],
    "mirrored top to bottom": lambda grey, rng: grey[::-1],
    "turned by 90 degrees": lambda grey, rng: np.rot90(grey, rng.choice([1, 3])),
    "turned by 180 degrees": lambda grey, rng: grey[::-1, ::-1],
    "white margin": margin,
    "mirrored, inverted, margin": lambda grey, rng: margin(255 - grey[:, ::-1], rng),
    "re-saved, cropped, brighter": changed,
    "turned by 1 to 2 degrees": turned(1, 2),
    "turned by 3 to 5 degrees": turned(3, 5),
    "20 % of each side cut off": part(0.2, 0.2),
    "30 % of each side cut off": part(0.3, 0.3),
    "mirrored, 20 to 30 % cut off": lambda grey, rng: part(0.2, 0.3)(grey[:, ::-1], rng),
    "a panel of 2 x 2": panel(2, 2, 12),
    "a panel of 3 in black strips": panel(1, 3, 8, 0),
    "a panel of 2, no strip": panel(1, 2, 0),
}


def resave(grey: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grey)).save(stream, "JPEG", quality=85)
    return np.asarray(Image.open(stream))


def summarise(images: list[np.ndarray]) -> list[ImageSummary]:
    return [summarise_pixels(ImageInfo(""), np.ascontiguousarray(grey)) for grey in images]


def compare(summaries: list[ImageSummary]) -> set[tuple[int, int]]:
    """Compare images as a check does, but for files, equal ones and oversized groups."""
    return {(i, j) for i, j, _ in find_near(summaries)}


def kinds(n: int = 40, seed: int = 21, folder: str = "") -> None:
    sets = {"simulated gels": [draw_gel(np.random.default_rng([seed, i])) for i in range(2 * n)]}
    if folder:
        paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
        sets["real"] = [np.asarray(Image.open(path).convert("L")) for path in paths]
    for name, images in sets.items():
        originals = summarise(images)
        known = compare(originals)
        print(f"{name}: {len(images)} images, {len(known)} pairs among them")
        padded = [np.pad(g, round(0.15 * max(g.shape)), constant_values=255) for g in images]
        print(f"  with one margin around all: {len(compare(summarise(padded)))} pairs")
        right = other = compared = 0
        for kind, change in KINDS.items():
            rng = np.random.default_rng([seed, len(kind)])
            rows = rng.permutation(len(images))[:n].tolist()
            copies = [resave(change(images[row], rng)) for row in rows]
            # A pair counts as wrong unless the images, or those that they were made of, are copies.
            origin = [*range(len(images)), *rows]
            found = compare([*originals, *summarise(copies)])
            hits = {j for i, j in found if j >= len(images) and origin[j] == origin[i]}
            wrong = [
                (i, j)
                for i, j in found
                if origin[i] != origin[j] and tuple(sorted((origin[i], origin[j]))) not in known
            ]
            right, other = right + len(hits), other + len(wrong)
            compared += len(origin) * (len(origin) - 1) // 2
            print(f"  {kind:<30} {len(hits):>3} of {len(rows)}, {len(wrong)} false", flush=True)
        print(f"  false: {other} of {compared} pairs")


def lab(n: int = 60, seed: int = 5) -> None:
    """Different gels of one kind, with one margin, one caption and one row of lane numbers."""
    false = pairs = 0
    for name in (name for name in CLASSES if CLASSES[name]):
        images = []
        for i in range(n):
            gel = draw_image(name, np.random.default_rng([seed, i, len(name)]), 300, 260)
            sheet = Image.new("L", (360, 330), 255)
            sheet.paste(Image.fromarray(gel), (30, 40))
            pen = ImageDraw.Draw(sheet)
            pen.text(
                (40, 15), "Laboratory of Molecular Biology: PCR products, 1.5 % agarose", fill=0
            )
            for lane in range(8):
                pen.text((40 + lane * 32, 26), str(lane + 1), fill=0)
            images.append(np.asarray(sheet))
        found = len(compare(summarise(images)))
        print(f"  {name:<30} {found} false", flush=True)
        false, pairs = false + found, pairs + n * (n - 1) // 2
    print(f"false: {false} of {pairs} pairs of different gels of one lab")


def families(subjects: int = 200, slices: int = 32, seed: int = 1) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from making.images import make_subject_slices

    images, labels, names = make_subject_slices(seed, subjects=subjects, slices=slices)
    groups = find_clusters(images, labels).groups
    merged = [len(set(names[list(rows)])) for rows in groups]
    print(f"{len(groups)} clusters of {subjects} subjects in {len(images)} slices,")
    print(f"{sum(n > 1 for n in merged)} of them merge {sum(n for n in merged if n > 1)} subjects")


def draw_gel(rng: np.random.Generator) -> np.ndarray:
    gels = [name for name in CLASSES if CLASSES[name]]
    return draw_image(
        gels[int(rng.integers(len(gels)))], rng, *(int(v) for v in rng.integers(200, 420, 2))
    )


def quiet(first: int = 0, end: int = 100) -> None:
    alarms: dict[str, int] = {}
    loud = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in tqdm(range(first, end)):
            path = Path(folder) / str(seed)
            write_gel(path, train=46, test=11, seed=seed)
            report = check_dataset(path, seed=seed)
            loud += bool(report.verdict)
            kinds = {"duplicates": report.duplicates.groups(), "clusters": report.clusters}
            kinds["shortcuts"] = [s for s in report.shortcuts if s.high]
            for name, found in kinds.items():
                alarms[name] = alarms.get(name, 0) + bool(found)
            if report.verdict:
                tqdm.write(f"seed {seed}: {report.verdict}")
    print(f"{loud} of {end - first} clean sets raise an alarm: {alarms}")


def speed(n: int = 10_000) -> None:
    """Read and compare n different gels; each pair that is found is a false one."""
    took = {}

    def timed(what: str, function: Callable[[], Any]) -> Any:
        started, cpu = time.perf_counter(), time.process_time()
        result = function()
        took[what] = time.perf_counter() - started, time.process_time() - cpu
        print(f"{what:<30} {took[what][0]:7.1f} s {took[what][1]:7.1f} s of processors", flush=True)
        return result

    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{i:05d}.jpg") for i in range(n)]
        for i, path in enumerate(tqdm(paths, desc="drawing")):
            Image.fromarray(draw_gel(np.random.default_rng([9, i]))).save(path, quality=90)
        summaries = timed("read and summarise", lambda: summarise_images(paths, traits=True))
    pairs = timed("compare", lambda: find_near(summaries))
    thumbnails, labels = np.array([one.thumbnail for one in summaries]), np.arange(n) % 2
    timed("near-duplicate clusters", lambda: find_clusters(thumbnails, labels))
    traits = [one.traits for one in summaries if one.traits is not None]
    facts = image_properties(summaries)
    timed("shortcuts", lambda: find_shortcuts(facts, labels, traits=traits))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    wall, cpu = (sum(values) for values in zip(*took.values(), strict=True))
    print(f"{n} images: {wall:.0f} s, {cpu:.0f} s of processors, {memory:.2f} GB at most")
    print(f"{len(pairs)} false of {n * (n - 1) // 2} pairs")


def everything(folder: str = "") -> None:
    kinds(40, 21, folder)
    lab()
    twins(300)
    families()


if __name__ == "__main__":
    jobs = {"twins": twins, "kinds": kinds, "lab": lab, "quiet": quiet, "speed": speed}
    jobs |= {"families": families, "all": everything}
    jobs[sys.argv[1]](*(int(word) if word.isdigit() else word for word in sys.argv[2:]))
