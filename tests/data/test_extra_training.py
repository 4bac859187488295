"""Further training images: which folders are taken, and that no draw validates or tests on them."""

import numpy as np
import pandas as pd
import pytest
from making.folders import list_counted, make_files, make_multilabel

from gellib.data import DatasetError, append_images, load_extra_training, load_imageset
from gellib.data.folds import draw_folds, draw_validation, pool_images
from gellib.data.imageset import EXTRA

OWN = ("own/a/1.png", "own/a/2.png", "own/b/3.png", "own/b/4.png")


def load(root, folder="more"):
    return load_extra_training(load_imageset(root / "own"), root / folder)


@pytest.mark.parametrize(
    ("files", "labels"),
    [
        (("a/5.png", "b/6.png"), {"../more/a/5.png": 0, "../more/b/6.png": 1}),
        (("b/5.png",), {"../more/b/5.png": 1}),
        (("train/b/5.png",), {"../more/train/b/5.png": 1}),
        (("b/deep/5.png",), {"../more/b/deep/5.png": 1}),
    ],
)
def test_images_of_some_classes_are_enough(tmp_path, files, labels):
    make_files(tmp_path, *OWN, *(f"more/{file}" for file in files))
    extra = load(tmp_path)
    assert dict(zip(extra.table["file"], extra.table["label"], strict=True)) == labels
    assert set(extra.table["split"]) == {EXTRA} and extra.classes == ("a", "b")
    joined = append_images(load_imageset(tmp_path / "own"), extra)
    assert list(joined.table["file"][-len(labels) :]) == list(extra.table["file"])
    assert len(joined) == len(OWN) + len(labels)


def test_a_table_of_labels_is_read(tmp_path):
    make_files(tmp_path, *OWN, "more/x.png", "more/y.png")
    table = pd.DataFrame({"file": ["x.png", "y.png"], "label": ["b", "a"], "group": ["p1", ""]})
    table.to_csv(tmp_path / "more/labels.csv", index=False)
    extra = load(tmp_path)
    assert extra.table["label"].tolist() == [1, 0] and extra.table["group"].tolist() == ["p1", ""]


@pytest.mark.parametrize(
    ("files", "folder", "message"),
    [
        ((), "nowhere", "extra_train_dir: got .*no such folder"),
        (("more/c/5.png", "more/a/6.png"), "more", r"got the class 'c' in .*Expected some of 'a'"),
        (("more/C/5.png", "more/D/6.png"), "more", "got the classes 'C'"),
        (("more/.hidden/5.png",), "more", "no images"),
        (("more/test/a/5.png", "more/test/b/6.png"), "more", "which has validation or test images"),
        ((), "own", "which holds images of the data set, such as"),
        ((), ".", "which holds images of the data set, such as"),
    ],
)
def test_other_folders_are_refused(tmp_path, files, folder, message):
    make_files(tmp_path, *OWN, *files)
    with pytest.raises(DatasetError, match=message):
        load(tmp_path, folder)


def test_several_labels_and_one_do_not_go_together(tmp_path):
    make_multilabel(tmp_path / "own", n=12)
    classes = load_imageset(tmp_path / "own").classes
    make_files(tmp_path, f"more/{classes[0]}/1.png", f"more/{classes[1]}/2.png")
    with pytest.raises(DatasetError, match="as many labels each"):
        load(tmp_path)
    make_multilabel(tmp_path / "same", n=12)
    same = load_extra_training(load_imageset(tmp_path / "own"), tmp_path / "same")
    assert len(same) == 12 and same.task == load_imageset(tmp_path / "own").task


def test_folds_train_on_them_and_hold_none_out():
    images = pool_images(list_counted(8, 8))
    extra = list_counted(5, 0, splits=[EXTRA] * 5)
    folds = draw_folds(images, folds=4, repeats=2, seed=0)
    joined, with_extra = append_images(images, extra), folds.with_extra(len(extra))
    rows = np.arange(len(images), len(joined))
    assert np.array_equal(with_extra.rows, folds.rows)
    for repeat in range(2):
        for fold in range(4):
            train = with_extra.training(repeat, fold)
            assert np.array_equal(train, np.append(folds.training(repeat, fold), rows))
            assert np.array_equal(with_extra.held_out(repeat, fold), folds.held_out(repeat, fold))
            draw = {"seed": 0, "repeat": repeat, "fold": fold}
            left, val = draw_validation(joined, train, 0.4, **draw)
            alone = draw_validation(images, folds.training(repeat, fold), 0.4, **draw)
            assert np.array_equal(left, np.append(alone[0], rows))
            assert np.array_equal(val, alone[1])
