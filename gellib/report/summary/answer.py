"""The answer of a sweep in a few lines: what to use, how good it is, what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from gellib.base.markup import as_html, as_plain, in_code, in_markdown
from gellib.base.paths import in_shell
from gellib.evaluation import crossval
from gellib.plots.base import percent
from gellib.report.comparison import Comparison
from gellib.report.comparison.cross_validated import CrossValidated
from gellib.report.comparison.network_weights import weights_sentence
from gellib.report.conclusions.choice import share
from gellib.report.conclusions.cross_validated import (
    cheaper_sentence,
    grouped,
    on_test,
    would_decide,
)
from gellib.report.conclusions.wording import count, model_name, models
from gellib.report.summary.check_findings import CheckFindings

_STYLE = (
    "border:2px solid #0072B2;border-left-width:12px;background:#F3F8FC;color:#222;"
    "padding:.6em 1em;margin:1em 0"
)
# The first lines are the answer; what one has to be careful about is seen beside it.
_LINES = {"Use": ";font-size:1.25em", "How good": ";font-size:1.1em"}
_COLOURS = {"Careful": "#A33C00"}


@dataclass(frozen=True)
class Answer:
    """Pairs of a heading and a sentence, in Markdown's bold and code; empty where none finished."""

    lines: tuple[tuple[str, str], ...]

    def html(self) -> str:
        """Return a box for a notebook; empty without lines."""
        if not self.lines:
            return ""
        rows = "".join(_rows(heading, map(as_html, texts)) for heading, texts in self._grouped())
        return f"<blockquote style='{_STYLE}'>{rows}</blockquote>".replace(" %", "&nbsp;%")

    def text(self) -> str:
        """Return lines for a terminal."""
        said = []
        for heading, texts in self._grouped():
            plain = [as_plain(text) for text in texts]
            listed = "".join(f"\n  - {text}" for text in plain)
            said.append(f"{heading}: {plain[0]}" if len(plain) == 1 else f"{heading}:{listed}")
        return "\n".join(said)

    def _grouped(self) -> list[tuple[str, list[str]]]:
        """Return each heading with its sentences, where several that follow have the same one."""
        groups = groupby(self.lines, key=lambda line: line[0])
        return [(heading, [text for _, text in lines]) for heading, lines in groups]


def _rows(heading: str, texts: Iterable[str]) -> str:
    """Write a heading with its sentence, or with a list of several, as HTML."""
    first, *rest = texts
    title = f"<b style='color:{_COLOURS.get(heading, '#00507D')}'>{heading}:</b>"
    style = f"margin:.35em 0{_LINES.get(heading, '')}"
    if not rest:
        return f"<p style='{style}'>{title} {first}</p>"
    items = "".join(f"<li>{text}</li>" for text in (first, *rest))
    listed = f"<ul style='margin:.1em 0;padding-left:1.3em'>{items}</ul>"
    return f"<div style='{style}'>{title}{listed}</div>"


def find_answer(
    comparison: Comparison,
    folder: Path,
    *,
    findings: CheckFindings | None = None,
    next_steps: Sequence[str] = (),
    more_help: bool = True,
) -> Answer:
    """Sum up a sweep.

    Parameters
    ----------
    comparison
        The runs compared.
    folder
        Folder of the sweep, as `gellib predict --runs` takes it.
    findings
        What the check found in the images.
    next_steps
        What else there is to do next, such as what the learning curve says.
    more_help
        Whether more labelled images may help, by what is known.
    """
    if comparison.done.empty:
        return Answer(())
    best = comparison.done.iloc[0]
    findings = findings or CheckFindings([], [], [])
    compared = weights_sentence(comparison.records)
    careful = [*weights_warnings(comparison), *leak_warnings(comparison), *findings.careful]
    careful += [compared] if compared else []
    lines = [
        ("Use", f"**{model_name(best)}**"),
        ("How good", _how_good(comparison)),
        ("As good", _as_good(comparison)),
        *(("Careful", text) for text in careful),
        *(("Check", text) for text in findings.other),
        *(("Next", text) for text in _next(comparison, folder, next_steps, more_help)),
        ("To predict", in_code(f"gellib predict IMAGES --runs {in_shell(folder)}")),
    ]
    return Answer(tuple((heading, text) for heading, text in lines if text))


