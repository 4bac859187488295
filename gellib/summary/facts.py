"""What was run, on what and where, in Markdown; and the warning about weights."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from gellib.conclusions import count, models


def warning_box(table: pd.DataFrame) -> str:
    """HTML box of every warning about weights, with the models it holds for; empty without any."""
    warned = table[(table["status"] == "done") & (table["weights_warning"].fillna("") != "")]
    lines = []
    for text, rows in warned.groupby("weights_warning", sort=False):
        whom = models(rows["model_id"]).capitalize()
        lines.append(f"<p style='margin:.4em 0'><b>{whom}:</b> {html.escape(str(text))}</p>")
    if not lines:
        return ""
    style = (
        "border:2px solid #D55E00;border-left-width:12px;background:#FFF1E6;color:#222;"
        "padding:.6em 1em;margin:1em 0;font-size:1.1em"
    )
    heading = "⚠ Read this first: the weights of the networks"
    return f"<blockquote style='{style}'><b>{heading}</b>{''.join(lines)}</blockquote>"


def what_was_run(info: dict[str, Any], records: Sequence[dict[str, Any]]) -> str:
    """Markdown: purpose, runs, data and machine of a sweep, from `sweep.json` and its records."""
    lines = [f"**{info['purpose']}**", ""] if info.get("purpose") else []
    states = [record["status"] for record in records]
    tally = ", ".join(f"{states.count(s)} {s}" for s in ("done", "skipped", "failed"))
    lines.append(f"- **Runs on record:** {len(records)}: {tally}")
    done = [record for record in records if record["status"] == "done"]
    seen: dict[str, dict[str, None]] = {}
    for record in done:
        for heading, text in _facts(record):
            seen.setdefault(heading, {}).setdefault(text)
    lines += [f"- **{heading}:** {'; '.join(texts)}" for heading, texts in seen.items()]
    return "\n".join(lines)


def _facts(record: dict[str, Any]) -> Iterable[tuple[str, str]]:
    data, machine = record["data"], record["environment"]
    parts = [
        f"{name} {' + '.join(f'{n} {split}' for split, n in splits.items() if n)}"
        for name, splits in data["counts"].items()
    ]
    yield "Images", f"`{record['config']['dataset_dir']}`: {', '.join(parts)}"
    if data.get("skipped_images"):
        names = ", ".join(f"{s['file']} ({s['reason']})" for s in data["skipped_images"])
        yield "Images left out", f"{len(data['skipped_images'])}: {names}"
    where = f"{machine['device']}, {count(machine['threads'], 'thread')}, {machine['precision']}"
    yield "Machine", where
    versions = ", ".join(f"{k} {machine[k]}" for k in ("gellib", "python", "torch", "torchvision"))
    commit = f", commit {machine['git_commit']}" if machine.get("git_commit") else ""
    yield "Software", versions + commit
    weights = record["weights"]
    random = weights["name"] == "none"
    yield "Weights", f"{'random' if random else weights['name']}, from {weights['source']}"


def as_markdown(sentences: Sequence[str]) -> str:
    """Write sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
