"""What more images would give a finished run, and the sentence on it."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from making.folders import make_stripes_and_dots
from making.images import save_png

from gellib.config import RunConfig
from gellib.plots.extrapolated import more_images
from gellib.report.conclusions.more_images import more_images_sentence
from gellib.runs import Record
from gellib.training_run import load_images, next_images
from gellib.training_run import more_images as module
from gellib.training_run.more_images import MoreImages, expect_more_images

SIZES = tuple(float(x) for x in np.geomspace(10, 200, 11))


def make_record(folder, cache, **changes):
    config = RunConfig(
        dataset_dir=str(folder), cache_dir=str(cache), image_size=32, augmentation="none",
        weights="labsim", run_dir=str(cache / "run"), **changes,
    )  # fmt: skip
    fingerprint = load_images(config).fingerprint
    return Record.parse(
        {
            "schema": 1,
            "status": "done",
            "name": "01",
            "config": config.model_dump(),
            "config_hash": config.hash(),
            "data": {"fingerprint": fingerprint, "classes": ["dots", "stripes"]},
            "metrics": {"val": {"accuracy": 1.0, "n": 40}},
            "evaluation": {"method": "cv"},
        }
    )


@pytest.fixture
def images(tmp_path):
    make_stripes_and_dots(tmp_path / "given", train=20, test=3)
    shutil.move(tmp_path / "given" / "train", tmp_path / "images")
    return tmp_path / "images"


@pytest.mark.slow
class TestOfARun:
    def test_it_is_measured_once(self, images, tmp_path, monkeypatch):
        record = make_record(images, tmp_path / "cache")
        found = expect_more_images(record)
        assert found.n == 40 and found.wanted[-1] == pytest.approx(80)
        assert len(found.sizes) == len(found.means) >= 4
        assert (np.array(found.low) <= found.middle).all()

        def refuse(*arguments):
            raise AssertionError("it is measured again")

        monkeypatch.setattr(module, "_measure", refuse)
        assert expect_more_images(record) == found

    def test_a_given_test_part_takes_no_part(self, tmp_path):
        root = make_stripes_and_dots(tmp_path / "set", train=20, test=3)
        assert expect_more_images(make_record(root, tmp_path / "cache")).n == 40

    @pytest.mark.parametrize(
        "changes", [{"trainable": "last:1"}, {"input_adapter": "reinit"}, {"max_images": 12}]
    )
    def test_there_is_none(self, images, tmp_path, changes):
        assert expect_more_images(make_record(images, tmp_path / "cache", **changes)) is None

    def test_there_is_none_of_images_that_changed_or_are_gone(self, images, tmp_path):
        record = make_record(images, tmp_path / "cache")
        save_png(images / "dots" / "more.png", np.zeros((32, 32), np.uint8))
        assert expect_more_images(record) is None
        shutil.rmtree(images)
        assert expect_more_images(record) is None

    def test_there_is_none_of_a_record_of_another_version(self, images, tmp_path):
        record = make_record(images, tmp_path / "cache")
        other = record.model_copy(update={"config": {**record.config, "no_longer": 1}})
        assert expect_more_images(other) is None

    def test_choosing_images_is_tried_on_them_once(self, images, tmp_path, monkeypatch):
        record = make_record(images, tmp_path / "cache")
        found = next_images.tried_on_labelled(record)
        assert found.images == 40 and found.labels < found.all_labels < 24
        monkeypatch.setattr(next_images, "try_choice", None)
        assert next_images.tried_on_labelled(record) == found
        trained = make_record(images, tmp_path / "cache", trainable="last:1")
        assert next_images.tried_on_labelled(trained) is None


def found_with(gain, middle=0.88, width=0.05):
    wanted = np.array(SIZES)
    return MoreImages(
        sizes=SIZES[:7], means=tuple(np.linspace(0.8, middle, 7)), n=100, wanted=SIZES,
        middle=tuple(np.full(11, middle)), low=tuple(np.full(11, middle - width)),
        high=tuple(np.minimum(wanted * 0 + middle + width, 1)), gain=gain,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "says"),
    [
        ((0.001, 0.0, 0.01), "The curve is flat: other images or another backbone"),
        ((0.04, 0.025, 0.06), ": more images help."),
        ((0.01, 0.0, 0.04), "More images help by 4 percentage points at best."),
    ],
)
def test_the_sentence(gain, says):
    text = more_images_sentence(found_with(gain), "accuracy")
    assert "with twice as many images, accuracy is expected between 83 % and 93 %" in text
    assert "the curve is at 88 % now" in text
    assert text.endswith(says) or says in text


@pytest.mark.parametrize("middle", [0.55, 0.97])
@pytest.mark.slow
def test_the_figure(middle):
    found = found_with((0.01, 0.0, 0.03), middle=middle)
    fig = more_images(found.sizes, found.means, found.expected())
    axes = fig.axes[0]
    low, high = axes.get_ylim()
    assert low < min(found.low) and high >= 1
    assert axes.get_xlim()[1] >= SIZES[-1]
    assert len(axes.get_xticks()) >= 3
    fig.render()


def test_plain_values_come_back(tmp_path):
    found = found_with((0.01, 0.0, 0.03))
    same = replace(found)
    np.testing.assert_array_equal(same.expected().low, found.expected().low)
