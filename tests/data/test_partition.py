"""Tables of the splits: written once, read back as they were meant."""

import os

import pytest
from click.testing import CliRunner
from making.folders import list_counted, make_coarse_file
from PIL import Image

from gellib.cli import main
from gellib.data import DatasetError, find_unreadable, load_imageset
from gellib.data.partition import PartitionError, partition, partition_table
from gellib.data.splits import split_imageset
from gellib.evaluation import MULTILABEL

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "brain mri"
    for name, count in (("no", 40), ("yes, a tumour", 60)):
        for i in range(count):
            # Spaces, commas and wrong extensions are what the real set has too.
            make_coarse_file(root / name / f"{i} {name}{('.jpg', '.JPG', '.jpeg')[i % 3]}", i)
    return root


def table_of(images):
    names = [
        "|".join(images.classes[c] for c in (x if isinstance(x, tuple) else (x,)))
        for x in images.table["label"]
    ]
    return sorted(
        zip(images.table["file"], names, images.table["split"], images.table["group"], strict=True)
    )


def test_what_is_written_is_read_back(folder):
    images, files = partition(folder, val=0.1, test=0.2, seed=3)
    assert [path.name for path in files] == ["train.csv", "val.csv", "test.csv"]
    assert files[0].parent == folder.resolve()
    # The same bytes on every system: a table in a repository does not change with who writes it.
    assert all(b"\r" not in path.read_bytes() for path in files)
    counts = images.counts()[["train", "val", "test"]].values.tolist()
    assert counts == [[28, 4, 8], [42, 6, 12]]
    again = load_imageset(folder)
    assert table_of(again) == table_of(images)
    assert (again.classes, again.task) == (images.classes, images.task)
    assert find_unreadable(again) == []
    # A run keeps to it, whatever its own seed and shares are.
    run = split_imageset(again, val_fraction=0.4, test_fraction=0.4, seed=9)
    assert table_of(run) == table_of(images)


@pytest.mark.slow
def test_another_partition_takes_force(folder):
    first = {path: path.read_text() for path in partition(folder, seed=0)[1]}
    partition(folder, seed=0)
    with pytest.raises(PartitionError, match="'train.csv', 'val.csv', 'test.csv' exist already"):
        partition(folder, seed=1)
    assert {path: path.read_text() for path in first} == first
    partition(folder, seed=1, force=True)
    assert {path: path.read_text() for path in first} != first
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_tables_elsewhere_are_a_data_set_by_themselves(folder, tmp_path):
    images, _ = partition(folder, out=tmp_path / "tables")
    there = load_imageset(tmp_path / "tables")
    assert sorted(there.table["path"]) == sorted(images.table["path"])
    assert set(load_imageset(folder).table["split"]) == {""}


def test_what_is_not_given_is_a_tenth_each_and_seed_0(folder, tmp_path):
    images, _ = partition(folder)
    own = {"val": 0.1, "test": 0.1, "seed": 0, "method": "stratified", "group_duplicates": True}
    again, _ = partition(folder, **own, out=tmp_path / "again")
    assert table_of(images) == table_of(again)
    assert images.counts()["test"].tolist() == images.counts()["val"].tolist() == [4, 6]


def test_groups_are_counted_in_the_parts_that_have_them():
    groups = ["p", "p", "q", "q", "", ""]
    images = list_counted(3, 3, groups=groups, splits=["train"] * 4 + ["val", "test"])
    table = partition_table(images)
    assert table.loc["groups"].tolist() == [2, 0, 0, 2]
    assert table.loc["images"].tolist() == [4, 1, 1, 6]


