"""Out-of-fold predictions of a sweep, read as one array."""

import numpy as np
import pandas as pd
import pytest
from making.records import make_cv_record, make_record

from gellib.base.files import write_csv
from gellib.config import RunConfig
from gellib.runs import Record, RecordError, RunFolder, read_sweep_out_of_fold

FILES = ("a", "b", "c", "d")
FOLDS = np.array([[0, 1, 0, 1], [1, 1, 0, 0]])


def write_run(folder, config, right, *, folds=FOLDS, files=FILES, group="", **more):
    """Write `out_of_fold.csv` of a run that is right where `right` (repeats, files) says so."""
    record = make_cv_record(config, config.name() + f"-{config.seed}", **more)
    rows = [
        {
            "file": file,
            "group": group if file in ("a", "b") else "",
            "repeat": r,
            "fold": folds[r][i],
            "label": "gel",
            "predicted": "gel" if right[r][i] else "not_gel",
            "p_gel": 0.5,
            "p_not_gel": 0.5,
        }
        for r in range(len(folds))
        for i, file in enumerate(files)
    ]
    write_csv(RunFolder(folder / record["name"]).out_of_fold, pd.DataFrame(rows))
    return Record.parse(record)


def test_scores_lie_by_configuration_repeat_and_image(tmp_path):
    right = [[1, 0, 1, 1], [0, 0, 1, 1]], [[1, 1, 1, 1], [0, 1, 0, 1]]
    configs = [RunConfig(), RunConfig(model_id=2, learning_rate=0.1)]
    records = [write_run(tmp_path, c, r) for c, r in zip(configs, right, strict=True)]
    found = read_sweep_out_of_fold(tmp_path, records)
    assert found.values.tolist() == np.array(right, float).tolist()
    assert found.folds.tolist() == FOLDS.tolist()
    assert found.names == tuple(record.name for record in records)
    assert (found.files, found.groups, found.paired) == (FILES, None, True)
    assert found.losses.tolist() == [0.4, 0.4]


def test_seeds_are_further_repeats_of_one_configuration(tmp_path):
    other = 1 - FOLDS
    first = write_run(tmp_path, RunConfig(), [[1, 1, 1, 1]] * 2)
    second = write_run(tmp_path, RunConfig(seed=1), [[0, 0, 0, 0]] * 2, folds=other, group="g")
    found = read_sweep_out_of_fold(tmp_path, [first, second])
    assert found.values.shape == (1, 4, 4)
    assert found.values[0].mean(axis=1).tolist() == [1, 1, 0, 0]
    assert found.folds.tolist() == [*FOLDS.tolist(), *other.tolist()]
    assert found.groups[:2] == ("g", "g") and len(set(found.groups)) == 3


def test_a_seed_that_one_configuration_lacks_is_missing_there_alone(tmp_path):
    all_right = [[1, 1, 1, 1]] * 2
    records = [
        write_run(tmp_path, RunConfig(model_id=2), all_right),
        write_run(tmp_path, RunConfig(), all_right),
        write_run(tmp_path, RunConfig(seed=1), all_right),
    ]
    found = read_sweep_out_of_fold(tmp_path, records)
    assert np.isnan(found.values[0]).all(axis=1).tolist() == [False, False, True, True]
    assert np.isfinite(found.values[1]).all() and found.paired


def test_other_images_and_other_folds_are_told(tmp_path):
    right = [[1, 1, 1, 1]] * 2
    first = write_run(tmp_path, RunConfig(), right)
    moved = write_run(tmp_path, RunConfig(model_id=2), right, folds=1 - FOLDS)
    elsewhere = write_run(tmp_path, RunConfig(model_id=3), right, data={"fingerprint": "other"})
    assert not read_sweep_out_of_fold(tmp_path, [first, moved]).paired
    found = read_sweep_out_of_fold(tmp_path, [first, elsewhere])
    assert found.values.shape == (2, 2, 8)
    assert np.isnan(found.values[1, :, :4]).all() and np.isfinite(found.values[1, :, 4:]).all()


def test_holdouts_have_none_and_a_missing_file_is_named(tmp_path):
    holdout = Record.parse(make_record(RunConfig()))
    assert read_sweep_out_of_fold(tmp_path, [holdout]) is None
    gone = Record.parse(make_cv_record(RunConfig(), "gone"))
    there = write_run(tmp_path, RunConfig(model_id=2), [[1, 1, 1, 1]] * 2)
    assert read_sweep_out_of_fold(tmp_path, [gone]) is None
    assert read_sweep_out_of_fold(tmp_path, [gone, there]).missing == ("gone",)


class TestRecord:
    def test_what_a_run_scores_is_of_the_test_part_or_out_of_fold(self):
        cv, holdout = make_cv_record(RunConfig(), accuracy=0.7), make_record(RunConfig())
        found = Record.parse(cv)
        assert (found.test, found.scores["accuracy"], found.scored_on) == ({}, 0.7, "out-of-fold")
        assert found.evaluation.words == "2 folds x 2 repeats"
        with_test = Record.parse(cv | {"metrics": cv["metrics"] | {"test": {"accuracy": 1, "n": 3}}})
        assert (with_test.scores["accuracy"], with_test.scored_on) == (1, "test")
        assert Record.parse(holdout).scored_on == "test"
        assert Record.parse(holdout).evaluation.method == "holdout"

    @pytest.mark.parametrize("made", [make_cv_record, make_record])
    def test_a_finished_run_without_scores_is_damaged(self, made):
        part = "val" if made is make_cv_record else "test"
        record = made(RunConfig())
        record["metrics"] = {"train": record["metrics"]["train"]}
        with pytest.raises(RecordError, match=f"metrics.{part} has no accuracy, n"):
            Record.parse(record)
