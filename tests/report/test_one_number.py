"""The out-of-fold score of a model is one number, wherever it is given."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from making.folders import make_multilabel
from making.images import save_png
from making.sweeps import write_sweep

import gellib
from gellib.base.markup import as_plain
from gellib.cli import main
from gellib.config import RunConfig
from gellib.plots.base import percent
from gellib.report.conclusions.wording import in_images
from gellib.report.handover import Reported, card_of, to_markdown, write_methods
from gellib.report.summary import Summary
from gellib.report.widgets.about_model import about, run_label
from gellib.runs import read_sweep_out_of_fold
from gellib.sweeps.driver import _line
from gellib.training_run import TrainingRun

_SETTINGS = {
    "image_size": 32, "weights": "none", "augmentation": "none", "opt_alg": "lbfgs",
    "cv_folds": 4, "cv_repeats": 5, "group_duplicates": False,
}  # fmt: skip


def noise(folder):
    """Noise with labels by chance: its heads agree so little that both ways to count differ."""
    rng = np.random.default_rng(3)
    for label in ("odd", "even"):
        for i in range(18):
            pixels = rng.normal(120, 40, (40, 40)) + 6 * (label == "odd")
            save_png(folder / label / f"{i:02d}.png", pixels.clip(0, 255).astype(np.uint8))
    return folder


def labels(folder):
    make_multilabel(folder, n=40)
    return folder


@pytest.fixture(scope="module", params=[noise, labels])
def sweep(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one number")
    images = request.param(folder / "images")
    shown = []
    for number, c in enumerate((1.0, 0.03), start=1):
        places = {"run_dir": str(folder / "sweep" / f"{number:02d}"), "model_id": number}
        places |= {"dataset_dir": str(images), "cache_dir": str(folder / "cache"), "lbfgs_c": c}
        run = TrainingRun(RunConfig.check(_SETTINGS | places))
        for step in ("load_images", "load_backbone", "train", "evaluate"):
            getattr(run, step)()
        shown.append(run.finish() | {"table": run.metrics_table()})
    return write_sweep(folder / "sweep", ["01", "02"], purpose="Which is best?"), shown


@pytest.mark.slow
def test_the_score_of_a_model_is_the_mean_over_the_repeats_everywhere(sweep):
    sweep, shown = sweep
    found = read_sweep_out_of_fold(sweep.path, sweep.records())
    values = found.values.mean(axis=(1, 2))
    records = {record.name: record for record in sweep.records()}
    score = records["01"].task.headline
    for name, value in zip(found.names, values, strict=True):
        record = records[name]
        assert record.val[score] == pytest.approx(value, abs=1e-12)
        assert record.val[score] == pytest.approx(np.mean(record.val["repeats"]))
        low, high = record.val["intervals"][score]
        assert low < record.val[score] < high
    best = records[sweep.best().path.name]
    value, text = best.val[score], percent(best.val[score])
    if score == "accuracy":
        table = sweep.best().read_predictions()
        of_means = float((table["label"] == table["predicted"]).mean())
        assert percent(of_means) != text, "or nothing is shown here"
    summary = Summary(sweep.path)
    assert summary.best.path.name == best.name
    places = {
        "answer": summary.answer_text(),
        "conclusions": summary.conclusions(),
        "models": _cells(summary.models().to_html()),
        "tables": " ".join(_cells(t.to_html()) for t in summary.tables() if hasattr(t, "to_html")),
        "list of the form": run_label(sweep.best(), 1),
        "card": to_markdown(card_of(Reported.find(sweep.path))),
        "card of the run": to_markdown(card_of(Reported.find(sweep.best().path))),
        "methods": " ".join(write_methods(Reported.find(sweep.path)).results),
        "python": repr(gellib.open_sweep(sweep.path)).replace("%", " %"),
        "at its end": _line(sweep.best()).replace("%", " %"),
        "table": repr(shown[int(best.name) - 1]["table"].to_string()).replace("%", " %"),
    }
    if score == "accuracy":
        places["form"] = about(best)
        places["status"] = CliRunner().invoke(main, ["status", str(sweep.path)]).output
        places["status"] = places["status"].replace("%", " %")
        places["notebook"] = json.dumps(shown[int(best.name) - 1]["out-of-fold accuracy"])
        places["notebook"] = places["notebook"].replace("%", " %")
    for place, said in places.items():
        assert text in as_plain(said).replace("\xa0", " "), f"{place}: {text} is not in {said}"
        if score == "accuracy":
            # Next to its word, no other number is given.
            said = as_plain(said)
            for number in re.findall(r"out-of-fold accuracy (?:is |was )?([\d.]+ %)", said):
                assert number in {percent(r.val[score]) for r in records.values()}, place
    csv = pd.read_csv(sweep.best().result)
    assert csv[f"val_{score}"].iloc[0] == pytest.approx(value) if score == "accuracy" else True


def _cells(html):
    return re.sub(r"<[^>]+>", " ", html)


@pytest.mark.parametrize("n", [1, 22, 92, 253, 5000])
@pytest.mark.parametrize("repeats", [1, 5])
def test_a_count_that_is_none_is_said_to_be_about(n, repeats):
    for right in {0, 1, n * repeats // 2, n * repeats}:
        text = in_images(right / (n * repeats), n, "images")
        assert ("about" in text) == bool(right % repeats), text
