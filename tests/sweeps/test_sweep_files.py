"""Sweep files: expanded as written, refused in plain words."""

import itertools
import json

import pytest
import torch
from making.folders import make_files
from making.records import make_cv_record

from gellib.base.paths import PROJECT_ROOT
from gellib.config import RunConfig
from gellib.labsim.simulate import SYSTEMS
from gellib.models.backbones import check_backbone, find_source
from gellib.models.backbones.layers import list_layers, trained_layers
from gellib.runs import Record
from gellib.sweeps import SweepError, list_sweeps, load_sweep
from gellib.sweeps.feature_tasks import feature_key, has_shared_features
from gellib.sweeps.plan import _difference, find_sweep_images
from gellib.training_run import check_network

# By name: a clone in use has sweep files of its own there, too.
OURS = [
    PROJECT_ROOT / "runs" / f"{name}.yaml" for name in ("alzheimer", "brain_mri", "gel", "protein")
]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("system", ["", "system: gel\n"])
@pytest.mark.parametrize("given", [{}, {"overrides": {"dataset_dir": "my"}}, {"out": "mine"}])
def test_the_question_of_a_set_of_gellibs_is_not_asked_of_other_images(tmp_path, system, given):
    file = tmp_path / "s.yaml"
    file.write_text(f"name: s\npurpose: Which gel?\n{system}params: {{dataset_dir: x}}\n")
    assert load_sweep(file, **given).purpose == ("" if system and given else "Which gel?")


def test_gel_sweep_has_the_24_models_in_their_order():
    sweep = load_sweep(PROJECT_ROOT / "runs" / "gel.yaml")
    names = list(sweep.configs)
    assert len(names) == 24
    assert names[0] == "01-cpu-resnet18-single-adam"
    assert names[3] == "04-cpu-resnet18-multi-sgd"
    assert names[4] == "05-cpu-vgg16-single-adam"
    assert names[23] == "24-gpu-mobilenet-v3-multi-sgd"
    assert [config.model_id for config in sweep.configs.values()] == list(range(1, 25))
    assert sweep.folder == PROJECT_ROOT / "runs" / "gel"


def test_override_of_a_varied_parameter_varies_it_no_more(tmp_path):
    sweep = load_sweep(
        PROJECT_ROOT / "runs" / "gel.yaml",
        overrides={"hardware_type": "cpu", "num_epochs": 2},
        out=tmp_path,
    )
    assert len(sweep.configs) == 12
    assert {c.num_epochs for c in sweep.configs.values()} == {2}
    assert sweep.folder == tmp_path


def test_list_of_runs_builds_on_earlier_ones(tmp_path):
    file = write(
        tmp_path / "s.yaml",
        """
name: s
params: {num_epochs: 3}
runs:
  - {name: base, pretrained_model: resnet18}
  - {name: bigger, like: base, batch_size: 50}
  - {name: last, like: bigger, opt_alg: sgd}
""",
    )
    configs = load_sweep(file).configs
    assert list(configs) == ["01-base", "02-bigger", "03-last"]
    last = configs["03-last"]
    assert (last.num_epochs, last.batch_size, last.opt_alg) == (3, 50, "sgd")


def test_seeds_repeat_every_configuration(tmp_path):
    file = write(tmp_path / "s.yaml", "name: s\ngrid: {opt_alg: [adam, sgd]}\nseeds: [0, 7]\n")
    configs = load_sweep(file).configs
    assert list(configs) == ["01-adam-seed0", "01-adam-seed7", "02-sgd-seed0", "02-sgd-seed7"]
    assert [c.seed for c in configs.values()] == [0, 7, 0, 7]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: s\ngird: {}\n", "key 'gird' is unknown: did you mean 'grid'"),
        ("purpose: x\n", "key 'name' is missing"),
        ("name: [\n", "is not YAML"),
        ("just text\n", "expected keys such as `name`"),
        ("name: s\ngrid: {opt_alg: []}\n", "no runs"),
        ("name: s\nruns: [{like: other}]\n", "`like: other`, which is no earlier run"),
        ("name: s\nnotebook: none.ipynb\n", "notebook 'none.ipynb' does not exist"),
        (
            "name: s\nruns: [{model_id: 1, name: a}, {model_id: 1, name: a}]\n",
            "two runs are called",
        ),
    ],
)
def test_bad_files_are_refused_in_plain_words(tmp_path, text, words):
    with pytest.raises(SweepError, match=words):
        load_sweep(write(tmp_path / "s.yaml", text))


