"""Conclusions from constructed results: nothing that the numbers deny."""

import itertools
import re

import numpy as np
import pytest
from making.records import make_comparison, make_table

from gellib.evaluation import wilson
from gellib.report.comparison import Comparison
from gellib.report.conclusions import conclusions, in_images
from gellib.runs import Record

ONE_SEED = "another split or initialisation can change the order of close ones"


def say(rows, **options):
    return "\n".join(conclusions(make_comparison(rows, **options)))


def test_wilson_is_the_textbook_interval():
    # Newcombe (1998), Stat Med 17:857, table I: 81/263, 15/148, 0/20, 1/29.
    for right, n, expected in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ):
        assert wilson(right, n) == pytest.approx(expected, abs=5e-5)


def test_in_images():
    assert in_images(21 / 22, 22) == "95.5 % = 21 of 22 test images"


@pytest.mark.parametrize(
    "varied, name",
    [
        ({"opt_alg": ["adam", "sgd"]}, "adam"),
        ({"pretrained_model": ["timm/vit_small_patch14_dinov2", "vgg16"]},
         "timm/vit_small_patch14_dinov2"),
        ({"hardware_type": ["cpu", "gpu"], "classifier_head": ["single", "multi"]}, "cpu single"),
    ],
)  # fmt: skip
def test_models_are_named_by_what_varies(varied, name):
    rows = [
        {"right": right} | {key: values[k] for key, values in varied.items()}
        for k, right in enumerate((98, 60))
    ]
    assert f"model 1 ({name})" in say([{**row, "n": 100} for row in rows])


def test_a_clear_winner_is_named_with_its_images():
    text = say(
        [
            {"right": 98, "n": 100, "pretrained_model": "resnet18"},
            {"right": 60, "n": 100, "pretrained_model": "vgg16"},
        ]
    )
    assert "Chosen by validation accuracy: model 1 (resnet18)" in text
    assert "**98.0 % = 98 of 100 test images**" in text
    assert "between 93 % and 99 %" in text
    assert "by model 1. Model 2 is worse (paired test over 100 test images" in text
    # Bonett and Price (2012): 38 of 100 images differ, all one way, and one more each way.
    assert (
        "**resnet18 is better than vgg16 with this seed**: +38.0 percentage points (27.3 to 47.2) "
        "over 1 pair" in text
    )
    assert "No evidence" not in text and "cannot be distinguished" not in text


def test_close_models_are_not_told_apart():
    text = say([{"right": 21}, {"right": 19, "opt_alg": "sgd"}])
    assert (
        "by model 1. Model 2 cannot be distinguished from it, so no model is shown to be best"
        in text
    )
    assert "**No evidence of a difference**: adam against sgd +9.1 percentage points" in text
    assert ONE_SEED in text and "better than" not in text
    needed = int(
        re.search(r"5 percentage points, about (\d+) test images would be needed", text).group(1)
    )
    assert 149 <= needed < 1000


def test_a_tie_names_all_and_how_it_was_decided():
    text = say(
        [{"right": 20, "val_loss": 0.5}, {"right": 20, "val_loss": 0.3, "opt_alg": "sgd"},
         {"right": 15, "opt_alg": "sgd", "classifier_head": "multi"}]
    )  # fmt: skip
    assert "Chosen by validation accuracy: model 2" in text
    assert "a tie with model 1 that the lower validation loss decided" in text
    assert "by models 1, 2, a tie." in text
    equal = say([{"right": 20}, {"right": 20, "opt_alg": "sgd"}])
    assert "a tie with model 2 that the validation loss, then the model number, decided" in equal
    assert "All finished models have the same test accuracy, 90.9 %" in equal
    assert "better than" not in equal and "Highest" not in equal


def test_the_highest_test_score_does_not_win_and_its_optimism_is_told():
    text = say([{"right": 17, "val": 21}, {"right": 22, "val": 18}])
    assert "Chosen by validation accuracy: model 1" in text
    assert "**77.3 % = 17 of 22 test images**" in text
    assert "the highest test score is 22.7 percentage points above that of the chosen model" in text
    assert re.search(r"the highest of 2 overstates itself by \d+\.\d percentage points", text)
    assert text.count("17 of 22") == 1, "the test score of the chosen model is given once"


