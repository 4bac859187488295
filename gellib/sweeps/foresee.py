"""What the runs of a sweep would refuse, found without torch where possible, for `--dry-run`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gellib.base.paths import expand_user, find_path
from gellib.base.text import did_you_mean, join_some
from gellib.config import RunConfig
from gellib.config.expressions import (
    check_augmentation,
    check_monitor,
    check_schedule,
    check_trainable,
)
from gellib.config.known_names import BACKBONE_ALIASES, NAMED_WEIGHTS
from gellib.models.known_layers import has_layers
from gellib.sweeps.network_names import find_network_problem
from gellib.sweeps.spec import Sweep
from gellib.sweeps.sweep_file import SweepInputError

if TYPE_CHECKING:
    from gellib.data import ImageSet

_TEXTS: dict[str, Callable[[str], Any]] = {
    "augmentation": check_augmentation,
    "schedule": check_schedule,
    "monitor": check_monitor,
}
# In folders of so many images per class every split has some of each class.
_PLENTY = 20
_LEAST_KEPT = 0.25  # the share of images for training from which 6 images of a class are enough
_SPLITS = ("train", "val", "test")
_USUAL = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_TABLES = (".csv", ".tsv", ".xlsx", ".parquet")


def foresee_refusals(sweep: Sweep, *, simulated: str = "") -> list[str]:
    """Say what the runs of a sweep would refuse, each once: parameters, folders, files, classes.

    `simulated` is a folder that is made when the sweep begins. Images are not opened, so damaged
    ones and duplicates are not found. torch is imported only for layers of a network whose layers
    are not known by name, and for names that are not found.
    """
    configs = list(sweep.configs.values())
    there = [config for config in configs if config.dataset_dir != simulated]
    found = [*_parameters(configs), *_layers(configs)]
    found += _missing_folders(there, sweep.system) or _images(there)
    return list(dict.fromkeys(found))


def parameter_problems(config: RunConfig) -> list[str]:
    """Say which parameters of a run would be refused, by their texts and names alone."""
    return [*_parameters([config]), *_layers([config])]


def check_parameters(sweep: Sweep, *, simulated: str = "") -> None:
    """Check what can be checked at once, without torch: the parameters' texts, names and folders.

    `simulated` is a folder that is made when the sweep begins.

    Raises
    ------
    SweepInputError
        Naming every wrong value.
    """
    configs = list(sweep.configs.values())
    there = [config for config in configs if config.dataset_dir != simulated]
    problems = [*_parameters(configs), *_missing_folders(there, sweep.system)]
    if problems:
        raise SweepInputError("\n".join((*problems, "nothing was run")))


def _missing_folders(configs: list[RunConfig], system: str) -> list[str]:
    makes = f"; gellib simulate {system} --out DIR makes simulated images, --quick a few"
    hints = {"dataset_dir": makes} if system else {}
    return [
        f"parameter {name!r}: no such folder: {folder!r}{hints.get(name, '')}"
        for name in ("dataset_dir", "test_dir", "extra_train_dir")
        for folder in dict.fromkeys(getattr(config, name) for config in configs)
        if folder and not find_path(folder).is_dir()
    ]


def _parameters(configs: list[RunConfig]) -> Iterator[str]:
    for name, check in _TEXTS.items():
        for text in dict.fromkeys(getattr(config, name) for config in configs):
            try:
                check(text)
            except ValueError as err:
                yield f"parameter {name!r}: {err}"
    for network in dict.fromkeys(config.pretrained_model for config in configs):
        if problem := find_network_problem(network):
            yield f"parameter 'pretrained_model': got {network!r}: {problem}"
    for weights in dict.fromkeys(config.weights for config in configs):
        if weights not in NAMED_WEIGHTS and not expand_user(weights).is_file():
            yield (
                f"parameter 'weights': got {weights!r}: {did_you_mean(weights, NAMED_WEIGHTS)}"
                f"Expected {join_some(NAMED_WEIGHTS)} or an existing file"
            )


def _layers(configs: list[RunConfig]) -> Iterator[str]:
    keys = {(c.pretrained_model, c.image_size, c.trainable) for c in configs}
    for key in sorted(keys):
        if problem := _layer_problem(*key):
            yield f"parameter 'trainable': {problem}"


def _layer_problem(network: str, image_size: int, text: str) -> str:
    """Say what is wrong with a value of `trainable`; empty if nothing is."""
    try:
        word, rest = check_trainable(text)
        if word in ("head", "all") and "+" not in network:
            return ""
        known = has_layers(BACKBONE_ALIASES.get(network, network), word, rest)
        if word == "head" or known or find_network_problem(network):
            return ""
        from gellib.models.backbones import check_layers

        check_layers(network, image_size, text)
    except ValueError as err:
        return str(err)
    return ""


def _images(configs: list[RunConfig]) -> Iterator[str]:
    """Load the sets that may be too small to split, and split them as the runs would."""
    doubtful: dict[tuple[tuple[str, str, str], int], dict[Any, RunConfig]] = {}
    for config in configs:
        if not _has_plenty(config):
            images = config.image_folders, config.max_images
            seed = 0 if config.split == "stratified" else config.seed
            split = (
                config.evaluation_method,
                config.split,
                config.folds,
                config.fold,
                config.cv_folds,
                config.cv_repeats,
            )
            key = (*split, config.test_fraction, config.val_fraction, seed)
            doubtful.setdefault(images, {}).setdefault(key, config)
    if not doubtful:
        return
    from gellib.data import limit_images, load_extra_training, load_imageset

    for ((folder, test_dir, extra), most), splits in doubtful.items():
        try:
            loaded = load_imageset(folder, test_dir=test_dir)
            if extra:
                load_extra_training(loaded, extra)
            loaded = limit_images(loaded, most)
        except (ValueError, OSError) as err:
            yield f"the images cannot be used: {err}"
            continue
        for config in splits.values():
            yield from _split_problem(loaded, config)


def _split_problem(images: ImageSet, config: RunConfig) -> Iterator[str]:
    from gellib.data.run_parts import split_for_run
    from gellib.data.splits import SplitError

    try:
        split_for_run(config, images)
    except SplitError as err:
        yield str(err)


def _has_plenty(config: RunConfig) -> bool:
    """Whether a folder has many images of each class, by its folders, and they are split by class.

    Then there is no need to load the set, which takes a second.
    """
    kept = (1 - config.test_fraction) * (1 - config.val_fraction)
    if config.split != "stratified" or any(config.image_folders[1:]) or kept < _LEAST_KEPT:
        return False
    root = find_path(config.dataset_dir)
    folders = _folders(root)
    if not folders:
        return False
    splits = [name for name in folders if name.lower() in _SPLITS]
    if not splits:
        return len(folders) > 1 and all(_count_images(root / name) >= _PLENTY for name in folders)
    if set(splits) != set(folders) or "train" not in folders:
        return False
    classes = {split: _folders(root / split) for split in splits}
    return all(
        len(names) > 1
        and set(names) == set(classes["train"])
        and all(
            _count_images(root / split / name) >= (_PLENTY if split == "train" else 1)
            for name in names
        )
        for split, names in classes.items()
    )


def _folders(root: Path) -> list[str]:
    """Name the folders in a folder; none where a table may say something else."""
    with os.scandir(root) as entries:
        found = {entry.name: entry.is_dir() for entry in entries}
    tables = any(name.lower().endswith(_TABLES) for name in found)
    return [] if tables else [name for name, folder in found.items() if folder]


def _count_images(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.name.lower().endswith(_USUAL) for entry in entries)
