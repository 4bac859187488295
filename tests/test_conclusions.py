"""Conclusions from constructed results: nothing that the numbers deny."""

import re

import numpy as np
import pytest
from sweepmaker import make_table

from gellib.conclusions import conclusions, in_images, wilson


def say(rows):
    return "\n".join(conclusions(make_table(rows)))


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


def test_a_clear_winner_is_named_with_its_images():
    text = say(
        [
            {"right": 98, "n": 100, "pretrained_model": "resnet18"},
            {"right": 60, "n": 100, "pretrained_model": "vgg16"},
        ]
    )
    assert "Chosen by validation accuracy: model 1 (cpu, resnet18, single, adam)" in text
    assert "**98.0 % = 98 of 100 test images**" in text
    assert "between 93 % and 99 %" in text
    assert "38 validation images fewer; their 95 % intervals do not overlap" in text
    assert "Highest test accuracy: 98.0 % = 98 of 100 test images, by model 1. " in text
    assert "Every other run is right on at least 38 fewer." in text
    assert "resnet18 is ahead of vgg16 by 38.0 points on average, 38.0 of 100 test images. " in text
    assert "In 1 pair of runs that differ in nothing else, resnet18 is higher in 1" in text
    assert "cannot be told" not in text and "tie" not in text


def test_one_or_two_images_are_no_difference():
    text = say([{"right": 21}, {"right": 19, "opt_alg": "sgd"}])
    assert "2 validation images fewer: within what one or two images make up, so it cannot" in text
    assert "Model 2 is at most 2 test images below: within what one or two images" in text
    assert (
        "adam is ahead of sgd by 9.1 points on average, 2.0 of 22 test images: within what" in text
    )
    assert "do not overlap" not in text


def test_three_images_of_22_do_not_settle_it():
    text = say([{"right": 21}, {"right": 18, "opt_alg": "sgd"}])
    assert "their 95 % intervals overlap, so this sweep does not settle which is better" in text
    assert "Every other run is right on at least 3 fewer." in text


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
    assert "All finished runs have the same test accuracy, 90.9 % = 20 of 22" in equal
    assert "The means are equal." in equal
    assert "ahead" not in equal and "Highest" not in equal


def test_the_highest_test_score_does_not_win():
    text = say([{"right": 17, "val": 21}, {"right": 22, "val": 18}])
    assert "Chosen by validation accuracy: model 1" in text
    assert "**77.3 % = 17 of 22 test images**" in text
    assert "The run chosen by validation is 5 test images below the highest" in text


def test_runs_no_better_than_the_commonest_class_are_named():
    text = say([{"right": 20}, {"right": 11}, {"right": 9}])
    assert "would be right on 50.0 % = 11 of 22 test images; models 2, 3 are right on no" in text
    assert "every finished run is right on more" in say([{"right": 20}, {"right": 13}])


def test_all_skipped_but_one():
    text = say([{"status": "skipped"}, {"right": 20}, {"status": "skipped"}])
    assert text.startswith("1 of 3 runs finished; models 1, 3 skipped.")
    assert "Only one run has finished, so there is nothing to compare it with." in text
    assert not re.search(r"ahead|Highest|Mean|By ", text)


def test_hardware_that_did_not_run_is_not_judged():
    text = say([{"right": 20}, {"right": 15}, {"status": "skipped", "hardware_type": "gpu"}])
    assert "every finished run has cpu; nothing can be said about gpu." in text


def test_nothing_finished():
    for rows in ([{"status": "failed"}] * 2, [{"status": "skipped"}], []):
        lines = conclusions(make_table(rows))
        assert lines[-1] == "No run has finished, so nothing can be said about the models."
        assert len(lines) == 2


def test_unpaired_means_are_said_to_be_so():
    text = say(
        [
            {"right": 22, "opt_alg": "adam", "classifier_head": "multi"},
            {"right": 12, "opt_alg": "sgd"},
        ]
    )
    assert "No two of their runs differ in nothing else, so the means compare unlike runs." in text
    table = make_table([{"right": 22}, {"right": 21}, {"right": 12, "opt_alg": "sgd"}])
    assert "Runs with equal settings here differ in others" in "\n".join(conclusions(table))


def test_other_test_images_are_not_compared():
    text = say([{"right": 20}, {"right": 15, "n": 18}])
    assert "not tested on the same images" in text
    assert not re.search(r"ahead|Highest|By ", text)


def test_every_number_and_name_is_one_of_the_table(tmp_path):
    """No sentence may name a run that is not there, or a percentage that no column holds."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        rows = [
            {"right": int(rng.integers(8, 23)), "val": int(rng.integers(10, 19)), "n_val": 18,
             "opt_alg": opt, "classifier_head": head, "val_loss": float(rng.uniform())}
            for opt in ("adam", "sgd") for head in ("single", "multi")
        ]  # fmt: skip
        table = make_table(rows)
        text = "\n".join(conclusions(table))
        top = table.accuracy.max()
        winners = table.loc[table.accuracy == top, "model_id"].tolist()
        if "Highest" in text:
            named = re.search(r"Highest test accuracy: .*?, by models? ([\d, –]+)", text).group(1)
            first = int(re.match(r"\d+", named).group())
            assert first == winners[0]
        for factor in ("opt_alg", "classifier_head"):
            means = table.groupby(factor).accuracy.mean()
            for ahead, behind in re.findall(r"(\w+) is ahead of (\w+) by", text):
                if ahead in means and behind in means:
                    assert means[ahead] > means[behind]
        for right, n in re.findall(r"= (\d+) of (\d+) test", text):
            values = {*(table.accuracy * 22).round().astype(int), 11}
            assert int(n) == 22 and int(right) in values
