from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import rankdata

from gellib.labsim.simulate import (
    CLASSES,
    SYSTEMS,
    WEIGHTS,
    draw_image,
    simulate,
    stream,
    write_gel,
)
from gellib.labsim.simulate.class_words import CLASS_WORDS, class_in_words

DEMO = Path(__file__).parents[2] / "dataset" / "gel"


@pytest.fixture(scope="module")
def demo_again(tmp_path_factory):
    """The demo data set, written once more."""
    out = tmp_path_factory.mktemp("simulated") / "gel set ü"
    write_gel(out, seed=0)
    return out


def files_of(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def test_classes_are_many_and_of_both_kinds():
    assert len(CLASSES) >= 26
    assert 8 <= sum(CLASSES.values()) <= len(CLASSES) - 12
    assert set(WEIGHTS) == set(CLASSES)
    assert min(WEIGHTS["spectrogram"], WEIGHTS["code_2d"]) > 1


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.slow
def test_image_depends_on_nothing_but_class_seed_and_index(name):
    first = simulate(name, 5, 7, 64)
    np.random.seed(0)
    simulate(name, 1, 1, 48)
    assert np.array_equal(first, simulate(name, 5, 7, 64))
    assert not np.array_equal(first, simulate(name, 5, 8, 64))
    assert not np.array_equal(first, simulate(name, 6, 7, 64))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.slow
def test_image_is_grey_of_its_size_and_shows_something(name):
    for index in range(12):
        size_px = (40, 96, 160)[index % 3]
        image = simulate(name, 0, index, size_px)
        assert image.dtype == np.uint8
        assert image.shape == (size_px, size_px)
        assert image.std() > 1
    assert draw_image(name, np.random.default_rng(0), 150, 90).shape == (90, 150)


@pytest.mark.slow
def test_images_of_a_class_differ_in_brightness():
    for name in CLASSES:
        means = [simulate(name, 2, index, 48).mean() for index in range(20)]
        assert np.std(means) > 8, name


def test_unknown_class_is_named():
    with pytest.raises(ValueError, match="no simulated class 'gell': expected one of gel_dim, "):
        simulate("gell", 0, 0)
    with pytest.raises(ValueError, match=r"classes: got \['gell'\], expected some of gel_dim, "):
        next(stream(0, classes=["gell", "sea"]))
    with pytest.raises(ValueError, match="classes: got none"):
        next(stream(0, classes=[]))


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match="got 31 x 64 px: expected 32 or more per side"):
        draw_image("sea", np.random.default_rng(0), 31, 64)


@pytest.mark.slow
def test_stream_can_be_taken_up_anywhere():
    whole = list(islice(stream(3, 40), 8))
    later = list(islice(stream(3, 40, start=5), 3))
    assert [number for _, number in whole[5:]] == [number for _, number in later]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(whole[5:], later, strict=True))


def test_stream_numbers_classes_by_their_place_in_the_list():
    names = ["sea", "gel_dim"]
    for index, (image, number) in enumerate(islice(stream(4, 40, classes=names), 6)):
        assert np.array_equal(image, simulate(names[number], 4, index, 40))


def test_stream_draws_all_classes_by_their_weights(monkeypatch):
    monkeypatch.setattr("gellib.labsim.simulate.classes.simulate", lambda *_: None)
    drawn = np.bincount([number for _, number in islice(stream(0), 1500)])
    expected = 1500 * np.array(list(WEIGHTS.values())) / sum(WEIGHTS.values())
    assert (np.abs(drawn - expected) < 4.5 * np.sqrt(expected)).all()


@pytest.mark.slow
def test_demo_set_has_its_counts(demo_again):
    for folder in (DEMO, demo_again):
        for split, count in (("train", 46), ("test", 11)):
            for label in ("gel", "not_gel"):
                assert len(list((folder / split / label).iterdir())) == count
    assert sum((DEMO / name).stat().st_size for name in files_of(DEMO)) < 4e6


@pytest.mark.slow
def test_demo_set_is_what_the_generator_writes(demo_again):
    names = files_of(DEMO)
    assert names == files_of(demo_again)
    pngs = [name for name in names if name.suffix == ".png"]
    assert len(pngs) > 5
    for name in [*pngs, *names[::9]]:
        with Image.open(DEMO / name) as tracked, Image.open(demo_again / name) as made:
            assert tracked.size == made.size
            gap = np.abs(np.asarray(tracked, float) - np.asarray(made, float))
        # Other versions of numpy, Pillow or the JPEG encoder may round or hint otherwise.
        assert gap.mean() < 1.5, name


@pytest.mark.slow
def test_files_alone_do_not_tell_the_classes_apart(tmp_path):
    write_gel(tmp_path / "set", train=60, test=0, seed=1)
    rows, labels = [], []
    for path in sorted((tmp_path / "set").rglob("*.*")):
        with Image.open(path) as image:
            assert image.mode == "L"
            width, height = image.size
        size = path.stat().st_size
        rows.append([width, height, width / height, width * height, size, path.suffix == ".png"])
        labels.append(path.parent.name == "gel")
    labels = np.array(labels)
    assert labels.sum() == 60 and len(labels) == 120
    for values in np.array(rows, float).T:
        ranks = rankdata(values)[labels].sum()
        auc = (ranks - 60 * 61 / 2) / 60**2
        assert 0.3 < auc < 0.7


@pytest.mark.slow
def test_system_splits_a_fifth_off_for_testing(tmp_path):
    seen = []
    SYSTEMS["gel"](tmp_path / "set", n=5, seed=2, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (10, 10) and len(seen) == 10
    for label in ("gel", "not_gel"):
        assert len(list((tmp_path / "set" / "train" / label).iterdir())) == 4
        assert len(list((tmp_path / "set" / "test" / label).iterdir())) == 1


def test_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="not empty: expected a new or an empty folder"):
        write_gel(tmp_path, train=1, test=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_interrupted_writing_leaves_nothing_behind(tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    (tmp_path / "set").mkdir()
    with pytest.raises(KeyboardInterrupt):
        write_gel(tmp_path / "set", train=2, test=1, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert not list((tmp_path / "set").iterdir())


@pytest.mark.parametrize("counts", [{"train": 0}, {"test": -1}])
def test_impossible_counts_are_refused(tmp_path, counts):
    with pytest.raises(ValueError, match="expected at least 1 and 0 images per class"):
        write_gel(tmp_path / "set", **counts)


@pytest.mark.slow
def test_progress_is_not_needed_and_the_seed_matters(tmp_path):
    write_gel(tmp_path / "a", train=2, test=0, seed=1)
    write_gel(tmp_path / "b", train=2, test=0, seed=2)
    images = [sorted((tmp_path / name).rglob("*.*"))[0].read_bytes() for name in "ab"]
    assert images[0] != images[1]


def test_every_class_has_words_of_its_own():
    assert set(CLASS_WORDS) == set(CLASSES)
    assert len(set(CLASS_WORDS.values())) == len(CLASSES)
    for name, words in CLASS_WORDS.items():
        assert "_" not in words and words[0].islower() or words.startswith("X"), name
        assert not CLASSES[name] or "gel" in words or "blot" in words
    assert class_in_words("a_class_of_mine") == "a class of mine"
