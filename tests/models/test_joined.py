"""Several backbones joined as one: `resnet18+efficientnet-lite0`."""

import numpy as np
import pytest
import torch

from gellib.config import ConfigError, RunConfig
from gellib.models.backbones import (
    BackboneError,
    JoinedNetwork,
    WeightsError,
    build_backbone,
    check_backbone,
    check_layers,
    weights_request,
)
from gellib.models.backbones.inventory import weights_states
from gellib.models.explain import explain_views
from gellib.models.heads import build_head
from gellib.models.training import load_model, save_model
from gellib.training_run.steps import check_network

# timm alone takes seconds to import.
pytestmark = pytest.mark.slow

BOTH = "resnet18+efficientnet-lite0"


def pixels(n=2, side=64, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, channels, side, side), dtype=np.uint8))


@pytest.fixture(scope="module")
def joined():
    return build_backbone(BOTH, image_size=64)


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_those_of_both_side_by_side(joined, channels):
    options = {"image_size": 64, "color": "grey" if channels == 1 else "rgb"}
    whole = joined if channels == 1 else build_backbone(BOTH, **options)
    parts = [build_backbone(name, **options) for name in BOTH.split("+")]
    views = pixels(channels=channels)
    expected = np.hstack([part.extract(views).numpy() for part in parts])
    assert whole.dim == expected.shape[1] == 512 + 1280
    # The two networks expect other means and deviations: (x - mean) / std, and (x - 127) / 128.
    np.testing.assert_allclose(whole.extract(views).numpy(), expected, atol=2e-5)


@pytest.mark.parametrize(
    "name", ["resnet18+mobilenet-v3+efficientnet-lite0", "shufflenet_v2_x0_5+resnet18"]
)
@pytest.mark.parametrize("adapter", ["replicate", "sum"])
def test_any_number_and_the_adapter_for_grey(name, adapter):
    options = {"image_size": 64, "input_adapter": adapter, "weights": "none"}
    whole = build_backbone(name, **options)
    parts = [build_backbone(part, **options) for part in name.split("+")]
    expected = np.hstack([part.extract(pixels()).numpy() for part in parts])
    found = whole.extract(pixels()).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_what_it_is_called(joined):
    assert (
        joined.name
        == check_backbone(" resnet18 + efficientnet-lite0")
        == ("resnet18+efficientnet_lite0")
    )
    assert joined.weights.name == "labsim+imagenet"
    assert "labsim/weights/resnet18" in joined.weights.source
    assert joined.weights.license == "Apache-2.0"
    turned = build_backbone("efficientnet-lite0+resnet18", image_size=64)
    assert turned.identity() != joined.identity()
    assert turned.weights.sha256 != joined.weights.sha256


def test_a_model_of_it_is_saved_and_loaded(joined, tmp_path):
    head = build_head("single", joined.dim, 2, seed=1).eval()
    save_model(tmp_path / "model.safetensors", head, joined, {"classes": ["a", "b"]})
    backbone, same_head, _ = load_model(tmp_path / "model.safetensors")
    assert weights_request(joined.name, joined.weights) == "labsim+imagenet"
    assert backbone.identity() == joined.identity()
    views = pixels(seed=3)
    with torch.no_grad():
        found, expected = same_head(backbone.extract(views)), head(joined.extract(views))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_model_with_random_weights_is_saved_and_loaded(tmp_path):
    joined = build_backbone("resnet18+mobilenet-v3", image_size=64, weights="none", seed=4)
    assert joined.weights.name == "none"
    assert joined.needs_calibration
    save_model(tmp_path / "m.safetensors", build_head("single", joined.dim, 2, seed=1), joined, {})
    assert load_model(tmp_path / "m.safetensors")[0].identity() == joined.identity()


def test_the_map_adds_the_maps_of_all(joined):
    pytest.importorskip("captum")
    head = build_head("single", joined.dim, 2, seed=1).eval()
    found = explain_views(joined, head, pixels(side=64).numpy(), [0, 1])
    assert found.maps.shape[0] == 2
    assert found.maps.max() == 1
    with torch.no_grad():  # a head that is blind to the second network sees as the first alone
        head[-1].weight[:, 512:] = 0
    alone = build_head("single", 512, 2, seed=1).eval()
    with torch.no_grad():
        alone[-1].weight.copy_(head[-1].weight[:, :512])
        alone[-1].bias.copy_(head[-1].bias)
    single = build_backbone("resnet18", image_size=64)
    expected = explain_views(single, alone, pixels(side=64).numpy(), [0, 1]).maps
    blind = explain_views(joined, head, pixels(side=64).numpy(), [0, 1]).maps
    np.testing.assert_allclose(blind, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("resnet18+", "expected names of backbones around each"),
        ("+", "expected names of backbones around each"),
        ("resnet18++vgg16", "expected names of backbones around each"),
        ("resnet18+resnet18", "names a backbone twice"),
        ("mobilenet-v3+mobilenet_v3_large", "names a backbone twice"),
        ("resnet18+resnet81", "did you mean 'resnet101'|resnet18"),
        ("resnet18+timm/no_such_network", "timm"),
    ],
)
def test_wrong_names_are_refused(name, says):
    with pytest.raises(BackboneError, match=says):
        check_backbone(name)


@pytest.mark.parametrize("weights", ["none+imagenet", "labsim+none"])
def test_random_beside_pretrained_is_refused(weights):
    with pytest.raises(WeightsError, match="random weights beside pretrained ones"):
        build_backbone(BOTH, weights=weights)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("my.safetensors", "takes auto, pretrained"),
        ("labsim+imagenet+none", "which names 3 for the 2 backbones"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, says):
    with pytest.raises(WeightsError, match=says):
        build_backbone(BOTH, weights=weights)


def test_it_stays_frozen():
    with pytest.raises(BackboneError, match="stay frozen"):
        build_backbone(BOTH, input_adapter="reinit")
    check_layers(BOTH, 64, "head")
    for text in ("all", "last:1", "from:layer4"):
        with pytest.raises(BackboneError, match="stay frozen"):
            check_layers(BOTH, 64, text)
    with pytest.raises(ConfigError, match="parameter 'trainable'.*stay frozen"):
        check_network(RunConfig(pretrained_model=BOTH, trainable="last:1"))


def test_the_inventory_lists_its_parts():
    assert [state.name for state in weights_states([BOTH, "resnet18"])] == [
        "resnet18", "efficientnet-lite0",
    ]  # fmt: skip


def test_its_input_is_normalised_for_each():
    preprocessing = build_backbone("resnet18", weights="none", image_size=64).preprocessing
    other = build_backbone("efficientnet-lite0", image_size=64).preprocessing
    network = JoinedNetwork([torch.nn.Identity(), torch.nn.Identity()], [preprocessing, other])
    x = torch.rand(2, 3, 4, 4)
    mean, std = (torch.tensor(v)[None, :, None, None] for v in (other.mean, other.std))
    first = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.std)
    raw = x * first[1][None, :, None, None] + first[0][None, :, None, None]
    torch.testing.assert_close(network(x)[:, 48:], ((raw - mean) / std).flatten(1))
