"""Runs with further training images: trained on in every fold, never tested."""

import shutil

import numpy as np
import pandas as pd
import pytest
from making.folders import make_stripes_and_dots
from PIL import Image
from test_cross_validated_run import finish

from gellib.config import RunConfig
from gellib.report.handover import Reported, card_of, to_markdown
from gellib.training_run import load_images

pytestmark = pytest.mark.slow
OTHER = {"dots": "stripes", "stripes": "dots"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Images of two classes, and many others of which each has the label of the other class."""
    root = tmp_path_factory.mktemp("extra")
    make_stripes_and_dots(root / "made", train=12, test=40)
    shutil.copytree(root / "made" / "train", root / "images")
    for name, other in OTHER.items():
        shutil.copytree(root / "made" / "test" / name, root / "wrong" / other)
    return root


HEADS = [
    {"num_epochs": 20},
    {"opt_alg": "lbfgs"},
    {"schedule": "plateau", "num_epochs": 20, "learning_rate": 0.03},
    {"augmentation": "horizontal_flip", "views": 2, "num_epochs": 20},
    {"patience": 3, "num_epochs": 20},
    {"evaluation": "holdout", "num_epochs": 20},
]


@pytest.mark.parametrize("changes", HEADS, ids=lambda own: "-".join(map(str, own.values())))
def test_they_are_trained_on_and_not_scored(folders, changes):
    images, more = folders / "images", str(folders / "wrong")
    number, changes = HEADS.index(changes), {"cv_repeats": 1} | changes
    alone, _ = finish(images, f"{number:02}-alone", **changes)
    run, _ = finish(images, f"{number:02}-extra", extra_train_dir=more, **changes)
    before, after = alone.folder.read_record(), run.folder.read_record()
    assert before.data.fingerprint == after.data.fingerprint
    assert before.data.counts == after.data.counts
    assert after.data.extra.images == 80 and not before.data.extra.images
    assert after.data.extra.counts == {"dots": 40, "stripes": 40}
    assert after.scores["n"] == before.scores["n"]
    # Eighty wrong labels against twenty right ones: what was learned is the reverse.
    assert after.scores["accuracy"] < 0.5 < before.scores["accuracy"]
    tables = [own.folder.read_predictions() for own in (alone, run)]
    columns = ["file", "split", "label"]
    pd.testing.assert_frame_equal(*(table[columns] for table in tables))
    if after.evaluation.method == "cv":
        folds = [pd.read_csv(own.folder.out_of_fold) for own in (alone, run)]
        columns = ["file", "repeat", "fold"]
        pd.testing.assert_frame_equal(*(table[columns] for table in folds))
        assert after.prediction_sets.n == 24 and after.calibration.n_val == 24


def test_what_the_data_set_has_already_is_left_out_and_said(folders, capsys):
    images, more = folders / "images", folders / "known"
    (more / "dots").mkdir(parents=True)
    first, second, third = sorted((images / "dots").iterdir())[:3]
    shutil.copy(first, more / "dots" / "copy.png")
    with Image.open(second) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(more / "dots" / "mirrored.png")
    with Image.open(third) as image:
        image.convert("L").save(more / "dots" / "again.jpg", quality=85)
    other = sorted((folders / "wrong" / "stripes").iterdir())[0]
    shutil.copy(other, more / "dots" / "new.png")
    changes = {"group_duplicates": True, "extra_train_dir": str(more)}
    run, _ = finish(images, "90-known", **changes)
    own = run.folder.read_record().data.extra
    assert (own.images, own.known) == (1, 3)
    assert run.loaded.extra.known == tuple(
        f"../known/dots/{name}" for name in ("again.jpg", "copy.png", "mirrored.png")
    )
    said = " ".join(capsys.readouterr().out.split())
    assert "1 further image (1 dots) of" in said and "3 others are left out as duplicates" in said
    card = to_markdown(card_of(Reported.find(run.folder.path)))
    assert "1 further image (1 dots) from" in card and "3 more were left out" in card


def test_a_group_of_the_data_set_is_left_out_too(folders, tmp_path):
    for name, group in (("images", "p1"), ("wrong", "p1")):
        shutil.copytree(folders / name, tmp_path / name)
        files = sorted((tmp_path / name).rglob("*.png"))
        table = pd.DataFrame(
            {
                "file": [str(file.relative_to(tmp_path / name)) for file in files],
                "label": [file.parent.name for file in files],
                "group": [group, *[f"{name}{n}" for n in range(1, len(files))]],
            }
        )
        table.to_csv(tmp_path / name / "labels.csv", index=False)
    config = RunConfig(
        dataset_dir=str(tmp_path / "images"),
        extra_train_dir=str(tmp_path / "wrong"),
        cache_dir=str(tmp_path / "cache"),
        group_duplicates=False,
        group_families=False,
    )
    loaded = load_images(config)
    assert len(loaded.extra.known) == 1 and len(loaded.extra.images) == 79
    assert len(loaded.with_extra) == 24 + 79
    assert np.isin(loaded.training_folds.numbers[:, 24:], -2).all()


def test_nothing_left_is_refused(folders, tmp_path):
    shutil.copytree(folders / "images" / "dots", tmp_path / "dots")
    config = RunConfig(
        dataset_dir=str(folders / "images"),
        extra_train_dir=str(tmp_path),
        cache_dir=str(folders / "cache"),
    )
    with pytest.raises(ValueError, match="are all duplicates of images of the data set"):
        load_images(config)
