"""The images to label next as one HTML page with a card per image, and a button for the labels."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Template

from gellib.base.files import atomic_path
from gellib.report.predicted.predictions_page import shares_line
from gellib.report.thumbnails import data_link, preview
from gellib.training_run.images_to_label import NextImage, NextImages

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>To label next: {{ folder }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.4 system-ui, sans-serif; color: #222; max-width: 1100px; margin: 32px auto;
  padding: 0 16px; }
h1 { font-size: 1.6em; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 20px; }
.card { border: 1px solid #CCC; border-radius: 6px; padding: 12px; overflow-wrap: anywhere; }
.card img { width: 100%; height: 220px; object-fit: contain; background: #F4F4F4; }
.card p { margin: 6px 0; } .grey { color: #555; font-size: 0.9em; }
select, input, button { font: inherit; padding: 4px 8px; max-width: 100%; box-sizing: border-box; }
</style></head><body>
<h1>Images to label next</h1>
{% for line in sentences %}<p>{{ line }}.</p>
{% endfor %}<p class="grey">Chosen by {{ run }}.</p>
<p><button id="save" type="button">Save the labels as labels_next.csv</button>
<span id="done" role="status"></span></p>
<div class="cards">
{% for card in cards %}<article class="card">
<img src="{{ card.image }}" alt="{{ card.name }}">
<p><b>{{ card.rank }}. {{ card.name }}</b></p>
<p>{{ card.reason }}</p>
<p>{{ card.shares }}</p>
{% if card.copies %}<p class="grey">{{ card.copies }}</p>
{% endif %}<p><label>Label:
{% if exclusive %}<select data-file="{{ card.file }}"><option value=""></option>
{% for name in classes %}<option>{{ name }}</option>
{% endfor %}</select>{% else %}<select multiple data-file="{{ card.file }}">
{% for name in classes %}<option>{{ name }}</option>
{% endfor %}</select>{% endif %}</label></p>
</article>
{% endfor %}</div>
<script>
const fields = [...document.querySelectorAll("select")];
const quote = text => '"' + text.replaceAll('"', '""') + '"';
const label = field => [...field.selectedOptions].map(o => o.value).filter(v => v).join("|");
const count = () => {
  const n = fields.filter(label).length;
  document.getElementById("done").textContent = n + " of " + fields.length + " labelled";
};
fields.forEach(field => field.addEventListener("change", count));
count();
document.getElementById("save").addEventListener("click", () => {
  const rows = fields.filter(label).map(f => quote(f.dataset.file) + "," + quote(label(f)));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([["file,label", ...rows, ""].join("\\n")]));
  link.download = "labels_next.csv";
  link.click();
});
</script>
</body></html>
""",
    autoescape=True,
)


def write_next_page(found: NextImages, path: str | Path) -> Path:
    """Write the images to label next as a page that needs no other file."""
    path = Path(path)
    text = PAGE.render(
        folder=found.folder,
        run=found.run,
        sentences=found.sentences(),
        classes=found.classes,
        exclusive=all(image.prediction.task.exclusive for image in found.images),
        cards=[_card(image) for image in found.images],
    )
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _card(image: NextImage) -> dict[str, object]:
    names = ", ".join(Path(file).name for file in image.copies)
    return {
        "rank": image.rank,
        "name": Path(image.file).name,
        "file": image.file,
        "image": data_link(preview(image.file), "image/png"),
        "reason": "picked at random" if image.at_random else "the model is uncertain",
        "shares": shares_line(image.prediction),
        "copies": f"the same image: {names}" if names else "",
    }
