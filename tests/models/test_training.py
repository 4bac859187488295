import json
import time

import numpy as np
import pytest
import torch
from making.folders import make_split_stripes
from safetensors import safe_open
from safetensors.torch import save_file

from gellib.config import RunConfig
from gellib.data.images import read_image
from gellib.models.backbones import build_backbone, resolve_precision
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore, calibrate_on_images
from gellib.models.heads import build_head
from gellib.models.training import (
    ModelError,
    load_model,
    predict_images,
    predict_proba,
    save_model,
    time_inference,
    train,
)

pytestmark = pytest.mark.slow

COLUMNS = (
    "epoch train_loss val_loss train_accuracy val_accuracy train_f1 val_f1 learning_rate seconds"
).split()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_split_stripes(tmp_path_factory.mktemp("set") / "images", per_class=10)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FeatureStore(tmp_path_factory.mktemp("cache"))


def config(**changes):
    return RunConfig(**({"num_epochs": 3, "batch_size": 4, "image_size": 32} | changes))


def backbone(**changes):
    return build_backbone("resnet18", **({"weights": "none", "image_size": 32} | changes))


def same_state(a, b):
    a, b = a.state_dict(), b.state_dict()
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def without_times(history):
    return history.drop(columns="seconds")


def test_history_has_a_row_an_epoch(images, store):
    result = train(config(), images, backbone(), Compute(store=store))
    assert list(result.history.columns) == COLUMNS
    assert list(result.history["epoch"]) == [1, 2, 3]
    assert (result.history["learning_rate"] == 0.001).all()
    assert result.history["train_accuracy"].between(0, 1).all()
    assert result.seconds == result.features_s + result.training_s > 0
    assert not result.head.training


@pytest.mark.parametrize("head", ["single", "multi"])
@pytest.mark.parametrize("opt_alg", ["adam", "sgd"])
def test_it_learns(images, store, head, opt_alg):
    settings = config(num_epochs=20, classifier_head=head, opt_alg=opt_alg, augmentation="none")
    result = train(settings, images, backbone(), Compute(store=store))
    history = result.history
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    rows = np.flatnonzero(images.table["split"] == "test")
    probabilities = predict_proba(
        result.backbone, result.head, images, Compute(store=store), rows=rows
    )
    labels = images.table["label"].to_numpy()[rows]
    assert (probabilities.argmax(1) == labels).mean() >= 0.75


def test_sgd_is_that_of_the_reference(images, store):
    settings = config(num_epochs=1, batch_size=100, opt_alg="sgd", augmentation="none")
    result = train(settings, images, backbone(), Compute(store=store))
    again = train(
        config(num_epochs=3, batch_size=100, opt_alg="sgd", augmentation="none"),
        images,
        backbone(),
        Compute(store=store),
    )
    features = torch.from_numpy(np.array(store.unaugmented(images, result.backbone)))
    train_rows = (images.table["split"] == "train").to_numpy(copy=True)
    x, y = features[train_rows], torch.tensor(images.table["label"].to_numpy()[train_rows])
    head = build_head("single", 512, 2, seed=0)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.001, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(again.head[0].weight, head[0].weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("augmentation", "views"),
    [("none", 0), ("none", 2), *(("random_resized_crop rotation(10)", n) for n in (0, 1, 2, 9))],
)
@pytest.mark.parametrize("weights", ["none"])
def test_cached_training_equals_online_training(images, store, augmentation, views, weights):
    settings = config(
        classifier_head="multi",
        precision="fp32",
        augmentation=augmentation,
        weights=weights,
        views=views,
    )
    compute = Compute(precision="fp32", store=store)
    cached = train(settings, images, backbone(), compute)
    online = train(settings, images, backbone(), compute, cached=False)
    np.testing.assert_allclose(
        without_times(cached.history), without_times(online.history), rtol=1e-3, atol=1e-4
    )
    for a, b in zip(cached.head.parameters(), online.head.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=2e-4)


