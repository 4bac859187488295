"""Which run is best has one answer, whoever asks."""

import itertools
import json
import math

import pandas as pd
import pytest
from making.sweeps import make_scored_sweep

from gellib.report.comparison import Comparison
from gellib.report.summary import Summary
from gellib.report.widgets import PredictWidget
from gellib.base.files import write_json
from gellib.runs import SweepFolder, best_run, in_order
from gellib.runs.ranking import Candidate, rank_candidates
from gellib.training_run.find_runs import find_best_run, list_runs

LUCKY = {1: (0.95, 0.60, 0.60), 2: (0.90, 0.90, 0.90)}


def answers(sweep):
    """Ask everyone who knows a best run."""
    comparison = Comparison.of(sweep)
    return {
        "sweep folder": sweep.best().path.name,
        "table": best_run(sweep.table()),
        "comparison": comparison.done["runs"].iloc[0],
        "summary": Summary(sweep.path).best.path.name,
        "predict": find_best_run(sweep.path.parent).path.name,
        "list": list_runs(sweep.path)[0].path.name,
        "form": PredictWidget(sweep.path.parent).runs[0].path.name,
    }


def agreed(sweep):
    found = answers(sweep)
    assert found["sweep folder"] in found.pop("comparison")
    assert len(set(found.values())) == 1, found
    return found["sweep folder"]


@pytest.mark.parametrize("repeat", ["seed", pytest.param("fold", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_one_lucky_seed_does_not_win(tmp_path, repeat):
    assert agreed(make_scored_sweep(tmp_path, LUCKY, repeat=repeat)) == f"02-{repeat}0"


@pytest.mark.slow
def test_within_a_configuration_its_own_score_and_loss_decide(tmp_path):
    scores = {1: (0.5, 0.5, 0.5), 2: (0.8, 0.9, 0.9)}
    sweep = make_scored_sweep(tmp_path, scores, losses={(2, 2): 0.4})
    assert agreed(sweep) == "02-seed2"


@pytest.mark.slow
def test_equal_means_go_by_loss(tmp_path):
    # Summed in another order, these means differ in the last bit.
    scores = {1: (0.1, 0.2, 0.3), 2: (0.3, 0.2, 0.1)}
    losses = {(1, seed): 0.6 for seed in range(3)}
    assert agreed(make_scored_sweep(tmp_path, scores, losses=losses)).startswith("02-")


@pytest.mark.slow
def test_failed_seeds_take_no_part(tmp_path):
    scores = {1: (0.7, 0.0, 0.7), 2: (0.6, 0.6, 0.6)}
    assert agreed(make_scored_sweep(tmp_path, scores, failed={(1, 1)})) == "01-seed0"


@pytest.mark.slow
def test_with_several_labels_f1_per_image_decides(tmp_path):
    scores = {1: (0.3, 0.4), 2: (0.8, 0.7)}
    assert agreed(make_scored_sweep(tmp_path, scores, several=True)) == "02-seed0"


@pytest.mark.slow
def test_runs_of_several_sweeps_are_ranked_by_their_own_sweep(tmp_path):
    first = make_scored_sweep(tmp_path / "a", LUCKY)
    make_scored_sweep(tmp_path / "b", {1: (0.85, 0.7)})
    names = [(r.path.parts[-4], r.path.name) for r in list_runs(tmp_path / "a" / "runs")]
    assert names[0] == ("a", "02-seed0")
    assert find_best_run(first.path).path.name == "02-seed0"


def test_every_order_of_the_runs_gives_the_same_best():
    runs = [
        Candidate(1, 0.95, 0.5, (1, 0)),
        Candidate(1, 0.60, 0.5, (1, 1)),
        Candidate(2, 0.90, 0.5, (2, 0)),
        Candidate(2, 0.90, 0.5, (2, 1)),
        Candidate(3, math.nan, math.nan, (3, 0)),
    ]
    for order in itertools.permutations(runs):
        ranked = [order[i].place for i in rank_candidates(order)]
        assert ranked == [(2, 0), (2, 1), (1, 0), (1, 1), (3, 0)]


def test_a_table_without_finished_runs_has_no_best():
    columns = ["status", "model_id", "seed", "fold", "val_accuracy", "val_loss", "folder"]
    table = pd.DataFrame([["failed", 1, 0, 0, math.nan, math.nan, "x"]], columns=columns)
    assert best_run(table) == ""
    assert in_order(table).empty
