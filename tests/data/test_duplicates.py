"""Duplicates are found whatever was done to them, and kept on one side of a split."""

import json

import numpy as np
import pandas as pd
import pytest
from making.folders import make_set
from making.images import CHANGES, make_blobs, make_subject_slices, save_png
from PIL import Image
from scipy.ndimage import gaussian_filter

from gellib.config import RunConfig
from gellib.data import load_imageset
from gellib.data.duplicates import (
    Duplicates,
    best_copy,
    components,
    conflicting_pairs,
    count_reassigned,
    cross_split_pairs,
    find_clusters,
    find_duplicates,
    group_images,
    summarise_images,
)
from gellib.data.duplicates.image_traits import measure_traits
from gellib.data.duplicates.threads import batches, in_threads
from gellib.data.duplicates.variants import grey_percentiles
from gellib.data.splits import split_imageset
from gellib.training_run import load_images


def test_counted_percentiles_are_those_of_numpy():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (1, 2), (3, 7), (40, 61)):
        for most in (1, 3, 256):
            grey = rng.integers(0, most, shape, dtype=np.uint8)
            shares = (0.0, 0.02, 0.3, 0.5, 0.98, 1.0)
            assert np.allclose(grey_percentiles(grey, shares), np.quantile(grey, shares))


@pytest.mark.parametrize("shape", [(2, 2), (9, 30), (65, 64), (81, 90)])
def test_grain_is_measured_on_the_differences_themselves(shape):
    grey = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    values = grey.astype(float)
    twist = np.abs(values[1:, 1:] + values[:-1, :-1] - values[1:, :-1] - values[:-1, 1:])
    grain = measure_traits(grey).grain
    assert np.allclose(grain[[2, 3]], np.log([np.median(twist) + 0.05, twist.mean() + 0.05]))
    assert grain[6] == (twist == 0).mean()


@pytest.mark.parametrize("cpus", [1, 3, None])
def test_results_of_blocks_come_in_their_order(monkeypatch, cpus):
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    blocks = batches(np.arange(23), 5)
    assert [len(rows) for rows in blocks] == [5, 5, 5, 5, 3]
    assert list(in_threads(lambda rows: int(rows[0]), blocks)) == [0, 5, 10, 15, 20]
    assert list(in_threads(len, [])) == []


@pytest.fixture
def plain():
    """Twelve pictures that have nothing in common."""
    return {f"{'ab'[i % 2]}/{i:02d}.png": make_blobs(i) for i in range(12)}


def test_images_of_their_own_are_no_duplicates(tmp_path, plain):
    assert find_duplicates(make_set(tmp_path, plain)) == Duplicates()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.slow
def test_a_changed_copy_is_found(tmp_path, plain, change):
    images = make_set(tmp_path, plain | {"b/copy.png": CHANGES[change](make_blobs(4))})
    found = find_duplicates(images)
    assert [(a, b) for a, b, _ in found.near] == [("a/04.png", "b/copy.png")]
    assert 0 <= found.near[0][2] < 0.26
    assert found.exact == ()
    assert conflicting_pairs(images, found) == list(found.near)


def test_exact_copies_to_the_byte_and_to_the_pixel(tmp_path, plain):
    for name, picture in plain.items():
        save_png(tmp_path / name, picture)
    (tmp_path / "a" / "z.png").write_bytes((tmp_path / "a" / "00.png").read_bytes())
    save_png(tmp_path / "b" / "z.bmp", make_blobs(3))
    save_png(tmp_path / "b" / "rgba.png", make_blobs(3), mode="RGBA")
    found = find_duplicates(load_imageset(tmp_path))
    assert found.near == ()
    assert found.groups() == [["a/00.png", "a/z.png"], ["b/03.png", "b/rgba.png", "b/z.bmp"]]
    assert ("a/00.png", "a/z.png") in found.exact and len(found.exact) == 3


