"""Further training images of a run, and which of them the data set has already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gellib.base.text import join_and
from gellib.config import RunConfig
from gellib.data import (
    DatasetError,
    ImageSet,
    append_images,
    drop_images,
    limit_images,
    load_extra_training,
)
from gellib.data.duplicates import (
    ImageSummary,
    components,
    find_duplicates,
    find_families,
    summarise_images,
)
from gellib.data.image_files import BadImageError, ImageLimits


@dataclass(frozen=True)
class ExtraImages:
    """Further training images, which are trained on in every fold, and never tested.

    Attributes
    ----------
    folder
        Where they are.
    images
        Those that are trained on.
    fingerprint
        Of all images of the folder.
    known
        Files that are left out, because the data set has the same image, or one of the same group.
    bad
        Files that cannot be read.
    """

    folder: str
    images: ImageSet
    fingerprint: str
    known: tuple[str, ...] = ()
    bad: tuple[BadImageError, ...] = ()

    def sentence(self) -> str:
        """Say how many they are, and which were left out."""
        counts = self.counts()
        own = join_and(f"{n} {name}" for name, n in counts.items() if n)
        one = len(self.images) == 1
        text = (
            f"{len(self.images)} further image{'' if one else 's'} ({own}) of {self.folder} "
            f"{'is' if one else 'are'} trained on, in every fold, and never tested."
        )
        if n := len(self.known):
            text += (
                f" {n} other{'s' * (n > 1)} {'are' if n > 1 else 'is'} left out as duplicates of "
                f"images of the data set, or of their groups, such as {self.known[0]}."
            )
        return text

    def counts(self) -> dict[str, int]:
        """Count those that are trained on, by class."""
        members = self.images.memberships().sum(axis=0)
        return {name: int(n) for name, n in zip(self.images.classes, members, strict=True)}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the record."""
        return {
            "root": self.folder,
            "fingerprint": self.fingerprint,
            "images": len(self.images),
            "counts": self.counts(),
            "known": len(self.known),
            "unreadable": len(self.bad),
        }


def load_extra(
    config: RunConfig,
    images: ImageSet,
    read: Callable[[ImageSet], tuple[ImageSet, list[BadImageError]]],
    *,
    cache_dir: Path,
    limits: ImageLimits,
) -> ExtraImages | None:
    """Load the further training images of a run, without those that the data set has already.

    Parameters
    ----------
    config
        The configuration of the run.
    images
        All images of the data set that can be read.
    read
        Leaves out the images of a set that cannot be read, and names them.
    cache_dir, limits
        As for `find_known`.

    Raises
    ------
    DatasetError
        If they are no such images, or if none are left.
    """
    if not config.extra_train_dir:
        return None
    extra = load_extra_training(images, config.extra_train_dir).with_digests()
    fingerprint = extra.fingerprint()
    extra, bad = read(limit_images(extra, config.max_images))
    known = find_known(
        images,
        extra,
        cache_dir=cache_dir,
        limits=limits,
        duplicates=config.group_duplicates,
        families=config.group_families,
    )
    kept = drop_images(extra, known)
    if not len(kept):
        raise DatasetError(
            f"extra_train_dir: got {config.extra_train_dir}, whose {len(extra)} images are all "
            "duplicates of images of the data set, or of their groups. Expected other images. "
            "Leave extra_train_dir empty."
        )
    return ExtraImages(config.extra_train_dir, kept, fingerprint, tuple(known), tuple(bad))


def find_known(
    images: ImageSet,
    extra: ImageSet,
    *,
    cache_dir: Path,
    limits: ImageLimits,
    duplicates: bool = True,
    families: bool = True,
) -> list[str]:
    """Name the further images that must not be trained on, since the data set has them already.

    These are duplicates of its images, and images of one group or near-duplicate cluster with them:
    an image that tests a fold would be known to the model from them.

    Parameters
    ----------
    images
        The data set.
    extra
        The further images.
    cache_dir
        Folder of what is known of images from earlier runs.
    limits
        Largest images that are read.
    duplicates, families
        Whether to look for duplicates, and for near-duplicate clusters.
    """
    joined = append_images(images, extra)
    seen: list[ImageSummary] = []

    def summaries() -> list[ImageSummary]:
        if not seen:
            seen.extend(summarise_images(list(joined.table["path"]), limits))
        return seen

    named: dict[str, list[str]] = {}
    for file, group in zip(joined.table["file"], joined.table["group"], strict=True):
        if group:
            named.setdefault(group, []).append(file)
    links = [(first, file) for first, *rest in named.values() for file in rest]
    if duplicates or families:
        found = find_duplicates(joined, cache_dir=cache_dir, limits=limits, summaries=summaries)
        links += [(a, b) for a, b, _ in found.pairs()] if duplicates else []
        if families:
            clusters = find_families(joined, found, summaries, cache_dir=cache_dir).groups
            links += [(first, file) for first, *rest in clusters for file in rest]
    own = set(images.table["file"])
    groups = [set(files) for files in components(links)]
    return sorted(file for files in groups if files & own for file in files - own)
