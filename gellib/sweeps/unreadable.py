"""Images that no run of a sweep could read: they are named once, before any run fails for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from gellib.base.paths import cache_folder
from gellib.config import RunConfig
from gellib.data import find_unreadable, limit_images, load_imageset
from gellib.data.image_files import ImageLimits
from gellib.data.readable import unreadable_sentence
from gellib.sweeps.sweep_file import SweepInputError


def refuse_unreadable(configs: Iterable[RunConfig]) -> None:
    """Decode the images of runs that are to do, once; what is found is kept for the runs.

    Where some of the runs go on without such images (`skip_bad_images`), each says so itself.

    Raises
    ------
    SweepInputError
        When there are images that cannot be read.
    """
    configs = list(configs)
    if any(config.skip_bad_images for config in configs):
        return
    seen = set()
    for config in configs:
        limits = ImageLimits.of(config)
        key = (*config.image_folders[:2], config.max_images, limits, config.cache_dir)
        if key in seen:
            continue
        seen.add(key)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sweep has said so already
            loaded = load_imageset(config.dataset_dir, test_dir=config.test_dir).with_digests()
        images = limit_images(loaded, config.max_images)
        bad = find_unreadable(images, limits, cache_dir=cache_folder(config.cache_dir))
        if bad:
            raise SweepInputError(unreadable_sentence(bad, len(images)))
