"""The heading of a summary: the set of images, and the question that the sweep asks of it."""

from __future__ import annotations

from pathlib import PurePath

from gellib.base.markup import in_markdown
from gellib.base.text import join_and
from gellib.report.comparison import Comparison, parameter_label
from gellib.report.conclusions import count

_MOST_CLASSES = 3


def heading(comparison: Comparison) -> str:
    """Write the set of images and the question, in Markdown: `gel: which head is better ...?`.

    The question is the sweep's purpose; of a sweep without one it is made from what varies.
    """
    folders = [r.config.get("dataset_dir", "") for r in comparison.records]
    names = dict.fromkeys(PurePath(folder).name or str(folder) for folder in folders)
    purpose = comparison.info.get("purpose") or _question(comparison)
    return ": ".join(filter(None, (join_and(map(in_markdown, names)), in_markdown(purpose))))


def _question(comparison: Comparison) -> str:
    task = comparison.task
    classes = next((r.data.classes for r in comparison.records if r.done), [])
    varied = [name for name in comparison.factors if comparison.table[name].nunique() > 1]
    if not task.exclusive:
        what, how = "finds the labels of images", "How well are the labels of images found?"
    elif len(classes) == 2:
        a, b = classes
        what, how = f"distinguishes {a} from {b}", f"How well is {a} distinguished from {b}?"
    else:
        few = 1 < len(classes) <= _MOST_CLASSES
        named = join_and(classes) if few else f"the {len(classes) or ''} classes".replace("  ", " ")
        what, how = f"distinguishes {named}", f"How well are {named} distinguished?"
    if comparison.listed:
        return f"Which of {count(len(comparison.listed), 'listed run')} {what} best?"
    if not varied:
        return how
    return f"Which {join_and(parameter_label(name) for name in varied)} {what} best?"
