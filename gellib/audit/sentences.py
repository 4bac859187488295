"""A report as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gellib.audit.report import CheckReport
from gellib.audit.shortcut_sentences import LOOKED_FOR
from gellib.base.text import wrap_line

MOST_LINES = 25
WIDTH = 100
# Of further lines, by how a line begins.
_INDENTS = {" ": "    ", "-": "  "}


def report_text(
    report: CheckReport, doubtful: pd.DataFrame | None = None, width: int = WIDTH
) -> str:
    """Return a report as text in lines of at most `width`, the verdict first."""
    sizes = ", ".join(f"{name} {n}" for name, n in report.classes.items())
    parts = [f"{len(report.images)} images in {len(report.classes)} classes: {sizes}"]
    parts.append(_verdict_text(report.verdict))
    parts += report.notes
    parts += _section("Cannot be read", [f"{f}: {why}" for f, why in report.unreadable])
    keep = set(report.keep)
    pairs = [f"{a}  =  {b}" for a, b in report.duplicates.exact]
    for a, b, distance in report.duplicates.near:
        best = "".join(f"  keep {file}" for file in sorted(keep & {a, b}))
        pairs.append(f"{a}  ~  {b}  (distance {distance:g}){best}")
    parts += _section(
        "Duplicates: = the same pixels, keep either; ~ near, keep the larger or sharper copy", pairs
    )
    clusters = [f"{len(files)} images: {files[0]} ..." for files in report.clusters]
    parts += _section("Near-duplicate clusters", clusters)
    if report.leak.nn_random is not None:
        grouped = report.leak.nn_grouped
        parts.append(
            f"Nearest neighbour on raw pixels: {report.leak.nn_random:.0%} right in a random "
            f"split, {grouped:.0%} with each cluster in one split "
            f"(largest class alone: {report.leak.chance:.0%})"
        )
    rows = [
        f"{s.label:<38} AUC {s.auc:.2f}   p {s.p:.3f}{'   ' * s.high}{s.classes * s.high}"
        for s in report.shortcuts
    ]
    parts += _section("How well properties alone tell the classes apart", rows)
    odd = [f"{outlier.file}: {outlier.why}" for outlier in report.outliers]
    parts += _section("Outliers", odd)
    if doubtful is not None:
        lines = [
            f"{row.file}: {row.label} {row.p_label:.1%}, looks like {row.suggested}"
            for row in doubtful.itertuples(index=False)
        ]
        parts += _section("Doubtful labels", lines)
    lines = "\n\n".join(parts).split("\n")
    return "\n".join(wrap_line(line, width, _INDENTS.get(line[:1], "")) for line in lines)


def _verdict_text(verdict: list[str]) -> str:
    if not verdict:
        return f"No problem was found.\n{LOOKED_FOR}"
    return "\n".join(["Verdict", *(f"- {sentence}" for sentence in verdict)])


def verdict_table(report: CheckReport) -> pd.DataFrame:
    """Return the verdict as a table for a notebook."""
    return pd.DataFrame({"what is wrong": report.verdict or ["no problem was found"]})


def _section(heading: str, lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    if not lines:
        return []
    shown = [f"  {line}" for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"  and {len(lines) - MOST_LINES} more (--json lists all)")
    return ["\n".join([f"{heading} ({len(lines)})", *shown])]
