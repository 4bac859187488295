"""Training more than the head: which layers move, which do not, and on what they are trained."""

import numpy as np
import pytest
import torch
import torchvision
from making.folders import make_split_stripes

from gellib.config import ConfigError, RunConfig
from gellib.models.backbones import (
    BackboneError,
    build_backbone,
    cut_network,
    list_blocks,
    resolve_precision,
    trained_layers,
)
from gellib.models.backbones.devices import DTYPES
from gellib.models.backbones.layers import list_layers
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore, calibrate_on_images
from gellib.models.training import load_model, predict_proba, save_model, train
from gellib.models.training.networks import training_precision
from gellib.models.training.optimise import parameter_groups
from gellib.models.training.phases import plan_phases

pytestmark = pytest.mark.slow

LAYER4 = "network.layer4."
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_split_stripes(tmp_path_factory.mktemp("set") / "images", per_class=8)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "cache")


def config(**changes):
    base = {"num_epochs": 2, "batch_size": 4, "image_size": 32, "augmentation": "none"}
    return RunConfig(**(base | {"precision": "fp32"} | changes))


def backbone(name="resnet18", **changes):
    return build_backbone(name, **({"weights": "none", "image_size": 32} | changes))


def run(images, store, network=None, **changes):
    cached = changes.pop("cached", True)
    network = network or backbone()
    settings = config(**changes)
    compute = Compute(precision=settings.precision, store=store)
    return train(settings, images, network, compute, cached=cached)


def moved(images, store, **changes):
    """Train, and name what of the backbone's state has changed, statistics apart from weights."""
    network = backbone()
    calibrate_on_images(store, images, np.arange(8), network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    result = run(images, store, network, **changes)
    after = result.backbone.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    statistics = {name for name in changed if name.endswith(STATISTICS)}
    return changed - statistics, statistics, result


class TestLayers:
    def test_blocks_hold_every_layer_once(self):
        for name, first, last, count in (
            ("resnet18", "conv1", "layer4.1", 9),
            ("vgg16", "features.0", "classifier.3", 15),
            ("efficientnet_b2", "features.0", "features.8", 25),
            ("densenet121", "features.conv0", "features.denseblock4", 8),
            ("vit_b_16", "conv_proj", "encoder.layers.encoder_layer_11", 13),
        ):
            with torch.device("meta"):
                network = build_network(name)
            blocks = list_blocks(network)
            assert (blocks[0].name, blocks[-1].name, len(blocks)) == (first, last, count)
            together = [layer for block in blocks for layer in block.layers]
            assert sorted(together) == sorted(list_layers(network))

    def test_a_norm_belongs_to_what_it_follows(self):
        assert list_blocks(backbone().network)[0].layers == ("conv1", "bn1")

    def test_names_of_what_is_trained(self):
        network = backbone().network
        assert trained_layers(network, "head") == ()
        assert trained_layers(network, "all") == tuple(list_layers(network))
        assert trained_layers(network, "last:2") == trained_layers(network, "from:layer4")
        one = ("layer4.1.conv2", "layer4.1.bn2")
        assert trained_layers(network, "from:layer4.1.conv2") == one

    def test_thirty_layers_of_efficientnet_b2_are_frozen_from_features_2_2_on(self):
        with torch.device("meta"):
            network = build_network("efficientnet_b2")
        layers = list_layers(network)
        assert trained_layers(network, "from:features.2.2") == tuple(layers[30:])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("last:10", r"got 'last:10', but the backbone has 9 blocks: conv1, layer1.0, "),
            ("from:layer5", r"no layer 'layer5': did you mean 'from:layer\d'\? Expected one"),
            ("lost:3", r"did you mean 'last'\? Expected head, last:<number of blocks>"),
            ("last:0", "Expected head"),
            ("last:-1", "Expected head"),
            ("all:2", "Expected head"),
        ],
    )
    def test_wrong_names_are_explained(self, text, message):
        with pytest.raises(ValueError, match=message):
            trained_layers(backbone().network, text)

    def test_a_run_finds_wrong_names_before_any_work(self):
        from gellib.training_run import check_network

        check_network(RunConfig(trainable="from:features.2.2", pretrained_model="efficientnet_b2"))
        with pytest.raises(ConfigError, match="'trainable': trainable: got 'from:layer9', and"):
            check_network(RunConfig(trainable="from:layer9"))
        with pytest.raises(ConfigError, match="'schedule': schedule: got schedule 'cosin': did"):
            check_network(RunConfig(schedule="cosin"))
        with pytest.raises(ConfigError, match="'monitor': monitor: got 'val_auc': did you mean"):
            check_network(RunConfig(monitor="val_auc"))

    def test_settings_that_do_nothing_are_refused(self):
        with pytest.raises(ConfigError, match="with trainable 'head', so there is nothing"):
            RunConfig.check({"unfreeze_epoch": 2})
        with pytest.raises(ConfigError, match="no epoch is left"):
            RunConfig.check({"unfreeze_epoch": 20, "trainable": "all"})
        with pytest.raises(ConfigError, match="unfreeze_learning_rate: got 0.1 with"):
            RunConfig.check({"unfreeze_learning_rate": 0.1, "trainable": "all"})