def grid(answers_of, seeds=(0,), n=100):
    """Twelve models, the answers of each from its network, head, optimiser and seed."""
    settings = itertools.product(
        ("resnet18", "vgg16", "vgg11"), ("single", "multi"), ("adam", "sgd")
    )
    rows = []
    for number, (network, head, opt) in enumerate(settings, start=1):
        for seed in seeds:
            answers = answers_of(network, head, opt, seed)
            rows.append(
                {"right": int(answers.sum()), "n": n, "val": int(answers.sum()), "seed": seed,
                 "model_id": number, "pretrained_model": network, "classifier_head": head,
                 "opt_alg": opt, "answers": answers}
            )  # fmt: skip
    return rows


def coins(share, n, rng):
    return rng.permutation(n) < round(share * n)


@pytest.mark.slow
def test_seeds_a_clear_winner():
    rng = np.random.default_rng(0)
    better = {"resnet18": 0.97, "vgg16": 0.8, "vgg11": 0.8}
    text = say(grid(lambda network, *_: coins(better[network], 100, rng), seeds=range(5)))
    assert "60 of 60 runs finished (12 configurations and 5 seeds)" in text
    assert "**resnet18 is better than vgg16**: +17.0 percentage points" in text
    assert "over 20 pairs of runs" in text and "100 test images each" in text
    assert "**No evidence of a difference**: vgg16 against vgg11" in text
    assert "No evidence of a difference**: single against multi" in text
    assert ONE_SEED not in text
    assert re.search(r"about \d+ test images and \d+ seeds would be needed", text)


@pytest.mark.slow
def test_seeds_that_disagree_are_no_evidence():
    rng = np.random.default_rng(0)

    def answers(network, head, opt, seed):
        lead = 0.25 if (seed % 2 == 0) == (network == "resnet18") else 0.0
        return coins(0.7 + lead, 400, rng)

    text = say(grid(answers, seeds=range(4), n=400))
    assert "better than" not in text


def test_without_predictions_nothing_is_told_apart_by_images():
    text = say([{"right": 22}, {"right": 11, "opt_alg": "sgd"}], images=False)
    assert "cannot be tested without the predictions of the runs" in text
    assert "No evidence of a difference" in text
    assert "Image statistics were not evaluated" in text


def test_runs_no_better_than_the_commonest_class_are_named():
    text = say([{"right": 20}, {"right": 11}, {"right": 9}])
    assert "reaches 50.0 %, which models 2, 3 do not beat" in text
    assert "reaches 50.0 %. Image" in say([{"right": 20}, {"right": 13}])


def test_a_class_that_is_never_found_is_named():
    comparison = make_comparison([{"right": 20}, {"right": 11}])
    comparison.done.at[1, "conf_mat"] = [[0, 11], [0, 11]]
    text = "\n".join(conclusions(comparison))
    assert "**No test image of class “gel” is found** by model 2" in text
    assert "not_gel" not in text


def test_all_skipped_but_one():
    text = say([{"status": "skipped"}, {"right": 20}, {"status": "skipped"}])
    assert text.startswith("1 of 3 runs finished; models 1, 3 skipped.")
    assert "Only one model has finished, so there is nothing to compare it with." in text
    assert not re.search(r"better|Highest|Mean|By ", text)


def test_seeds_that_failed_do_not_make_their_model_fail():
    rows = [{"model_id": 1, "seed": seed, "right": 15} for seed in range(5)]
    rows += [{"model_id": 2, "seed": seed, "right": 20, "opt_alg": "sgd"} for seed in range(2)]
    lost = {"model_id": 2, "status": "failed", "opt_alg": "sgd"}
    rows += [lost | {"seed": seed} for seed in range(2, 5)]
    rows += [{"model_id": 3, "seed": 0, "status": "failed", "classifier_head": "multi"}]
    text = say(rows)
    assert "3 of the 5 runs of model 2 failed" in text and "; model 3 failed;" in text
    assert "model 2 failed" not in text.replace("runs of model 2 failed", "")
    assert "Chosen by validation accuracy: model 2" in text
    assert "Only 2 of the 5 seeds have finished for it." in text


def test_five_seeds_on_the_same_images_are_no_more_images():
    rows = [{"model_id": 1, "seed": seed, "right": 22} for seed in range(5)]
    text = say(rows)
    # Wilson's interval for 22 of 22.
    assert "judged by these images and seeds, is between 85 % and 100 %" in text
    rows = [row | {"right": 22 - row["seed"] % 2} for row in rows]
    low, high = re.search(r"seeds, is between (\d+) % and (\d+) %", say(rows)).groups()
    assert int(low) <= 82 and int(high) == 100


