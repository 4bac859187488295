"""Run folders: whole files, what counts as done, the table of results."""

import json

import pandas as pd
import pytest

from making.records import make_record

from gellib.config import RunConfig
from gellib.base.files import atomic_path, write_json
from gellib.runs import (
    REFERENCE_COLUMNS,
    Record,
    RunFolder,
    SweepFolder,
    append_result,
    record_row,
    tabulate,
)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert not list(tmp_path.iterdir())


class TestIsDone:
    def test_needs_the_record_of_this_configuration_on_this_data(self, tmp_path):
        config, run = RunConfig(), RunFolder(tmp_path / "run")
        assert not run.is_done(config)
        write_json(run.record, make_record(config))
        assert run.is_done(config)
        assert run.is_done(config, "abc")
        assert not run.is_done(config, "other images")
        assert not run.is_done(RunConfig(seed=1))

    def test_a_failure_on_record_is_not_done(self, tmp_path):
        run = RunFolder(tmp_path / "run")
        run.write_outcome(RunConfig(), "failed", "out of memory")
        assert run.read_record().reason == "out of memory"
        assert not run.is_done(RunConfig())

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', "\x00"])
    def test_a_damaged_record_is_none(self, tmp_path, text):
        run = RunFolder(tmp_path)
        run.record.write_text(text)
        assert run.read_record() is None
        assert not run.is_done(RunConfig())


class TestSweepFolder:
    def make(self, path):
        sweep = SweepFolder(path)
        for number, (val, test) in enumerate([(0.8, 0.95), (0.9, 0.8), (0.9, 0.7)], start=1):
            config = RunConfig(model_id=number)
            name = f"0{number}-a"
            write_json(
                RunFolder(path / name).record, make_record(config, name, test, val_accuracy=val)
            )
        RunFolder(path / "04-gpu").write_outcome(RunConfig(model_id=4), "skipped", "no CUDA device")
        names = ["01-a", "02-a", "03-a", "04-gpu"]
        write_json(sweep.sweep, {"name": "s", "purpose": "", "runs": names})
        return sweep

    def test_table_has_the_reference_columns_first_and_every_run(self, tmp_path):
        table = self.make(tmp_path).table()
        assert tuple(table.columns[:12]) == REFERENCE_COLUMNS
        assert list(table.status) == ["done", "done", "done", "skipped"]
        assert table.training_time_mins[0] == pytest.approx(92 / 60)
        assert pd.isna(table.accuracy[3])
        assert table.reason[3] == "no CUDA device"

    def test_the_arithmetic_is_told_from_the_score_that_has_its_name(self):
        pair = [
            Record.parse(make_record(RunConfig(model_id=i, precision=p), f"0{i}"))
            for i, p in ((1, "fp32"), (2, "bf16"))
        ]  # fmt: skip
        table = tabulate(pair)
        assert table.attrs["factors"] == ["arithmetic"]
        assert list(table["arithmetic"]) == ["fp32", "bf16"]
        assert list(table["precision"]) == [r.test["precision"] for r in pair]

    def test_best_is_chosen_on_validation_and_never_on_test(self, tmp_path):
        assert self.make(tmp_path).best().path.name == "02-a"

    def test_results_are_formatted_as_the_reference_did(self, tmp_path):
        results = pd.read_csv(self.make(tmp_path).write_results(), keep_default_na=False)
        assert results.accuracy[1] == "80.00%"
        assert results.conf_mat[0] == "[[7, 4], [0, 11]]"
        assert results.roc_auc[0] == "91.00%"
        assert results.accuracy[3] == ""

    def test_folders_of_an_earlier_version_are_not_its_runs(self, tmp_path):
        sweep = self.make(tmp_path)
        write_json(
            RunFolder(tmp_path / "09-old").record, make_record(RunConfig(model_id=9), "09-old")
        )
        assert len(sweep.table()) == 4

    def test_nothing_there_yet(self, tmp_path):
        assert SweepFolder(tmp_path / "new").best() is None
        assert SweepFolder(tmp_path / "new").table().empty


@pytest.mark.slow
def test_results_file_collects_runs_and_replaces_a_repeated_one(tmp_path):
    path = tmp_path / "results.csv"
    for number, accuracy in ((1, 0.5), (2, 0.6), (1, 0.7)):
        append_result(
            path,
            record_row(
                Record.parse(make_record(RunConfig(model_id=number), f"0{number}", accuracy))
            ),
        )
    results = pd.read_csv(path)
    assert sorted(results.model_id) == [1, 2]
    # The same configuration run again takes the place of its earlier row.
    assert results.set_index("model_id").accuracy[1] == "70.00%"


def test_a_foreign_file_is_not_written_over(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="is not a results file: it begins with the columns a, b"):
        append_result(path, record_row(Record.parse(make_record(RunConfig()))))
    assert path.read_text() == "a,b\n1,2\n"
