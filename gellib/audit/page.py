"""A report as one HTML page that contains its figures."""

from __future__ import annotations

import base64
from pathlib import Path

import pandas as pd
from jinja2 import Template

from gellib import plots
from gellib.audit.report import CheckReport
from gellib.audit.shortcut_sentences import LOOKED_FOR, inside_sentence
from gellib.audit.shortcuts import Shortcut
from gellib.base.files import atomic_path
from gellib.base.text import join_labels
from gellib.plots.base import Chart

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Check of {{ name }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 980px; margin: 32px auto;
  padding: 0 16px; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
img { max-width: 100%; height: auto; }
.verdict { border-left: 8px solid {{ '#D55E00' if verdict else '#009E73' }};
  background: {{ '#FFF1E6' if verdict else '#E8F6F1' }}; padding: 8px 18px; }
table { border-collapse: collapse; } td, th { padding: 3px 14px 3px 0; text-align: left; }
</style></head><body>
<h1>Check of {{ name }}</h1>
<div class="verdict">{% if verdict %}<ul>{% for line in verdict %}<li>{{ line }}</li>
{% endfor %}</ul>{% else %}<p>No problem was found. {{ looked_for }}</p>{% endif %}</div>
{% for note in notes %}<p>{{ note }}</p>
{% endfor %}{% for heading, text, figure, alt in sections %}<h2>{{ heading }}</h2>
{% if text %}<p>{{ text }}</p>{% endif %}
{% if figure %}<img src="data:image/png;base64,{{ figure }}" alt="{{ alt }}">{% endif %}
{% endfor %}
{% if unreadable %}<h2>Files that cannot be read</h2><table><tr><th>file</th><th>reason</th></tr>
{% for file, reason in unreadable %}<tr><td>{{ file }}</td><td>{{ reason }}</td></tr>
{% endfor %}</table>{% endif %}
</body></html>
""",
    autoescape=True,
)


def write_page(report: CheckReport, path: str | Path, doubtful: pd.DataFrame | None = None) -> Path:
    """Write a report as a page that needs no other file."""
    path = Path(path)
    text = render_page(report, doubtful)
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def render_page(report: CheckReport, doubtful: pd.DataFrame | None = None) -> str:
    """Return a report as the HTML of a page that needs no other file."""
    images, pairs = report.images, report.duplicates.pairs()
    odd = report.outliers
    sections = [
        _section("Images per class", "", plots.class_counts(images)),
        _section(
            "Duplicates",
            _DUPLICATES if pairs else "No image occurs twice.",
            duplicates_figure(report) if pairs else None,
        ),
        _section(
            "Near-duplicate clusters",
            _clusters_text(report),
            clusters_figure(report) if report.clusters else None,
        ),
        _section("Shortcuts", _SHORTCUTS, plots.shortcut_bars(report.shortcuts)),
        *(
            _section(_WHERE[s.name], inside_sentence(s, below=True), places_figure(report, s))
            for s in report.shortcuts
            if s.high and s.cells is not None
        ),
        _section("Sizes", "", plots.image_sizes(report.infos)),
        _section(
            "Outliers",
            "Unlike the others in size, brightness or contrast. Not wrong by itself; check them."
            if odd
            else "No image is far from the others in size, brightness or contrast.",
            outliers_figure(report) if odd else None,
        ),
    ]
    if doubtful is not None and len(doubtful):
        text = (
            "Models not trained on the image find its label unlikely. 1_explore has a review form."
        )
        sections.append(_section("Doubtful labels", text, doubtful_figure(report, doubtful)))
    return PAGE.render(
        name=images.root.name,
        verdict=report.verdict,
        looked_for=LOOKED_FOR,
        notes=report.notes,
        sections=sections,
        unreadable=report.unreadable,
    )


def duplicates_figure(report: CheckReport) -> Chart:
    """Show the pairs of duplicates of a report side by side."""
    table, classes = report.images.table, report.images.classes
    labels = {
        file: join_labels(classes[i] for i in (label if isinstance(label, tuple) else (label,)))
        for file, label in zip(table["file"], table["label"], strict=True)
    }
    return plots.duplicate_pairs(report.duplicates.pairs(), report.images.root, labels=labels)


def clusters_figure(report: CheckReport) -> Chart:
    """Show the near-duplicate clusters of a report."""
    return plots.cluster_samples(report.clusters, report.images.root)


def places_figure(report: CheckReport, shortcut: Shortcut) -> Chart:
    """Show the mean edges of each class, with the cells where the classes differ."""
    classes = report.images.classes if report.images.task.exclusive else ()
    return plots.class_places(
        shortcut.means, classes, shortcut.cells, heading=_WHERE[shortcut.name]
    )


def outliers_figure(report: CheckReport) -> Chart:
    """Show the outliers of a report."""
    odd = [(outlier.file, outlier.why) for outlier in report.outliers]
    heading = "Unlike the others in size, brightness or contrast"
    return plots.images_with_reasons(odd, report.images.root, heading=heading)


def doubtful_figure(report: CheckReport, doubtful: pd.DataFrame) -> Chart:
    """Show the images of doubtful labels."""
    words = [
        (str(row.file), f"{row.label} {row.p_label:.1%}, looks like {row.suggested}")
        for row in doubtful.itertuples(index=False)
    ]
    return plots.images_with_reasons(words, report.images.root, heading="Doubtful labels")


_DUPLICATES = (
    "The same image with another compression, scale, crop or brightness. Distance 0 is the same "
    "image, 1 has nothing in common."
)
_SHORTCUTS = (
    "Each property of the files alone, and all of them together, as a classifier, and what is in "
    "the images without looking at the subject: ROC AUC, and how often any of them "
    "does as well when the labels are shuffled (p)."
)
_WHERE = {
    "overlay": "Where edges tell the classes apart",
}


def _clusters_text(report: CheckReport) -> str:
    leak = report.leak
    if leak.nn_random is None:
        return "Some class has too few images to search for them."
    none = "" if report.clusters else " No clusters were found."
    return (
        f"The nearest neighbour on small raw pixels is right on {leak.nn_random:.0%} of the images "
        f"in a random split and on {leak.nn_grouped:.0%} if each cluster stays in one split; "
        f"always predicting the largest class, on {leak.chance:.0%}.{none}"
    )


def _section(heading: str, text: str, fig: Chart | None) -> tuple[str, str, str, str]:
    if fig is None:
        return heading, text, "", ""
    return heading, text, base64.b64encode(fig.png()).decode("ascii"), fig.headline()