def build_network(name):
    from gellib.models.backbones import find_source
    from gellib.models.backbones.network_parts import remove_classifier

    network = find_source(name).make_network(name, 224)
    remove_classifier(network)
    return network


class TestCut:
    @pytest.mark.parametrize("name", ["resnet18", "mobilenet-v3", "densenet121", "vit_b_16"])
    def test_both_parts_together_are_the_network(self, name):
        network = backbone(name, image_size=64).network
        blocks = list_blocks(network)
        x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            for block in (blocks[1], blocks[-1]):
                front, back = cut_network(network, block.name)
                assert torch.equal(back(front(x)), network(x)), block.name

    def test_what_is_passed_by_is_not_cut(self):
        class Skip(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

            def forward(self, x):
                return self.b(self.a(x)) + x

        assert cut_network(Skip(), "b") is None
        assert cut_network(Skip(), "c") is None


class TestWhatMoves:
    def test_the_last_blocks_and_nothing_else(self, images, store):
        weights, statistics, result = moved(images, store, trainable="last:2")
        assert weights == {
            name for name, _ in result.backbone.named_parameters() if name.startswith(LAYER4)
        }
        assert {name.rpartition(".")[0] for name in statistics} == {
            f"network.{name}" for name in result.backbone.batch_norms() if name.startswith("layer4")
        }
        assert result.precision == "fp32"
        assert not result.backbone.frozen

    @pytest.mark.parametrize("cached", [True, False])
    def test_nothing_before_they_are_unfrozen(self, images, store, cached):
        weights, statistics, result = moved(
            images, store, trainable="last:2", unfreeze_epoch=1, cached=cached
        )
        assert all(name.startswith(LAYER4) for name in weights | statistics)
        steps = result.learning_rates.groupby("epoch").size().iloc[0]
        tracked = result.backbone.network.layer4[1].bn2.num_batches_tracked
        assert tracked == steps  # those of the second epoch alone

    def test_all(self, images, store):
        weights, statistics, result = moved(images, store, trainable="all")
        assert weights == {name for name, _ in result.backbone.named_parameters()}
        assert len(statistics) == 3 * len(result.backbone.batch_norms())

    def test_a_new_first_convolution_beside_the_last_block(self, images, store):
        network = backbone(input_adapter="reinit")
        before = {name: value.clone() for name, value in network.named_parameters()}
        settings = {"trainable": "last:1", "unfreeze_epoch": 1, "input_adapter": "reinit"}
        result = run(images, store, network, **settings)
        changed = {
            n for n, v in result.backbone.named_parameters() if not torch.equal(v, before[n])
        }
        assert "network.conv1.weight" in changed
        assert all(name.startswith(("network.conv1", f"{LAYER4}1")) for name in changed)


class TestOnWhat:
    @pytest.mark.parametrize("trainable", ["last:2", "from:layer4.1.conv2"])
    def test_cached_activations_train_as_the_images_do(self, images, store, trainable):
        # Not Adam, which makes a step of any rounding error where there is hardly a gradient.
        settings = {"trainable": trainable, "classifier_head": "multi", "opt_alg": "sgd"}
        cached = run(images, store, **settings)
        assert len(store.files) == 3  # calibration, training and validation images
        online = run(images, store, cached=False, **settings)
        columns = ["train_loss", "val_loss"]
        np.testing.assert_allclose(cached.history[columns], online.history[columns], rtol=1e-4)
        layers = cached.backbone.trained
        start, networks = backbone().network, (cached.backbone.network, online.backbone.network)
        for name, value in start.named_parameters():
            a, b = (network.get_parameter(name) for network in networks)
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=name)
            assert torch.equal(a, value) != (name.rpartition(".")[0] in layers)

    def inputs(self, images, store, **changes):
        from gellib.models.heads import build_head

        network = backbone()
        settings = config(trainable="last:2", **changes)
        layers = trained_layers(network.network, settings.trainable)
        head = build_head("single", 512, 2, seed=0)
        compute = Compute(precision=settings.precision, store=store)
        phases = plan_phases(settings, images, network, head, layers, compute)
        return [type(phase.inputs).__name__ for phase in phases]

    def test_activations_are_used_where_they_can_be(self, images, store, monkeypatch):
        assert self.inputs(images, store) == ["CachedInputs"]
        assert self.inputs(images, store, augmentation="horizontal_flip") == ["OnlineInputs"]
        both = self.inputs(images, store, augmentation="horizontal_flip", unfreeze_epoch=1)
        assert both == ["CachedInputs", "OnlineInputs"]
        monkeypatch.setattr("gellib.models.training.cached_inputs.ACTIVATION_BYTES", 1000)
        assert self.inputs(images, store) == ["OnlineInputs"]


