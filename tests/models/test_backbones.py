import pytest
import torch
from making.images import random_pixels
from torch import nn
from torchvision.models import get_model

from gellib.models.backbones import (
    BackboneError,
    DeviceMissing,
    Preprocessing,
    build_backbone,
    calibrate_batchnorm,
    check_backbone,
    choose_device,
    device_missing,
    isolated_rng,
    list_backbones,
    normalise,
    resolve_precision,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def resnet():
    backbone = build_backbone("resnet18", weights="none", image_size=64)
    images = torch.rand(8, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    calibrate_batchnorm(backbone, [images * 4 - 2])
    return backbone


def pixels(n=4, channels=1, size=64):
    return torch.from_numpy(random_pixels(n, channels, size, size))


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("resnet18", 512),
        ("vgg16", 4096),
        ("mobilenet-v3", 1280),
        ("resnet34", 512),
        ("resnet50", 2048),
        ("vgg11_bn", 4096),
        ("densenet121", 1024),
        ("efficientnet-b0", 1280),
        ("efficientnet_b2", 1408),
        ("vit_b_16", 768),
        ("convnext_tiny", 768),
        ("vit_b_32", 768),
        ("swin_t", 768),
        ("googlenet", 1024),
        ("shufflenet_v2_x0_5", 1024),
    ],
)
def test_features_end_before_the_last_linear_layer(name, dim):
    backbone = build_backbone(name, weights="none", image_size=64)
    assert backbone.dim == dim
    x = torch.zeros(2, 1, 64, 64)
    with torch.inference_mode():
        assert backbone(x).shape == (2, dim)
    assert backbone.extract(pixels(2), precision="fp32").shape == (2, dim)


def test_vgg_and_mobilenet_end_behind_their_activation():
    vgg = build_backbone("vgg16", weights="none", image_size=32)
    with torch.inference_mode():
        assert vgg(torch.randn(2, 1, 32, 32)).min() == 0  # ReLU
    layers = list(build_backbone("mobilenet-v3", weights="none").network.classifier)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.Hardswish, nn.Dropout, nn.Identity]


def test_features_are_those_of_the_network_of_torchvision(resnet):
    network = get_model("resnet18", weights=None).eval()
    state = resnet.network.state_dict()
    network.load_state_dict(state, strict=False)
    x = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        expected = network.fc(resnet(x))
        assert torch.equal(network(x.expand(-1, 3, -1, -1)), expected)


def test_vgg11_has_batch_norms_only_where_the_name_says_so():
    assert build_backbone("vgg11_bn", weights="none", image_size=32, color="rgb").batch_norms()
    assert not build_backbone("vgg11", weights="none", image_size=32).batch_norms()


def test_unknown_names_get_the_nearest():
    with pytest.raises(BackboneError, match="did you mean 'resnet18'"):
        check_backbone("resnet_18")
    with pytest.raises(BackboneError, match="'squeezenet1_0' has no linear layer"):
        check_backbone("squeezenet1_0")
    assert check_backbone("mobilenet-v3") == "mobilenet_v3_large"
    assert {"resnet18", "vgg16", "mobilenet-v3"} <= set(list_backbones())


def test_wrong_choices_are_named():
    with pytest.raises(BackboneError, match="input_adapter: got 'add', expected one of replicate"):
        build_backbone("resnet18", weights="none", input_adapter="add")
    with pytest.raises(BackboneError, match="takes grey images"):
        build_backbone("resnet18", weights="none", input_adapter="sum", color="rgb")
    with pytest.raises(BackboneError, match="image_size: got 65, which vit_b_32 does not"):
        build_backbone("vit_b_32", weights="none", image_size=65)


