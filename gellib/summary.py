"""A sweep's summary: what was run, its tables, conclusions and figures, from its records alone."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pandas.io.formats.style import Styler

from gellib import plots
from gellib.conclusions import conclusions, count, finished, models
from gellib.config import find_path
from gellib.plots.base import percent, three_digits
from gellib.plots.summary import FACTORS, METRICS, TIMES
from gellib.runs import SweepFolder

__all__ = [
    "Summary",
    "as_markdown",
    "conclusions",
    "skipped_failed",
    "style_table",
    "warning_box",
    "what_was_run",
]


# Twelve columns are to fit on a page.
_COMPACT = [
    {"selector": "td", "props": "white-space: nowrap; font-size: 90%; padding: 3px 6px"},
    {"selector": "th", "props": "font-size: 90%; padding: 3px 6px"},
]


class Summary:
    """All that the summary notebook shows of one sweep, each as one call.

    Parameters
    ----------
    sweep_dir
        Folder of the sweep, as `runs/gel`.

    Raises
    ------
    FileNotFoundError
        When there is no record of a run in it.
    """

    def __init__(self, sweep_dir: str | Path) -> None:
        self.sweep = SweepFolder(find_path(sweep_dir))
        self.records = self.sweep.records()
        if not self.records:
            raise FileNotFoundError(
                f"{self.sweep.path} has no record of a run; expected the folder of a sweep. "
                f"Run it first: gellib sweep {Path(sweep_dir).as_posix().rstrip('/')}.yaml"
            )
        self.table = self.sweep.table()
        self.best = self.sweep.best()

    def what_was_run(self) -> str:
        """Markdown: the warning about weights first, then purpose, data and machine."""
        facts = what_was_run(self.sweep.read_sweep(), self.records)
        return f"{warning_box(self.table)}\n\n{facts}"

    def models(self) -> Styler:
        """Return the table of finished runs, the best in bold."""
        return style_table(self.table)

    def absent(self) -> Styler:
        """Return skipped and failed runs with their reasons."""
        return skipped_failed(self.table)

    def conclusions(self) -> str:
        """Markdown: what the results say, under the warning about weights."""
        return f"{warning_box(self.table)}\n\n{as_markdown(conclusions(self.table))}"

    def best_model(self) -> str:
        """Markdown: which run the figures of the best model show."""
        if self.best is None:
            return "No run has finished, so there is no best model."
        name = finished(self.table).iloc[0]["name"]
        return (
            f"Run **{name}**, chosen by its accuracy on the validation images. All that follows "
            "but the curves of training is on the test images."
        )

    def figure_names(self) -> list[str]:
        """Names that `figure` knows, in the order that the notebook shows them."""
        return list(self._figures())

    def figure(self, name: str) -> Figure:
        """Draw one figure and keep it as `figures/<name>.png` in the sweep's folder."""
        figures = self._figures()
        if name not in figures:
            raise ValueError(f"no figure {name!r}; there are: {', '.join(figures)}")
        if name.startswith("best_") and self.best is None:
            # Nothing is saved: an older picture of a best model would outlive it.
            return plots.message("No run has finished, so there is no best model.")
        fig = figures[name]()
        plots.save(fig, self.sweep.figures / f"{name}.png")
        return fig

    def _figures(self) -> dict[str, Callable[[], Figure]]:
        table = self.table
        return {
            **{m: lambda m=m: plots.metric_bars(table, m) for m in METRICS},
            "heatmap": lambda: plots.metrics_heatmap(table),
            **{f"accuracy_by_{f}": lambda f=f: plots.accuracy_by(table, f) for f in FACTORS},
            **{t: lambda t=t: plots.time_by_architecture(table, t) for t in TIMES},
            "best_confusion_matrix": self._confusion_matrix,
            "best_roc_curve": self._roc_curve,
            "best_loss_accuracy": lambda: plots.loss_accuracy(self.best.read_history()),
            "best_demo_predictions": self._demo_predictions,
        }

    def _confusion_matrix(self) -> Figure:
        record = self.best.read_record()
        test = record["metrics"]["test"]
        heading = f"Confusion matrix, {test['n']} test images"
        return plots.confusion_matrix(
            test["confusion_matrix"], record["data"]["classes"], title=heading
        )

    def _roc_curve(self) -> Figure:
        data = self.best.read_record()["data"]
        predictions = self.best.read_predictions()
        test = predictions[predictions["split"] == "test"]
        classes = data["classes"]
        truth = test["label"].map(classes.index).to_numpy()
        probabilities = test[[f"p_{name}" for name in classes]].to_numpy(dtype=float)
        return plots.roc_curve(truth, probabilities, classes, data.get("positive", ""))

    def _demo_predictions(self) -> Figure:
        root = image_root(self.best.read_record())
        return plots.demo_predictions(self.best.read_predictions(), root)


