"""Each parameter says where it acts, and every key of a run is made of that."""

import pytest
from pydantic import BaseModel, Field

from gellib.config import FACTS, OUTPUT_FIELDS, REPEAT_PARAMETERS, STAGES, RunConfig, config_key
from gellib.config.param import read_facts
from gellib.sweeps.feature_tasks import feature_key

# Another value than the default, with what it needs beside it.
OTHERS = {
    "hardware_type": {"hardware_type": "gpu"},
    "classifier_head": {"classifier_head": "multi"},
    "opt_alg": {"opt_alg": "sgd"},
    "evaluation": {"evaluation": "holdout"},
    "split": {"split": "random"},
    "imbalance": {"imbalance": "sampler"},
    "input_adapter": {"input_adapter": "sum"},
    "color": {"color": "rgb"},
    "contrast": {"contrast": "stretch"},
    "precision": {"precision": "fp32"},
    "nesterov": {"nesterov": True, "opt_alg": "sgd"},
    "unfreeze_epoch": {"unfreeze_epoch": 3, "trainable": "all"},
    "unfreeze_learning_rate": {
        "unfreeze_learning_rate": 0.1, "unfreeze_epoch": 3, "trainable": "all",
    },
    "label_smoothing": {"label_smoothing": 0.1},
    "layer_decay": {"layer_decay": 0.5},
    "dropout": {"dropout": 0.3},
    "momentum": {"momentum": 0.5},
    "val_fraction": {"val_fraction": 0.3},
    "test_fraction": {"test_fraction": 0.3},
}  # fmt: skip


def changed(name):
    """Give the default configuration, and the same with another value of one parameter."""
    default = getattr(RunConfig(), name)
    own = {bool: lambda: not default, int: lambda: default + 1, float: lambda: default + 0.5}
    other = OTHERS.get(name) or {name: own.get(type(default), lambda: "other")()}
    needed = {key: value for key, value in other.items() if key != name}
    return RunConfig.check(needed), RunConfig.check(other)


@pytest.mark.parametrize("name", RunConfig.model_fields)
def test_a_key_changes_with_the_parameters_of_its_stages_alone(name):
    one, two = changed(name)
    stage = FACTS[name].stage
    for number, upto in enumerate(STAGES):
        decided = stage in STAGES[: number + 1]
        assert (one.key(upto) != two.key(upto)) == decided, upto
    assert (one.hash() != two.hash()) == (stage != "output")
    same = feature_key(one, "images", {}, {}) == feature_key(two, "images", {}, {})
    assert same == (stage in ("head", "output"))


def test_hashes_are_those_of_the_version_with_further_training_images():
    assert RunConfig().hash() == "babc9738ea63"
    assert RunConfig(cache_dir="elsewhere", run_dir="x").hash() == "babc9738ea63"


def test_features_without_views_do_not_depend_on_the_augmentation():
    none = RunConfig(augmentation="none")
    solved = RunConfig(opt_alg="lbfgs")
    assert feature_key(none, "", {}, {}) == feature_key(solved, "", {}, {})


@pytest.mark.parametrize(
    "other",
    [
        {"version": 2, "libraries": {"torch": "2", "pillow": "11"}, "auto": {"cpu": "fp32"}},
        {"version": 1, "libraries": {"torch": "2", "pillow": "12"}, "auto": {"cpu": "fp32"}},
        {"version": 1, "libraries": {"torch": "3", "pillow": "11"}, "auto": {"cpu": "fp32"}},
        {"version": 1, "libraries": {"torch": "2", "pillow": "11"}, "auto": {"cpu": "bf16"}},
    ],
    ids=["kind of features", "pillow", "torch", "precision"],
)
def test_features_of_another_version_are_not_those_that_a_sweep_shares(other):
    own = {"version": 1, "libraries": {"torch": "2", "pillow": "11"}, "auto": {"cpu": "fp32"}}
    assert feature_key(RunConfig(), "", {}, own) != feature_key(RunConfig(), "", {}, other)


def test_a_parameter_without_a_stage_is_refused():
    class Careless(BaseModel):
        rate: float = Field(0.1, description="step size")

    with pytest.raises(TypeError, match="parameter 'rate' has no stage"):
        read_facts("rate", Careless.model_fields["rate"])


def test_repeats_and_outputs_are_no_factors():
    assert set(REPEAT_PARAMETERS) == {"seed", "fold"}
    assert not any(FACTS[name].factor for name in (*REPEAT_PARAMETERS, *OUTPUT_FIELDS, "model_id"))
    assert FACTS["learning_rate"].factor


def test_labels_are_words_and_differ():
    labels = [facts.label for facts in FACTS.values()]
    assert len(set(labels)) == len(labels)
    assert FACTS["pretrained_model"].label == "architecture"
    assert (FACTS["learning_rate"].label, FACTS["learning_rate"].short) == ("learning rate", "lr")


def test_keys_of_records_leave_out_what_their_version_did_not_know():
    values = RunConfig().model_dump()
    del values["lbfgs_c"]
    assert config_key(values, "split") == RunConfig().key("split")
    assert config_key(values) != RunConfig().key()
