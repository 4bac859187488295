"""Explanations: maps that show what spoke for an answer, for all kinds of networks."""

import builtins
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
import torch
from making.folders import make_stripes_and_dots
from making.images import random_pixels
from torch import nn

from gellib import plots
from gellib.base.paths import PROJECT_ROOT
from gellib.config import RunConfig
from gellib.models.backbones import build_backbone, normalise
from gellib.models.compute import Compute
from gellib.models.explain import ExplainError, explain_views, last_spatial_layer
from gellib.models.explain.grad_cam import grad_cam
from gellib.models.heads import build_head
from gellib.training_run import TrainingRun

pytestmark = pytest.mark.slow


def networks(name, image_size=64, kind="single"):
    backbone = build_backbone(name, weights="none", image_size=image_size)
    return backbone, build_head(kind, backbone.dim, 3, seed=0)


def views(n, size=64):
    return random_pixels(n, 1, size, size)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet18", "network.layer4"),
        ("mobilenet-v3", "network.features"),
        ("shufflenet_v2_x0_5", "network.conv5"),
        ("mnasnet0_5", "network.layers"),
    ],
)
def test_the_last_layer_with_maps_is_found(name, layer):
    backbone = networks(name)[0]
    found = last_spatial_layer(backbone, torch.zeros(1, 3, 64, 64))
    assert found[0] == layer
    assert not any(module._forward_hooks for module in backbone.modules())