VARIANTS = {
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "turned by 90 degrees": np.rot90,
    "turned by 180 degrees": lambda p: p[::-1, ::-1],
    "turned by 270 degrees": lambda p: np.rot90(p, 3),
    "transposed": lambda p: p.T,
    "transposed the other way": lambda p: p[::-1, ::-1].T,
    "inverted": lambda p: 255 - p,
    "inverted and turned": lambda p: 255 - np.rot90(p),
    "in a white margin": lambda p: np.pad(p, 40, constant_values=255),
    "in a black margin on two sides": lambda p: np.pad(p, ((30, 0), (0, 50))),
    "in a frame line": lambda p: np.pad(np.pad(p, 2), 25, constant_values=250),
    "mirrored, inverted, in a margin": lambda p: np.pad(255 - p[::-1], 30, constant_values=255),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.slow
def test_a_mirrored_turned_inverted_or_framed_copy_is_found(tmp_path, plain, variant):
    copy = CHANGES["resaved"](np.ascontiguousarray(VARIANTS[variant](make_blobs(4))))
    found = find_duplicates(make_set(tmp_path, plain | {"b/copy.png": copy}))
    assert [(a, b) for a, b, _ in found.near] == [("a/04.png", "b/copy.png")]


def turn(picture, degrees, level=255):
    return np.asarray(
        Image.fromarray(picture).rotate(degrees, Image.Resampling.BICUBIC, fillcolor=level)
    )


def figure(*panels, gap=6, level=255):
    """Panels of one size side by side, with strips between and around them."""
    padded = [np.pad(panel, ((gap, gap), (0, gap)), constant_values=level) for panel in panels]
    return np.pad(np.hstack(padded), ((0, 0), (gap, 0)), constant_values=level)


PARTS = {
    "turned by 2 degrees": lambda p: turn(p, 2),
    "turned by -5 degrees": lambda p: turn(p, -5, 0),
    "mirrored and turned": lambda p: turn(np.ascontiguousarray(p[:, ::-1]), 4),
    "20 % cut off": lambda p: p[12:108, 16:144],
    "30 % cut off in a corner": lambda p: p[:84, :112],
    "30 % cut off one side": lambda p: p[:, 48:],
    "cut and turned": lambda p: turn(p, 3)[10:106, 20:148],
    "a panel of three": lambda p: figure(make_blobs(71), p, make_blobs(72)),
    "a panel in black strips": lambda p: figure(p, make_blobs(73), gap=4, level=0),
    "a panel without strips": lambda p: np.hstack([255 - make_blobs(74) // 2, p // 2]),
    "a panel of four": lambda p: np.vstack(
        [figure(make_blobs(75), make_blobs(76)), figure(p, make_blobs(77))]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_turned_image_a_part_and_a_panel_are_found(tmp_path, plain, part):
    copy = CHANGES["resaved"](np.ascontiguousarray(PARTS[part](make_blobs(4))), 85)
    found = find_duplicates(make_set(tmp_path, plain | {"b/copy.png": copy}))
    assert [(a, b) for a, b, _ in found.near] == [("a/04.png", "b/copy.png")]


@pytest.mark.slow
def test_figures_of_one_layout_are_no_duplicates(tmp_path):
    files = {f"{'ab'[i % 2]}/{i}.png": figure(make_blobs(100 + 2 * i), make_blobs(101 + 2 * i))
             for i in range(8)}  # fmt: skip
    assert find_duplicates(make_set(tmp_path, files)) == Duplicates()


def test_the_larger_the_sharper_and_the_single_copy_are_kept(tmp_path):
    image = make_blobs(4)
    small = CHANGES["resized"](image)
    soft = np.rint(gaussian_filter(image.astype(float), 2)).astype(np.uint8)
    panel = figure(make_blobs(5), image)
    for name, picture in {"o": image, "small": small, "soft": soft, "panel": panel}.items():
        save_png(tmp_path / f"{name}.png", picture)
    seen = {name: summarise_images([str(tmp_path / f"{name}.png")])[0]
            for name in ("o", "small", "soft", "panel")}  # fmt: skip
    for other in ("small", "soft", "panel"):
        assert best_copy([seen["o"], seen[other]]) == 0
        assert best_copy([seen[other], seen["o"]]) == 1


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.slow
def test_a_margin_that_all_images_share_makes_no_duplicates(tmp_path, plain, level):
    framed = {name: np.pad(p, ((40, 40), (60, 20)), constant_values=level)
              for name, p in plain.items()}  # fmt: skip
    assert find_duplicates(make_set(tmp_path, framed)) == Duplicates()


def test_even_images_are_duplicates_only_if_equal(tmp_path, plain):
    even = {f"a/even{v}.png": np.full((50, 50), v, np.uint8) for v in (0, 0x80)}
    assert find_duplicates(make_set(tmp_path, plain | even)) == Duplicates()


@pytest.mark.slow
def test_the_order_of_the_rows_does_not_count(tmp_path, plain):
    from dataclasses import replace

    images = make_set(tmp_path, plain | {"b/copy.png": CHANGES["cropped"](make_blobs(4))})
    turned = replace(images, table=images.table[::-1].reset_index(drop=True))
    assert find_duplicates(images) == find_duplicates(turned)


@pytest.mark.slow
def test_the_cache_saves_the_look_and_notices_a_new_file(tmp_path, plain, monkeypatch):
    images = make_set(tmp_path / "data", plain | {"b/copy.png": CHANGES["resized"](make_blobs(4))})
    first = find_duplicates(images, cache_dir=tmp_path / "cache")
    monkeypatch.setattr(
        "gellib.data.duplicates.groups.summarise_images", lambda *_, **__: pytest.fail("looked")
    )
    assert find_duplicates(images, cache_dir=tmp_path / "cache") == first
    monkeypatch.undo()
    save_png(tmp_path / "data" / "a" / "new.png", CHANGES["resaved"](make_blobs(6)))
    again = find_duplicates(load_imageset(tmp_path / "data"), cache_dir=tmp_path / "cache")
    assert len(again.near) == 2
    for file in (tmp_path / "cache").glob("*.json"):
        assert set(json.loads(file.read_text())["found"]) == {"same", "near"}
        file.write_text("{damaged")
    assert find_duplicates(images, cache_dir=tmp_path / "cache") == first


@pytest.mark.slow
def test_groups_stay_whole_and_join_those_given(tmp_path, plain):
    copies = {f"a/copy{i}.png": CHANGES["resaved"](make_blobs(i)) for i in (0, 2, 4)}
    images = make_set(tmp_path, plain | copies)
    found = find_duplicates(images)
    given = images.table.assign(group=["G" if f == "a/00.png" else "" for f in images.table.file])
    grouped = group_images(type(images)(**{**vars(images), "table": given}), found)
    names = dict(zip(grouped.table.file, grouped.table.group, strict=True))
    assert names["a/00.png"] == names["a/copy0.png"] == "G"
    assert names["a/02.png"] == names["a/copy2.png"] == "same as a/02.png"
    assert names["b/01.png"] == ""
    reassigned = 0
    for seed in range(20):
        parts = split_imageset(grouped, seed=seed)
        assert count_reassigned(parts, found) == 0 and cross_split_pairs(parts, found) == []
        reassigned += count_reassigned(split_imageset(images, seed=seed), found)
    assert reassigned > 0, "without groups some pair is separated"


@pytest.mark.slow
def test_given_parts_are_kept_and_their_pairs_named(tmp_path, plain):
    files = {f"train/{name}": picture for name, picture in plain.items()}
    files |= {f"test/{c}/{i}.png": make_blobs(100 + i) for i, c in enumerate("ababab")}
    files["test/a/leak.png"] = CHANGES["resized"](make_blobs(2))
    files["train/a/twin.png"] = CHANGES["resaved"](make_blobs(0))
    images = make_set(tmp_path, files)
    found = find_duplicates(images)
    assert [pair[:2] for pair in cross_split_pairs(images, found)] == [
        ("test/a/leak.png", "train/a/02.png")
    ]
    config = RunConfig(dataset_dir=str(tmp_path), cache_dir=str(tmp_path / ".cache"))
    loaded = load_images(config)
    parts = dict(zip(loaded.images.table.file, loaded.images.table.split, strict=True))
    assert parts["test/a/leak.png"] == "test" and parts["train/a/02.png"] != "test"
    assert parts["train/a/twin.png"] == parts["train/a/00.png"]
    assert "1 pair of duplicates lies" in loaded.duplicates.warning()
    assert "2 images are duplicates" in loaded.duplicates.sentence()
    record = loaded.duplicates.to_dict()
    assert record["near"] == 2 and record["cross_split_pairs"][0][:2] == [
        "test/a/leak.png",
        "train/a/02.png",
    ]


@pytest.mark.slow
def test_duplicates_within_the_groups_of_the_data_set_are_told_as_such(tmp_path, plain):
    copies = {f"a/copy{i}.png": CHANGES["resaved"](make_blobs(i)) for i in (0, 2)}
    images = make_set(tmp_path / "data", plain | copies)
    people = {"a/00.png": "P", "a/copy0.png": "P", "a/02.png": "Q", "a/copy2.png": "Q"}
    rows = [{"file": f, "label": f[0], "group": people.get(f, f)} for f in images.table.file]
    pd.DataFrame(rows).to_csv(tmp_path / "data" / "labels.csv", index=False)
    config = RunConfig(dataset_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "c"))
    found = load_images(config).duplicates
    assert found.to_dict()["given"] is True
    assert "4 images look like duplicates of another one of their group" in found.sentence()
    next(row for row in rows if row["file"] == "a/copy0.png")["group"] = "another"
    pd.DataFrame(rows).to_csv(tmp_path / "data" / "labels.csv", index=False)
    found = load_images(config).duplicates
    assert found.to_dict()["given"] is False and "4 images are duplicates" in found.sentence()


@pytest.mark.slow
def test_a_run_may_leave_duplicates_alone(tmp_path, plain):
    make_set(tmp_path / "data", plain | {"b/copy.png": CHANGES["resized"](make_blobs(4))})
    config = RunConfig(
        dataset_dir=str(tmp_path / "data"), cache_dir=str(tmp_path / "c"), group_duplicates=False
    )
    loaded = load_images(config)
    assert set(loaded.images.table["group"]) == {""}
    assert loaded.duplicates.to_dict()["checked"] is False and not loaded.duplicates.sentence()


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        ("holdout", "class 'b' would have no images"),
        ("cv", "class 'b' has 8 images in 1 group to draw folds from"),
    ],
)
@pytest.mark.slow
def test_a_class_of_one_image_is_split_nevertheless_with_a_warning(tmp_path, method, problem):
    files = {f"a/{i}.png": make_blobs(i) for i in range(8)}
    files |= {f"b/{i}.png": CHANGES["resaved"](make_blobs(99), 50 + 5 * i) for i in range(8)}
    make_set(tmp_path / "data", files)
    folders = {"dataset_dir": str(tmp_path / "data"), "cache_dir": str(tmp_path / "c")}
    loaded = load_images(RunConfig(**folders, evaluation=method))
    assert (loaded.images.counts() > 0).all(axis=None)
    assert "8 images are duplicates" in loaded.duplicates.warning()
    assert problem in loaded.duplicates.to_dict()["problem"]
    assert loaded.duplicates.sentence() == ""


def test_a_squeezed_copy_is_found(tmp_path, plain):
    squeezed = np.asarray(Image.fromarray(make_blobs(4)).resize((90, 90)))
    found = find_duplicates(make_set(tmp_path, plain | {"b/copy.png": squeezed}))
    assert [pair[:2] for pair in found.near] == [("a/04.png", "b/copy.png")]


@pytest.mark.slow
def test_what_many_images_share_is_a_pattern_and_no_duplicate(tmp_path):
    rng = np.random.default_rng(0)
    files = {}
    for i in range(20):
        picture = rng.normal(90, 20, (48, 40))
        if i % 2:
            picture[::6] += 100
        files[f"{'ab'[i % 2]}/{i:02d}.png"] = picture.clip(0, 255).astype(np.uint8)
    assert find_duplicates(make_set(tmp_path, files)) == Duplicates()


def test_components_of_pairs():
    pairs = [("b", "a"), ("c", "d"), ("d", "e"), ("a", "b")]
    assert components(pairs) == [["a", "b"], ["c", "d", "e"]]


def test_slices_of_a_subject_are_clusters_and_the_leak_is_measured():
    pictures, labels, subjects = make_subject_slices(1)
    found = find_clusters(pictures, labels)
    assert len(found.groups) >= 16, "two subjects of one class may look alike by chance"
    cluster_of = {row: number for number, rows in enumerate(found.groups) for row in rows}
    assert len(cluster_of) == len(labels)
    assert all(
        len({cluster_of[row] for row in np.flatnonzero(subjects == s)}) == 1 for s in range(20)
    )
    assert found.nn_random == 1.0 and found.nn_grouped < 0.75
    assert "is the leak" in found.sentence()


def test_classes_that_look_alike_are_no_clusters():
    rng = np.random.default_rng(0)
    for signal in (0.0, 0.3, 3.0):
        stripes = np.zeros((64, 64))
        stripes[::8] = 120 * signal
        labels = np.arange(80) % 2
        pictures = rng.normal(120, 30, (80, 64, 64)) + labels[:, None, None] * stripes
        found = find_clusters(pictures, labels)
        assert found.groups == () and found.sentence() == ""
        assert abs(found.nn_random - found.nn_grouped) < 0.25


@pytest.mark.slow
@pytest.mark.real
def test_the_re_saved_gels_are_found(real_data):
    images = load_imageset(real_data / "gel")
    found = find_duplicates(images)
    assert len(found.groups()) == 19 and all(len(files) == 2 for files in found.groups())
    assert conflicting_pairs(images, found) == []
