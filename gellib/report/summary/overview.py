"""What was run, on what and where, in Markdown; and the warning about weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_some
from gellib.report.comparison import Comparison
from gellib.report.conclusions import count, models
from gellib.runs import Record

_MOST_REASONS = 20


def warning_box(table: pd.DataFrame) -> str:
    """Return the warnings about weights as an HTML box, with their models; empty without any."""
    warned = table[(table["status"] == "done") & (table["weights_warning"].fillna("") != "")]
    lines = []
    for text, rows in warned.groupby("weights_warning", sort=False):
        names = models(rows["model_id"]).capitalize()
        lines.append(f"<p style='margin:.4em 0'><b>{names}:</b> {in_markdown(text)}</p>")
    if not lines:
        return ""
    style = (
        "border:2px solid #D55E00;border-left-width:12px;background:#FFF1E6;color:#222;"
        "padding:.6em 1em;margin:1em 0;font-size:1.1em"
    )
    heading = "⚠ Read this first: the weights of the networks"
    return f"<blockquote style='{style}'><b>{heading}</b>{''.join(lines)}</blockquote>"


def what_was_run(
    info: dict[str, Any], records: Sequence[Record], unreadable: Mapping[str, str] | None = None
) -> str:
    """Return as Markdown the purpose, runs, data and machine of a sweep.

    `info` is the content of `sweep.json`; `unreadable` has, by name of a run, why its record cannot
    be read.
    """
    lines = [f"**{in_markdown(info['purpose'])}**", ""] if info.get("purpose") else []
    states = [record.status for record in records]
    tally = ", ".join(f"{states.count(s)} {s}" for s in ("done", "skipped", "failed"))
    lines.append(f"- **Runs on record:** {len(records)}: {tally}")
    if unreadable:
        text = in_markdown(f"{join_some(unreadable)}; {next(iter(unreadable.values()))}")
        lines.append(f"- **Records that cannot be read:** {len(unreadable)}: {text}")
    done = [record for record in records if record.done]
    seen: dict[str, dict[str, None]] = {"Images": dict.fromkeys(_images(done))} if done else {}
    for record in done:
        for heading, text in _facts(record):
            seen.setdefault(heading, {}).setdefault(in_markdown(text))
    lines += [f"- **{heading}:** {'; '.join(texts)}" for heading, texts in seen.items()]
    return "\n".join(lines)


def _images(done: Sequence[Record]) -> Iterable[str]:
    """Count each folder's images by class and split, as a range where the data split varies."""
    folders: dict[str, list[dict[str, dict[str, int]]]] = {}
    for record in done:
        splits = folders.setdefault(record.config["dataset_dir"], [])
        if record.data.counts not in splits:
            splits.append(record.data.counts)
    for folder, splits in folders.items():
        counts_of_classes = []
        for name in dict.fromkeys(name for counts in splits for name in counts):
            of_class = [counts.get(name, {}) for counts in splits]
            sizes = {
                split: sorted({own.get(split, 0) for own in of_class})
                for split in dict.fromkeys(split for own in of_class for split in own)
            }
            words = [
                f"{least}–{most} {split}"
                if (least := n[0]) < (most := n[-1])
                else f"{most} {split}"
                for split, n in sizes.items()
                if n[-1]
            ]
            counts_of_classes.append(f"{in_markdown(name)} {in_markdown(' + '.join(words))}")
        ways = f", split in {len(splits)} ways" if len(splits) > 1 else ""
        yield f"{in_code(folder)}{ways}: {', '.join(counts_of_classes)}"


def _facts(record: Record) -> Iterable[tuple[str, str]]:
    data, machine = record.data, record.environment
    if data.skipped_images:
        names = ", ".join(f"{image.file} ({image.reason})" for image in data.skipped_images)
        yield "Images left out", f"{len(data.skipped_images)}: {names}"
    yield "Machine", f"{machine.device}, {count(machine.threads, 'thread')}, {machine.precision}"
    versions = ", ".join(
        f"{k} {getattr(machine, k)}" for k in ("gellib", "python", "torch", "torchvision")
    )
    commit = f", commit {machine.git_commit}" if machine.git_commit else ""
    yield "Software", versions + commit
    weights = record.weights
    random = weights.name == "none"
    yield "Weights", f"{'random' if random else weights.name}, from {weights.source}"


def absent_runs(comparison: Comparison) -> str:
    """Name as Markdown the runs without a result: one line per reason; empty without any."""
    table = comparison.table
    rest = table[table["status"] != "done"]
    lines = []
    for (status, reason), rows in rest.groupby(["status", "reason"], sort=False):
        named = models(rows["model_id"])
        text = f"- **{count(len(rows), 'run')} {status}** ({named}): {in_markdown(reason)}"
        lines.append(text if text.endswith((".", "!", "?")) else f"{text}.")
    if len(lines) > _MOST_REASONS:
        left = len(lines) - _MOST_REASONS
        lines[_MOST_REASONS:] = [f"- {count(left, 'reason')} more: see results.csv."]
    return "\n".join(lines)


def as_markdown(sentences: Sequence[str]) -> str:
    """Write sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
