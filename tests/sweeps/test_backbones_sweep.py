"""`runs/backbones.yaml` runs with the weights that are here and skips the other backbones."""

import json
import subprocess
import sys

import pytest
from making.folders import make_gels

from gellib.base.paths import PROJECT_ROOT
from gellib.runs import SweepFolder
from gellib.sweeps import load_sweep, status_of

# Weights that the package or one that it requires ships.
SHIPPED = {"efficientnet-lite0", "mobilenet-v3", "resnet18", "vgg16"}


@pytest.mark.notebooks
@pytest.mark.slow
def test_a_quick_look_compares_the_backbones_that_have_weights_here(tmp_path):
    make_gels(tmp_path / "images", {"train": 16, "test": 6})
    file = PROJECT_ROOT / "runs" / "backbones.yaml"
    images, out = tmp_path / "images" / "train", tmp_path / "out"
    command = ["sweep", file, "--quick", "-p", "dataset_dir", images, "--out", out]
    ended = subprocess.run(
        [sys.executable, "-m", "gellib", *map(str, command)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = SweepFolder(out)
    sweep = load_sweep(file, out=out, quick=True, overrides={"dataset_dir": str(images)})
    statuses = status_of(folder, sweep)
    assert len(statuses) == 31 and set(statuses.values()) <= {"done", "skipped"}
    done = {sweep.configs[name].pretrained_model for name in statuses if statuses[name] == "done"}
    assert done >= SHIPPED
    (line,) = [line for line in ended.stdout.splitlines() if "skipped: " in line]
    n = list(statuses.values()).count("skipped")
    assert f"{n} runs are skipped: no pretrained weights at hand for timm/mobilenetv4" in line
    cells = json.loads(folder.summary.read_text())["cells"]
    shown = json.dumps([cell.get("outputs", []) for cell in cells])
    assert "images per s" in shown and "parameters" in shown