def test_wrong_parameters_are_all_named_before_anything_runs(tmp_path):
    file = write(
        tmp_path / "s.yaml", "name: s\nparams: {epochs: 3}\ngrid: {opt_alg: [adam, sdg]}\n"
    )
    with pytest.raises(SweepError) as caught:
        load_sweep(file)
    assert "'epochs' is unknown" in str(caught.value)
    assert "in 2 runs" in str(caught.value)
    assert "did you mean 'sgd'" in str(caught.value)


def test_missing_file_names_what_there_is(tmp_path):
    write(tmp_path / "gel.yaml", "name: s")
    with pytest.raises(SweepError, match="no such sweep file: .*gle.yaml; there are: gel.yaml"):
        load_sweep(tmp_path / "gle.yaml")


def test_folder_names_are_safe_for_every_file_system(tmp_path):
    file = write(tmp_path / "s.yaml", "name: s\ngrid: {weights: ['a b/c{d}.safetensors', none]}\n")
    assert list(load_sweep(file).configs) == ["01-a_b_c_d_.safetensors", "02-none"]


def test_quick_look_shrinks_what_was_not_set_by_hand(tmp_path):
    file = write(
        tmp_path / "s.yaml",
        """
name: s
purpose: Why?
params: {image_size: 32, augmentation: none}
grid: {num_epochs: [1, 40], batch_size: [8]}
seeds: [3, 4]
""",
    )
    sweep = load_sweep(file, quick=True)
    assert sweep.name == "s-quick" and sweep.folder == tmp_path / "s-quick"
    assert sweep.purpose.startswith("A quick test") and sweep.purpose.endswith("Why?")
    configs = list(sweep.configs.values())
    assert [c.num_epochs for c in configs] == [1, 2]
    assert {(c.image_size, c.max_images, c.seed, c.augmentation) for c in configs} == {
        (32, 96, 3, "none")
    }
    by_hand = load_sweep(file, quick=True, overrides={"num_epochs": 9, "image_size": 128})
    assert {(c.num_epochs, c.image_size) for c in by_hand.configs.values()} == {(9, 128)}
    full = load_sweep(file)
    assert full.folder == tmp_path / "s" and len(full.configs) == 4
    assert {c.max_images for c in full.configs.values()} == {0}


def test_sweeps_of_a_folder_are_listed_with_those_that_are_broken(tmp_path):
    write(tmp_path / "a.yaml", "name: a\nparams: {seed: 1}")
    write(tmp_path / "b.yaml", "nam: b")
    found = list_sweeps(tmp_path)
    assert [path.name for path in found] == ["a.yaml", "b.yaml"]
    good, broken = found.values()
    assert len(good.configs) == 1
    assert isinstance(broken, SweepError) and "'nam' is unknown" in str(broken)


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
def test_every_sweep_of_ours_says_what_for_and_has_images_to_stand_in(file):
    sweep = load_sweep(file)
    assert sweep.purpose.endswith("?") and sweep.name == file.stem
    assert sweep.system in SYSTEMS
    assert {config.dataset_dir for config in sweep.configs.values()} == {f"dataset/{sweep.system}"}


def layers_trained(config):
    """Names of all layers of a run's network, and of those that it trains; takes no memory."""
    with torch.device("meta"):
        name = check_backbone(config.pretrained_model)
        network = find_source(name).make_network(name, config.image_size)
    return list_layers(network), trained_layers(network, config.trainable)


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.stem)
@pytest.mark.slow
def test_every_run_of_ours_names_layers_and_steps_that_there_are(file):
    for quick in (False, True):
        runs = load_sweep(file, quick=quick).configs.values()
        distinct = {(c.pretrained_model, c.trainable, c.augmentation, c.schedule): c for c in runs}
        for config in distinct.values():
            check_network(config)
            layers_trained(config)


@pytest.mark.slow
def test_every_backbone_of_the_large_comparison_is_one():
    for quick in (False, True):
        sweep = load_sweep(PROJECT_ROOT / "runs" / "backbones.yaml", quick=quick)
        configs = list(sweep.configs.values())
        assert len({config.pretrained_model for config in configs}) == len(configs) >= 30
        assert {(c.weights, c.opt_alg, c.evaluation_method) for c in configs} == {
            ("pretrained", "lbfgs", "cv")
        }
        for config in configs:
            check_network(config)


def test_brain_mri_is_a_grid_from_nothing_and_the_same_networks_by_transfer():
    configs = list(load_sweep(PROJECT_ROOT / "runs" / "brain_mri.yaml").configs.values())
    grid, transfer = configs[:30], configs[30:]
    assert {(c.weights, c.trainable, c.patience, c.num_epochs) for c in configs[:30]} == {
        ("none", "all", 5, 256)
    }
    rates = {(c.pretrained_model, c.batch_size, c.learning_rate) for c in grid}
    assert len(rates) == 30
    assert {c.pretrained_model for c in transfer} == {c.pretrained_model for c in grid}
    assert {(c.weights, c.trainable) for c in transfer} == {("auto", "head"), ("auto", "all")}