class TestPrecision:
    def types_of_activations(self, network):
        """Write down in which types a convolution's results come out where it is trained."""
        seen = []

        def note(layer, given, result):
            if result.requires_grad:
                seen.append(result.dtype)

        network.network.layer4[1].conv2.register_forward_hook(note)
        return seen

    @pytest.mark.parametrize("trainable", ["all", "last:1"])
    def test_bf16_by_name_trains_in_mixed_precision(self, images, store, trainable):
        network = backbone()
        seen = self.types_of_activations(network)
        # Small steps: batch norms over four images make much of a rounding.
        settings = {"trainable": trainable, "opt_alg": "sgd", "learning_rate": 1e-5}
        mixed = run(images, store, network, precision="bf16", **settings)
        assert set(seen) == {torch.bfloat16}
        assert mixed.precision == "bf16"
        assert {v.dtype for v in mixed.backbone.parameters()} == {torch.float32}
        exact = run(images, store, **settings)
        losses = [result.history["train_loss"] for result in (mixed, exact)]
        assert not losses[0].equals(losses[1])
        np.testing.assert_allclose(*losses, rtol=0.15)

    @pytest.mark.parametrize(
        ("name", "precision", "expected"),
        [
            ("resnet18", "auto", "that of the machine"),
            ("mobilenet_v3_small", "auto", "fp32"),
            ("mobilenet_v3_small", "bf16", "bf16"),
            ("resnet18", "fp32", "fp32"),
            ("resnet18", "fp16", "fp32"),
        ],
    )
    def test_auto_is_bf16_but_where_depthwise_convolutions_are_slow(
        self, monkeypatch, name, precision, expected
    ):
        network = torchvision.models.get_model(name, weights=None)
        compute = Compute(precision=precision)
        for machine in ("bf16", "fp32"):
            monkeypatch.setattr(
                "gellib.models.backbones.devices._has_bf16",
                lambda device, has=machine: has == "bf16",
            )
            found = training_precision(compute, network)
            assert found == (machine if expected == "that of the machine" else expected)

    def test_auto_says_what_it_trained_in(self, images, store):
        network = backbone()
        seen = self.types_of_activations(network)
        result = run(images, store, network, trainable="all", precision="auto")
        assert set(seen) == {DTYPES[result.precision]}
        assert result.precision == resolve_precision("auto", "cpu")


