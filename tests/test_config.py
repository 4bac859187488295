"""Parameters: what is accepted, what is refused, and in which words."""

import pytest

from gellib.base.paths import PROJECT_ROOT, find_path
from gellib.config import ConfigError, RunConfig
from gellib.config.expressions import check_augmentation, check_schedule


def test_defaults_are_those_of_the_gel_classifier():
    config = RunConfig()
    assert (config.learning_rate, config.batch_size, config.num_epochs) == (0.001, 23, 20)
    assert (config.pretrained_model, config.classifier_head, config.opt_alg) == (
        "resnet18",
        "single",
        "adam",
    )


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(
        ConfigError, match="'learnin_rate' is unknown: did you mean 'learning_rate'"
    ):
        RunConfig.check({"learnin_rate": 0.1})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "opt_alg",
            "adm",
            r"'opt_alg' .*got 'adm', but input should be 'adam', 'adamw', 'sgd' or 'lbfgs'; did",
        ),
        ("batch_size", 0, r"'batch_size' .*got 0, but input should be greater than or equal to 1"),
        ("batch_size", "8", r"'batch_size' .*got '8', but input should be a valid integer"),
        ("num_epochs", True, r"'num_epochs' .*got True"),
        ("val_fraction", 1.0, r"'val_fraction' .*got 1.0, but input should be less than 1"),
        ("fold", 5, r"'fold' .*got 5, but the folds are 0 to 4$"),
        ("learning_rate", float("nan"), r"'learning_rate' .*got nan"),
    ],
)
def test_wrong_value_says_got_and_expected(name, value, words):
    with pytest.raises(ConfigError, match=words):
        RunConfig.check({name: value})


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        RunConfig.check({"epochs": 3, "opt_alg": "adagrad", "seed": -1})
    assert len(str(caught.value).splitlines()) == 3


def test_parameters_that_do_not_go_together_are_named():
    with pytest.raises(ConfigError, match="^parameter nesterov: got True with opt_alg 'adam'"):
        RunConfig.check({"nesterov": True})
    assert RunConfig(nesterov=True, opt_alg="sgd").nesterov


@pytest.mark.parametrize(
    ("change", "method"),
    [
        ({}, "cv"),
        ({"opt_alg": "lbfgs"}, "cv"),
        ({"evaluation": "holdout"}, "holdout"),
        ({"trainable": "last:1"}, "holdout"),
        ({"trainable": "all", "unfreeze_epoch": 2}, "holdout"),
        ({"input_adapter": "reinit"}, "holdout"),
        *(({"split": split}, "holdout") for split in ("random", "mask", "kfold")),
    ],
)
def test_a_frozen_network_is_cross_validated_unless_a_split_is_asked_for(change, method):
    config = RunConfig(**change)
    assert config.evaluation_method == method
    if method == "holdout" and "evaluation" not in change:
        name = next(iter(change))
        with pytest.raises(ConfigError, match=f"evaluation: got 'cv' with {name} "):
            RunConfig.check({**change, "evaluation": "cv"})


def test_whole_numbers_are_taken_for_fractions():
    assert RunConfig.check({"learning_rate": 1}).learning_rate == 1.0


def test_hash_changes_with_what_is_computed_and_only_with_that():
    base = RunConfig()
    assert base.hash() == RunConfig(run_dir="elsewhere", cache_dir="c", model_path="m").hash()
    others = {
        RunConfig(**change).hash() for change in ({"seed": 1}, {"num_epochs": 2}, {"model_id": 2})
    }
    assert len(others | {base.hash()}) == 4


def test_config_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().seed = 3


def test_from_notebook_takes_parameters_and_finds_stray_ones():
    namespace = {"__name__": "__main__", "_i1": "x", "In": [""], "Out": {}, "pd": pytest, "seed": 3}
    assert RunConfig.from_notebook(namespace) == RunConfig(seed=3)
    with pytest.raises(ConfigError, match="'sed' is unknown: did you mean 'seed'"):
        RunConfig.from_notebook({**namespace, "sed": 4})


def test_notebooks_show_the_message_and_no_traceback():
    with pytest.raises(ConfigError) as caught:
        RunConfig.check({"opt_alg": "x"})
    assert caught.value._render_traceback_()[0].startswith("ConfigError: parameter 'opt_alg'")


def test_paths_are_found_from_here_and_from_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert find_path("mine") == tmp_path / "mine"
    assert find_path("notebooks") == PROJECT_ROOT / "notebooks"


@pytest.mark.parametrize(
    ("views", "seen", "frozen"),
    [(0, [1, 2, 3, 4, 5], 5), (1, [1] * 5, 1), (2, [1, 2, 1, 2, 1], 2), (9, [1, 2, 3, 4, 5], 5)],
)
def test_views_are_used_in_turn(views, seen, frozen):
    config = RunConfig(num_epochs=5, views=views)
    assert [config.view_in(epoch) for epoch in range(1, 6)] == seen
    assert config.frozen_views == frozen
    # The layers that are trained later go on with the turn; the frozen network sees less.
    later = RunConfig(num_epochs=5, views=views, trainable="all", unfreeze_epoch=1)
    assert (later.frozen_views, later.view_in(5)) == (1, seen[-1])


LONG = (
    "rotation(" + "[" * 20_000, "rotation(" + "-" * 20_000 + "1)", "horizontal_flip " * 1250,
    "x" * 20_000, "rotation(" + "9" * 20_000 + ")", "(" * 20_000, "[" * 900, "rotation([" * 90,
)  # fmt: skip


@pytest.mark.parametrize("text", LONG, ids=[text[:12] for text in LONG])
def test_long_texts_are_refused_in_a_short_message(text):
    for check in (check_augmentation, check_schedule):
        with pytest.raises(ValueError) as found:
            check(text)
        assert len(str(found.value)) < 3000, "the shortest are shown whole, with what is expected"
    texts = [name for name, field in RunConfig.model_fields.items() if field.annotation is str]
    for name in texts if len(text) > 4096 else ():
        with pytest.raises(ConfigError, match=name) as found:
            RunConfig.check({name: text})
        assert len(str(found.value)) < 500


@pytest.mark.parametrize(
    "inside",
    ["-" * 900 + "1", "[" * 400 + "]" * 400, "1e999", "1, degrees=2", "degrees=1, degrees=2",
     "*[1]", "**{}", "degrees=True", "'1'", "{}: 1", "nan", "{[]}", "{{}: 1}", "1, 2"],
)  # fmt: skip
def test_numbers_of_a_step_are_numbers_given_once(inside):
    with pytest.raises(ValueError, match="rotation"):
        check_augmentation(f"rotation({inside})")


FLOATS = [name for name, field in RunConfig.model_fields.items() if field.annotation is float]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_numbers_are_finite(name, value):
    with pytest.raises(ConfigError, match=name):
        RunConfig.check({name: value})


def test_a_name_that_is_no_text_is_refused():
    with pytest.raises(ConfigError, match="no text"):
        RunConfig.check({"\ud800": 1})
