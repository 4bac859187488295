import logging
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from making.folders import make_split_stripes
from making.images import random_pixels
from PIL import Image
from torchvision.models import ResNet18_Weights

from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import read_image
from gellib.models.backbones import build_backbone, normalise, stretch_contrast
from gellib.models.features import (
    FeatureStore,
    augment,
    augmented_views,
    calibrate_on_images,
    check_augmentation,
    extract_stream,
    image_key,
    map_in_threads,
    prepare,
    random_views,
    unaugmented_view,
)
from gellib.models.features import store as store_module
from gellib.models.features.cache import cached_array
from gellib.models.features.extraction import _items_ahead, rebatch
from gellib.models.features.image_bars import progress_bar

STEPS = "random_resized_crop horizontal_flip rotation(10)"


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return make_split_stripes(tmp_path_factory.mktemp("set") / "images")


@pytest.fixture(scope="module")
def backbone():
    return build_backbone("resnet18", weights="none", image_size=32)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "cache")


def picture(height=60, width=90, channels=0):
    shape = (height, width, channels) if channels else (height, width)
    return random_pixels(*shape)


class TestViews:
    def test_plain_view_is_that_of_the_weights_own_transforms(self):
        image = np.asarray(
            Image.fromarray(picture(10, 16, 3)).resize((400, 320))
        )  # to 320 x 256, no rounding
        backbone = build_backbone("resnet18", weights="none", color="rgb")
        expected = ResNet18_Weights.DEFAULT.transforms()(Image.fromarray(image))
        found = prepare(image, backbone.preprocessing)
        assert found.shape == (3, 224, 224)
        assert (found - expected).abs().mean() < 0.01  # of a standard deviation: under 1 level

    def test_grey_is_replicated_and_normalised(self, backbone):
        view = prepare(np.full((50, 70), 128, np.uint8), backbone.preprocessing)
        assert view.shape == (3, 32, 32)
        mean, std = torch.tensor(backbone.preprocessing.mean), backbone.preprocessing.std
        expected = (128 / 255 - mean) / torch.tensor(std)
        torch.testing.assert_close(view.mean((1, 2)), expected)

    def test_contrast_is_that_of_the_whole_image_before_any_view(self, backbone):
        given = replace(backbone.preprocessing, contrast="stretch")
        # The left half is dim, the right half bright: a crop from the middle of either must keep
        # its place between black and white.
        image = np.repeat(np.array([[100] * 40 + [140] * 40], np.uint8), 80, axis=0)
        view = unaugmented_view(image, given)
        assert (view[0, :, 2], view[0, :, -3]) == pytest.approx((0, 255))
        crops = random_views(
            image, given, check_augmentation("random_resized_crop"), seed=0, key=1, epochs=range(30)
        )
        even = crops[np.ptp(crops.astype(int), axis=(1, 2, 3)) == 0]
        assert len(even) and set(np.unique(even)) <= {0, 255}

    def test_stretched_contrast_keeps_the_tint_and_leaves_an_even_image(self):
        dim = np.linspace(40, 60, 64 * 64).reshape(64, 64).astype(np.uint8)
        assert stretch_contrast(dim).min() == 0 and stretch_contrast(dim).max() == 255
        blue = np.stack([dim, dim, dim + 20], axis=2)
        found = stretch_contrast(blue).astype(int)
        assert (found[..., 0] == found[..., 1]).all()
        between = found[30, :, 2] - found[30, :, 0]
        assert between == pytest.approx(255 * 20 / 40, abs=10)  # levels 40 to 80 are all there are
        even = np.full((8, 8), 7, np.uint8)
        assert np.array_equal(stretch_contrast(even), even)

    def test_very_long_images_are_no_bomb(self, backbone):
        assert prepare(picture(1, 100_000), backbone.preprocessing).shape == (3, 32, 32)
        view = augment(picture(1, 100_000), backbone.preprocessing, STEPS, seed=0, key=1, epoch=1)
        assert view.shape == (3, 32, 32)

    def test_random_views_are_drawn_again_just_the_same(self, backbone):
        def view(**changes):
            numbers = {"seed": 0, "key": 5, "epoch": 1} | changes
            return augment(picture(), backbone.preprocessing, STEPS, **numbers)

        assert torch.equal(view(), view())
        for change in ({"seed": 1}, {"key": 6}, {"epoch": 2}):
            assert not torch.equal(view(), view(**change))

    def test_views_together_are_those_one_by_one(self, backbone):
        given = backbone.preprocessing
        steps = check_augmentation(STEPS)
        together = random_views(picture(), given, steps, seed=0, key=5, epochs=range(1, 4))
        assert together.shape == (3, 1, 32, 32)
        for i, epoch in enumerate(range(1, 4)):
            one = augment(picture(), given, STEPS, seed=0, key=5, epoch=epoch)
            assert torch.equal(normalise(torch.from_numpy(together[i]), given), one)

    def test_each_step_does_what_it_says(self, backbone):
        given = backbone.preprocessing
        image = picture(32, 32)

        def views(text, n=40):
            steps = check_augmentation(text)
            return random_views(image, given, steps, seed=0, key=1, epochs=range(n))[:, 0]

        mirrored = (views("horizontal_flip") == image[:, ::-1]).all((1, 2))
        unchanged = (views("horizontal_flip") == image).all((1, 2))
        assert (mirrored ^ unchanged).all()
        assert 10 < mirrored.sum() < 30
        assert (views("horizontal_flip(1)") == image[:, ::-1]).all()
        assert (views("rotation(0)") == image).all()
        assert (views("rotation(45)")[:, 0, 0] == 0).mean() > 0.5  # black corners
        assert len(np.unique(views("random_resized_crop"), axis=0)) == 40
        assert (views("random_resized_crop(1)") == image).all((1, 2)).any()

    def test_crops_are_as_large_as_torchvisions(self, backbone):
        # On a ramp from 0 to 1 in x, the range of a crop's values is its width.
        ramp = np.tile(np.linspace(0, 255, 256, dtype=np.uint8), (256, 1))
        steps = check_augmentation("random_resized_crop")
        views = random_views(ramp, backbone.preprocessing, steps, seed=0, key=1, epochs=range(300))
        widths = np.ptp(views.astype(float), axis=(1, 2, 3)) / 255
        assert 0.23 < widths.min() < 0.4
        # E[sqrt(area)] of area uniform in 0.08..1 is 0.708; aspect ratios change little.
        assert abs(widths.mean() - 0.70) < 0.04

    def test_large_images_are_shrunk_once(self, backbone):
        views = random_views(
            picture(2000, 2000), backbone.preprocessing, [], seed=0, key=1, epochs=[1]
        )
        assert views.shape == (1, 1, 32, 32)
        assert abs(views.mean() - 127.5) < 3


