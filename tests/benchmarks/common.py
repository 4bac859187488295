"""What the benchmarks share: sets of images, processes and their memory, tables, machine."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from gellib.base.files import write_json
from gellib.base.paths import PROJECT_ROOT, find_path

NETWORKS = ("resnet18", "vgg16", "mobilenet-v3")
REFERENCE_STEPS = "random_resized_crop horizontal_flip rotation(10)"


def parse(doc: str, **defaults: int) -> argparse.Namespace:
    """Read `--quick`, `--out` and whole numbers named by `defaults`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="minutes to seconds: does it work?")
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    return parser.parse_args()


def report(
    name: str, args: argparse.Namespace, rows: Sequence[dict[str, Any]], **more: Any
) -> None:
    """Print rows as a table and write them, with the machine, as JSON."""
    print(table(rows))
    for key, value in more.items():
        print(f"{key}: {value}")
    facts = {"benchmark": name, "quick": args.quick, "machine": machine(), "rows": list(rows)}
    if args.out:
        write_json(args.out, facts | more)
        print(f"wrote {args.out}")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Lay rows out in columns."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names] + [[_cell(row.get(name, "")) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(names))]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in cells
    )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def machine() -> dict[str, Any]:
    """Describe the processor, the memory and the versions that matter."""
    import torch

    from gellib.models.backbones import resolve_precision

    model = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((li.split(":", 1)[1].strip() for li in lines if "model name" in li), model)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model,
        "cores": cores(),
        "memory_gib": round(pages / 2**30, 1),
        "precision": resolve_precision("auto", "cpu"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": round(os.getloadavg()[0], 2),
    }


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def run(command: Sequence[str], **env: str) -> float:
    """Run a command and return its seconds; what it printed is shown if it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return seconds


def gellib(*arguments: str | Path) -> list[str]:
    """Return the command line of `gellib`."""
    return [sys.executable, "-m", "gellib", *map(str, arguments)]


def write_sweep(folder: Path, *, name: str = "bench", **parts: Any) -> Path:
    """Write a sweep file with a cache of its own beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    parts["params"] = {"cache_dir": str(folder / "cache"), **parts.get("params", {})}
    file = folder / f"{name}.yaml"
    file.write_text(
        yaml.safe_dump({"name": name, "purpose": "Benchmark.", **parts}, sort_keys=False)
    )
    return file


def make_images(folder: Path, count: int) -> Path:
    """Write `count` images of two classes, no two files of which have the same bytes.

    They are the pictures of `dataset/gel` over and over, as JPEG of 256 pixels, with the number of
    the copy behind the end of the picture: decoding costs the same, and nothing is cached twice.
    """
    pool = folder.parent / "pool"
    if not pool.exists():
        for path in sorted(find_path("dataset/gel").rglob("*.*")):
            if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
                continue
            target = pool / path.parent.name / f"{path.stem}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                image.convert("L").resize((256, 256)).save(target, quality=90)
    shutil.rmtree(folder, ignore_errors=True)
    classes = sorted(path for path in pool.iterdir() if path.is_dir())
    contents = [[p.read_bytes() for p in sorted(c.iterdir())] for c in classes]
    for number in range(count):
        which, copy = number % len(classes), number // len(classes)
        target = folder / classes[which].name / f"{copy:06d}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        content = contents[which][copy % len(contents[which])]
        target.write_bytes(content + number.to_bytes(4, "big"))
    return folder


class Memory:
    """The most memory that this process held while a block ran, MiB, sampled.

    `anonymous` cannot be given back; `resident` counts mapped files too, which can.
    """

    def __enter__(self) -> Memory:
        self.anonymous = self.resident = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        if not status.exists():
            self.resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            return
        while not self._stop.wait(0.05):
            facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
            self.anonymous = max(self.anonymous, int(facts["RssAnon"].split()[0]) / 1024)
            self.resident = max(self.resident, int(facts["VmRSS"].split()[0]) / 1024)