def test_preprocessing_is_that_of_the_weights():
    backbone = build_backbone("mobilenet-v3", weights="none")
    given = backbone.preprocessing
    assert (given.image_size, given.resize_size) == (224, 232)
    assert given.mean == (0.485, 0.456, 0.406)
    assert given.std == (0.229, 0.224, 0.225)
    assert Preprocessing.from_dict(given.to_dict()) == given
    half = build_backbone("mobilenet-v3", weights="none", image_size=112).preprocessing
    assert (half.image_size, half.resize_size) == (112, 116)


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_sum_equals_replicate_but_at_the_border(name):
    grey = build_backbone(name, weights="none", input_adapter="sum", image_size=64)
    three = build_backbone(name, weights="none", image_size=64)
    images = pixels(2)
    one = grey.adapter_layer()(normalise(images, grey.preprocessing))
    x = normalise(images, three.preprocessing)
    assert x.shape[1] == 3
    expected = three.adapter_layer()(x)
    inside = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(one[inside], expected[inside], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(one, expected, atol=1e-4)


def test_reinit_trains_its_first_convolution_alone():
    backbone = build_backbone("resnet18", weights="none", input_adapter="reinit", image_size=64)
    assert not backbone.frozen
    trained = [n for n, p in backbone.named_parameters() if p.requires_grad]
    assert trained == ["network.conv1.weight"]
    assert backbone.adapter_layer().in_channels == 1
    again = build_backbone("resnet18", weights="none", input_adapter="reinit", image_size=64)
    assert torch.equal(again.adapter_layer().weight, backbone.adapter_layer().weight)


def test_seeds_decide_and_global_randomness_is_untouched():
    before = torch.random.get_rng_state()
    a, b = (build_backbone("resnet18", weights="none", seed=3, image_size=64) for _ in range(2))
    c = build_backbone("resnet18", weights="none", seed=4, image_size=64)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert a.weights.sha256 == b.weights.sha256 != c.weights.sha256
    assert a.identity() == b.identity() != c.identity()
    assert a.weights.source == "seed 3"
    with isolated_rng(0, "a"):
        first = torch.rand(3)
    with isolated_rng(0, "b"):
        assert not torch.equal(torch.rand(3), first)


@pytest.mark.parametrize("name", ["vgg11", "mobilenet-v3", "vit_b_16", "swin_t"])
def test_weights_are_loaded_into_a_network_that_was_not_filled_with_draws(
    name, tmp_path, monkeypatch
):
    given = get_model(check_backbone(name), weights=None).state_dict()
    torch.save(given, tmp_path / "weights.pt")
    drawn = []
    for draw in ("uniform_", "normal_"):
        real = getattr(torch.Tensor, draw)
        monkeypatch.setattr(
            torch.Tensor,
            draw,
            lambda tensor, *args, real=real, **kw: (
                drawn.append(tensor.numel()) or real(tensor, *args, **kw)
            ),
        )
    loaded = build_backbone(name, weights=str(tmp_path / "weights.pt")).network.state_dict()
    assert all(torch.equal(loaded[key], given[key]) for key in loaded)
    if name == "vgg11":  # of 133 million numbers, at most those of its convolutions, twice
        assert sum(drawn) < 20e6


def test_it_stays_in_eval_mode(resnet):
    assert not resnet.train().training
    assert not any(module.training for module in resnet.modules())


def test_calibration_gives_features_of_unit_scale():
    backbone = build_backbone("resnet18", weights="none", image_size=64)
    assert backbone.needs_calibration
    before = backbone.identity()
    images = normalise(pixels(8), backbone.preprocessing)
    calibrate_batchnorm(backbone, [images[:4], images[4:]])
    assert not backbone.needs_calibration
    assert backbone.identity() != before
    seen = {}
    hook = backbone.network.bn1.register_forward_hook(
        lambda m, i, out: seen.update(out=out.clone())
    )
    with torch.inference_mode():
        backbone(images)
    hook.remove()
    assert seen["out"].mean().abs() < 0.01
    assert abs(seen["out"].std() - 1) < 0.02
    assert all(layer.momentum == 0.1 for layer in backbone.batch_norms().values())


def test_fast_extraction_agrees_with_the_plain_network(resnet):
    images = pixels()
    with torch.inference_mode():
        expected = resnet(normalise(images, resnet.preprocessing))
    exact = resnet.extract(images, precision="fp32")
    torch.testing.assert_close(exact, expected, rtol=1e-4, atol=1e-4)
    quick = resnet.extract(images, precision="bf16")
    assert quick.dtype == torch.float32
    assert torch.cosine_similarity(quick, expected).min() > 0.999
    assert (quick - expected).norm() / expected.norm() < 0.03


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_extraction_changes_nothing(precision):
    backbone = build_backbone("resnet18", weights="none", input_adapter="reinit", image_size=64)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    trained = [p.requires_grad for p in backbone.parameters()]
    assert any(trained)
    backbone.extract(pixels(), precision=precision)
    after = backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert all(after[name].dtype == value.dtype for name, value in before.items())
    assert [p.requires_grad for p in backbone.parameters()] == trained


def test_fast_copy_follows_the_network():
    backbone = build_backbone("resnet18", weights="none", input_adapter="reinit", image_size=64)
    before = backbone.extract(pixels(), precision="fp32")
    with torch.no_grad():
        backbone.adapter_layer().weight.mul_(2)
    assert not torch.equal(backbone.extract(pixels(), precision="fp32"), before)


def test_features_that_overflow_are_refused():
    backbone = build_backbone("vgg11", weights="none", image_size=32)
    with torch.no_grad():
        backbone.adapter_layer().weight.mul_(float("inf"))
    with pytest.raises(BackboneError, match="not finite in fp32"):
        backbone.extract(pixels(2, size=32), precision="fp32")


def test_precision_is_what_the_device_can():
    assert resolve_precision("auto", "cpu") in ("fp32", "bf16")
    assert resolve_precision("fp32", "cpu") == "fp32"
    with pytest.raises(BackboneError, match="fp16 needs a GPU"):
        resolve_precision("fp16", "cpu")
    with pytest.raises(BackboneError, match="precision: got 'int8', expected one of auto, fp32"):
        resolve_precision("int8", "cpu")


def test_a_missing_device_is_explained(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("cpu") == torch.device("cpu")
    assert device_missing("cpu") == ""
    with pytest.raises(DeviceMissing, match=r"no GPU .*torch 2\."):
        choose_device("gpu")
    with pytest.raises(BackboneError, match="hardware_type: got 'tpu'"):
        choose_device("tpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_gives_the_features_of_the_cpu(resnet, precision):
    expected = resnet.extract(pixels(), precision="fp32")
    state = torch.cuda.get_rng_state()
    found = resnet.extract(pixels(), precision=precision, device="cuda")
    again = resnet.extract(pixels(), precision=precision, device="cuda")
    assert torch.equal(found, again)
    assert torch.cosine_similarity(found, expected).min() > 0.999
    with isolated_rng(0, "x", device="cuda"):
        torch.rand(2, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), state)
