"""How far the page of a model agrees with `gellib predict`, and how fast it is.

    gellib export RUNS --html page.html
    python tests/benchmarks/page_in_browser.py page.html RUNS [--real FOLDER] [--count 200]
        [--browser chromium|firefox] [--many 500]

RUNS is the folder that the page was made from. The pictures are a quarter each: demo images, real
images (of FOLDER, else of GELLIB_REAL_DATA), and 16-bit TIFFs of either. The page is opened from
its file in a real browser without a connection, and everything that it says is compared. Goals: the
same class for all, probabilities within 0.001; the first answer within 5 s of opening, each next
within 1 s. `--many` then gives so many pictures in a row, and prints the memory of the page
(Chromium only).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from gellib.base.paths import PROJECT_ROOT
from gellib.data.images import read_image
from gellib.data.layouts.folders import find_images
from gellib.training_run.find_runs import find_best_run
from gellib.training_run.predictor import Predictor

sys.path.insert(0, str(PROJECT_ROOT / "tests"))
from making.firefox import running_firefox  # noqa: E402

WITHIN, FIRST, NEXT = 1e-3, 5.0, 1.0
# How 16-bit files are written: compression, predictor, byte order.
KINDS = [(None, None, "<"), ("lzw", True, "<"), ("zlib", True, ">"), ("packbits", None, ">")]


def choose(folder: Path, count: int, rng: np.random.Generator) -> list[Path]:
    """Choose so many images below a folder at random; again from the first where too few."""
    files = sorted(map(Path, find_images(folder)))
    order = rng.permutation(len(files))
    return [files[order[number % len(files)]] for number in range(count)]


def make_deep(file: Path, out: Path, number: int, rng: np.random.Generator) -> Path:
    """Write an image as a TIFF of 16 bits that uses a part of their range, with noise."""
    grey = read_image(file, color="grey").astype(float)
    low, span = rng.uniform(0, 8000), rng.uniform(40, 180)
    pixels = low + span * grey + rng.normal(0, span / 2, grey.shape)
    compression, predictor, order = KINDS[number % len(KINDS)]
    out = out / f"{number:03d}-{file.stem}.tif"
    tifffile.imwrite(
        out, pixels.clip(0, 65535).astype(np.uint16), compression=compression,
        predictor=predictor, byteorder=order,
    )  # fmt: skip
    return out


@contextmanager
def opened(file: Path, browser: str, scratch: Path) -> Iterator[Any]:
    """Open a page from its file, without a connection."""
    if browser == "firefox":
        with running_firefox(scratch / "profile") as firefox:
            yield firefox.open(file)[0]
        return
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = running.new_context(offline=True).new_page()
        page.goto(file.as_uri())
        yield page
        running.close()


def give(page: Any, files: list[Path]) -> float:
    """Give pictures to the page; return the seconds until the last answer."""
    wanted = page.evaluate("results.length") + len(files)
    started = time.perf_counter()
    page.set_input_files("#files", files)
    until(page, f"results.length >= {wanted} && document.getElementById('progress').hidden")
    return time.perf_counter() - started


def until(page: Any, expression: str) -> None:
    end = time.monotonic() + 3600
    while not page.evaluate(expression):
        if time.monotonic() > end:
            raise TimeoutError(expression)
        time.sleep(0.02)


def compare(page: Any, predictor: Predictor, kinds: dict[str, list[Path]]) -> None:
    """Print how far what the page says agrees with the run, of each kind of picture."""
    files = [file for chosen in kinds.values() for file in chosen]
    said = page.evaluate("results.map(({file, map, thumbnail, ...own}) => own)")
    found = predictor.predict(files)
    rows = []
    for own, expected in zip(said, found, strict=True):
        if own.get("error") or expected.error:
            alike = bool(own.get("error")) == bool(expected.error)
            rows.append((0, 1, 1, 0, 1) if alike else (np.inf, 0, 0, np.inf, 0))
            continue
        shares = np.array([expected.probabilities[name] for name in predictor.classes])
        place = own["best"] if predictor.task.exclusive else 0
        score = 0.0 if not own.get("unlike") else own["unlike"][place] - expected.ood_score
        rows.append((
            np.abs(own["probabilities"] - shares).max(), own["label"] == expected.label,
            tuple(own["members"] or ()) == (expected.members or ()), abs(score),
            (bool(own.get("unlike")) and own["unlike"][place] > 1) == expected.ood,
        ))  # fmt: skip
    table, start = np.array(rows, float), 0
    kinds = {**kinds, "all": files}
    for name, chosen in kinds.items():
        part = table if name == "all" else table[start : start + len(chosen)]
        start += len(chosen)
        label, members, unlike = (int(part[:, column].sum()) for column in (1, 2, 4))
        print(
            f"{name:12} {len(part):4} pictures: the same class {label}, the same prediction set "
            f"{members}, alike unlike {unlike}; largest difference of a probability "
            f"{part[:, 0].max():.1e}, of an unlike score {part[:, 3].max():.1e}",
            flush=True,
        )
    worst = int(table[:, 0].argmax())
    reached = table[:, 1].all() and (table[:, 0] <= WITHIN).all()
    print(f"largest difference: {files[worst].name}; goal (same class, {WITHIN:g}): "
          f"{'reached' if reached else 'missed'}")  # fmt: skip


def repeat(page: Any, files: list[Path], count: int) -> None:
    """Give pictures again and again; print the memory of the page."""
    page.evaluate("clearAll()")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    done = 0
    while done < count:
        chosen = [files[(done + number) % len(files)] for number in range(min(50, count - done))]
        seconds = give(page, chosen) / len(chosen)
        done += len(chosen)
        session.send("HeapProfiler.collectGarbage")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        heap = metrics["JSHeapUsedSize"] / 1e6
        process = renderer_memory()
        print(f"{done:4} pictures: heap {heap:.1f} MB, process {process:.0f} MB, {seconds:.2f} s "
              "each", flush=True)  # fmt: skip


def renderer_memory() -> float:
    """Return the resident MB of the largest renderer that this program has started."""
    import psutil

    found = [0.0]
    for child in psutil.Process().children(recursive=True):
        if any("--type=renderer" in part for part in child.cmdline()):
            found.append(child.memory_info().rss / 1e6)
    return max(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--real", type=Path, default=os.environ.get("GELLIB_REAL_DATA"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--browser", choices=["chromium", "firefox"], default="chromium")
    parser.add_argument("--many", type=int, default=0)
    options = parser.parse_args()
    rng, quarter = np.random.default_rng(0), max(1, options.count // 4)
    predictor = Predictor(find_best_run(options.runs))
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        demo = choose(PROJECT_ROOT / "dataset" / "gel", 2 * quarter, rng)
        kinds = {"demo": demo[:quarter]}
        sources = {"demo, 16 bits": demo[quarter:]}
        if options.real:
            real = choose(Path(options.real), 2 * quarter, rng)
            kinds["real"], sources["real, 16 bits"] = real[:quarter], real[quarter:]
        for kind, chosen in sources.items():
            folder = scratch / kind
            folder.mkdir()
            kinds[kind] = [make_deep(f, folder, n, rng) for n, f in enumerate(chosen)]
        files = [file for chosen in kinds.values() for file in chosen]
        started = time.perf_counter()
        with opened(options.page.resolve(), options.browser, scratch) as page:
            until(page, "!document.getElementById('choose').disabled")
            give(page, files[:1])
            first = time.perf_counter() - started
            more = give(page, files[1:]) / (len(files) - 1)
            print(f"{options.page.name} of {predictor.name} in {options.browser}: "
                  f"{options.page.stat().st_size / 1e6:.1f} MB; first answer {first:.1f} s after "
                  f"the start of the browser (goal {FIRST:g} s), each next {more:.2f} s (goal "
                  f"{NEXT:g} s)", flush=True)  # fmt: skip
            compare(page, predictor, kinds)
            if options.many:
                repeat(page, files, options.many)


if __name__ == "__main__":
    main()