def weights_warnings(comparison: Comparison) -> list[str]:
    """Say that the chosen model has random weights, if so."""
    text = comparison.done.iloc[0].get("weights_warning")
    return [in_markdown(text)] if isinstance(text, str) and text else []


def leak_warnings(comparison: Comparison) -> list[str]:
    """Return what the runs say of images in test whose like is in training; then what was grouped.

    Duplicates, and near-duplicates such as slices of one subject, that a split tears apart make a
    test one of memory.
    """
    found: dict[str, None] = {}
    data = [record.data for record in comparison.records if record.done]
    for own in data:
        if pairs := own.duplicates.get("cross_split_pairs"):
            found.setdefault(
                f"{count(len(pairs), 'pair')} of duplicates in two given splits, such as "
                f"{in_markdown(f'{pairs[0][0]} and {pairs[0][1]}')}: the test is in part a test of "
                "memory."
            )
        if own.duplicates.get("problem"):
            images = in_markdown(own.duplicates.get("images", "Some"))
            found.setdefault(
                f"{images} images are duplicates that no split can "
                "keep together: the test is in part a test of memory."
            )
    for key in ("warning", "sentence"):
        for own in data:
            if own.families.get(key):
                found.setdefault(in_markdown(own.families[key]))
    return list(found)


def _how_good(comparison: Comparison) -> str:
    if comparison.cross_validated is not None:
        return _out_of_fold(comparison, comparison.cross_validated)
    best, score = comparison.done.iloc[0], comparison.score
    word = comparison.task.headline_words
    low, high = (float(best.get(f"{score}_{end}", float("nan"))) for end in ("low", "high"))
    text = f"{word} {share(comparison, best)}"
    if low == low:
        text += f"; between {percent(low, 0)} and {percent(high, 0)} (95 % interval)"
    return f"{text}."


def _as_good(comparison: Comparison) -> str:
    found = comparison.cross_validated
    if found is not None and len(found.models) > 1:
        same = list(grouped(found).get(crossval.SAME, {}))
        if cheap := cheaper_sentence(comparison, found):
            return cheap
        if same:
            within = f"{100 * found.margin:g} percentage points"
            return f"{models(same)} (practically the same: within {within})."
        return ""
    ties = comparison.indistinguishable
    if found is not None or ties is None:
        return ""
    ids = [int(name) for name, tied in zip(ties.names, ties.tied, strict=True) if tied]
    chosen = int(comparison.done["model_id"].iloc[0])
    others = sorted(set(ids) - {chosen})
    if not others or chosen not in ids:
        return ""
    return f"the test images do not tell {models(others)} from it."


def _out_of_fold(comparison: Comparison, found: CrossValidated) -> str:
    score, n, corrected = found.interval(found.chosen).score, found.images, found.corrected
    if comparison.score == "accuracy":
        about = "about " if found.repeats > 1 and 0 < score < 1 else ""
        text = f"{about}**{round(score * n)} of {n} images right** ({percent(score)})"
    else:
        text = f"{comparison.task.headline_words} **{percent(score)}** on {n} images"
    text += ", each predicted by heads that never saw it"
    between = f"between {percent(corrected.low, 0)} and {percent(corrected.high, 0)}"
    if (models := len(found.models)) > 1:
        text += f". Corrected for being the highest of {models}: {percent(corrected.score)}, "
        text += f"**{between}** (95 % interval)."
    else:
        text += f"; **{between}** (95 % interval)."
    return text + on_test(comparison)


def _next(comparison: Comparison, folder: Path, steps: Sequence[str], more_help: bool) -> list[str]:
    """Say what to do next: what would decide, what `steps` say, how to choose images to label."""
    unclear = _undecided(comparison)
    texts = [*unclear, *steps]
    if unclear or more_help:
        command = in_code(f"gellib next UNLABELLED_DIR --runs {in_shell(folder)}")
        texts.append(f"{command} chooses which images to label.")
    return texts


def _undecided(comparison: Comparison) -> list[str]:
    found = comparison.cross_validated
    if found is None or not (unclear := grouped(found).get(crossval.UNCLEAR, {})):
        return []
    wanted = would_decide([v.images_needed or 0 for v in unclear.values()], found.images)
    verb = "is" if len(unclear) == 1 else "are"
    return [f"it is not known yet whether {models(unclear)} {verb} as good. {wanted}."]