def test_where_the_last_maps_are_single_points_an_earlier_layer_is_taken():
    backbone = networks("resnet18", 32)[0]
    assert last_spatial_layer(backbone, torch.zeros(1, 3, 32, 32))[0] == "network.layer3"
    with pytest.raises(ExplainError, match="larger image_size"):
        last_spatial_layer(nn.Sequential(nn.Flatten(), nn.Linear(4, 4)), torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_grad_cam_is_the_gradient_weighted_sum_of_the_maps(kind):
    backbone, head = networks("resnet18", kind=kind)
    head.eval()
    shown = views(3)
    targets = np.array([0, 2, 1])
    found = explain_views(backbone, head, shown, targets)
    assert found.method == "Grad-CAM" and found.maps.shape == (3, 2, 2)
    x = normalise(torch.from_numpy(shown), backbone.preprocessing)
    network, maps = backbone.network, {}
    hook = network.layer4.register_forward_hook(lambda m, i, o: maps.update(o=o))
    logits = head(backbone(x.requires_grad_(True)))
    hook.remove()
    score = logits[range(3), targets].sum()
    slope = torch.autograd.grad(score, maps["o"])[0].mean(dim=(2, 3), keepdim=True)
    by_hand = torch.relu((slope * maps["o"]).sum(dim=1)).detach().numpy()
    top = np.maximum(by_hand.max(axis=(1, 2), keepdims=True), 1e-12)
    assert found.maps == pytest.approx(by_hand / top, abs=1e-4)
    assert all(p.grad is None for p in [*backbone.parameters(), *head.parameters()])


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16"])
def test_half_precision_draws_the_same_maps(name):
    backbone, head = networks(name, 224)
    shown = views(4, 224)
    exact = explain_views(backbone, head, shown, [0, 1, 0, 1]).maps
    half = explain_views(backbone, head, shown, [0, 1, 0, 1], Compute(precision="bf16")).maps
    assert not np.array_equal(half, exact)  # it is another arithmetic
    assert np.abs(half - exact).max() < 0.1


def test_attention_rollout_follows_where_the_attention_goes():
    backbone, head = networks("vit_b_16", 64)
    found = explain_views(backbone, head, views(2), [0, 1])
    assert found.method == "attention roll-out" and found.maps.shape == (2, 4, 4)
    assert found.maps.min() == 0 and found.maps.max() == 1
    # Every token attends to the sixth patch alone, in every layer.
    for block in backbone.network.encoder.layers:
        attention = block.self_attention

        def forward(query, key, value, need_weights=True, **_):
            weights = torch.zeros(len(query), query.shape[1], query.shape[1])
            weights[:, :, 6] = 1
            return value, weights if need_weights else None

        attention.forward = forward
    found = explain_views(backbone, head, views(2), [0, 1])
    assert (found.maps.reshape(2, -1).argmax(axis=1) == 5).all()
    assert np.sort(found.maps.reshape(2, -1), axis=1)[:, -2].max() < 1e-6


def test_without_captum_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("captum"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ExplainError, match=r"pip install 'gellib\[explain\]'"):
        grad_cam(*networks("resnet18"), torch.zeros(1, 3, 64, 64), np.array([0]))


def test_maps_of_gels_fall_on_the_lanes():
    path = PROJECT_ROOT / "tests" / "benchmarks" / "lanes.py"
    spec = spec_from_file_location("lanes", path)
    lanes = module_from_spec(spec)
    spec.loader.exec_module(lanes)
    own, other = lanes.lane_ratios(*lanes.trained("mobilenet-v3", 20), 12)
    assert own.mean() > 1.1
    assert own.mean() > other.mean() + 0.1


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    config = RunConfig(
        dataset_dir=str(make_stripes_and_dots(folder / "images", train=20, test=10)),
        image_size=64,
        num_epochs=3,
        evaluation="holdout",
        group_duplicates=False,
        weights="none",
        augmentation="none",
        cache_dir=str(folder / "cache"),
        run_dir=str(folder / "run"),
    )
    run = TrainingRun(config)
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    return run


def test_a_run_draws_and_records_its_uncertainty(ran):
    run = ran
    figures = [run.calibration(), run.risk_coverage()]
    figures.append(run.explain())
    assert all(fig.axes for fig in figures)
    run.finish()
    names = {p.stem for p in run.folder.figures.iterdir()}
    assert {"calibration", "risk_coverage", "explanations"} <= names
    record = run.folder.read_record()
    assert record.calibration.n == record.uncertainty.n == 20
    assert record.out_of_distribution.n_test == 20
    sets = record.prediction_sets
    assert (
        sets.source == "validation" and sets.n == 20 and set(sets.classes) == {*run.images.classes}
    )
    assert set(sets.too_few) == {name for name, own in sets.classes.items() if own["groups"] < 19}
    assert record.timings.explain_s > 0
    test = run.folder.read_predictions().query("split == 'test'")
    assert test["entropy"].between(0, np.log(2) + 1e-9).all()
    size = test["set"].fillna("").map(lambda text: len(text.split("|")) if text else 0)
    assert (size == 1).sum() == sets.single and (size == 0).sum() == sets.empty


def test_explaining_can_be_left_out(ran):
    run = ran
    given = run.config
    run.config = given.model_copy(update={"explain": False})
    fig = run.explain()
    run.config = given
    assert "parameter explain is off" in fig.axes[0].texts[0].get_text()


def test_images_and_maps_stand_side_by_side():
    item = plots.MapShown(views(1)[0], np.eye(3), "gel", "not_gel", False)
    fig = plots.explanations([item, item._replace(right=True)], method="Grad-CAM")
    assert fig.headline() == "What the network looked at: 1 wrong, 1 right (Grad-CAM)"
    assert [len(axes.images) for axes in fig.axes] == [1, 1, 1, 1]
    for image, explained in (fig.axes[:2], fig.axes[2:]):
        drawn = explained.images[0].get_array()
        assert image.images[0].get_array().ndim == 2, "the image is grey"
        assert (drawn == plots.lay_over(item.map, item.view)).all()
        assert explained.collections, "a line surrounds the strongest places"
    assert fig.axes[0].get_title(loc="left") == "✗ gel"
    assert plots.explanations([], method="Grad-CAM").axes[0].texts


def test_a_map_without_colour_is_explained():
    item = plots.MapShown(views(1)[0], np.eye(3), "gel", "gel", True)
    dark = item._replace(map=np.zeros((3, 3)))
    assert "without colour" not in plots.explanations([item], method="Grad-CAM").get_supxlabel()
    assert "without colour" in plots.explanations([item, dark], method="Grad-CAM").get_supxlabel()


def test_a_map_is_red_where_it_is_high_and_grey_where_it_is_zero():
    view = np.full((1, 40, 40), 128, np.uint8)
    view[0, :, :20] = 64
    heat = np.zeros((4, 4))
    heat[0, 0] = 1
    laid = plots.lay_over(heat, view)
    assert laid.shape == (40, 40, 3) and laid.dtype == np.uint8
    red, green, blue = laid[2, 2].astype(int)
    assert red > green + 60 and red > blue + 60
    assert np.ptp(laid[-1].astype(int), axis=1).max() == 0, "far from it the view is grey"
    assert plots.lay_over(heat, np.repeat(view, 3, axis=0)).shape == (40, 40, 3)
