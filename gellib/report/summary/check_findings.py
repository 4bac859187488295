"""What the check found in the images of a sweep, to be read beside its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from gellib.base.markup import in_code, in_markdown
from gellib.base.paths import in_shell
from gellib.base.text import join_and
from gellib.plots.base import percent
from gellib.report.comparison import Comparison
from gellib.report.conclusions import count
from gellib.runs import SweepFolder

_MOST_NAMED = 3


# AUC from which a property tells nearly all images of two classes apart.
_NEARLY_ALL = 0.9


class CheckFindings(NamedTuple):
    """What the check says of the images of the finished runs, in sentences.

    Attributes
    ----------
    careful
        Which shortcuts reach the networks.
    removed
        Which ones do not, because images are read as grey.
    nothing
        That there is no shortcut.
    """

    careful: list[str]
    removed: list[str]
    nothing: list[str]

    @property
    def other(self) -> list[str]:
        """What is no reason to be careful."""
        return [*self.removed, *self.nothing]


def check_sentences(sweep: SweepFolder, comparison: Comparison) -> list[str]:
    """Say which shortcuts the images of the finished runs have; none where none were found."""
    found = read_check_findings(sweep, comparison)
    return [*found.careful, *found.removed]


def read_check_findings(sweep: SweepFolder, comparison: Comparison) -> CheckFindings:
    """Say which shortcuts the images of the finished runs have.

    A check of images that have changed since the runs is left out.
    """
    found = CheckFindings([], [], [])
    if comparison.done.empty:
        return found
    best, words = comparison.done.iloc[0], comparison.task.headline_words
    score = float(best.get(comparison.score, np.nan))
    # Runs without test images have the score of cross-validation alone.
    score = score if score == score else float(best.get(f"val_{comparison.score}", np.nan))
    entries = list(_of_the_runs(sweep, comparison))
    for entry, colors in entries:
        shortcuts = [one for one in entry.get("shortcuts", []) if _is_finding(one)]
        reaching = [one for one in shortcuts if colors != {"grey"} or not one["removed_by_grey"]]
        removed = [one for one in shortcuts if one not in reaching]
        if reaching:
            found.careful.append(
                f"**The {words} is {percent(score)}, but {_list(reaching)} alone "
                f"{_tell(reaching)}: is that the subject, or how the images were made?** "
                f"{_more(entry)}"
            )
        if removed:
            it = "it" if len(removed) == 1 else "them"
            found.removed.append(
                f"{_capital(_list(removed))} alone {_tell(removed)}; these runs read the images "
                f"as grey, which removes {it}."
            )
    return found if any(found) else found._replace(nothing=_nothing(entries, comparison))


def _nothing(entries: list[tuple[dict[str, Any], set[str]]], comparison: Comparison) -> list[str]:
    """Say that there is no shortcut, if the check looked at all images of the finished runs."""
    folders = {record.config.get("dataset_dir", "") for record in comparison.records if record.done}
    looked_at = {entry.get("dataset_dir", "") for entry, _ in entries}
    if not entries or folders != looked_at or any(e.get("shortcuts", [0]) for e, _ in entries):
        return []
    images = count(sum(int(entry.get("images", 0)) for entry, _ in entries), "image")
    return [f"no property of the files alone tells the classes apart ({images} looked at)."]


def _of_the_runs(
    sweep: SweepFolder, comparison: Comparison
) -> Iterable[tuple[dict[str, Any], set[str]]]:
    """Return the entries of the check that are of the runs' images, and how these were read."""
    seen: dict[tuple[str, str], set[str]] = {}
    for record in comparison.records:
        if record.done:
            key = record.config.get("dataset_dir", ""), record.data.fingerprint
            seen.setdefault(key, set()).add(record.config.get("color", "grey"))
    for entry in sweep.read_check():
        colors = seen.get((entry.get("dataset_dir", ""), entry.get("fingerprint", "")))
        if colors is not None:
            yield entry, colors


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_finding(one: Mapping[str, Any]) -> bool:
    return {"label", "auc", "removed_by_grey"} <= set(one)


def _list(found: list[dict[str, Any]]) -> str:
    texts = [f"{in_markdown(one['label'])} (AUC {one['auc']:.2f})" for one in _first(found)]
    if len(found) > _MOST_NAMED:
        texts.append(f"{len(found) - _MOST_NAMED} more")
    return join_and(texts)


def _first(found: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    return sorted(found, key=lambda one: -one["auc"])[:_MOST_NAMED]


def _tell(found: list[dict[str, Any]]) -> str:
    plural = len(found) > 1 or found[0].get("name") in ("levels", "overlay", "area")
    in_part = "" if max(one["auc"] for one in found) >= _NEARLY_ALL else " in part"
    return f"{'tell' if plural else 'tells'} the classes apart{in_part}"


def _more(entry: Mapping[str, Any]) -> str:
    name = str(entry.get("dataset_dir", ""))
    command = in_code(f"gellib check {in_shell(name)} --html check.html")
    return f"{command} shows which class has what, and what to do."