class TestCheckAugmentation:
    def test_steps_with_and_without_numbers(self):
        assert check_augmentation("rotation(10)  horizontal_flip random_resized_crop(0.5)") == [
            ("rotation", {"degrees": 10.0}),
            ("horizontal_flip", {"p": 0.5}),
            ("random_resized_crop", {"scale_min": 0.5}),
        ]
        assert check_augmentation("rotation(degrees=5)") == [("rotation", {"degrees": 5.0})]
        assert check_augmentation("none") == check_augmentation(" ") == []

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("rotate(10)", r"got step 'rotate': did you mean 'rotation'\? Known steps: random_res"),
            ("none rotation", "got step 'none'"),
            ("rotation(360)", r"expected rotation\(degrees=10\), with degrees from 0 to 180"),
            ("rotation(angle=3)", r"got rotation\(angle=3\), expected rotation\(degrees=10\)"),
            ("rotation(1, 2)", r"got rotation\(1, 2\), expected"),
            ("horizontal_flip('a')", r"horizontal_flip\(p=0.5\), with p from 0 to 1"),
            ("rotation(__import__('os'))", "cannot be read from"),
            ("rotation(os)", r"got rotation\(os\), expected"),
            ("horizontal_flip, rotation", "cannot be read from ', rotation'"),
        ],
    )
    def test_wrong_steps_are_explained(self, text, message):
        with pytest.raises(ValueError, match=message):
            check_augmentation(text)


