"""Names that a page must show and never run, and every page of gellib made of them."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from markdown_it import MarkdownIt
from nbformat.v4 import new_code_cell, new_notebook, new_output

from gellib.audit.page import PAGE
from gellib.base.markup import in_markdown
from gellib.data import Decision
from gellib.report.comparison import Comparison
from gellib.report.conclusions import conclusions
from gellib.report.summary import answer, overview, style_table, tables
from gellib.report.summary.heading import heading
from gellib.report.widgets import about_model, cards, review
from gellib.runs import Record, tabulate
from gellib.sweeps.notebook_page import render_notebook_page
from gellib.training_run.predictor import Prediction
from making.records import make_comparison, make_records

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</td></table><script>alert(1)</script>",
    "</style></title></textarea><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "`</code><img src=x onerror=alert(1)>`",
    "**bold** _x_ ~~y~~",
    "[link](javascript:alert(1)) ![i](http://127.0.0.1:9/x.png)",
    r"$\href{javascript:alert(1)}{x}$ \(y\)",
    "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}",
    "line\n\n<script>alert(1)</script>\n# heading | cell |",
)
# What pages are made of, and the attributes that they use.
_TAGS = set(
    "html head meta title style body h1 h2 h3 p b small br div span ul li ol table thead tbody tr"
    " th td caption blockquote code strong em nav main section figure details summary pre".split()
)
_ATTRIBUTES = {"style", "class", "id", "role", "lang", "charset", "name", "content", "type",
               "http-equiv", "aria-label", "tabindex", "alt"}  # fmt: skip
# Links lead within the page, and images are in it.
_WITHIN = {"a": ("href", "#"), "img": ("src", "data:image/png;base64,")}


class Found(HTMLParser):
    """What a page has besides text that it needs not have, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.unknown: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        place, begin = _WITHIN.get(tag, ("", ""))
        within = bool(place) and str(dict(attrs).get(place, "")).startswith(begin)
        known = _ATTRIBUTES | ({place} if within else set())
        names = {f"{tag} {name}" for name, _ in attrs if name not in known}
        self.unknown += [*names, *([] if tag in _TAGS or within else [tag])]

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.unknown.append(f"comment {data}")


def comparison_of(name: str) -> Comparison:
    """Compare runs whose network, reason, classes, files and machine have a name."""
    rows = [
        {"pretrained_model": name, "right": 21, "warning": name},
        {"pretrained_model": "vgg16", "right": 9, "classifier_head": name},
        {"pretrained_model": "vgg16", "right": 11, "classifier_head": name, "opt_alg": name},
        {"status": "failed", "reason": name},
    ]
    given = {
        "root": name, "classes": [name, "other"], "positive": name,
        "counts": {name: {"train": 3, "test": 11}},
        "duplicates": {"cross_split_pairs": [[name, name]], "problem": True, "images": name},
        "families": {"warning": name, "sentence": name},
        "skipped_images": [{"file": name, "reason": name}],
    }  # fmt: skip
    machine = {"device": name, "python": name, "git_commit": name}
    records = []
    for record in make_records(rows):
        plain = record.to_dict()
        plain["config"] |= {"dataset_dir": name}
        plain |= {"data": given, "environment": machine}
        records.append(Record.parse(plain))
    base = make_comparison(rows)
    return Comparison(tabulate(records), records=records, info={"purpose": name},
                      predictions=base.predictions)  # fmt: skip


def markdown(text: str) -> str:
    """Render Markdown as notebooks do: HTML in it stays HTML."""
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text)


def pages(name: str) -> dict[str, str]:
    """Return the HTML of each output of gellib in which a name may stand."""
    comparison = comparison_of(name)
    purpose = {"purpose": name}
    box = answer.find_answer(comparison, Path(f"runs/{name}"))
    text = overview.what_was_run(purpose, comparison.records, {name: name})
    warning = overview.warning_box(comparison.table)
    shown = {
        "answer": markdown(box.html()),
        "what_was_run": markdown(f"{warning}\n\n{text}"),
        "conclusions": markdown(overview.as_markdown(conclusions(comparison))),
        "models": style_table(comparison).to_html(),
        "absent": markdown(overview.absent_runs(comparison)),
        "heading": markdown(f"# {heading(comparison)}"),
        "check": PAGE.render(
            name=name, verdict=[name], looked_for=name, notes=[name],
            sections=[(name, name, "", name)], unreadable={name: name}.items(),
        ),
    }  # fmt: skip
    for key, table in (("effects", tables.effects_table(comparison)),
                       ("tied_models", tables.tied_models_table(comparison))):  # fmt: skip
        if table is not None:
            shown[key] = table.to_html()
    shown["summary.html"] = render_notebook_page(_summary_notebook(name, comparison, box))
    return shown | _widgets(name, comparison.records[0])


def _summary_notebook(name: str, comparison: Comparison, box: answer.Answer):
    """Return an executed notebook that has a name wherever the summary's or a run's may."""
    top = f"# {heading(comparison)}\n\n{overview.warning_box(comparison.table)}"
    run = overview.what_was_run({"purpose": name}, comparison.records, {name: name})
    bullets = overview.as_markdown(conclusions(comparison))
    texts = [top, box.html(), overview.absent_runs(comparison), bullets, run]
    texts.append(f"## {in_markdown(name)}")
    figure = {"image/png": "aGVsbG8=", "text/plain": name}
    outputs = [
        *(new_output("display_data", {"text/markdown": text}) for text in texts),
        new_output("display_data", {"text/html": style_table(comparison).to_html()}),
        new_output("display_data", figure, metadata={"image/png": {"alt": name}}),
        new_output("display_data", {"text/plain": name}),
        new_output("display_data", {"application/javascript": "alert(1)", "text/plain": name}),
        new_output("stream", name="stderr", text=name),
        new_output("error", ename=name, evalue=name, traceback=[name]),
    ]
    return new_notebook(cells=[new_code_cell(f"sweep_dir = {name!r}", outputs=outputs)])


def _widgets(name: str, record: Record) -> dict[str, str]:
    prediction = Prediction(name, name, {name: 0.9, "other": 0.1}, name, ood_score=2.0)
    config = dict.fromkeys(record.config, name)
    record = record.model_copy(update={"config": config, "metrics": {"test": record.test}})
    images = SimpleNamespace(
        root="nowhere", classes=(name, "other", f"{name} 2"),
        table=pd.DataFrame({"file": [name], "path": ["nowhere"]}),
    )  # fmt: skip
    suspects = pd.DataFrame(
        {"file": [name], "label": ["other"], "suggested": [name], "p_label": 0.1,
         "p_suggested": 0.9}
    )  # fmt: skip
    form = review.ReviewWidget(images, suspects)
    form.decisions = {name: Decision(name, "change", name)}
    form._refresh()
    side = form.cards[0].children[1].children
    return {
        "card": cards.verdict(prediction, record, name),
        "card_untrained": cards.verdict(replace(prediction, members=(name, "other")), None, "x"),
        "about": about_model.about(record),
        "review": form.about.value + side[0].value + side[2].value,
    }
