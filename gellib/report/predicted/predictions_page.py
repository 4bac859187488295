"""Predictions as one HTML page with small pictures, the most uncertain first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from gellib.base.files import atomic_path
from gellib.base.markup import in_html
from gellib.data.image_files import ImageLimits
from gellib.models.features import map_in_threads
from gellib.plots.base import percent
from gellib.report.predicted.tally import Tally
from gellib.report.thumbnails import data_link, thumbnail
from gellib.training_run.prediction import Prediction

# More pictures than a person looks at, and a page of at most some 20 MB.
MOST_SHOWN = 2000
_MOST_CLASSES = 3
_SIDE = 224

# Each value passes through `in_html`.
PAGE = Environment(finalize=in_html).from_string(  # nosec B701
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Predictions of {{ total }} images</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.4 system-ui, sans-serif; color: #222; max-width: 1200px; margin: 32px auto;
  padding: 0 16px; overflow-wrap: anywhere; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 32px; }
table { border-collapse: collapse; } td, th { padding: 2px 16px 2px 0; text-align: right; }
td:first-child, th:first-child { text-align: left; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 16px; }
.card { border: 1px solid #CCC; border-top: 6px solid #CCC; border-radius: 6px; padding: 10px;
  content-visibility: auto; contain-intrinsic-size: auto 320px; }
.card.open { border-top-color: #D55E00; }
.card img { width: 100%; height: 180px; object-fit: contain; background: #F4F4F4; }
.card p { margin: 4px 0; } .grey { color: #555; font-size: 0.9em; }
select { font: inherit; padding: 4px 8px; max-width: 100%; }
</style></head><body>
<h1>Predictions of {{ total }} images</h1>
<p class="grey">Predicted by {{ run }}.</p>
<table><tr><th>predicted</th><th>images</th><th>of these, cannot say</th></tr>
{% for name, count, open in counts %}<tr><td>{{ name }}</td><td>{{ count }}</td>
<td>{{ open }}</td></tr>
{% endfor %}</table>
{% if unreadable %}<h2>Cannot be read</h2><ul>
{% for file, reason in unreadable %}<li>{{ file }}: {{ reason }}</li>
{% endfor %}</ul>
{% endif %}{% for line in notes %}<p>{{ line }}</p>
{% endfor %}<h2>The most uncertain first</h2>
<p class="grey">First the images of which the model cannot say what they are (orange), then by the
uncertainty of the label.</p>
<p><label>Show: <select id="shown"><option value="">all</option><option value="open">cannot say
</option>{% for name in classes %}<option value="{{ loop.index0 }}">{{ name }}</option>
{% endfor %}</select></label> <span id="count" role="status"></span></p>
<div class="cards">
{% for card in cards %}<article class="card{{ card.open }}" data-labels="{{ card.labels }}">
{% if card.picture %}<img loading="lazy" src="{{ card.picture }}"
 alt="{{ card.name }}">
{% endif %}<p><b>{{ card.statement }}</b></p>
<p>{{ card.shares }}</p>
<p>{{ card.name }}</p>
<p class="grey">{{ card.folder }}{% if card.unlike %}<br>unlike its training images{% endif %}</p>
</article>
{% endfor %}</div>
<script>
const cards = [...document.querySelectorAll(".card")];
const shown = document.getElementById("shown");
const show = () => {
  const fits = card => !shown.value || (shown.value == "open" ? card.classList.contains("open")
    : card.dataset.labels.split(" ").includes(shown.value));
  cards.forEach(card => { card.hidden = !fits(card); });
  document.getElementById("count").textContent = cards.filter(fits).length + " images";
};
shown.addEventListener("change", show);
show();
</script>
</body></html>
"""
)


def write_predictions_page(
    path: Path,
    shown: Sequence[Prediction],
    tally: Tally,
    *,
    run: str,
    classes: Sequence[str],
    limits: ImageLimits,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
) -> None:
    """Write predictions as a page that needs no other file.

    Parameters
    ----------
    path
        The page.
    shown
        The predictions with a picture, in their order.
    tally
        Counts of all predictions.
    run
        Name of the run that predicted.
    classes
        Its classes.
    limits
        Largest file and image that are read.
    progress
        Wraps the pictures while they are made.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    pictures = map_in_threads(lambda one: thumbnail(one.file, _SIDE, limits), shown, ahead=64)
    cards = (
        _card(one, picture, numbers) for one, picture in zip(shown, progress(pictures), strict=True)
    )
    left_out = tally.unreadable - len(tally.reasons)
    readable = tally.total - tally.unreadable
    notes = [
        *([f"Note: {tally.note}."] if tally.note else []),
        *([f"{left_out:,} more files cannot be read."] if left_out else []),
        *([f"Shown are {len(shown):,} of {readable:,} images."] if len(shown) < readable else []),
    ]
    parts = PAGE.generate(
        total=f"{tally.total:,}",
        run=run,
        counts=[(name or "no label", f"{n:,}", f"{tally.undecided[name]:,}")
                for name, n in tally.labels.items()],
        unreadable=tally.reasons,
        notes=notes,
        classes=classes,
        cards=cards,
    )  # fmt: skip
    with atomic_path(path) as partial:
        # A name that is no text, as a file system may have it, is written by the numbers of it.
        with partial.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(parts)


def shares_line(one: Prediction) -> str:
    """Name the most probable classes with their probabilities."""
    ordered = sorted(one.probabilities.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {percent(share)}" for name, share in ordered[:_MOST_CLASSES])


def _card(one: Prediction, picture: bytes, numbers: dict[str, int]) -> dict[str, str]:
    file = Path(one.file)
    return {
        "open": "" if one.decided else " open",
        "labels": " ".join(str(numbers[name]) for name in one.labels),
        # Without a picture where the file cannot be read any more.
        "picture": data_link(picture, "image/jpeg") if picture else "",
        "statement": one.statement or "no label",
        "shares": shares_line(one),
        "name": file.name,
        "folder": "" if str(file.parent) == "." else str(file.parent),
        "unlike": "yes" if one.ood else "",
    }
