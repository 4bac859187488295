"""What the check found in the images of a sweep, to be read beside its scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and
from gellib.plots.base import percent
from gellib.report.comparison import Comparison
from gellib.runs import SweepFolder

_MOST_NAMED = 3


def check_sentences(sweep: SweepFolder, comparison: Comparison) -> list[str]:
    """Say which shortcuts the images of the finished runs have; none where none were found.

    A check of images that have changed since the runs is left out.
    """
    if comparison.done.empty:
        return []
    seen: dict[tuple[str, str], set[str]] = {}
    for record in comparison.records:
        if record.done:
            key = record.config.get("dataset_dir", ""), record.data.fingerprint
            seen.setdefault(key, set()).add(record.config.get("color", "grey"))
    best, words = comparison.done.iloc[0], comparison.task.headline_words
    score = float(best.get(comparison.score, np.nan))
    # Runs without test images have the score of cross-validation alone.
    score = score if score == score else float(best.get(f"val_{comparison.score}", np.nan))
    result = []
    for entry in sweep.read_check():
        colors = seen.get((entry.get("dataset_dir", ""), entry.get("fingerprint", "")))
        found = [one for one in entry.get("shortcuts", []) if _is_finding(one)]
        if colors is None or not found:
            continue
        reaching = [one for one in found if colors != {"grey"} or not one["removed_by_grey"]]
        removed = [one for one in found if one not in reaching]
        if reaching:
            result.append(
                f"**The {words} is {percent(score)}, but {_list(reaching)} alone "
                f"{_tell(reaching)} the classes apart: is that the subject, or how the images "
                f"were made?** {_more(entry)}"
            )
        if removed:
            it = "it" if len(removed) == 1 else "them"
            result.append(
                f"{_capital(_list(removed))} alone {_tell(removed)} the classes apart; these "
                f"runs read the images as grey, which removes {it}."
            )
    return result


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
    plural = len(found) > 1 or found[0].get("name") in ("levels", "grain", "overlay", "area")
    return "tell" if plural else "tells"


def _more(entry: Mapping[str, Any]) -> str:
    name = Path(str(entry.get("dataset_dir", ""))).as_posix()
    command = in_code(f"gellib check {name} --html check.html")
    return f"{command} shows which class has what, and what to do."
