"""How long a prediction takes is measured once for all heads on one backbone, and else anew."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from making.folders import make_split_stripes

from gellib.models.backbones import build_backbone
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore
from gellib.models.heads import build_head
from gellib.training_run.inference_time import known_inference_time

pytestmark = pytest.mark.slow
ROWS = np.arange(6)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_split_stripes(tmp_path_factory.mktemp("set") / "images", per_class=6)


@pytest.fixture
def measured(monkeypatch):
    """Count the measurements; each says another number."""
    from gellib.training_run import inference_time as module

    calls = []

    def time_inference(*args, rows, **_):
        calls.append(len(rows))
        speed = 10.0 + len(calls)
        return SimpleNamespace(seconds=len(rows) / speed, images_per_s=speed)

    monkeypatch.setattr(module, "time_inference", time_inference)
    return calls


def model(kind="single", size=32):
    backbone = build_backbone("resnet18", weights="none", image_size=size)
    return SimpleNamespace(backbone=backbone, head=build_head(kind, backbone.dim, 2, seed=1))


def test_other_heads_have_the_time_of_the_first(images, tmp_path, measured):
    compute = Compute(store=FeatureStore(tmp_path))
    first = known_inference_time(model(), images, ROWS, compute)
    again = known_inference_time(model("multi"), images, ROWS, compute)
    assert measured == [6] and again == first
    assert first.seconds == pytest.approx(6 / first.images_per_s)


@pytest.mark.parametrize("changed", ["images", "backbone", "precision", "threads", "machine"])
def test_what_changes_the_time_has_it_measured_anew(
    images, tmp_path, measured, changed, monkeypatch
):
    compute = Compute(precision="fp32", store=FeatureStore(tmp_path))
    known_inference_time(model(), images, ROWS, compute)
    rows, size, other = ROWS, 32, compute
    if changed == "images":
        rows = ROWS[:5]
    elif changed == "backbone":
        size = 48
    elif changed == "precision":
        other = replace(compute, precision="bf16")
    elif changed == "threads":
        monkeypatch.setattr("torch.get_num_threads", lambda: 77)
    else:
        monkeypatch.setattr("platform.node", lambda: "another")
    known_inference_time(model(size=size), images, rows, other)
    assert len(measured) == 2


def test_without_a_store_and_of_a_trained_network_it_is_measured_each_time(
    images, tmp_path, measured
):
    trained = model()
    trained.backbone.unfreeze(["conv1"])
    assert not trained.backbone.frozen
    for own, compute in ((model(), Compute()), (trained, Compute(store=FeatureStore(tmp_path)))):
        before = len(measured)
        for _ in range(2):
            known_inference_time(own, images, ROWS, compute)
        assert len(measured) == before + 2


def test_no_images_take_no_time(images, tmp_path):
    compute = Compute(store=FeatureStore(tmp_path))
    assert known_inference_time(model(), images, ROWS[:0], compute).seconds == 0