def test_protein_has_both_splits_side_by_side_and_thaws_half_way():
    configs = list(load_sweep(PROJECT_ROOT / "runs" / "protein.yaml").configs.values())
    sides = {split: [] for split in ("mask", "random")}
    for config in configs:
        rest = config.model_dump(exclude={"split", "model_id"})
        sides[config.split].append(json.dumps(rest, sort_keys=True))
    assert sorted(sides["mask"]) == sorted(sides["random"]) and len(sides["mask"]) == 6
    assert {(c.unfreeze_epoch, c.num_epochs, c.schedule) for c in configs} == {(5, 10, "one_cycle")}


def test_alzheimer_changes_one_thing_per_run_in_the_order_of_the_nine():
    configs = list(load_sweep(PROJECT_ROOT / "runs" / "alzheimer.yaml").configs.items())
    changed = []
    for (_, before), (_, after) in itertools.pairwise(configs):
        old, new = before.model_dump(), after.model_dump()
        changed.append({name for name in new if new[name] != old[name]} - {"model_id"})
    assert changed == [
        {"augmentation"},
        {"imbalance"},
        {"pretrained_model", "trainable"},
        {"classifier_head", "num_epochs"},
        {"augmentation"},
        {"imbalance"},
        {"opt_alg", "learning_rate"},
        {"classifier_head", "dropout", "trainable"},
    ]
    assert [int(name.split("-")[1][0]) for name, _ in configs] == list(range(9))


@pytest.mark.slow
def test_alzheimer_freezes_the_first_30_layers_then_fewer():
    configs = list(load_sweep(PROJECT_ROOT / "runs" / "alzheimer.yaml").configs.values())
    layers, trained = layers_trained(configs[3])
    assert layers[30:] == list(trained)
    assert len(layers_trained(configs[8])[1]) > len(trained)


def test_missing_images_of_a_system_can_be_simulated(tmp_path):
    file = write(
        tmp_path / "s.yaml", "name: s\nsystem: protein\nparams: {dataset_dir: dataset/nowhere}"
    )
    with pytest.raises(
        SweepError, match="gellib simulate protein --out dataset/nowhere; --quick makes"
    ):
        find_sweep_images(load_sweep(file))


def test_further_training_images_count_and_their_change_is_noticed(tmp_path):
    make_files(tmp_path, *(f"own/{name}/{i}.png" for name in "ab" for i in range(3)))
    make_files(tmp_path, "more/a/7.png")
    grid = f"extra_train_dir: ['', {tmp_path / 'more'}]"
    text = f"name: s\nparams: {{dataset_dir: {tmp_path / 'own'}}}\ngrid:\n  {grid}\n"
    sweep = load_sweep(write(tmp_path / "s.yaml", text))
    without, before = find_sweep_images(sweep).values()
    assert (without.count, before.count) == (6, 7) and not without.extra and before.extra
    make_files(tmp_path, "more/a/8.png")
    same, after = find_sweep_images(sweep).values()
    assert same == without and after.fingerprint == before.fingerprint
    assert after.extra != before.extra
    config = list(sweep.configs.values())[1]
    weights = {"name": "none", "sha256": ""}
    for known, words in ((before, "the further training images have changed"), (after, "")):
        data = {"fingerprint": known.fingerprint, "extra": {"fingerprint": known.extra}}
        values = make_cv_record(config)
        values |= {"data": values["data"] | data, "weights": weights}
        record = Record.parse(values | {"config_hash": config.hash()})
        assert _difference(record, config, after, weights).startswith(words)
        assert bool(words) == bool(_difference(record, config, after, weights))


def test_folds_repeat_every_configuration_and_seed(tmp_path):
    text = "name: s\ngrid: {opt_alg: [adam, sgd]}\nseeds: [3]\nfolds: 2\n"
    file = write(tmp_path / "s.yaml", text)
    configs = load_sweep(file).configs
    assert list(configs) == [
        "01-adam-seed3-fold0", "01-adam-seed3-fold1", "02-sgd-seed3-fold0", "02-sgd-seed3-fold1",
    ]  # fmt: skip
    assert {(c.split, c.folds, c.seed) for c in configs.values()} == {("kfold", 2, 3)}
    assert [c.fold for c in configs.values()] == [0, 1, 0, 1]
    assert len(load_sweep(file, overrides={"fold": 0, "seed": 1}).configs) == 2
    with pytest.raises(SweepError, match="'folds': got 1, expected 2 or more"):
        load_sweep(write(tmp_path / "t.yaml", "name: t\nparams: {num_epochs: 1}\nfolds: 1\n"))


