"""`record.json`: old ones stay readable, others are refused in one sentence."""

import json

import pytest
from click.testing import CliRunner
from making.sweeps import make_sweep

from gellib.cli import main
from gellib.config import RunConfig
from gellib.report.summary import Summary, what_was_run
from gellib.runs import Record, RecordError, RunFolder, SweepFolder, record_row, tabulate
from gellib.sweeps import load_sweep, status_of
from gellib.sweeps.plan import plan
from gellib.sweeps.sweep_file import SweepError
from gellib.training_run.find_runs import PredictorError, list_runs
from gellib.training_run.predictor import Predictor

# The least that a record of the first version has: parameters, keys and splits came later.
OLD = {
    "schema": 1,
    "status": "done",
    "name": "01-old",
    "config": {
        "model_id": 1,
        "hardware_type": "cpu",
        "pretrained_model": "resnet18",
        "classifier_head": "single",
        "opt_alg": "adam",
        "dataset_dir": "dataset/gel",
    },
    "config_hash": "0123456789ab",
    "data": {"root": "dataset/gel", "fingerprint": "abc", "classes": ["gel", "not_gel"]},
    "timings": {"features_s": 1.0, "training_s": 59, "doubt_s": 0.25},
    "metrics": {"test": {"n": 22, "accuracy": 0.5, "confusion_matrix": [[5, 6], [5, 6]]}},
}


def without(*path):
    found = json.loads(json.dumps(OLD))
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return found


def put(*path_and_value):
    *path, last, value = path_and_value
    found = json.loads(json.dumps(OLD))
    inner = found
    for key in path:
        inner = inner[key]
    inner[last] = value
    return found


def test_an_old_record_is_read(tmp_path):
    run = RunFolder(tmp_path / "01-old")
    run.clear()
    run.record.write_text(json.dumps(OLD))
    record = run.read_record()
    assert run.unreadable() is None and record.done
    assert record.test["accuracy"] == 0.5 and record.val == {}
    assert record.data.positive == "" and record.data.counts == {}
    assert record.timings.uncertainty_s == 0.25
    assert record.calibration is record.uncertainty is record.thresholds is None
    row = record_row(record)
    assert row["training_time_mins"] == 1 and row["seed"] is None
    assert tabulate([record])["accuracy"].tolist() == [0.5]


@pytest.mark.parametrize("repeats", [[0.7, 0.8], [0.75], [], None, ["x"], [float("nan")]])
@pytest.mark.parametrize("bounds", [[0.6, 0.74], [0.72, 0.9], [None, None], None])
def test_an_old_score_out_of_fold_is_read_as_the_mean_over_the_repeats(repeats, bounds):
    known = put("evaluation", {"method": "cv", "folds": 5, "repeats": 2})
    known["metrics"] = {"val": {"n": 100, "accuracy": 0.71, "repeats": repeats}}
    if bounds:
        known["metrics"]["val"]["intervals"] = {"accuracy": [*bounds]}
    record = Record.parse(known)
    given = repeats in ([0.7, 0.8], [0.75])
    assert record.val["accuracy"] == pytest.approx(0.75 if given else 0.71)
    if bounds and None not in bounds:
        low, high = record.val["intervals"]["accuracy"]
        assert low <= record.val["accuracy"] <= high or not given
        assert low <= bounds[0] and bounds[1] <= high


