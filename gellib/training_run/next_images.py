"""Which images of a folder to label next, by a finished run: `choose_next`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from gellib.base.paths import cache_folder, find_path, shown_path
from gellib.data import DatasetError, load_imageset
from gellib.data.duplicates import find_duplicates
from gellib.data.image_files import BadImageError, file_digest
from gellib.data.imageset import make_imageset
from gellib.data.layouts.folders import find_images
from gellib.evaluation.active_learning import choose_next_images, label_uncertainty
from gellib.evaluation.label_savings import Savings, try_choice
from gellib.runs import Record
from gellib.training_run.images_to_label import NextImage, NextImages, count_images
from gellib.training_run.labelled_features import from_labelled_features
from gellib.training_run.predictor import Predictor

# So many times as many images as are wanted, of the most uncertain ones and as many at random, are
# compared for near-duplicates: comparing a large folder would take hours.
_COMPARED = 6
# More labelled images are not compared with; copies of their files are left out in any case.
_MOST_LABELLED = 1000

_VERSION = 1  # increased when the same images give other trials than before
_STREAM = 0x6E66  # keeps these draws apart from others with the same seed

ProgressBar = Callable[..., Iterable[Any]]


class NextImagesError(ValueError):
    """No image can be chosen; the message says why and what to do."""


def choose_next(
    predictor: Predictor,
    folder: str | Path,
    n: int,
    *,
    seed: int = 0,
    progress: ProgressBar | None = None,
) -> NextImages:
    """Choose which images of a folder to label next.

    Parameters
    ----------
    predictor
        The model.
    folder
        Folder of images; any number of folders may be below it.
    n
        How many to choose.
    seed
        Seed of the random picks.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.

    Raises
    ------
    NextImagesError
        When there is no folder, no image in it, none without a label, or none that can be read.
    """
    place = find_path(folder)
    shown = shown_path(place)
    files = sorted(find_images(place)) if place.is_dir() else []
    if not files:
        what = "no images in it" if place.is_dir() else "no such folder"
        raise NextImagesError(f"{shown}: got {what}; expected a folder of images without labels")
    known, warning = _labelled_files(predictor)
    digests, unreadable = _digests(files)
    new: dict[str, list[str]] = {}
    for file, digest in digests.items():
        if digest not in known:
            new.setdefault(digest, []).append(file)
    labelled = sum(digest in known for digest in digests.values())
    if not new and labelled:
        raise NextImagesError(
            f"{shown}: got {count_images(labelled)}, all of which have a label already. "
            "Expected a folder with images that the run has not seen."
        )
    names = [copies[0] for copies in new.values()]
    predictions, features = predictor.predict_with_features(names, progress)
    for prediction in predictions:
        if prediction.error:
            unreadable.append((prediction.file, prediction.error))
    rows = [i for i, prediction in enumerate(predictions) if not prediction.error]
    if not rows:
        raise NextImagesError(
            f"{shown}: got {count_images(len(unreadable))} that cannot be read "
            f"({Path(unreadable[0][0]).name}: {unreadable[0][1]}); expected readable ones"
        )
    readable = [predictions[i] for i in rows]
    p = np.array([list(one.probabilities.values()) for one in readable])
    uncertainty = label_uncertainty(p, exclusive=predictor.task.exclusive)
    compared, drawn = _shortlist(uncertainty, _COMPARED * n, seed)
    groups, of_labelled = _group([readable[i].file for i in compared], predictor, digests, known)
    kept = ~np.isin(groups, list(of_labelled))
    compared, drawn, groups = compared[kept], drawn[kept], groups[kept]
    chosen = choose_next_images(
        uncertainty[compared],
        features[rows][compared],
        groups,
        n,
        drawn_from=drawn,
        seed=seed,
    )
    images: list[NextImage] = []
    for row, at_random in zip(chosen.rows, chosen.at_random, strict=True):
        own = readable[compared[row]]
        same = [readable[i].file for i in compared[groups == groups[row]]]
        copies = [file for one in same for file in new[digests[one]] if file != own.file]
        value = float(uncertainty[compared[row]])
        images.append(NextImage(len(images) + 1, own, value, bool(at_random), tuple(copies)))
    return NextImages(
        tuple(images),
        folder=shown,
        run=predictor.name,
        wanted=n,
        found=len(files),
        labelled=labelled,
        like_labelled=int((~kept).sum()),
        unreadable=tuple(unreadable),
        classes=predictor.classes,
        warning=warning,
        savings=tried_on_labelled(predictor.record),
    )


def tried_on_labelled(record: Record) -> Savings | None:
    """Try on the labelled images of a run whether choosing images saves labels.

    Returns
    -------
    Savings or None
        None where it is not known: images with several labels, a trained backbone, too few images,
        or images that have changed since.
    """
    found = from_labelled_features(record, "label_savings", _VERSION, _try)
    return Savings(**found) if found else None


def _try(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, Any] | None:
    found = try_choice(features, targets, groups, seed=seed) if targets.ndim == 1 else None
    return asdict(found) if found else None


def _labelled_files(predictor: Predictor) -> tuple[dict[str, str], str]:
    """Return the labelled files of the run by digest, and a warning where there are none."""
    config = predictor.record.config
    try:
        images = load_imageset(config["dataset_dir"], test_dir=config["test_dir"]).with_digests()
    except (DatasetError, OSError) as err:
        return {}, (
            "the labelled images of the run could not be read, so that images with a label already "
            f"are not left out: {err}"
        )
    table = images.table
    named = dict(zip(table["digest"], table["path"], strict=True))
    named.pop("", None)
    return named, ""


def _digests(files: list[Path]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Return the digest of each file that can be opened, and the others with the reason."""
    digests, unreadable = {}, []
    for file in files:
        try:
            digests[str(file)] = file_digest(file)
        except (OSError, BadImageError) as err:
            reason = err.reason if isinstance(err, BadImageError) else err.strerror or str(err)
            unreadable.append((str(file), reason))
    return digests, unreadable