@pytest.mark.parametrize(("n", "calibrated"), [(18, False), (99, False), (100, True), (5000, True)])
def test_probabilities_are_called_calibrated_from_enough_images_on(n, calibrated):
    comparison = make_comparison([{"right": 20}, {"right": 15}])
    first = comparison.records[0].to_dict() | {"calibration": {"temperature": 1.3, "n_val": n}}
    comparison.records = [Record.parse(first), *comparison.records[1:]]
    text = "\n".join(conclusions(comparison))
    assert (f"are calibrated on {n} images" in text) == calibrated
    assert (f"not calibrated reliably: {n} images are too few" in text) != calibrated


def test_equal_predictions_do_not_prove_equality():
    rows = [{"right": 20, "opt_alg": opt} for opt in ("adam", "sgd")]
    rows += [{"right": 12, "opt_alg": opt, "pretrained_model": "vgg16"} for opt in ("adam", "sgd")]
    text = say(rows)
    low, high = re.search(
        r"adam against sgd 0\.0 percentage points \(−([\d.]+) to ([\d.]+)\)", text
    ).groups()
    # With two more images of 24 that differ: 2.08 standard errors of sqrt(2 / 23 / 24).
    assert float(low) == float(high) == pytest.approx(12.5, abs=0.1)
    # Without predictions nothing is known of the spread, so there is no interval.
    assert "adam against sgd 0.0 percentage points, over" in say(rows, images=False)


def test_hardware_that_did_not_run_is_not_judged():
    text = say([{"right": 20}, {"right": 15}, {"status": "skipped", "hardware_type": "gpu"}])
    assert "every finished run has cpu; there is no result for gpu." in text


def test_nothing_finished():
    for rows in ([{"status": "failed"}] * 2, [{"status": "skipped"}], []):
        lines = conclusions(make_comparison(rows))
        assert lines[-1] == "No run has finished, so there is no result to report."
        assert len(lines) == 2


def test_unpaired_runs_are_not_compared():
    text = say(
        [
            {"right": 22, "opt_alg": "adam", "classifier_head": "multi"},
            {"right": 12, "opt_alg": "sgd"},
        ]
    )
    assert "No two of their runs differ in this setting alone, so nothing can be concluded." in text


def test_other_test_images_are_not_ranked():
    text = say([{"right": 20}, {"right": 15, "n": 18}])
    assert "not all tested on the same images" in text
    assert not re.search(r"better|Highest", text)


def test_listed_runs_are_held_against_what_they_build_on():
    info = {
        "listed_runs": [
            {"model_id": 1, "name": "baseline", "like": None, "changed": {}},
            {"model_id": 2, "name": "sampling", "like": "baseline", "changed": {"x": [1, 2]}},
            {"model_id": 3, "name": "bigger", "like": "sampling", "changed": {"y": [1, 2]}},
        ]
    }
    rows = [{"right": right, "n": 100} for right in (60, 61, 95)]
    text = say(rows, info=info)
    assert "**bigger**, against sampling: +34.0 percentage points (23.6 to 43.0), better." in text
    assert "**No evidence of a difference**, each against what it builds on: sampling +1.0" in text
    assert "model 3 (bigger)" in text


@pytest.mark.slow
def test_every_number_and_name_is_one_of_the_table():
    """No sentence may name a run that is not there, or a percentage that no column holds."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        rows = [
            {"right": int(rng.integers(8, 23)), "val": int(rng.integers(10, 19)), "n_val": 18,
             "opt_alg": opt, "classifier_head": head, "val_loss": float(rng.uniform())}
            for opt in ("adam", "sgd") for head in ("single", "multi")
        ]  # fmt: skip
        comparison = make_comparison(rows)
        table, text = comparison.table, "\n".join(conclusions(comparison))
        winners = table.loc[table.accuracy == table.accuracy.max(), "model_id"].tolist()
        if "Highest" in text:
            named = re.search(r"Highest test accuracy: .*?, by models? ([\d, –]+)", text).group(1)
            assert int(re.match(r"\d+", named).group()) == winners[0]
        for factor in ("opt_alg", "classifier_head"):
            means = table.groupby(factor).accuracy.mean()
            for ahead, behind in re.findall(r"\*\*(\w+) is better than (\w+)", text):
                if ahead in means and behind in means:
                    assert means[ahead] > means[behind]
        for right, n in re.findall(r"= (\d+) of (\d+) test", text):
            values = {*(table.accuracy * 22).round().astype(int), 11}
            assert int(n) == 22 and int(right) in values


def test_a_table_alone_can_be_compared():
    assert "1 of 1 run finished." in conclusions(Comparison(make_table([{"right": 20}])))