def test_what_builds_on_what_is_kept(tmp_path):
    file = write(
        tmp_path / "s.yaml",
        """
name: s
purpose: why
params: {learning_rate: 0.01}
runs:
  - {name: base, batch_size: 10}
  - {name: more, like: base, batch_size: 20, num_epochs: 5}
  - {name: again, like: more, learning_rate: 0.01, dropout: 0.5}
""",
    )
    info = load_sweep(file).describe()
    assert (info["name"], info["purpose"]) == ("s", "why")
    assert info["runs"] == ["01-base", "02-more", "03-again"]
    base, more, again = info["listed_runs"]
    assert base == {"model_id": 1, "name": "base", "like": None, "changed": {}}
    assert more["like"] == "base"
    assert more["changed"] == {"batch_size": [10, 20], "num_epochs": [20, 5]}
    assert again["changed"] == {"dropout": [0.0, 0.5]}, "the value of all runs is no change"
    _, more, _ = load_sweep(file, quick=True).describe()["listed_runs"]
    assert more["changed"] == {"batch_size": [10, 20]}, "a quick test has two epochs each"
    _, more, _ = load_sweep(file, overrides={"batch_size": 4}).describe()["listed_runs"]
    assert more["changed"] == {"num_epochs": [20, 5]}, "set by hand for all runs"
    grid = write(tmp_path / "g.yaml", "name: g\ngrid: {opt_alg: [adam, sgd]}\n")
    assert "listed_runs" not in load_sweep(grid).describe()


def test_runs_share_features_that_their_heads_are_trained_on():
    def key(**changes):
        return feature_key(RunConfig(**changes), "data", {"name": "none", "sha256": ""}, {})

    same = {"opt_alg": "sgd", "schedule": "cosine", "dropout": 0.5, "imbalance": "sampler"}
    assert key() == key(**same, patience=3, clip_norm=1.0, classifier_head="residual")
    assert key() != key(seed=1)
    assert key(opt_alg="lbfgs") == key(opt_alg="lbfgs", lbfgs_c=1.0, augmentation="none")
    assert key(opt_alg="lbfgs", views=5) == key(augmentation="none", views=2)
    assert key(opt_alg="lbfgs") != key() != key(views=5)
    assert has_shared_features(RunConfig(trainable="all", unfreeze_epoch=1))
    assert not has_shared_features(RunConfig(trainable="all"))
    assert not has_shared_features(RunConfig(input_adapter="reinit"))


def test_the_first_sweep_cross_validates_within_three_runs():
    configs = load_sweep(PROJECT_ROOT / "runs" / "start.yaml").configs.values()
    assert len(configs) == 3
    assert {(c.evaluation_method, c.cv_folds, c.cv_repeats) for c in configs} == {("cv", 5, 5)}


@pytest.mark.parametrize(
    ("trainable", "given", "methods"),
    [
        ("[head]", "", {"cv"}),
        ("[head, 'last:1']", "", {"holdout"}),
        ("['last:1', all]", "", {"holdout"}),
        ("[head]", "evaluation: holdout", {"holdout"}),
    ],
)
def test_all_runs_of_a_sweep_are_evaluated_in_one_way(tmp_path, trainable, given, methods):
    text = f"name: s\nparams: {{num_epochs: 2, {given}}}\ngrid: {{trainable: {trainable}}}\n"
    configs = load_sweep(write(tmp_path / "s.yaml", text.replace(", }", "}"))).configs
    assert {config.evaluation_method for config in configs.values()} == methods


@pytest.mark.parametrize("name", ["brain_mri", "alzheimer", "protein", "gel"])
def test_sweeps_of_the_reference_systems_with_trained_layers_hold_images_out(name):
    configs = load_sweep(PROJECT_ROOT / "runs" / f"{name}.yaml").configs.values()
    assert {c.evaluation_method for c in configs} == {"cv" if name == "gel" else "holdout"}


@pytest.mark.slow
def test_a_sweep_asks_for_features_by_all_that_computes_them():
    import torch

    from gellib.models.features.identity import FEATURES_VERSION, library_versions
    from gellib.sweeps.prepare import probe_machine

    computing = probe_machine([RunConfig(weights="none")]).computing
    assert computing["version"] == FEATURES_VERSION
    assert computing["libraries"] == library_versions()
    assert set(computing["libraries"]) >= {"torch", "torchvision", "timm", "pillow"}
    assert computing["auto"]["cpu"] in ("fp32", "bf16")
    assert ("cuda" in computing["auto"]) == torch.cuda.is_available()
