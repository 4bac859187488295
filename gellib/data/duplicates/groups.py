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
from gellib.data.duplicates.pictures import Look, look_at
from gellib.data.duplicates.search import near_pairs
from gellib.data.images import ImageLimits

# Raised whenever the same images give other pairs than before, so that old files do not count.
_VERSION = 3
_CROWD, _CROWD_SHARE, _LARGE_CROWD, _CROWD_DISTANCE = 6, 0.2, 13, 0.1


@dataclass(frozen=True)
class Duplicates:
    """Pairs of files that are one picture, named as in the column `file`.

    `exact` are the same to the byte or to the pixel, `near` the same but for saving, scale, a crop
    or brightness, with their distance 0 .. 1. Of many copies of one file, each is paired with the
    first alone.
    """

    exact: tuple[tuple[str, str], ...] = ()
    near: tuple[tuple[str, str, float], ...] = ()

    def pairs(self) -> list[tuple[str, str, float]]:
        """All pairs, the exact ones first, with distance 0."""
        return [(a, b, 0.0) for a, b in self.exact] + list(self.near)

    def only(self, files: Collection[str]) -> Duplicates:
        """The pairs of which both are among `files`."""
        return Duplicates(
            tuple(pair for pair in self.exact if set(pair) <= set(files)),
            tuple(pair for pair in self.near if set(pair[:2]) <= set(files)),
        )

    def groups(self) -> list[list[str]]:
        """Files that hang together by pairs, sorted; each of two or more."""
        return components((a, b) for a, b, _ in self.pairs())


def find_duplicates(
    imageset: ImageSet,
    *,
    cache_dir: Path | None = None,
    limits: ImageLimits | None = None,
    looks: Sequence[Look] | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> Duplicates:
    """Find the files of a set that show one picture, whichever class or split they are in.

    Files that cannot be read are passed over. With `cache_dir` the result is kept there under the
    digests of the files, and processes that want the same one wait for each other; `looks`, one a
    row, save decoding the files again.
    """
    table = imageset.table
    if not (table["digest"] != "").all():
        table = imageset.with_digests().table
    table = table[table["digest"] != ""].sort_values("file")
    # One file a digest: copies are known without a look.
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
        if looks is None:
            seen = look_at(list(imageset.table["path"].iloc[chosen]), limits, progress=progress)
        else:
            seen = [looks[row] for row in chosen]
        return _compare(digests, seen, progress)

    facts = [_VERSION, digests]
    found = cached_json(cache_dir, "duplicates", facts, compute) if cache_dir else compute()
    same = [tuple(sorted((first[a], first[b]))) for a, b in found["same"]]
    near = [(*sorted((first[a], first[b])), distance) for a, b, distance in found["near"]]
    return Duplicates(tuple(sorted(copies + same)), tuple(sorted(near)))


def _compare(
    digests: list[str], looks: list[Look], progress: Callable[..., Iterable[Any]] | None
) -> dict[str, list]:
    """Compare one file a digest; pairs of digests."""
    by_pixels: dict[str, int] = {}
    same = []
    for i, look in enumerate(looks):
        if look.small is None:
            continue
        original = by_pixels.setdefault(look.pixels, i)
        if original != i:
            same.append([digests[original], digests[i]])
    unique = list(by_pixels.values())
    if not unique:
        return {"same": [], "near": []}
    small = (looks[i].small for i in unique)
    pictures = np.stack([pixels for pixels in small if pixels is not None])
    aspects = np.array([looks[i].info.width / looks[i].info.height for i in unique])
    pairs = near_pairs(pictures, aspects, progress=progress)
    pairs = _without_crowds(pairs, len(unique))
    near = [[digests[unique[i]], digests[unique[j]], distance] for i, j, distance in pairs]
    return {"same": same, "near": near}


def _without_crowds(pairs: list[tuple[int, int, float]], n: int) -> list[tuple[int, int, float]]:
    """Ask more of pairs that would make very many images, or much of a set, one group.

    What so many share is a pattern, such as the stripes of a test card or the outline of every
    head, not a picture.
    """
    most = min(_LARGE_CROWD, max(_CROWD, _CROWD_SHARE * n))
    crowds = components((i, j) for i, j, _ in pairs)
    crowded = {i for rows in crowds if len(rows) >= most for i in rows}
    return [pair for pair in pairs if pair[0] not in crowded or pair[2] <= _CROWD_DISTANCE]


def group_images(imageset: ImageSet, duplicates: Duplicates) -> ImageSet:
    """Fill the column `group` so that duplicates stay together, besides the groups given.

    Duplicates that the given parts tear apart (one in train, one in test) cannot be put together:
    those of each part make a group of their own; `torn_pairs` names them.
    """
    table = imageset.table
    given = dict(zip(table["file"], table["group"], strict=True))
    parts = dict(zip(table["file"], table["split"], strict=True))
    torn = {(a, b) for a, b, _ in torn_pairs(imageset, duplicates)}
    links = [(a, b) for a, b, _ in duplicates.pairs() if (a, b) not in torn]
    named: dict[str, list[str]] = {}
    for file, name in given.items():
        if name:
            named.setdefault(name, []).append(file)
    links += [(files[0], file) for files in named.values() for file in files[1:]]
    groups = dict(given)
    for files in components(links):
        if len({parts[file] for file in files} - {""}) > 1:
            continue  # a third file, of no given part, hangs on to both
        names = sorted({given[file] for file in files} - {""})
        groups.update(dict.fromkeys(files, "+".join(names) or f"same as {files[0]}"))
    return replace(imageset, table=table.assign(group=[groups[f] for f in table["file"]]))


def torn_pairs(imageset: ImageSet, duplicates: Duplicates) -> list[tuple[str, str, float]]:
    """Pairs whose two files lie in different parts of a set, such as train and test."""
    parts = dict(zip(imageset.table["file"], imageset.table["split"], strict=True))
    return [(a, b, d) for a, b, d in duplicates.pairs() if len({parts[a], parts[b]} - {""}) > 1]


def count_moved(without: ImageSet, duplicates: Duplicates) -> int:
    """How many images a split without regard to duplicates puts apart from most of their group."""
    parts = dict(zip(without.table["file"], without.table["split"], strict=True))
    moved = 0
    for files in duplicates.groups():
        sizes = pd.Series([parts[file] for file in files]).value_counts()
        moved += len(files) - int(sizes.iloc[0])
    return moved


def conflicting_pairs(imageset: ImageSet, duplicates: Duplicates) -> list[tuple[str, str, float]]:
    """Pairs of one picture with two labels."""
    labels = dict(zip(imageset.table["file"], imageset.table["label"], strict=True))
    return [(a, b, d) for a, b, d in duplicates.pairs() if labels[a] != labels[b]]


Name = TypeVar("Name", str, int)


def components(pairs: Iterable[tuple[Name, Name]]) -> list[list[Name]]:
    """Sets of names that pairs connect, sorted."""
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
