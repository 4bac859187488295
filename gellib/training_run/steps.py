"""The steps of a run, one function each: images, backbone, store of features, checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gellib.base import paths
from gellib.base.paths import expand_user
from gellib.base.text import did_you_mean
from gellib.config import ConfigError, RunConfig
from gellib.config.known_names import NAMED_WEIGHTS
from gellib.data import ImageSet, append_images, drop_images, limit_images, load_imageset
from gellib.data.file_notes import (
    blank_page_sentences,
    left_out_files,
    left_out_sentence,
    page_sentences,
)
from gellib.data.folds import Folds, merge_validation
from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.readable import examine_images, unreadable_sentence
from gellib.data.run_parts import draw_folds_for_run, split_for_run
from gellib.models.backbones import (
    Backbone,
    build_backbone,
    check_backbone,
    check_layers,
    choose_device,
)
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore, check_augmentation
from gellib.models.training import check_monitor, check_schedule
from gellib.training_run.extra_images import ExtraImages, load_extra
from gellib.training_run.group_findings import DuplicatesFound, FamiliesFound
from gellib.training_run.grouping import split_in_groups


class TrainingRunError(ValueError):
    """The run cannot go on; the message says what was found and what to do."""


@dataclass(frozen=True)
class LoadedImages:
    """The images of a run, split, and what was found out about them on the way.

    `fingerprint` is that of all images, those in `bad_images` (which cannot be read) included.
    `notes` are sentences on files that were left out or read in part. `folds` are those of a
    cross-validation; None for a holdout. `extra` are further images, which are only trained on.
    """

    images: ImageSet
    bad_images: list[BadImageError]
    fingerprint: str
    duplicates: DuplicatesFound
    families: FamiliesFound
    notes: tuple[str, ...] = ()
    folds: Folds | None = None
    extra: ExtraImages | None = None

    @property
    def with_extra(self) -> ImageSet:
        """The images with those that are only trained on behind them."""
        return self.images if self.extra is None else append_images(self.images, self.extra.images)

    @property
    def training_folds(self) -> Folds | None:
        """The folds of these; None for a holdout."""
        if self.folds is None or self.extra is None:
            return self.folds
        return self.folds.with_extra(len(self.extra.images))


def load_images(config: RunConfig) -> LoadedImages:
    """Find the images, decode each of them to be sure, group what is alike, and split.

    In a cross-validation the split is into what the folds are drawn over, and a given test part.

    Raises
    ------
    TrainingRunError
        As `TrainingRun.load_images`.
    """
    images = load_imageset(config.dataset_dir, test_dir=config.test_dir).with_digests()
    fingerprint = images.fingerprint()
    notes: list[str] = []
    left_out = left_out_sentence(left_out_files(images))
    images, bad_images = _readable(config, limit_images(images, config.max_images), notes)
    notes += [left_out] * bool(left_out)
    extra = load_extra(
        config,
        images,
        partial(_readable, config, notes=notes),
        cache_dir=run_cache_folder(config),
        limits=limits_of(config),
    )
    notes += [] if extra is None else [*extra.images.notes, extra.sentence()]

    cv = config.evaluation_method == "cv"
    images, grouping = split_in_groups(
        merge_validation(images) if cv else images,
        partial(split_for_run, config),
        cache_dir=run_cache_folder(config),
        limits=limits_of(config),
        duplicates=config.group_duplicates,
        families=config.group_families,
    )
    folds = None
    if cv:
        folds = draw_folds_for_run(config, images)
        notes += [folds.note] * bool(folds.note)
    return LoadedImages(
        images,
        bad_images,
        fingerprint,
        grouping.duplicates,
        grouping.families,
        tuple(notes),
        folds,
        extra,
    )


def _readable(
    config: RunConfig, images: ImageSet, notes: list[str]
) -> tuple[ImageSet, list[BadImageError]]:
    """Leave out the images that cannot be read; add to the notes what is read in part."""
    infos = examine_images(images, limits_of(config), cache_dir=run_cache_folder(config))
    bad_images = [BadImageError(info.path, info.reason) for info in infos if info.reason]
    notes += page_sentences(infos, images.root) + blank_page_sentences(infos, images.root)
    if bad_images and not config.skip_bad_images:
        raise TrainingRunError(unreadable_sentence(bad_images, len(images)))
    return drop_images(images, [bad.path for bad in bad_images]), bad_images


def load_backbone(config: RunConfig) -> Backbone:
    """Build the backbone that a configuration names."""
    return build_backbone(
        config.pretrained_model,
        weights=config.weights,
        input_adapter=config.input_adapter,
        image_size=config.image_size,
        color=config.color,
        contrast=config.contrast,
        seed=config.seed,
    )


def feature_store(config: RunConfig) -> FeatureStore:
    """Open the store of features that a configuration names."""
    return FeatureStore(run_cache_folder(config), limits_of(config))


def choose_compute(config: RunConfig) -> Compute:
    """Choose how a run computes: the device, precision and store that a configuration names.

    Raises
    ------
    BackboneError
        When the device is missing.
    """
    return Compute(
        choose_device(config.hardware_type),
        config.precision,
        feature_store(config),
        progress=True,
    )


def run_cache_folder(config: RunConfig) -> Path:
    """Return the folder of what runs share."""
    return paths.cache_folder(config.cache_dir)


def limits_of(config: RunConfig) -> ImageLimits:
    """Return the limits on image files."""
    return ImageLimits.of(config)


def check_network(config: RunConfig) -> None:
    """Check what only torchvision and the disk know, before any work.

    Raises
    ------
    ConfigError
        Naming the parameter: an unknown network, augmentation step, schedule, column or layer, a
        file of weights that is not there.
    """
    try:
        check_backbone(config.pretrained_model)
    except ValueError as err:
        raise ConfigError(f"parameter 'pretrained_model': {err}") from err
    checks: dict[str, Callable[[], Any]] = {
        "augmentation": lambda: check_augmentation(config.augmentation),
        "schedule": lambda: check_schedule(config.schedule),
        "monitor": lambda: check_monitor(config.monitor),
        "trainable": lambda: check_layers(
            config.pretrained_model, config.image_size, config.trainable
        ),
    }
    for name, check in checks.items():
        try:
            check()
        except ValueError as err:
            raise ConfigError(f"parameter {name!r}: {err}") from err
    if config.weights not in NAMED_WEIGHTS and not expand_user(config.weights).is_file():
        raise ConfigError(
            f"parameter 'weights': got {config.weights!r}: "
            f"{did_you_mean(config.weights, NAMED_WEIGHTS)}Expected {', '.join(NAMED_WEIGHTS)} or "
            "an existing file"
        )
