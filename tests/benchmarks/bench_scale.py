"""How a sweep's time grows: with Dask workers, with the number of runs, images and records.

    python tests/benchmarks/bench_scale.py [--quick] [--out FILE]

Runs are tiny (images of 32 pixels, two epochs on features of an untrained resnet18, no maps of
what it looked at), so that what is measured is the machinery. Workers are processes with one
thread each under one scheduler on this machine; more workers than cores cannot be faster.
Efficiency is runs a second and worker, as a share of what one worker does. The records are those
of twelve made-up runs, again and again, each time with another seed.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import cores, gellib, make_images, parse, report, run, table, write_sweep

from gellib.base.files import write_json
from gellib.base.paths import PROJECT_ROOT
from gellib.report.summary import Summary
from gellib.runs import RunFolder, SweepFolder

sys.path.insert(0, str(PROJECT_ROOT / "tests"))
from making.sweeps import GRID, make_sweep  # noqa: E402

TINY = {"image_size": 32, "num_epochs": 2, "weights": "none", "explain": False}


def sweep(folder: Path, images: Path, runs: int) -> Path:
    """Write a sweep of so many runs that share their features."""
    rates = [round(0.001 * (1 + number / 1000), 6) for number in range(runs)]
    params = {"dataset_dir": str(images), **TINY}
    return write_sweep(folder, params=params, grid={"learning_rate": rates})


@contextlib.contextmanager
def cluster(workers: int, folder: Path) -> Iterator[str]:
    """Start a scheduler and workers; yield the address."""
    from distributed import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    local = ["--host", "127.0.0.1", "--no-dashboard"]
    port = ["--port", address.rpartition(":")[2], "--no-show"]
    here = ["--nthreads", "1", "--local-directory", str(folder)]
    commands = [["scheduler", *local, *port]] + [["worker", address, *local, *here]] * workers
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            stderr=subprocess.DEVNULL,
        )
        for kind, *options in commands
    ]
    try:
        with Client(address, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def by_workers(folder: Path, images: Path, counts: list[int], runs: int) -> list[dict[str, Any]]:
    """Time the same runs by more and more workers; features are there, kernels' servers too."""
    rows: list[dict[str, Any]] = []
    for workers in counts:
        place = folder / f"workers{workers}"
        warm, file = sweep(place / "warm", images, 2 * workers), sweep(place, images, runs)
        with cluster(workers, place / "dask") as address:
            options = ("--scheduler", address, "--no-summary")
            run(gellib("sweep", warm, *options))
            before = run(gellib("sweep", warm, *options))  # nothing to do: what starting takes
            seconds = run(gellib("sweep", file, *options)) - before
        rows.append({"workers": workers, "runs": runs, "seconds": seconds})
        one = rows[0]["seconds"] * rows[0]["workers"]
        rows[-1]["efficiency"] = one / (seconds * workers)
    return rows


def by_runs(folder: Path, images: Path, counts: list[int]) -> list[dict[str, Any]]:
    """Time sweeps of more and more runs on this machine, and what resuming a finished one takes."""
    rows = []
    for runs in counts:
        file = sweep(folder / f"runs{runs}", images, runs)
        seconds = run(gellib("sweep", file, "--no-summary"))
        again = run(gellib("sweep", file, "--no-summary"))
        rows.append({"runs": runs, "seconds": seconds, "a_run_s": seconds / runs, "again_s": again})
    return rows


def by_images(folder: Path, counts: list[int]) -> list[dict[str, Any]]:
    """Time sweeps of two runs on more and more images, from an empty cache."""
    rows = []
    for count in counts:
        images = make_images(folder / f"images{count}", count)
        file = sweep(folder / f"sweep{count}", images, 2)
        seconds = run(gellib("sweep", file, "--no-summary"))
        rows.append(
            {"images": count, "runs": 2, "seconds": seconds, "ms_an_image": 1e3 * seconds / count}
        )
    return rows


def by_records(folder: Path, counts: list[int]) -> list[dict[str, Any]]:
    """Time a summary of more and more runs on record: all its words, tables and figures."""
    made = make_sweep(folder / "made", folder / "data", grid=GRID[:12])
    rows = []
    for count in counts:
        sweep = SweepFolder(folder / f"records{count}")
        names = [f"{number:05d}" for number in range(1, count + 1)]
        for number, name in enumerate(names):
            like = made.run_folders()[number % 12]
            run, record = RunFolder(sweep.path / name), like.read_record().to_dict()
            record["config"] |= {"model_id": number % 12 + 1, "seed": number // 12}
            write_json(run.record, record | {"name": name})
            shutil.copy(like.predictions, run.predictions)
            shutil.copy(like.history, run.history)
        write_json(sweep.sweep, made.read_sweep() | {"runs": names})
        started = time.perf_counter()
        summary = Summary(sweep.path)
        read_s = time.perf_counter() - started
        shown = [summary.what_was_run(), summary.conclusions(), summary.best_model()]
        shown += [styled.to_html() for styled in (summary.models(), *summary.tables())]
        shown += [summary.figure(name) for name in summary.figure_names()]
        seconds = time.perf_counter() - started
        rows.append({"records": count, "read_s": read_s, "seconds": seconds})
    return rows


def main() -> None:
    """Measure all four and print what came out."""
    args = parse(__doc__)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = make_images(folder / "images", 60)
        few = args.quick
        parts = (
            lambda: by_workers(folder, images, [1, 2] if few else [1, 2, 4], 4 if few else 24),
            lambda: by_runs(folder, images, [4] if few else [24, 240, 2400]),
            lambda: by_images(folder, [100] if few else [1_000, 10_000]),
            lambda: by_records(folder, [24] if few else [1_000, 10_000]),
        )
        rows = []
        for part in parts:
            rows += part()
            print(table(rows), file=sys.stderr, flush=True)  # the whole takes an hour
    seconds = round(time.perf_counter() - started)
    report("scale", args, rows, cores=cores(), benchmark_s=seconds)


if __name__ == "__main__":
    main()
