"""The parts that a run splits its images into: one answer for the run and for what foresees it."""

from __future__ import annotations

from gellib.config import RunConfig
from gellib.data.folds import Folds, draw_folds, pool_images
from gellib.data.imageset import ImageSet
from gellib.data.splits import split_imageset


def split_for_run(config: RunConfig, images: ImageSet) -> ImageSet:
    """Split images as a run with this configuration does.

    In a cross-validation the split is into what the folds are drawn over, and a given test part.

    Raises
    ------
    SplitError
        If a class, or a group, is too small or too large for it.
    """
    if config.evaluation_method == "cv":
        pooled = pool_images(images)
        draw_folds_for_run(config, pooled)  # groups that leave a class without folds are refused
        return pooled
    return split_imageset(
        images,
        method=config.split,
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        seed=config.seed,
        folds=config.folds,
        fold=config.fold,
    )


def draw_folds_for_run(config: RunConfig, pooled: ImageSet) -> Folds:
    """Draw the folds of a run over images from `split_for_run`."""
    return draw_folds(pooled, folds=config.cv_folds, repeats=config.cv_repeats, seed=config.seed)
