"""How long a visitor of `gellib app` waits: for the page, for the first image, for the next one.

    python tests/benchmarks/bench_app.py RUNS IMAGE [--times 3]

The server runs and has a kernel ready. Seconds in a browser on the same machine: from asking for
the page to the form, then from giving an image to its prediction. `load` is that of the machine
before.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from common import cores, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from making.visitors import Visitor, chromium, served


def main() -> None:
    """Serve anew for each visitor; print what each waited for, and the shortest of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="folder of a run or sweep")
    parser.add_argument("image", type=Path, help="image to upload")
    parser.add_argument("--times", type=int, default=3, help="visitors")
    args = parser.parse_args()
    content = args.image.read_bytes()
    rows = [_visit(args.runs.resolve(), content) for _ in range(args.times)]
    print(table(rows))
    print("shortest:", {name: min(row[name] for row in rows) for name in rows[0]}, cores(), "cores")


def _visit(runs: Path, content: bytes) -> dict[str, float]:
    with served(runs) as (address, _), chromium() as browser:
        # The pool is filled: the kernels are quiet.
        time.sleep(5)
        found = {"load": os.getloadavg()[0]}
        started = time.perf_counter()
        visitor = Visitor(browser, address)
        found["page_s"] = time.perf_counter() - started
        for number, name in enumerate(("first_s", "next_s", "third_s")):
            started = time.perf_counter()
            visitor.upload((f"image {number}.png", content))
            visitor.sees(f"image {number}.png")
            found[name] = time.perf_counter() - started
    return found


if __name__ == "__main__":
    main()
