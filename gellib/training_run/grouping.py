"""Split the images of a run so that duplicates and families stay together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from gellib.data import ImageSet
from gellib.data.duplicates import (
    Duplicates,
    Families,
    ImageSummary,
    count_reassigned,
    cross_split_pairs,
    find_duplicates,
    find_families,
    group_images,
    summarise_images,
)
from gellib.data.image_files import ImageLimits
from gellib.data.splits import SplitError
from gellib.training_run.group_findings import DuplicatesFound, FamiliesFound

# Fewer images take seconds, and a bar would be all that is left of them in the notebook.
_BAR_FROM = 500


@dataclass(frozen=True)
class Grouping:
    """What was found and kept whole before the split."""

    duplicates: DuplicatesFound = DuplicatesFound()
    families: FamiliesFound = FamiliesFound()


def split_in_groups(
    images: ImageSet,
    split: Callable[[ImageSet], ImageSet],
    *,
    cache_dir: Path,
    limits: ImageLimits,
    duplicates: bool = True,
    families: bool = True,
) -> tuple[ImageSet, Grouping]:
    """Split a set so that duplicates and families stay together, and report what that changed.

    Parameters
    ----------
    images
        The set to split.
    split
        Splits a set; it keeps groups together.
    cache_dir
        Folder of what is known of images from earlier runs.
    limits
        Largest images that are read.
    duplicates, families
        Whether duplicates, and whether families are kept together.

    Raises
    ------
    SplitError
        When the set cannot be split, with or without its groups together.
    """
    if not (duplicates or families):
        return split(images), Grouping()

    @cache
    def summaries() -> list[ImageSummary]:
        bar = _bar if len(images) >= _BAR_FROM else None
        return summarise_images(list(images.table["path"]), limits, progress=bar)

    images = images if (images.table["digest"] != "").all() else images.with_digests()
    bar = _bar if len(images) >= _BAR_FROM else None
    found = find_duplicates(
        images, cache_dir=cache_dir, limits=limits, summaries=summaries, progress=bar
    )
    clusters = (
        find_families(images, found, summaries, cache_dir=cache_dir) if families else Families()
    )
    separated = cross_split_pairs(images, found)
    kept = Duplicates(
        tuple(pair for pair in found.exact if (*pair, 0.0) not in separated),
        tuple(pair for pair in found.near if pair not in separated),
    )
    kept = kept if duplicates else Duplicates()
    given = dict(zip(images.table["file"], images.table["split"], strict=True))
    links = clusters.links(given)
    # Groups that no split can keep whole are given up, families before duplicates.
    tries = [kept, Duplicates()]
    if links.near:
        tries.insert(0, Duplicates(kept.exact, kept.near + links.near))
    problems: list[str] = []
    for wanted in tries:
        try:
            whole = split(group_images(images, wanted))
            break
        except SplitError as err:
            if not wanted.pairs():
                raise
            problems.append(str(err))
    groups = kept.groups()
    kept_whole = wanted.pairs() or not groups
    problem = "" if kept_whole else problems[-1]
    splits = dict(zip(whole.table["file"], whole.table["split"], strict=True))
    return whole, Grouping(
        DuplicatesFound(
            exact=len(found.exact),
            near=len(found.near),
            groups=len(groups),
            images=sum(map(len, groups)),
            reassigned=_reassigned(images, split, kept) if groups and not problem else 0,
            problem=problem,
            cross_split_pairs=tuple(separated) if duplicates else (),
            given=_given(images, groups),
            checked=duplicates,
        ),
        FamiliesFound(
            clusters,
            cross_split=len(clusters.cross_split(splits)),
            tested=sum(name == "test" for name in splits.values()),
            problem=problems[0] if links.near and wanted is not tries[0] else "",
            checked=families,
        ),
    )


def _bar(items: Any, **words: Any) -> Any:
    return tqdm(items, leave=False, **words)


def _given(images: ImageSet, groups: list[list[str]]) -> bool:
    own = dict(zip(images.table["file"], images.table["group"], strict=True))
    names = [{own[file] for file in files} for files in groups]
    return all(len(name) == 1 and name != {""} for name in names)


def _reassigned(images: ImageSet, split: Callable[[ImageSet], ImageSet], found: Duplicates) -> int:
    try:
        return count_reassigned(split(images), found)
    except SplitError:  # only with its duplicates together can this set be split
        return 0
