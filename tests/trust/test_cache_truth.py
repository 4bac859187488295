"""Whatever features depend on is changed, one thing at a time: none from before are used."""

import os

import numpy as np
import pytest
from making.folders import make_split_stripes
from PIL import Image

from gellib.config import FACTS
from gellib.data import readable
from gellib.data.image_files import ImageInfo
from gellib.models.backbones import build_backbone
from gellib.models.features import FeatureStore, identity

VIEWS = {"augmentation": "horizontal_flip rotation(10)", "seed": 1, "epochs": 2}


def network(**changed):
    given = {"name": "resnet18", "weights": "none", "image_size": 32, **changed}
    return build_backbone(given.pop("name"), **given)


@pytest.fixture
def images(tmp_path):
    return make_split_stripes(tmp_path / "images")


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "cache")


def unaugmented(images, backbone, store, **options):
    return store.unaugmented(images, backbone, **{"precision": "fp32", **options})


def augmented(images, backbone, store, **options):
    rows = options.pop("rows", range(len(images)))
    return store.augmented(images, rows, backbone, **{"precision": "fp32", **VIEWS, **options})


NETWORKS = {
    "network": {"name": "resnet34"},
    "contrast": {"contrast": "stretch"},
    "weights": {"seed": 1},
    "size": {"image_size": 40},
    "adapter": {"input_adapter": "sum"},
    "colour": {"color": "rgb"},
}
OPTIONS = {"precision": {"precision": "bf16"}}
VIEW_OPTIONS = {
    "seed": {"seed": 2},
    "epochs": {"epochs": 3},
    "steps": {"augmentation": "horizontal_flip"},
    "number": {"augmentation": "horizontal_flip rotation(11)"},
    "rows": {"rows": [1, 0, 2]},
}


# Which of these cases is that of a parameter; the features of trained layers are not kept.
CASES = {
    "pretrained_model": "network", "weights": "weights", "input_adapter": "adapter",
    "color": "colour", "contrast": "contrast", "image_size": "size", "precision": "precision",
    "num_epochs": "epochs", "views": "epochs", "augmentation": "steps",
}  # fmt: skip
NO_CASE = {"hardware_type", "trainable", "unfreeze_epoch"}


def test_each_parameter_that_changes_features_has_a_case():
    stages = {name: facts.stage for name, facts in FACTS.items()}
    changing = {name for name, stage in stages.items() if stage == "features"}
    assert changing == {*CASES} | NO_CASE
    assert {*CASES.values()} <= {*NETWORKS, *OPTIONS, *VIEW_OPTIONS}


def check_fresh(compute, args, store, tmp_path, **options):
    """What the used store gives is what an empty one gives; it had to compute it."""
    files = len(list(store.cache_dir.glob("*.npy")))
    found = compute(*args, store, **options)
    truth = compute(*args, FeatureStore(tmp_path / "empty"), **options)
    assert np.array_equal(found, truth)
    assert len(list(store.cache_dir.glob("*.npy"))) == files + 1


@pytest.mark.slow
@pytest.mark.parametrize("compute", [unaugmented, augmented])
class TestNeverStale:
    @pytest.mark.parametrize("changed", NETWORKS)
    def test_network(self, images, store, tmp_path, compute, changed):
        compute(images, network(), store)
        check_fresh(compute, (images, network(**NETWORKS[changed])), store, tmp_path)

    @pytest.mark.parametrize("changed", [*OPTIONS, *VIEW_OPTIONS])
    def test_options(self, images, store, tmp_path, compute, changed):
        if compute is unaugmented and changed in VIEW_OPTIONS:
            pytest.skip("has no random views")
        compute(images, network(), store)
        options = {**OPTIONS, **VIEW_OPTIONS}[changed]
        check_fresh(compute, (images, network()), store, tmp_path, **options)

    @pytest.mark.parametrize("changed", ["one pixel", "order", "fewer"])
    def test_images(self, images, store, tmp_path, compute, changed):
        compute(images, network(), store)
        if changed == "one pixel":
            path = images.table["path"].iloc[0]
            before = os.stat(path)
            pixels = np.asarray(Image.open(path)).copy()
            pixels[0, 0] ^= 255
            Image.fromarray(pixels).save(path)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            others = images.with_digests()
        else:
            rows = list(range(len(images)))
            others = images.take(rows[::-1] if changed == "order" else rows[1:])
        check_fresh(compute, (others, network()), store, tmp_path)

    @pytest.mark.parametrize("library", ["torch", "pillow", "tifffile", "pydicom"])
    def test_versions(self, images, store, tmp_path, compute, library, monkeypatch):
        compute(images, network(), store)
        versions = {**identity.library_versions(), library: "0.0"}
        monkeypatch.setattr(identity, "library_versions", lambda: versions)
        check_fresh(compute, (images, network()), store, tmp_path)

    def test_the_same_is_read(self, images, store, compute, monkeypatch):
        first = np.array(compute(images, network(), store))
        fills = "fill_unaugmented", "fill_augmented"
        for name in fills:
            monkeypatch.setattr(f"gellib.models.features.store.{name}", None)
        assert np.array_equal(compute(images, network(), store), first)


@pytest.mark.parametrize("library", ["pillow", "tifffile", "imagecodecs", "pydicom", "pylibjpeg"])
def test_an_image_that_was_refused_is_tried_again_by_other_libraries(
    images, tmp_path, library, monkeypatch
):
    def refuse(path, limits):
        return ImageInfo(str(path), reason="to read it, run: pip install something")

    cache = tmp_path / "cache"
    with monkeypatch.context() as before:
        before.setattr(readable, "inspect_image", refuse)
        assert len(readable.find_unreadable(images, cache_dir=cache)) == len(images)
    assert len(readable.find_unreadable(images, cache_dir=cache)) == len(images), "it is kept"
    versions = {**readable.reading_versions(), library: "0.0"}
    monkeypatch.setattr(readable, "reading_versions", lambda: versions)
    assert not readable.find_unreadable(images, cache_dir=cache)