def image_root(record: dict[str, Any]) -> Path:
    """Folder that a run's file names start from."""
    return find_path(record["data"]["root"])


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


# -- tables -----------------------------------------------------------------------------------


def style_table(table: pd.DataFrame) -> Styler:
    """Finished runs: settings, times, metrics; the best of a column bold, the chosen run shaded."""
    order = finished(table)
    done = table.loc[sorted(order.index)]
    shown = pd.DataFrame(
        {
            **{heading: done[name] for name, heading in _settings().items()},
            "training, s": done["training_time_mins"] * 60,
            "inference, s": done["inference_time_secs"],
            "valid. accuracy": done["val_accuracy"],
            "accuracy": done["accuracy"],
            "precision": done["precision"],
            "recall": done["recall"],
            "ROC AUC": done["roc_auc"].astype(float),
            "confusion matrix": [_short_matrix(matrix) for matrix in done["conf_mat"]],
        }
    )
    shares = ["valid. accuracy", "accuracy", "precision", "recall", "ROC AUC"]
    times = ["training, s", "inference, s"]
    style = shown.style.hide(axis="index").set_uuid("models")
    style = style.set_table_styles(_COMPACT)
    style = style.format(percent, subset=shares, na_rep="–")
    style = style.format(three_digits, subset=times, na_rep="–")
    if done.empty:
        return style.set_caption("No run has finished.")
    style = style.highlight_max(subset=shares, props="font-weight:bold")
    style = style.highlight_min(subset=times, props="font-weight:bold")
    chosen = pd.IndexSlice[order.index[0], :]
    style = style.set_properties(subset=chosen, **{"background-color": "#FCE9C0", "color": "#222"})
    return style.set_caption(
        "Bold: the best of its column. Shaded: the run chosen by its validation accuracy. "
        "Metrics are on the test images."
    )


def _short_matrix(matrix: Any) -> str:
    # Of many classes it would be wider than the page; the figure of the best model shows one.
    return str(matrix) if len(matrix) <= 4 else f"{len(matrix)} × {len(matrix)}"


def skipped_failed(table: pd.DataFrame) -> Styler:
    """Runs without a result, each with its reason."""
    rest = table[table["status"] != "done"]
    shown = rest[[*_settings(), "status", "reason"]].rename(columns=_settings())
    style = shown.style.hide(axis="index").set_uuid("absent")
    style = style.set_properties(
        subset=["reason"], **{"text-align": "left", "white-space": "pre-wrap"}
    )
    if rest.empty:
        return style.hide(axis="columns").set_caption("Every run has finished.")
    return style.set_caption("Skipped and failed runs")


def _settings() -> dict[str, str]:
    order = ("hardware_type", "pretrained_model", "classifier_head", "opt_alg")
    return {"model_id": "model", **{name: FACTORS[name].split()[-1] for name in order}}


def as_markdown(sentences: Sequence[str]) -> str:
    """Write sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
