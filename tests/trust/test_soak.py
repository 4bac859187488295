"""A sweep of very many runs takes no more memory, files or threads than one of few."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml

from gellib.base.paths import PROJECT_ROOT
from gellib.base.temporary import temporary_folder
from gellib.sweeps import load_sweep, run_sweep

pytestmark = pytest.mark.notebooks


def write_empty_runs(folder, n: int):
    """A sweep whose notebook does nothing: what grows then grows in the sweep itself."""
    cells = [
        nbformat.v4.new_code_cell("run_dir: str = ''", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(1)"),
    ]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(node, folder / "empty.ipynb")
    params = {
        "dataset_dir": str(PROJECT_ROOT / "dataset" / "gel"), "trainable": "all",
        "weights": "none", "image_size": 32, "evaluation": "holdout", "hardware_type": "cpu",
    }  # fmt: skip
    content = {"name": "s", "notebook": str(folder / "empty.ipynb"), "params": params}
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(content | {"seeds": list(range(n))}))
    return file


def resources() -> dict[str, int]:
    gc.collect()
    status = open("/proc/self/status").read()
    return {
        "objects": len(gc.get_objects()),
        "kB": int(status.split("VmRSS:")[1].split()[0]),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
        "temporary": sum(1 for _ in Path(temporary_folder()).rglob("*")),
        "children": len(psutil.Process().children(recursive=True)),
    }


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts in /proc")
def test_nothing_grows_with_the_runs(tmp_path, full):
    n = 500 if full else 24
    seen = []

    def log(line):
        if " of " in line and line.startswith("["):
            seen.append(resources())

    outcome = run_sweep(load_sweep(write_empty_runs(tmp_path, n)), jobs=1, summary=False, log=log)
    assert outcome.counts == {"failed": n} and len(seen) == n
    early, last = seen[n // 2], seen[-1]
    runs = n - 1 - n // 2
    # Dask's sampled stacks alone were 250 objects and 150 kB per run.
    assert last["objects"] - early["objects"] < 50 * runs
    assert last["kB"] - early["kB"] < 60 * runs
    assert last["files"] - early["files"] <= 8 and last["threads"] - early["threads"] <= 3
    assert last["temporary"] - early["temporary"] <= 4
    assert last["children"] - early["children"] <= 2
    print("after 10 runs, and at the end:", seen[min(10, n - 1)], seen[-1])
