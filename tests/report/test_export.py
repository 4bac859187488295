"""Finished runs in MLflow and TensorBoard, read back by their own libraries."""

import pytest
from click.testing import CliRunner
from making.sweeps import make_sweep

from gellib.cli import main
from gellib.report.trackers import ExportError, export_sweep, scalars
from gellib.runs import SweepFolder

GRID = (("cpu", "resnet18", "single", "adam"), ("cpu", "vgg16", "single", "adam"))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export ü")
    return make_sweep(folder / "gel", folder / "data", grid=(*GRID, ("gpu", *GRID[0][1:])))


@pytest.mark.slow
def test_mlflow_opens_what_was_sent(sweep, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    for _ in range(2):
        done = export_sweep(sweep.path, "mlflow", tmp_path)
    assert done["runs"] == 2 and f"sqlite:///{tmp_path}/mlflow.db" in done["view"]
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("gel")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    records = {r.name: r for r in sweep.records() if r.done}
    assert set(runs) == set(records), "sent twice, there once; skipped runs are not sent"
    for name, run in runs.items():
        record = records[name]
        assert run.info.status == "FINISHED"
        assert run.data.params["pretrained_model"] == record.config["pretrained_model"]
        assert run.data.params["learning_rate"] == "0.001"
        assert run.data.metrics["test/accuracy"] == record.test["accuracy"]
        assert run.data.tags["gellib.config_hash"] == record.config_hash
        curve = client.get_metric_history(run.info.run_id, "epoch/val_loss")
        history = next(f for f in sweep.run_folders() if f.path.name == name).read_history()
        assert [point.value for point in curve] == pytest.approx(history["val_loss"].tolist())
        assert [point.step for point in curve] == history["epoch"].tolist()
        files = {item.path for item in client.list_artifacts(run.info.run_id)}
        assert {"record.json", "predictions.csv"} <= files


@pytest.mark.slow
def test_tensorboard_opens_what_was_sent(sweep, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        export_sweep(sweep.path, "tensorboard", tmp_path)
    record = next(r for r in sweep.records() if r.done)
    events = EventAccumulator(str(tmp_path / record.name)).Reload()
    history = sweep.run_folders()[0].read_history()
    curve = events.Scalars("epoch/val_loss")
    assert [e.step for e in curve] == history["epoch"].tolist(), "an older export is replaced"
    assert [e.value for e in curve] == pytest.approx(history["val_loss"].tolist(), rel=1e-6)
    accuracy = record.test["accuracy"]
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(accuracy)
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_a_number_of_every_split_class_and_time(sweep):
    record = next(r for r in sweep.records() if r.done)
    record.test["intervals"] = {"accuracy": [0.7, 0.9]}
    found = scalars(record)
    assert found["test/class/not_gel/recall"] == (record.test["per_class"]["not_gel"]["recall"])
    assert found["test/accuracy_low"] == 0.7 and found["time/training_s"] > 0
    assert {"train/loss", "val/loss", "test/loss"} <= set(found)


def test_what_cannot_be_sent_is_said(sweep, tmp_path):
    with pytest.raises(ExportError, match="got 'wandb', expected one of mlflow, tensorboard"):
        export_sweep(sweep.path, "wandb")
    empty = SweepFolder(tmp_path / "empty")
    empty.path.mkdir()
    shown = CliRunner().invoke(main, ["export", str(empty.path), "--to", "tensorboard"])
    assert shown.exit_code == 1 and "no finished run" in shown.output
    assert "gellib sweep" in shown.output


def test_the_command_says_how_to_look_at_it(sweep, tmp_path):
    pytest.importorskip("tensorboard")
    shown = CliRunner().invoke(
        main, ["export", str(sweep.path), "--to", "tensorboard", "--out", str(tmp_path / "tb")]
    )
    assert shown.exit_code == 0, shown.output
    assert "2 runs" in shown.output and f"tensorboard --logdir {tmp_path}/tb" in shown.output