def test_the_same_again_is_the_same_to_the_last_bit(images, tmp_path):
    torch.manual_seed(1)
    first = train(
        config(classifier_head="multi"),
        images,
        backbone(),
        Compute(store=FeatureStore(tmp_path / "a")),
    )
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    second = train(
        config(classifier_head="multi"),
        images,
        backbone(),
        Compute(store=FeatureStore(tmp_path / "b")),
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert same_state(first.head, second.head)
    assert without_times(first.history).equals(without_times(second.history))
    other = train(
        config(classifier_head="multi", seed=1),
        images,
        backbone(),
        Compute(store=FeatureStore(tmp_path / "a")),
    )
    assert not same_state(first.head, other.head)


@pytest.mark.parametrize("cached", [True, False])
def test_a_frozen_backbone_is_left_as_it_is(images, store, cached):
    network = backbone()
    calibrate_on_images(store, images, np.arange(10), network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train(config(), images, network, Compute(store=store), cached=cached)
    after = network.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_reinit_trains_the_first_convolution_and_the_head(images, store, tmp_path):
    settings = config(input_adapter="reinit", num_epochs=2)
    network = backbone(input_adapter="reinit")
    calibrate_on_images(store, images, np.arange(10), network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = train(settings, images, network, Compute(store=store))
    after = result.backbone.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed == ["network.conv1.weight"]
    assert result.precision == resolve_precision("auto", "cpu")
    save_model(tmp_path / "m.safetensors", result.head, result.backbone, {})
    loaded, head, _ = load_model(tmp_path / "m.safetensors")
    expected = predict_proba(result.backbone, result.head, images, Compute(store=store))
    assert np.array_equal(predict_proba(loaded, head, images), expected)


def test_nothing_to_train_on_is_said(images, store):
    from dataclasses import replace

    untold = replace(images, table=images.table.assign(split=""))
    with pytest.raises(ValueError, match="no image is in the split 'train'"):
        train(config(), untold, backbone(), Compute(store=store))


def test_another_precision_than_that_of_the_configuration_is_refused(images, store):
    with pytest.raises(ValueError, match="precision: got 'bf16' .* and 'auto' in"):
        train(config(), images, backbone(), Compute(precision="bf16", store=store))


def test_training_without_a_store_is_refused(images):
    with pytest.raises(ValueError, match="store: got None; training needs a FeatureStore"):
        train(config(), images, backbone(), Compute())


def test_training_a_head_takes_no_time(images, store):
    result = train(
        config(num_epochs=20, augmentation="none"), images, backbone(), Compute(store=store)
    )
    assert result.training_s < 3  # 0.2 s on an idle machine


class TestModels:
    @pytest.fixture(scope="class")
    @staticmethod
    def trained(images, store):
        return train(config(), images, backbone(), Compute(store=store))

    def test_round_trip_gives_equal_probabilities(self, trained, images, tmp_path):
        path = tmp_path / "new folder" / "model.safetensors"
        save_model(path, trained.head, trained.backbone, {"classes": list(images.classes)})
        network, head, metadata = load_model(path)
        assert metadata["classes"] == ["gel", "not_gel"]
        assert metadata["backbone"]["weights"]["source"] == "seed 0"
        assert network.identity() == trained.backbone.identity()
        expected = predict_proba(trained.backbone, trained.head, images)
        assert np.array_equal(predict_proba(network, head, images), expected)
        assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]
        assert path.stat().st_size < 200_000

    def test_other_random_weights_are_noticed(self, trained, tmp_path):
        path = tmp_path / "model.safetensors"
        save_model(path, trained.head, trained.backbone, {})
        change(path, lambda facts: facts["backbone"].update(seed=1))
        with pytest.raises(ModelError, match="draws other random weights: train the model again"):
            load_model(path)

    def test_a_changed_weights_file_is_noticed(self, images, store, tmp_path):
        weights = tmp_path / "w.safetensors"
        state = backbone().network.state_dict()
        save_file(state, weights)
        settings = config(weights=str(weights))
        result = train(settings, images, backbone(weights=str(weights)), Compute(store=store))
        path = tmp_path / "model.safetensors"
        save_model(path, result.head, result.backbone, {})
        network, _, _ = load_model(path)
        assert network.weights.name == "w.safetensors"
        state["conv1.weight"] *= 2
        save_file(state, weights)
        with pytest.raises(ModelError, match=r"trained with weights of sha256 .*original file"):
            load_model(path)

    def test_other_shipped_weights_are_noticed(self, trained, tmp_path):
        path = tmp_path / "model.safetensors"
        save_model(path, trained.head, trained.backbone, {})
        change(path, lambda facts: facts["backbone"]["weights"].update(name="labsim"))
        with pytest.raises(ModelError, match="come with gellib have changed since: train"):
            load_model(path)

    def test_the_contrast_is_kept_with_the_model(self, images, tmp_path):
        stretched = backbone(contrast="stretch")
        head = build_head("single", stretched.dim, 2, seed=0)
        path = tmp_path / "model.safetensors"
        save_model(path, head, stretched, {})
        network, _, _ = load_model(path)
        assert network.preprocessing.contrast == "stretch"
        expected = predict_proba(stretched, head, images)
        assert np.array_equal(predict_proba(network, head, images), expected)
        # A model of before there was a choice.
        change(path, lambda facts: facts["backbone"]["preprocessing"].pop("contrast"))
        assert load_model(path)[0].preprocessing.contrast == "none"

    def test_other_files_are_refused(self, tmp_path):
        (tmp_path / "a").write_bytes(b"no")
        save_file({"x": torch.zeros(1)}, tmp_path / "b")
        for name in ("a", "b"):
            with pytest.raises(ModelError, match="not a model of gellib"):
                load_model(tmp_path / name)

    def test_our_names_in_the_metadata_are_taken(self, trained, tmp_path):
        with pytest.raises(ModelError, match="metadata: got head, which the format itself uses"):
            save_model(tmp_path / "m", trained.head, trained.backbone, {"head": "single"})


def change(path, how):
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["gellib"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    how(facts)
    save_file(tensors, path, metadata={"gellib": json.dumps(facts)})


class TestPredict:
    @pytest.fixture(scope="class")
    @staticmethod
    def trained(images, store):
        return train(config(), images, backbone(), Compute(store=store))

    def test_from_the_cache_from_files_and_from_memory(self, trained, images, store):
        parts = (trained.backbone, trained.head)
        rows = [3, 1, 8]
        stored = predict_proba(*parts, images, Compute(store=store), rows=rows)
        read = predict_proba(*parts, images, rows=rows)
        arrays = [read_image(images.table["path"][row]) for row in rows]
        held = predict_images(*parts, arrays)
        assert stored.dtype == np.float64
        np.testing.assert_allclose(stored.sum(1), 1)
        np.testing.assert_allclose(read, stored, atol=0.02)
        assert np.array_equal(held, read)
        assert predict_proba(*parts, images, rows=[]).shape == (0, 2)

    def test_time_is_really_measured(self, trained, images):
        seconds, images_per_s = time_inference(trained.backbone, trained.head, images)
        assert seconds > 0
        assert images_per_s == pytest.approx(len(images.table) / seconds)
        none = time_inference(trained.backbone, trained.head, images, rows=[])
        assert none.seconds == 0

    @pytest.mark.parametrize("each_s, sizes", [(0.04, [1, 8, 16]), (0.1, [1, 4, 8]), (0.3, [1, 2])])
    def test_of_many_images_as_many_are_timed_as_half_a_second_holds(
        self, trained, images, monkeypatch, each_s, sizes
    ):
        asked = []

        def predict(*_, rows, **__):
            asked.append(list(rows))
            time.sleep(each_s * len(rows))

        monkeypatch.setattr("gellib.models.training.inference.predict_proba", predict)
        timed = time_inference(trained.backbone, trained.head, images, rows=range(0, 4000, 2))
        assert [len(rows) for rows in asked] == sizes
        seen, timed_images = sorted(sum(asked[1:], [])), sum(sizes[1:])
        assert len(set(seen)) == timed_images and max(np.diff(seen)) < 2 * 4000 / timed_images
        assert timed.images_per_s == pytest.approx(1 / each_s, rel=0.1)
        assert timed.seconds == pytest.approx(2000 / timed.images_per_s)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("adapter", ["replicate", "reinit"])
def test_cuda_trains_the_same_twice(images, tmp_path, adapter):
    settings = config(hardware_type="gpu", classifier_head="multi", input_adapter=adapter)
    results = [
        train(
            settings,
            images,
            backbone(input_adapter=adapter),
            Compute(torch.device("cuda"), store=FeatureStore(tmp_path / name)),
        )
        for name in "ab"
    ]
    assert same_state(results[0].head, results[1].head)
    save_model(tmp_path / "m", results[0].head, results[0].backbone, {})
    network, head, _ = load_model(tmp_path / "m")
    on_cpu = predict_proba(network, head, images, Compute(precision="fp32"))
    on_gpu = predict_proba(
        results[0].backbone, results[0].head, images, Compute(torch.device("cuda"))
    )
    np.testing.assert_allclose(on_cpu, on_gpu, atol=0.03)