def _shortlist(uncertainty: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the most uncertain images and of some at random, and which those are."""
    order = np.random.default_rng([seed, _STREAM]).permutation(len(uncertainty))
    at_random = order[:most]
    uncertain = np.argsort(-uncertainty, kind="stable")[:most]
    rows = np.union1d(uncertain, at_random)
    return rows, np.isin(rows, at_random)


def _group(
    files: list[str], predictor: Predictor, digests: dict[str, str], known: dict[str, str]
) -> tuple[np.ndarray, set[int]]:
    """Number the groups of near-duplicates; return also those that hold a labelled image.

    Parameters
    ----------
    files
        Files without a label, of different bytes, (n,).
    predictor
        The model, for its limits and the folder of what runs share.
    digests
        Digests of these files.
    known
        Labelled files by digest.

    Returns
    -------
    tuple
        The number of the group of each file, (n,), and the numbers of groups with labelled images.
    """
    labelled = {path: digest for digest, path in known.items()}
    if len(labelled) > _MOST_LABELLED:
        labelled = {}
    every = {file: digests[file] for file in files} | labelled
    rows = [{"file": f, "path": f, "label": 0, "digest": d} for f, d in every.items()]
    images = make_imageset(Path("/"), rows, predictor.classes, predictor.task)
    found = find_duplicates(
        images,
        cache_dir=cache_folder(predictor.record.config.get("cache_dir", "")),
        limits=predictor.limits,
    )
    own = {file: number for number, file in enumerate(files)}
    with_label = set()
    for number, group in enumerate(found.groups(), start=len(files)):
        own.update(dict.fromkeys(group, number))
        if any(file in labelled for file in group):
            with_label.add(number)
    return np.array([own[file] for file in files], dtype=int), with_label
