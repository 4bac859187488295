"""The 12 CPU configurations of `runs/gel.yaml` five ways, with and without augmentation.

    python tests/benchmarks/bench_sweep.py [--quick] [--out FILE]

a  the reference's way: a plain loop, the full network in every epoch, a new trainable first
   convolution. One epoch is measured an architecture, times the epochs and the configurations.
b  plain papermill: a cold kernel a run, each with an empty cache. One run is measured an
   architecture, times its configurations: heads and optimisers take no time beside features.
c  `gellib sweep` from an empty cache, the summary included.
d  the same again from a warm cache.
e  the floor: bare forward passes of the same images and views, decoded and augmented before,
   through the three networks at the fastest setting; nothing else.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from common import NETWORKS, REFERENCE_STEPS, cores, gellib, parse, report, run, write_sweep

from gellib.base.paths import find_path
from gellib.config import RunConfig
from gellib.sweeps import kernel_server


def reference_epoch(config: RunConfig) -> float:
    """Time one epoch as the reference trains: loader, full network, backward, validation."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.models import get_model
    from torchvision.transforms import v2

    size = config.image_size
    plain = [v2.Resize(size * 256 // 224), v2.CenterCrop(size)]
    drawn = [v2.RandomResizedCrop(size), v2.RandomHorizontalFlip(), v2.RandomRotation(10)]
    end = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.45], [0.22])]
    steps = drawn if config.has_random_views else plain

    def loader(chosen: list[Any]) -> DataLoader:
        views = v2.Compose([v2.Grayscale(), *chosen, *end])
        images = ImageFolder(str(find_path(config.dataset_dir) / "train"), views)
        return DataLoader(images, batch_size=config.batch_size, shuffle=True)

    names = {"mobilenet-v3": "mobilenet_v3_large"}
    network = get_model(names.get(config.pretrained_model, config.pretrained_model), weights=None)
    network.requires_grad_(False)
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(1, first.out_channels, first.kernel_size, first.stride, first.padding)
    network.get_submodule(name.rpartition(".")[0])._modules[name.rpartition(".")[2]] = new
    names_of_linear = [n for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    path, _, last = names_of_linear[-1].rpartition(".")
    features = network.get_submodule(names_of_linear[-1]).in_features
    network.get_submodule(path)._modules[last] = nn.Linear(features, 2)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=config.learning_rate)

    def epoch() -> None:
        network.train()
        for x, y in loader(steps):
            loss = nn.functional.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            # A fifth of the training images are for validation.
            validation = loader(plain)
            for x, _ in itertools.islice(validation, -(-len(validation) // 5)):
                network(x)

    torch.set_num_threads(cores())
    network(torch.zeros(2, 1, size, size))
    started = time.perf_counter()
    epoch()
    return time.perf_counter() - started


def forward_passes(config: RunConfig) -> float:
    """Time the forward passes of all that a configuration's features need, and nothing else."""
    import torch

    from gellib.data.image_files import ImageLimits
    from gellib.models.features import (
        augmented_views,
        check_augmentation,
        extract_stream,
        unaugmented_views,
    )
    from gellib.training_run import load_backbone, load_images

    torch.set_num_threads(cores())
    backbone = load_backbone(config)
    table = load_images(config).images.table
    views = list(unaugmented_views(list(table["path"]), backbone.preprocessing, ImageLimits()))
    if config.has_random_views:
        train = table[table["split"] == "train"]
        blocks = augmented_views(
            list(train["path"]),
            list(train["digest"]),
            backbone.preprocessing,
            ImageLimits(),
            steps=check_augmentation(config.augmentation),
            seed=config.seed,
            epochs=range(1, config.frozen_views + 1),
        )
        views += [block for _, _, block in blocks]
    pixels = np.concatenate(views)

    def passes(part: np.ndarray) -> None:
        options = {"precision": "auto", "device": "cpu", "total": len(part)}
        for _ in extract_stream([part], backbone, **options):
            pass

    passes(pixels[:32])
    started = time.perf_counter()
    passes(pixels)
    return time.perf_counter() - started


def cold_papermill(folder: Path, config: RunConfig) -> float:
    """Time one run by papermill alone."""
    notebook = find_path("notebooks/2_train.ipynb")
    given = {
        name: value
        for name, value in config.model_dump().items()
        if value != getattr(RunConfig(), name)
    }
    given |= {"cache_dir": str(folder / "cache"), "run_dir": str(folder / "run")}
    folder.mkdir(parents=True)
    parameters = folder / "parameters.yaml"
    parameters.write_text(yaml.safe_dump(given))
    command = [sys.executable, "-m", "papermill", notebook, folder / "out.ipynb"]
    return run([*map(str, command), "-f", str(parameters), "--no-progress-bar"])


def measure(folder: Path, spec: dict[str, Any], augmentation: str, quick: bool) -> dict[str, Any]:
    """Measure all five ways of one augmentation, in seconds."""
    params = {**spec["params"], "augmentation": augmentation}
    grid = {**spec["grid"], "hardware_type": ["cpu"]}
    if quick:
        params |= {"num_epochs": 2, "image_size": 64}
        grid["opt_alg"] = ["adam"]
    each = [
        {"classifier_head": head, "opt_alg": alg}
        for head in grid["classifier_head"]
        for alg in grid["opt_alg"]
    ]
    configs = {n: RunConfig.check({**params, "pretrained_model": n}) for n in NETWORKS}
    a = b = e = 0.0
    for network, config in configs.items():
        # In an ordinary new process: those of a sweep have allocator settings that speed it up.
        with ProcessPoolExecutor(1, get_context("spawn")) as plain:
            epoch_s = plain.submit(reference_epoch, config).result()
        a += epoch_s * config.num_epochs * len(each)
        e += kernel_server.call("bench_sweep:forward_passes", config)
        one = RunConfig.check({**params, "pretrained_model": network, **each[0]})
        b += cold_papermill(folder / f"cold-{network}", one) * len(each)
    file = write_sweep(folder, params=params, grid=grid)
    c = run(gellib("sweep", file))
    d = run(gellib("sweep", file, "--fresh"))
    runs = len(NETWORKS) * len(each)
    return {
        "augmentation": "none" if augmentation == "none" else "reference's",
        "runs": runs,
        "a_reference_s": a,
        "b_papermill_s": b,
        "c_cold_cache_s": c,
        "d_warm_cache_s": d,
        "e_floor_s": e,
        "a/c": a / c,
        "b/c": b / c,
        "b/d": b / d,
        "c/e": c / e,
    }


def main() -> None:
    """Measure with and without augmentation and print what came out."""
    args = parse(__doc__)
    spec = yaml.safe_load(find_path("runs/gel.yaml").read_text())
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for augmentation in ("none", REFERENCE_STEPS):
            folder = Path(name) / ("plain" if augmentation == "none" else "drawn")
            rows.append(measure(folder, spec, augmentation, args.quick))
            print(rows[-1], file=sys.stderr, flush=True)  # the other takes minutes
    report("sweep", args, rows)


if __name__ == "__main__":
    main()
