"""Duplicates of an image set: pairs, the groups they form, and what that means for a split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from gellib.base.cached_json import cached_json
from gellib.data import ImageSet
from gellib.data.duplicates.image_summary import ImageSummary, summarise_images
from gellib.data.duplicates.parts import part_pairs
from gellib.data.duplicates.search import compare_all
from gellib.data.image_files import ImageLimits
from gellib.data.reading_libraries import reading_versions

# Raised whenever the same images give other pairs than before, so that old files are not used.
_VERSION = 8
# A connected group is oversized from this share of all images on, but never below the first number
# of images and always from the second number on. In an oversized group only pairs up to the
# distance count. No benchmark set these values: they were chosen by hand on sets whose images
# share a pattern; test_what_many_images_share_is_a_pattern_and_no_duplicate guards them.
_OVERSIZED_SHARE, _OVERSIZED_FROM, _OVERSIZED_ALWAYS = 0.2, 6, 13
_OVERSIZED_DISTANCE = 0.1


@dataclass(frozen=True)
class Duplicates:
    """Pairs of files that hold the same image, named as in the column `file`.

    The pairs of `exact` have equal bytes or equal pixels; those of `near` differ in compression,
    scale, crop, brightness or margin, are mirrored, turned or inverted, or one is a panel of the
    other, and come with their distance, 0 to 1. Of many copies of one file,
    each is paired only with the first.
    """

    exact: tuple[tuple[str, str], ...] = ()
    near: tuple[tuple[str, str, float], ...] = ()

    def pairs(self) -> list[tuple[str, str, float]]:
        """Return all pairs, the exact ones first, with distance 0."""
        return [(a, b, 0.0) for a, b in self.exact] + list(self.near)

    def only(self, files: Collection[str]) -> Duplicates:
        """Return the pairs whose two files are both among `files`."""
        return Duplicates(
            tuple(pair for pair in self.exact if set(pair) <= set(files)),
            tuple(pair for pair in self.near if set(pair[:2]) <= set(files)),
        )

    def groups(self) -> list[list[str]]:
        """Return groups of files connected by pairs, sorted; each has two files or more."""
        return components((a, b) for a, b, _ in self.pairs())


def find_duplicates(
    imageset: ImageSet,
    *,
    cache_dir: Path | None = None,
    limits: ImageLimits | None = None,
    summaries: Sequence[ImageSummary] | Callable[[], Sequence[ImageSummary]] | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> Duplicates:
    """Find the files of a set that hold the same image, in any class or split.

    Files that cannot be read are skipped.

    Parameters
    ----------
    imageset
        n images.
    cache_dir
        Folder where the result is kept under the digests of the files; processes that need the
        same result wait for each other. None: it is not kept.
    limits
        Largest file and image that are read.
    summaries
        Results of `summarise_images`, one per row of the table, so that no file is decoded again;
        or a function that returns them, which is called where the result is not kept yet.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.
    """
    table = imageset.table
    if not (table["digest"] != "").all():
        table = imageset.with_digests().table
    table = table[table["digest"] != ""].sort_values("file")
    # One file per digest: copies are known without decoding.
    first = dict(zip(table["digest"][::-1], table["file"][::-1], strict=True))
    copies = [
        (first[digest], file)
        for digest, file in zip(table["digest"], table["file"], strict=True)
        if file != first[digest]
    ]
    rows = dict(zip(imageset.table["file"], range(len(imageset)), strict=True))
    digests = sorted(first)

    def compute() -> dict[str, list]:
        chosen = [rows[first[digest]] for digest in digests]
        if summaries is None:
            paths = list(imageset.table["path"].iloc[chosen])
            seen = summarise_images(paths, limits, progress=progress)
        else:
            known = summaries() if callable(summaries) else summaries
            seen = [known[row] for row in chosen]
        return _compare(digests, seen, progress)

    facts = [_VERSION, reading_versions(), digests]
    found = cached_json(cache_dir, "duplicates", facts, compute) if cache_dir else compute()
    same = [tuple(sorted((first[a], first[b]))) for a, b in found["same"]]
    near = [(*sorted((first[a], first[b])), distance) for a, b, distance in found["near"]]
    return Duplicates(tuple(sorted(copies + same)), tuple(sorted(near)))


def _compare(
    digests: list[str],
    summaries: list[ImageSummary],
    progress: Callable[..., Iterable[Any]] | None,
) -> dict[str, list]:
    """Compare one file per digest; return pairs of digests."""
    by_pixels: dict[str, int] = {}
    same = []
    for i, summary in enumerate(summaries):
        if summary.thumbnail is None:
            continue
        original = by_pixels.setdefault(summary.pixel_digest, i)
        if original != i:
            same.append([digests[original], digests[i]])
    unique = list(by_pixels.values())
    if not unique:
        return {"same": [], "near": []}
    pairs = _restrict_oversized(find_near([summaries[i] for i in unique], progress), len(unique))
    near = [[digests[unique[i]], digests[unique[j]], distance] for i, j, distance in pairs]
    return {"same": same, "near": near}


def find_near(
    summaries: Sequence[ImageSummary], progress: Callable[..., Iterable[Any]] | None = None
) -> list[tuple[int, int, float]]:
    """Return the pairs of readable images that are copies or parts of each other, as `near_pairs`.

    A part is compared with its whole last: it takes the longest, and finds what is left.
    """
    small = [summary.content for summary in summaries if summary.content is not None]
    fine = [summary.fine for summary in summaries if summary.fine is not None]
    aspects = np.array([summary.aspect for summary in summaries])
    panels = [(i, *panel) for i, summary in enumerate(summaries) for panel in summary.panels]
    thumbnails = np.stack(small)
    pairs, rest = compare_all(thumbnails, aspects, progress=progress)
    known = [(i, j) for i, j, _ in pairs]
    more = part_pairs(
        thumbnails, fine, aspects, panels, known=known, candidates=rest, progress=progress
    )
    return sorted(pairs + more)


def _restrict_oversized(
    pairs: list[tuple[int, int, float]], n: int
) -> list[tuple[int, int, float]]:
    """Keep only the closest pairs of oversized groups.

    So many images share a pattern, such as the stripes of a test card or the outline of a head;
    they are not copies of one image.
    """
    limit = min(_OVERSIZED_ALWAYS, max(_OVERSIZED_FROM, _OVERSIZED_SHARE * n))
    groups = components((i, j) for i, j, _ in pairs)
    oversized = {i for rows in groups if len(rows) >= limit for i in rows}
    return [pair for pair in pairs if pair[0] not in oversized or pair[2] <= _OVERSIZED_DISTANCE]


def group_images(imageset: ImageSet, duplicates: Duplicates) -> ImageSet:
    """Fill the column `group` so that duplicates stay together; given groups are kept.

    Duplicates that the given splits separate (one in train, one in test) cannot be grouped: those
    of each split form a group of their own. `cross_split_pairs` lists them.
    """
    table = imageset.table
    given = dict(zip(table["file"], table["group"], strict=True))
    splits = dict(zip(table["file"], table["split"], strict=True))
    separated = {(a, b) for a, b, _ in cross_split_pairs(imageset, duplicates)}
    links = [(a, b) for a, b, _ in duplicates.pairs() if (a, b) not in separated]
    named: dict[str, list[str]] = {}
    for file, name in given.items():
        if name:
            named.setdefault(name, []).append(file)
    links += [(files[0], file) for files in named.values() for file in files[1:]]
    groups = dict(given)
    for files in components(links):
        if len({splits[file] for file in files} - {""}) > 1:
            continue  # a third file, of no given split, connects both
        names = sorted({given[file] for file in files} - {""})
        groups.update(dict.fromkeys(files, "+".join(names) or f"same as {files[0]}"))
    return replace(imageset, table=table.assign(group=[groups[f] for f in table["file"]]))


def cross_split_pairs(imageset: ImageSet, duplicates: Duplicates) -> list[tuple[str, str, float]]:
    """Return the pairs whose two files are in different splits, such as train and test."""
    splits = dict(zip(imageset.table["file"], imageset.table["split"], strict=True))
    return [(a, b, d) for a, b, d in duplicates.pairs() if len({splits[a], splits[b]} - {""}) > 1]


def count_reassigned(ungrouped: ImageSet, duplicates: Duplicates) -> int:
    """Count images that a split which ignores duplicates separates from most of their group."""
    splits = dict(zip(ungrouped.table["file"], ungrouped.table["split"], strict=True))
    reassigned = 0
    for files in duplicates.groups():
        sizes = pd.Series([splits[file] for file in files]).value_counts()
        reassigned += len(files) - int(sizes.iloc[0])
    return reassigned


def conflicting_pairs(imageset: ImageSet, duplicates: Duplicates) -> list[tuple[str, str, float]]:
    """Return the pairs of one image with two different labels."""
    labels = dict(zip(imageset.table["file"], imageset.table["label"], strict=True))
    return [(a, b, d) for a, b, d in duplicates.pairs() if labels[a] != labels[b]]


Name = TypeVar("Name", str, int)


def components(pairs: Iterable[tuple[Name, Name]]) -> list[list[Name]]:
    """Return the sets of names that pairs connect, sorted."""
    parent: dict[Name, Name] = {}

    def find(name: Name) -> Name:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        parent[high] = low
    sets: dict[Name, list[Name]] = {}
    for name in sorted(parent):
        sets.setdefault(find(name), []).append(name)
    return [files for files in sets.values() if len(files) > 1]