@pytest.mark.slow
class TestStore:
    def test_plain_features_are_the_networks(self, images, backbone, store):
        features = store.unaugmented(images, backbone, precision="fp32")
        assert features.shape == (12, 512)
        assert features.dtype == np.float32
        assert isinstance(features, np.memmap)
        views = [prepare(read_image(p), backbone.preprocessing) for p in images.table["path"]]
        with torch.inference_mode():
            expected = backbone(torch.stack(views)).numpy()
        np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4)

    def test_views_are_those_of_augment(self, images, backbone, store):
        rows = [7, 2, 5]
        features = store.augmented(
            images, rows, backbone, augmentation=STEPS, seed=3, epochs=4, precision="fp32"
        )
        assert features.shape == (4, 3, 512)
        for position, row in enumerate(rows):
            path, digest = images.table.loc[row, ["path", "digest"]]
            view = augment(
                read_image(path),
                backbone.preprocessing,
                STEPS,
                seed=3,
                key=image_key(digest),
                epoch=2,
            )
            with torch.inference_mode():
                expected = backbone(view[None])[0].numpy()
            np.testing.assert_allclose(features[1, position], expected, rtol=1e-3, atol=1e-4)

    def test_another_contrast_is_another_entry(self, images, backbone, store):
        plain = np.array(store.unaugmented(images, backbone))
        stretched = build_backbone("resnet18", weights="none", image_size=32, contrast="stretch")
        assert stretched.identity() != backbone.identity()
        assert not np.array_equal(store.unaugmented(images, stretched), plain)

    def test_more_epochs_than_are_made_at_once(self, images, backbone, monkeypatch):
        monkeypatch.setattr("gellib.models.features.extraction.EPOCHS_AT_ONCE", 2)
        table = images.table
        args = (list(table["path"][:2]), list(table["digest"][:2]), backbone.preprocessing)
        found = list(augmented_views(*args, ImageLimits(), steps=[], seed=0, epochs=range(1, 6)))
        assert [(i, list(part)) for i, part, _ in found] == [
            (i, part) for i in (0, 1) for part in ([1, 2], [3, 4], [5])
        ]

    def test_nothing_is_computed_twice(self, images, backbone, store, monkeypatch):
        first = np.array(store.unaugmented(images, backbone))
        monkeypatch.setattr(store_module, "fill_unaugmented", None)
        again = FeatureStore(store.cache_dir)
        assert np.array_equal(again.unaugmented(images, backbone), first)
        # What it cost is known all the same.
        assert again.seconds == store.seconds > 0

    @pytest.mark.slow
    def test_other_inputs_are_other_features(self, images, backbone, store):
        store.unaugmented(images, backbone, precision="fp32")
        for other in (
            build_backbone("resnet18", weights="none", image_size=32, seed=1),
            build_backbone("resnet18", weights="none", image_size=40),
            build_backbone("resnet18", weights="none", image_size=32, input_adapter="sum"),
        ):
            store.unaugmented(images, other, precision="fp32")
        store.unaugmented(images, backbone, precision="bf16")
        assert len(list(store.cache_dir.glob("*.npy"))) == 5

    @pytest.mark.parametrize("damage", ["cut", "flip", "no note", "wrong note"])
    def test_damaged_files_are_computed_again(self, images, backbone, store, damage, caplog):
        first = np.array(store.unaugmented(images, backbone))
        (file,) = store.cache_dir.glob("*.npy")
        (note,) = store.cache_dir.glob("*.json")
        content = bytearray(file.read_bytes())
        if damage == "cut":
            file.write_bytes(content[:-100])
        elif damage == "flip":
            content[-100] ^= 1
            file.write_bytes(content)
        elif damage == "no note":
            note.unlink()
        else:
            note.write_text("{")
        with caplog.at_level(logging.WARNING):
            again = store.unaugmented(images, backbone)
        assert np.array_equal(again, first)
        assert ("are damaged" in caplog.text) == (damage != "no note")

    def test_a_flipped_bit_is_found_anywhere(self, tmp_path, monkeypatch):
        monkeypatch.setattr("gellib.models.features.cache._BLOCK", 1000)
        computed = []

        def compute(out):
            computed.append(1)
            out[:] = np.arange(out.size).reshape(out.shape)
            return 2.5

        args = tmp_path, {"of": "this test"}, (20, 100), compute
        first = np.array(cached_array(*args, title="numbers")[0])  # a copy: the file is mapped
        (file,), (note,) = tmp_path.glob("*.npy"), tmp_path.glob("*.json")
        random = np.random.default_rng(0)
        for damaged in [file] * 40 + [note] * 20:
            content = bytearray(damaged.read_bytes())
            bit = int(random.integers(8 * len(content)))
            content[bit // 8] ^= 1 << bit % 8
            if damaged == note and chr(content[bit // 8]).isspace():
                continue  # white space between the values of a note
            damaged.write_bytes(content)
            count = len(computed)
            again, seconds = cached_array(*args, title="numbers")
            assert len(computed) == count + 1, (damaged.suffix, bit)
            assert np.array_equal(again, first) and seconds == 2.5
        cached_array(*args, title="numbers")
        assert len(computed) == count + 1

    def test_a_failure_leaves_nothing_behind(self, images, backbone, store, monkeypatch):
        def fail(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(store_module, "fill_unaugmented", fail)
        with pytest.raises(KeyboardInterrupt):
            store.unaugmented(images, backbone)
        assert {path.suffix for path in store.cache_dir.iterdir()} <= {".lock"}

    def test_shards_give_the_same_features_and_are_gone_then(self, tmp_path, images, backbone):
        whole = FeatureStore(tmp_path / "whole")
        shards = FeatureStore(tmp_path / "shards", shard=4)
        rows = [9, 2, 5, 0, 7, 3]
        options = {"precision": "fp32", "batch_size": 4}
        drawn = {"augmentation": STEPS, "seed": 3, "epochs": 2}
        for store in (whole, shards):
            store.unaugmented(images, backbone, **options)
            store.augmented(images, rows, backbone, **drawn, **options)
        assert shards.files == whole.files
        found = sorted(p.name for p in shards.cache_dir.iterdir())
        assert found == sorted(p.name for p in whole.cache_dir.iterdir())
        for name in whole.files:
            np.testing.assert_array_equal(
                np.load(shards.cache_dir / name), np.load(whole.cache_dir / name)
            )

    def test_a_shard_that_is_there_is_not_computed_again(self, images, backbone, store, caplog):
        store.unaugmented(images.take(range(4, 8)), backbone, precision="fp32")
        again = FeatureStore(store.cache_dir, shard=4)
        made = []
        real = store_module.fill_unaugmented

        def note(out, part, *args, **options):
            made.append(list(part.table["file"]))
            return real(out, part, *args, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store_module, "fill_unaugmented", note)
            again.unaugmented(images, backbone, precision="fp32")
        files = list(images.table["file"])
        assert made == [files[:4], files[8:]]
        assert again.seconds > store.seconds > 0

    def test_several_at_once_compute_once(self, images, backbone, store, monkeypatch):
        calls = []
        real = store_module.fill_unaugmented

        def count(*args, **options):
            calls.append(1)
            return real(*args, **options)

        monkeypatch.setattr(store_module, "fill_unaugmented", count)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(store.unaugmented(images, backbone)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(calls) == 1
        assert all(np.array_equal(result, results[0]) for result in results)

    def test_a_full_disk_is_said_before(self, images, backbone, store, monkeypatch):
        usage = type("Usage", (), {"free": 10})
        monkeypatch.setattr("gellib.models.features.cache.shutil.disk_usage", lambda path: usage)
        with pytest.raises(OSError, match="make room there or set cache_dir"):
            store.unaugmented(images, backbone)

    def test_bad_images_are_named(self, tmp_path, backbone, store):
        images = make_split_stripes(tmp_path / "images", per_class=4)
        path = images.table["path"][3]
        with open(path, "wb") as file:
            file.write(b"nonsense")
        with pytest.raises(BadImageError, match=path.rsplit("/", 1)[-1]):
            store.unaugmented(images, backbone)

    @pytest.mark.slow
    def test_calibration_is_cached(self, images, store, monkeypatch):
        first, second = (
            build_backbone("resnet18", weights="none", image_size=32) for _ in range(2)
        )
        rows = np.flatnonzero(images.table["split"] == "train")
        calibrate_on_images(store, images, rows, first)
        monkeypatch.setattr("gellib.models.features.batch_norms.calibrate_batchnorm", None)
        calibrate_on_images(store, images, rows, second)
        assert first.identity() == second.identity()
        assert not second.needs_calibration
        features = store.unaugmented(images, second)
        assert 0.01 < np.std(features) < 100


def test_a_store_that_was_asked_for_nothing_has_cost_nothing(tmp_path):
    store = FeatureStore(tmp_path / "cache")
    assert store.seconds == 0 and store.files == [] and not (tmp_path / "cache").exists()


def test_a_bar_is_drawn_where_it_is_wanted(capsys):
    for wanted in (False, True):
        with progress_bar(wanted, 8, "features", unit="views") as bar:
            bar.update(3)
            assert bar.disable is not wanted
    drawn = capsys.readouterr().err
    assert "features" in drawn and "0/8" in drawn and "views" in drawn
    with progress_bar(bar, 5, "again") as same:
        assert same is bar


@pytest.mark.parametrize("size", [1, 2, 5, 7, 30])
@pytest.mark.parametrize("blocks", [[1] * 12, [12], [5, 0, 7], [3, 4, 5], [11, 1]])
def test_batches_are_full_but_for_the_last_whatever_comes_in(size, blocks):
    rows = np.arange(12)
    given = np.split(rows, np.cumsum(blocks)[:-1])
    taken = []

    def source():
        for block in given:
            taken.append(len(block))
            yield block

    lengths, whole = [], []
    for batch in rebatch(source(), size):
        # None waits for more than it needs.
        assert sum(taken) - sum(lengths) < size + max(blocks)
        lengths.append(len(batch))
        whole += batch.tolist()
    assert whole == rows.tolist()
    assert lengths == [size] * (12 // size) + [12 % size] * (12 % size > 0)


@pytest.mark.parametrize(
    ("size", "color", "views", "ahead"),
    [(224, "rgb", 1, 64), (224, "rgb", 32, 13), (224, "grey", 32, 41), (4096, "rgb", 32, 0)],
)
def test_views_that_wait_take_64_mb_at_most(backbone, size, color, views, ahead):
    given = replace(backbone.preprocessing, image_size=size, color=color)
    assert _items_ahead(given, views) == ahead
    assert ahead * views * size**2 * (3 if color == "rgb" else 1) <= 64 << 20


def test_threads_keep_the_order_and_pass_errors_on():
    assert list(map_in_threads(lambda x: x * x, range(50), ahead=3, workers=4)) == [
        x * x for x in range(50)
    ]
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda x: 1 // x, [1, 0, 1], ahead=1))


def test_threads_run_ahead_only_so_far():
    started = []
    stream = map_in_threads(started.append, range(100), ahead=2, workers=1)
    for _ in range(5):
        next(stream)
    assert len(started) <= 8
    stream.close()


class SmallMemory:
    """Stands for a backbone on a GPU that holds `fits` images at once."""

    def __init__(self, fits):
        self.fits, self.sizes = fits, []

    def extract(self, images, **options):
        self.sizes.append(len(images))
        if len(images) > self.fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return images.flatten(1).float()


def test_out_of_gpu_memory_halves_the_batch(caplog):
    network = SmallMemory(fits=3)
    views = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    options = {"precision": "fp32", "device": "cpu", "batch_size": 8, "total": 20}
    with caplog.at_level(logging.WARNING):
        found = list(extract_stream(np.split(views, 5), network, **options))
    assert np.concatenate(found).ravel().tolist() == list(range(20))
    # Halved until it fits, and never tried larger again.
    assert network.sizes == [8, 4] + [2] * 10
    assert "continuing with batches of 2 images" in caplog.text


def test_one_image_too_many_for_the_gpu_is_an_error():
    network = SmallMemory(fits=0)
    options = {"precision": "fp32", "device": "cpu", "batch_size": 8, "total": 8}
    with pytest.raises(torch.OutOfMemoryError):
        list(extract_stream([np.zeros((8, 1, 1, 1), np.uint8)], network, **options))
    assert network.sizes == [8, 4, 2, 1]