def test_several_labels_and_groups(tmp_path):
    lines = ["file,label,group"]
    for i in range(60):
        make_coarse_file(tmp_path / f"{i}.png", i)
        lines.append(f"{i},{i % 3}{' 3' if i % 2 else ''},p{i // 4}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    images, _ = partition(tmp_path, val=0.2, test=0.2)
    again = load_imageset(tmp_path)
    assert again.task == MULTILABEL
    assert table_of(again) == table_of(images)
    assert (again.table.groupby("group").split.nunique() == 1).all()
    assert partition_table(again).loc["groups", "all"] == 15
    assert again.fingerprint() != load_imageset(tmp_path, partition=False).fingerprint()


def test_duplicates_stay_together(folder):
    for i in range(40):
        same = Image.open(folder / "no" / f"{i} no{('.jpg', '.JPG', '.jpeg')[i % 3]}")
        same.point(lambda value: value * 0.8 + 20).save(folder / "no" / f"{i} darker.png")
    images, _ = partition(folder, val=0.2, test=0.2)
    no = images.table[images.table["label"] == 0]
    assert (no.groupby("group")["file"].count() == 2).all()
    assert (no.groupby("group")["split"].nunique() == 1).all()
    assert partition_table(images).loc["groups", "all"] == 40
    torn, _ = partition(folder, val=0.2, test=0.2, group_duplicates=False, force=True)
    number = torn.table["file"].str.extract(r"/(\d+) (?:no|darker)")[0]
    assert (torn.table.groupby(number)["split"].nunique() > 1).any()


def test_given_test_images_stay(tmp_path):
    for split, count in (("train", 20), ("test", 5)):
        for name in ("a", "b"):
            for i in range(count):
                make_coarse_file(tmp_path / split / name / f"{i}.png", i)
    images, _ = partition(tmp_path, val=0.2, test=0.5)
    # A fifth of all 50 images validates.
    assert images.counts()[["train", "val", "test"]].values.tolist() == [[15, 5, 5], [15, 5, 5]]


def test_tables_of_other_people(tmp_path):
    for i in range(9):
        make_coarse_file(tmp_path / "images" / f"{i}.png", i)
    for name, rows in (("train", (0, 1, 2, 3)), ("valid", (4, 5)), ("Test", (6, 7, 8))):
        text = "image_id;class\n" + "".join(f"{i};{'ab'[i % 2]}\n" for i in rows)
        (tmp_path / f"{name}.csv").write_text(text)
    images = load_imageset(tmp_path)
    assert images.counts()[["train", "val", "test"]].values.tolist() == [[2, 1, 2], [2, 1, 1]]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"val.csv": "file,label\n0,a\n", "valid.csv": "file,label\n1,b\n"},
            "got 'val.csv' and 'valid.csv', which both mean val",
        ),
        (
            {"train.csv": "file,label,split\n0,a,train\n1,b,test\n"},
            "train.csv: got rows of the split 'test'. Expected only those of train",
        ),
        (
            {"train.csv": "file,label\n0,a\n1,b\n", "test.csv": "file,label\n0,b\n"},
            r"\{train,test\}.csv: rows contradict each other for '0.png'",
        ),
        ({"train.csv": "file,label\n0,a\n7,b\n"}, "1 of 2 files do not exist: '7'"),
    ],
)
def test_tables_that_are_wrong(tmp_path, files, words):
    for i in range(2):
        make_coarse_file(tmp_path / f"{i}.png", i)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=words):
        load_imageset(tmp_path)


def test_names_that_cannot_stand_in_a_table(tmp_path):
    for name in ("a", "b|c"):
        for i in range(10):
            make_coarse_file(tmp_path / name / f"{i}.png", i)
    with pytest.raises(PartitionError, match=r"cannot stand in a table: 'b\|c'"):
        partition(tmp_path)
    assert not (tmp_path / "train.csv").exists()


@pytest.mark.parametrize("shares", [{"val": 0.0}, {"test": 1.0}, {"val": 0.6, "test": 0.4}])
def test_shares_leave_something_to_train_on(folder, shares):
    with pytest.raises(PartitionError, match="leave some to train on"):
        partition(folder, **shares)


def test_command(folder):
    runner = CliRunner()
    done = runner.invoke(main, ["partition", str(folder)])
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.output.splitlines()]
    assert lines[0] == ["train", "val", "test", "all"]
    assert ["no", "32", "4", "4", "40"] in lines
    assert ["images", "80", "10", "10", "100"] in lines
    refused = runner.invoke(main, ["partition", str(folder), "--seed", "1"])
    assert refused.exit_code == 1
    assert "Use --force to replace them" in refused.output


def test_a_folder_that_cannot_be_written_to(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: path != folder)
    with pytest.raises(PartitionError, match="cannot be written to .* Give --out FOLDER"):
        partition(folder)
    _, files = partition(folder, out=tmp_path / "elsewhere")
    assert all(file.is_file() for file in files)
    (tmp_path / "file").write_text("")
    with pytest.raises(PartitionError, match="cannot be written to .*is a file"):
        partition(folder, out=tmp_path / "file" / "below")


def test_a_disk_that_refuses_to_be_written_to(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("gellib.data.partition.write_text", refuse)
    result = CliRunner().invoke(main, ["partition", str(folder)])
    assert result.exit_code == 1
    assert "Read-only file system" in result.output and "--out" in result.output
