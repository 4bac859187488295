"""What backbones see in real images: frozen features, a solved head, cross-validated by a sweep.

    python tests/benchmarks/backbones_on_real.py FOLDER... [--solar-cells N] [--out FILE]

Each folder has a folder per class. `--solar-cells` adds N electroluminescence pictures of solar
cells, half of them defective, from the package `elpv-dataset` (`pip install elpv-dataset`;
Creative Commons BY-NC-SA 4.0). A backbone is named with its weights, such as
`efficientnet-lite0:pretrained`. Duplicates and families stay in one fold, as in every run.
Accuracies are in percent; with 300 images they are accurate to 4 or 5 points.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from common import machine, table

from gellib.base.files import write_json
from gellib.runs import SweepFolder
from gellib.sweeps import load_sweep, run_sweep

BACKBONES = (
    "efficientnet-lite0:pretrained",
    "resnet18:labsim",
    "mobilenet-v3:labsim",
    "mobilenet-v3:none",
)


def copy_solar_cells(root: Path, count: int) -> Path:
    """Copy pictures that are surely intact or surely defective, as many of each; returns root."""
    import elpv_dataset

    data = Path(elpv_dataset.__file__).parent / "data"
    cells = pd.read_csv(
        data / "labels.csv", sep=r"\s+", header=None, names=["file", "defect", "kind"]
    )
    for name, probability in (("intact", 0), ("defective", 1)):
        alike = cells[cells["defect"] == probability]
        (root / name).mkdir(parents=True)
        for file in alike["file"].sample(count // 2, random_state=0):
            shutil.copy(data / file, root / name)
    return root


def measure(folder: Path, backbones: list[str], out: Path) -> dict[str, float]:
    """Sweep the backbones over one set of images; return their accuracies in percent."""
    runs = [
        {"name": f"b{i}", "pretrained_model": network, "weights": weights}
        for i, (network, weights) in enumerate(text.split(":") for text in backbones)
    ]
    params = {"classifier_head": "single", "opt_alg": "lbfgs", "hardware_type": "cpu"}
    file = out / "sweep.yaml"
    out.mkdir(parents=True)
    file.write_text(
        yaml.safe_dump(
            {
                "name": "backbones",
                "notebook": "notebooks/2_train.ipynb",
                "params": params | {"dataset_dir": str(folder), "evaluation": "cv"},
                "runs": runs,
            }
        )
    )
    run_sweep(load_sweep(file, out=out / "results"), summary=False)
    return {
        "{pretrained_model}:{weights}".format_map(record.config): 100 * record.val["accuracy"]
        for record in SweepFolder(out / "results").records()
    }


def main() -> None:
    """Print one row per backbone, one column per set of images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES))
    parser.add_argument("--solar-cells", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = [{"backbone": name} for name in args.backbones]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        folders = [folder.resolve() for folder in args.folders]
        if args.solar_cells:
            folders.append(copy_solar_cells(place / "solar_cells", args.solar_cells))
        for i, folder in enumerate(folders):
            found = measure(folder, args.backbones, place / f"sweep-{i}")
            for row in rows:
                row[folder.name] = found.get(row["backbone"], float("nan"))
    print(table(rows))
    if args.out:
        write_json(args.out, {"rows": rows, "machine": machine()})


if __name__ == "__main__":
    main()
