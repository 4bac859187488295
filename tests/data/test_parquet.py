"""Parquet with image bytes, as Hugging Face lays it out."""

import json
import sys

import pandas as pd
import pytest
from making.images import make_flat_png
from PIL import Image

from gellib.data import DatasetError, load_imageset
from gellib.data.partition import partition
from gellib.evaluation import MULTILABEL, SINGLE_LABEL

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def write(path, columns, metadata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    pq.write_table(table.replace_schema_metadata(metadata), path)


def cells(values):
    return [{"bytes": make_flat_png(value), "path": None} for value in values]


def test_images_labels_parts_and_groups_are_read(tmp_path):
    about = {"huggingface": '{"info": {"features": {"label": {"names": ["ill", "well"]}}}}'}
    columns = {"image": cells([1, 2, 3]), "label": [1, 0, 1], "subject": ["a", "a", None]}
    write(tmp_path / "data" / "train-00000-of-00001-abc.parquet", columns, about)
    write(tmp_path / "data" / "test-00000-of-00001.parquet", {"image": cells([4]), "label": [0]})
    images = load_imageset(tmp_path)
    assert images.classes == ("ill", "well") and images.task == SINGLE_LABEL
    table = images.table.set_index(
        images.table["path"].map(lambda p: Image.open(p).getpixel((0, 0)))
    )
    assert table["label"].to_dict() == {1: 1, 2: 0, 3: 1, 4: 0}
    assert table["split"].to_dict() == {1: "train", 2: "train", 3: "train", 4: "test"}
    assert table["group"].to_dict() == {1: "a", 2: "a", 3: "", 4: ""}
    for row in images.table.itertuples():
        assert (tmp_path / row.file).samefile(row.path)
    assert images.fingerprint() == load_imageset(tmp_path).fingerprint()


def test_numbers_without_names_and_plain_bytes_are_read(tmp_path):
    columns = {
        "Image": [make_flat_png(1), make_flat_png(2), make_flat_png(3)],
        "label": [10, 2, 10],
    }
    write(tmp_path / "all.parquet", columns)
    images = load_imageset(tmp_path)
    assert images.classes == ("2", "10")
    assert sorted(images.table["label"]) == [0, 1, 1]
    assert set(images.table["split"]) == {""}


def test_lists_of_labels_are_several_labels(tmp_path):
    columns = {"image": cells([1, 2]), "labels": [["b", "a"], ["c"]]}
    write(tmp_path / "train.parquet", columns)
    images = load_imageset(tmp_path)
    assert images.task == MULTILABEL
    assert list(images.table["label"]) == [(0, 1), (2,)]


def about(names):
    return {"huggingface": json.dumps({"info": {"features": {"label": {"names": names}}}})}


def test_names_without_images_are_no_classes(tmp_path):
    columns = {"image": cells([1, 2]), "label": [2, 0]}
    write(tmp_path / "train.parquet", columns, about(["mild", "none", "severe"]))
    images = load_imageset(tmp_path)
    assert images.classes == ("mild", "severe")
    assert sorted(images.table["label"]) == [0, 1]


def test_rows_whose_label_is_withheld_are_refused(tmp_path):
    columns = {"image": cells([1, 2, 3]), "label": [1, 0, -1]}
    write(tmp_path / "test.parquet", columns, about(["mild", "none"]))
    with pytest.raises(DatasetError, match="got the labels -1. Expected numbers below 2"):
        load_imageset(tmp_path)


@pytest.mark.slow
def test_a_partition_of_parquet_keeps_subjects_together(tmp_path):
    subjects = [f"s{i // 3}" for i in range(60)]
    columns = {"image": cells(range(60)), "label": [i // 30 for i in range(60)]}
    write(tmp_path / "all.parquet", columns | {"subject_id": subjects}, about(["ill", "well"]))
    images, _ = partition(tmp_path, val=0.2, test=0.2)
    again = load_imageset(tmp_path)
    assert (again.table.groupby("group")["split"].nunique() == 1).all()
    assert dict(zip(again.table["file"], again.table["split"], strict=True)) == (
        dict(zip(images.table["file"], images.table["split"], strict=True))
    )
    assert again.counts()[["train", "val", "test"]].values.tolist() == [[18, 6, 6], [18, 6, 6]]


def test_other_files_are_unpacked_again(tmp_path):
    write(tmp_path / "train.parquet", {"image": cells([1, 2]), "label": ["a", "b"]})
    before = load_imageset(tmp_path)
    write(tmp_path / "train.parquet", {"image": cells([7, 2]), "label": ["a", "b"]})
    after = load_imageset(tmp_path)
    assert Image.open(after.table["path"][0]).getpixel((0, 0)) == 7
    assert before.fingerprint() != after.fingerprint()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [{"bytes": None, "path": "a.png"}], "label": [1]}, "row 1 .* holds no image"),
        ({"text": ["a"], "label": [1]}, "without 'image'"),
        ({"image": cells([1]), "diagnosis": ["a"]}, "without 'label'"),
        ({"image": cells([1, 2]), "label": [1, None]}, "rows without a label"),
        ({"image": cells([1, 2]), "label": [1, 1]}, "got one class"),
    ],
)
def test_what_cannot_be_used_is_explained(tmp_path, columns, message):
    pad = {"label": [*columns.get("label", []), 0]} if message.startswith(("row", "w")) else {}
    if pad and "label" in columns:
        columns = {name: [*values, values[0]] for name, values in columns.items()} | pad
    write(tmp_path / "train.parquet", columns)
    with pytest.raises(DatasetError, match=message):
        load_imageset(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_what_is_no_parquet_is_named(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(DatasetError, match="train.parquet cannot be read as Parquet"):
        load_imageset(tmp_path)


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "train.parquet", {"image": cells([1, 2]), "label": ["a", "b"]})
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DatasetError, match=r"gellib\[parquet\]"):
        load_imageset(tmp_path)


def test_counts_are_as_in_the_table(tmp_path):
    write(tmp_path / "train.parquet", {"image": cells([1, 2, 3]), "label": ["a", "b", "a"]})
    counts = load_imageset(tmp_path).counts()
    expected = pd.DataFrame({"train": [2, 1]}, index=["a", "b"])
    assert (counts.to_numpy() == expected.to_numpy()).all()