class TestRates:
    def test_each_block_learns_slower_than_the_next(self):
        from gellib.models.heads import build_head

        network, head = backbone(), build_head("single", 512, 2, seed=0)
        network.unfreeze(trained_layers(network.network, "from:layer3"))
        groups = parameter_groups(network, head, 0.8, 0.5)
        assert [group["lr"] for group in groups] == [0.8, 0.4, 0.2, 0.1, 0.05]
        sizes = [sum(p.numel() for p in group["params"]) for group in groups]
        assert sum(sizes) == sum(p.numel() for p in network.parameters() if p.requires_grad) + (
            512 * 2 + 2
        )
        assert groups[1]["params"][0] is network.network.layer4[1].conv1.weight

    def test_rate_and_schedule_begin_anew_when_unfrozen(self, images, store):
        result = run(
            images,
            store,
            trainable="last:1",
            num_epochs=6,
            unfreeze_epoch=3,
            unfreeze_learning_rate=0.0005,
            schedule="cosine",
        )
        rates = result.history["learning_rate"]
        np.testing.assert_allclose(rates[:3], 0.001 * np.array([1, 0.75, 0.25]))
        np.testing.assert_allclose(rates[3:], 0.0005 * np.array([1, 0.75, 0.25]))


class TestModels:
    @pytest.mark.parametrize(
        "settings", [{"trainable": "last:1"}, {"trainable": "all"}], ids=["last", "all"]
    )
    def test_a_trained_network_is_stored_and_found_again(self, images, store, tmp_path, settings):
        result = run(images, store, **settings)
        path = tmp_path / "model.safetensors"
        save_model(path, result.head, result.backbone, {"classes": ["gel", "not_gel"]})
        network, head, facts = load_model(path)
        assert tuple(facts["backbone"]["trained"]) == result.backbone.trained != ()
        expected = predict_proba(result.backbone, result.head, images, Compute(store=store))
        assert np.array_equal(predict_proba(network, head, images), expected)
        assert network.identity() == result.backbone.identity()
        untrained = predict_proba(backbone(), head, images)
        assert np.abs(untrained - expected).max() > 1e-3

    def test_the_best_epoch_of_a_trained_network_is_put_back(self, images, store):
        result = run(
            images,
            store,
            trainable="last:1",
            num_epochs=30,
            patience=2,
            learning_rate=0.01,
            unfreeze_epoch=1,
        )
        rows = np.flatnonzero(images.table["split"] == "val")
        probabilities = predict_proba(
            result.backbone, result.head, images, Compute(precision="fp32"), rows=rows
        )
        labels = images.table["label"].to_numpy()[rows]
        loss = -np.log(probabilities[np.arange(len(rows)), labels]).mean()
        best = result.history["val_loss"].min()
        assert result.history["val_loss"].idxmin() + 1 == result.best_epoch < result.stopped_epoch
        assert loss == pytest.approx(best, rel=1e-3)


def test_a_layer_that_is_not_there_ends_training_before_it_begins(images, store):
    with pytest.raises(BackboneError, match="got 'from:layer9', and there is no layer"):
        run(images, store, trainable="from:layer9")
    assert store.files == []


def test_images_that_stay_the_same_are_read_once(images, store, monkeypatch):
    from gellib.models.training import inputs

    read = []
    real = inputs.read_image
    monkeypatch.setattr(inputs, "read_image", lambda p, **o: read.append(p) or real(p, **o))
    run(images, store, trainable="all", num_epochs=3)
    used = images.table[images.table["split"] != "test"]["path"]
    assert sorted(read) == sorted(used)