def test_a_record_is_written_as_it_was_read():
    known = put("data", "a_key_of_later", [1, {"x": None}])
    wanted = json.loads(json.dumps(known))
    wanted["timings"]["uncertainty_s"] = wanted["timings"].pop("doubt_s")
    assert Record.parse(known).to_dict() == wanted


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "damaged: it is not JSON"),
        ('{"schema": 1, "sta', "damaged: it is not JSON"),
        ("[]", "damaged: it has no number of its schema"),
        ({"status": "done"}, "damaged: it has no number of its schema"),
        (put("schema", 2), "has schema 2, and this version of gellib reads schema 1"),
        (without("status"), "damaged: status: Field required"),
        (without("config"), "damaged: config: Field required"),
        (without("metrics"), "damaged: metrics.test has no accuracy, n"),
        (without("metrics", "test", "n"), "damaged: metrics.test has no n"),
        (put("status", "finished"), "damaged: status: Input should be"),
        (put("timings", "training_s", "long"), "damaged: timings.training_s: Input should be"),
        (put("data", "classes", None), "damaged: data.classes: Input should be"),
    ],
)
def test_an_unreadable_record_is_refused_in_one_sentence(tmp_path, content, why):
    run = RunFolder(tmp_path)
    run.record.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(RecordError) as refused:
        Record.read(run.record)
    text = str(refused.value)
    assert text.startswith(f"{run.record}: the record ") and why in text and "\n" not in text
    assert run.read_record() is None and str(run.unreadable()) == text
    assert not run.is_done(RunConfig())
    with pytest.raises(PredictorError, match="is not a finished run") as refused:
        Predictor(run)
    assert text in str(refused.value)


def test_a_missing_record_is_not_an_unreadable_one(tmp_path):
    run = RunFolder(tmp_path)
    assert run.read_record() is None and run.unreadable() is None
    with pytest.raises(RecordError, match="there is no record"):
        Record.read(run.record)


def test_a_failed_run_keeps_its_error(tmp_path):
    run = RunFolder(tmp_path)
    error = {"cell": 5, "ename": "ValueError", "evalue": "no", "traceback": "..."}
    run.write_outcome(RunConfig(), "failed", "ValueError: no", error=error)
    assert json.loads(run.record.read_text())["error"] == error
    assert run.read_record().error.to_dict() == error


class TestListings:
    @pytest.fixture
    def sweep(self, tmp_path):
        sweep = make_sweep(tmp_path / "gel", tmp_path / "data")
        first, second = sweep.run_folders()[:2]
        first.record.write_text(first.record.read_text().replace('"schema": 1', '"schema": 7'))
        second.record.write_text("{")
        return sweep

    @pytest.mark.slow
    def test_sweep_folder_and_summary_name_them(self, sweep):
        names = [run.path.name for run in sweep.run_folders()]
        assert list(sweep.unreadable()) == names[:2]
        assert len(sweep.records()) == len(sweep.table()) == len(names) - 2
        text = what_was_run({}, sweep.records(), sweep.unreadable())
        line = next(line for line in text.splitlines() if "cannot be read" in line)
        assert f"2: {names[0]}, {names[1]}" in line and "schema 7" in line
        assert line in Summary(sweep.path).what_was_run()
        assert {run.path.name for run in list_runs(sweep.path)}.isdisjoint(names[:2])

    @pytest.mark.slow
    def test_a_sweep_of_unreadable_records_alone_is_refused_with_the_reason(self, sweep):
        for run in sweep.run_folders():
            run.record.write_text('{"schema": 7}')
        with pytest.raises(FileNotFoundError, match="has schema 7"):
            Summary(sweep.path)

    def test_status_names_them_and_a_sweep_does_not_write_over_another_version(self, tmp_path):
        file = tmp_path / "tiny.yaml"
        file.write_text("name: tiny\ngrid: {opt_alg: [adam, sgd]}\n")
        sweep = load_sweep(file)
        for name, schema in zip(sweep.configs, (7, 1), strict=True):
            run = RunFolder(sweep.folder / name)
            run.clear()
            run.record.write_text(json.dumps({"schema": schema}))
        assert set(status_of(SweepFolder(sweep.folder), sweep).values()) == {"to do"}
        listed = CliRunner().invoke(main, ["status", str(file)])
        assert listed.exit_code == 0, listed.output
        assert "has schema 7" in listed.output and "damaged: status" in listed.output
        with pytest.raises(SweepError, match=r"holds 1 finished runs .* has schema 7.*--fresh"):
            plan(sweep, SweepFolder(sweep.folder), {}, {})
