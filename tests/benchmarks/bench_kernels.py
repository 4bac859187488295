"""How fast kernels are up with their imports, and notebooks a minute: cold against forked.

    python tests/benchmarks/bench_kernels.py [--quick] [--out FILE]

A cold kernel imports torch, torchvision, scikit-learn, seaborn and pandas; a forked one has them.
Pairs are interleaved, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import nbformat
import papermill
from common import parse, report

from gellib.sweeps import kernel_server
from gellib.sweeps.execute import execute

IMPORTS = """
import torch, torchvision, sklearn.model_selection, seaborn, pandas
import gellib.training_run
"""


def main() -> None:
    """Time kernels and print what came out."""
    args = parse(__doc__, pairs=0)
    pairs = args.pairs or (2 if args.quick else 10)
    times: dict[str, list[float]] = {"cold": [], "forked": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook = folder / "imports.ipynb"
        node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(IMPORTS)])
        node.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
        nbformat.write(node, notebook)
        # The server imports once a sweep: its time is given by itself.
        started = time.perf_counter()
        kernel_server.call("builtins:abs", 1)
        server_s = time.perf_counter() - started
        for number in range(pairs):
            out = folder / f"{number}.ipynb"
            started = time.perf_counter()
            papermill.execute_notebook(str(notebook), str(out), progress_bar=False)
            times["cold"].append(time.perf_counter() - started)
            started = time.perf_counter()
            execute(notebook, out, {})
            times["forked"].append(time.perf_counter() - started)
    rows = [
        {
            "kernel": kind,
            "median_s": statistics.median(values),
            "fastest_s": min(values),
            "notebooks_per_min": 60 / statistics.median(values),
        }
        for kind, values in times.items()
    ]
    ratio = rows[0]["median_s"] / rows[1]["median_s"]
    report("kernels", args, rows, server_s=round(server_s, 2), cold_by_forked=round(ratio, 2))


if __name__ == "__main__":
    main()
