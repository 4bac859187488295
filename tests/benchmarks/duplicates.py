"""How often the check for duplicates errs, how often clean sets raise an alarm, how long it takes.

python tests/benchmarks/duplicates.py twins     simulated pictures and their changed copies
python tests/benchmarks/duplicates.py quiet     clean simulated gel sets, seeds 0 to 99
python tests/benchmarks/duplicates.py speed     10,000 pictures: seconds and memory
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from gellib.audit import check_dataset
from gellib.data.duplicates import near_pairs
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
    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(5)
        for i in tqdm(range(n), desc="making"):
            # Drawn in no time: smooth blobs with grain.
            coarse = Image.fromarray(rng.normal(120, 45, (10, 14)).clip(0, 255).astype(np.uint8))
            grey = np.asarray(coarse.resize((400, 300), Image.Resampling.BICUBIC), np.float32)
            grey = grey + rng.normal(0, 8, (150, 200)).repeat(2, 0).repeat(2, 1)
            path = Path(folder) / "ab"[i % 2] / f"{i:05d}.jpg"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path, quality=85)
        started, cpu = time.perf_counter(), time.process_time()
        report = check_dataset(folder, progress=lambda items, total: tqdm(items, total=total))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{n} pictures: {seconds:.0f} s, {cpu:.0f} s of processors, {memory:.2f} GB at most")
    print(f"{len(report.duplicates.groups())} groups of duplicates")


if __name__ == "__main__":
    {"twins": twins, "quiet": quiet, "speed": speed}[sys.argv[1]](*map(int, sys.argv[2:]))
