"""The layouts told apart by looking, and what is said when a folder is none of them."""

import os
import shutil
import unicodedata
import warnings

import pytest
from making.folders import make_files
from PIL import Image

from gellib.data import (
    DatasetError,
    describe,
    drop_images,
    find_unreadable,
    inspect_images,
    load_imageset,
    unreadable,
)
from gellib.data.image_files import ImageLimits, file_digest
from gellib.evaluation import MULTILABEL, SINGLE_LABEL


@pytest.fixture
def weird(tmp_path):
    folder = tmp_path / "my géls {new} 凝胶"
    folder.mkdir()
    return folder


def rows(imageset, *columns):
    columns = columns or ("file", "label", "split")
    return list(imageset.table[list(columns)].itertuples(index=False, name=None))


def labels(root, text, **options):
    root.mkdir(exist_ok=True)
    (root / "labels.csv").write_text(text, **{"encoding": "utf-8", **options})
    return load_imageset(root)


def refusal(root, **options):
    with pytest.raises(DatasetError) as caught:
        load_imageset(root, **options)
    return str(caught.value).replace(str(root), "DIR")


class TestFolders:
    def test_class_folders(self, weird):
        make_files(weird, "not_gel/b.png", "gel/a 1.png", "gel/é.png")
        images = load_imageset(weird)
        assert images.root == weird
        assert (images.classes, images.task, images.positive) == (
            ("gel", "not_gel"),
            SINGLE_LABEL,
            "gel",
        )
        assert rows(images) == [
            ("gel/a 1.png", 0, ""),
            ("gel/é.png", 0, ""),
            ("not_gel/b.png", 1, ""),
        ]
        assert list(images.table) == ["file", "path", "label", "split", "group", "digest"]
        assert images.table.path[0] == str(weird / "gel" / "a 1.png")
        assert set(images.table.group) | set(images.table.digest) == {""}
        assert images.counts().to_dict() == {"all": {"gel": 2, "not_gel": 1}}

    @pytest.mark.parametrize("name", ["val", "valid", "Validation"])
    def test_split_folders(self, weird, name):
        for split in ("Train", name, "TEST"):
            make_files(weird, f"{split}/yes/1.png", f"{split}/no/1.png")
        make_files(weird, "Train/no/0.png")
        images = load_imageset(weird)
        assert images.classes == ("no", "yes")
        assert images.counts().to_dict() == {
            "train": {"no": 2, "yes": 1},
            "val": {"no": 1, "yes": 1},
            "test": {"no": 1, "yes": 1},
        }
        assert [split for *_, split in rows(images)] == ["test"] * 2 + ["train"] * 3 + ["val"] * 2
        assert rows(images)[2] == ("Train/no/0.png", 0, "train")

    def test_any_of_the_splits(self, tmp_path):
        make_files(tmp_path, "train/a/1.png", "train/b/1.png")
        (tmp_path / "test").mkdir()
        assert set(load_imageset(tmp_path).table.split) == {"train"}

    def test_order_does_not_depend_on_the_disk(self, tmp_path, monkeypatch):
        make_files(
            tmp_path,
            *[f"{split}/{c}/{i}.png" for split in ("test", "train") for c in "ab" for i in "xyz"],
        )
        expected = rows(load_imageset(tmp_path))
        walk, listing = os.walk, os.listdir
        monkeypatch.setattr(os, "listdir", lambda path: listing(path)[::-1])
        monkeypatch.setattr(
            os, "walk", lambda *a, **k: ((h, d, f[::-1]) for h, d, f in walk(*a, **k))
        )
        assert rows(load_imageset(tmp_path)) == expected
        assert expected == sorted(expected, key=lambda row: (row[2], row[0]))

    def test_what_is_passed_over(self, tmp_path):
        make_files(
            tmp_path, "a/1.png", "b/1.png", "a/._1.png", "a/.ipynb_checkpoints/1-checkpoint.png"
        )
        make_files(tmp_path, ".git/x.png", "__MACOSX/a/1.png")
        (tmp_path / "README.md").write_text("hello")
        for name in ("Thumbs.db", "notes.txt", "desktop.ini", "list.csv"):
            (tmp_path / "a" / name).write_bytes(b"not an image at all")
        assert [file for file, *_ in rows(load_imageset(tmp_path))] == ["a/1.png", "b/1.png"]

    @pytest.mark.slow
    def test_extensions_are_not_believed(self, tmp_path):
        make_files(tmp_path, "a/no_extension", "a/wrong.txt", "b/UPPER.JPG")
        (tmp_path / "b" / "broken.PNG").write_text("html")
        (tmp_path / "b" / "phone.heic").write_text("....ftypheic")
        files = [file for file, *_ in rows(load_imageset(tmp_path))]
        assert files == [
            "a/no_extension",
            "a/wrong.txt",
            "b/UPPER.JPG",
            "b/broken.PNG",
            "b/phone.heic",
        ]

    def test_folders_below_a_class(self, tmp_path):
        make_files(tmp_path, "a/patient 1/1.png", "a/patient 2/1.png", "b/1.png")
        assert rows(load_imageset(tmp_path), "file", "label") == [
            ("a/patient 1/1.png", 0),
            ("a/patient 2/1.png", 0),
            ("b/1.png", 1),
        ]

    def test_links(self, tmp_path):
        make_files(tmp_path / "elsewhere", "1.png")
        make_files(tmp_path / "data", "b/1.png")
        (tmp_path / "data" / "a").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "data" / "b" / "gone.png").symlink_to(tmp_path / "nowhere")
        images = load_imageset(tmp_path / "data")
        assert [file for file, *_ in rows(images)] == ["a/1.png", "b/1.png", "b/gone.png"]
        assert [error.reason for error in find_unreadable(images)] == ["no such file"]

    def test_class_names_count(self, tmp_path):
        make_files(tmp_path, "10/1.png", "2/1.png", "0/1.png")
        images = load_imageset(tmp_path)
        assert (images.classes, images.task, images.positive) == (
            ("0", "2", "10"),
            SINGLE_LABEL,
            "",
        )

    def test_class_named_like_a_split(self, tmp_path):
        make_files(tmp_path, "train/1.png", "car/1.png")
        assert load_imageset(tmp_path).classes == ("car", "train")

    def test_relative_folder(self, tmp_path, monkeypatch):
        make_files(tmp_path, "set/a/1.png", "set/b/1.png")
        monkeypatch.chdir(tmp_path)
        assert load_imageset("set").root == tmp_path / "set"


@pytest.mark.parametrize(
    ("names", "positive"),
    [
        (("gel", "not_gel"), "gel"),
        (("no", "yes"), "yes"),
        (("nodule", "normal"), "nodule"),
        (("Demented", "NonDemented"), "Demented"),
        (("Healthy tissue", "cancer"), "cancer"),
        (("0", "1"), "1"),
        (("cats", "dogs"), "cats"),
        (("no a", "no b"), "no a"),
    ],
)
def test_positive_class(tmp_path, names, positive):
    make_files(tmp_path, *[f"{name}/1.png" for name in names])
    assert load_imageset(tmp_path).positive == positive


class TestRefusedFolders:
    def test_missing(self, tmp_path, monkeypatch):
        assert refusal(tmp_path / "none") == (
            "dataset_dir: got 'DIR', no such folder; looked at DIR. Expected a folder of images. "
            "Correct dataset_dir; dataset/README.md says how to get each data set."
        )
        (tmp_path / "file").write_text("")
        assert "got 'DIR', a file; looked at DIR." in refusal(tmp_path / "file")
        # Jupyter opens a notebook in notebooks/: the project's folder is the second place.
        (tmp_path / "notebooks").mkdir()
        (tmp_path / "notebooks" / "2_train.ipynb").write_text("{}")
        monkeypatch.chdir(tmp_path / "notebooks")
        with pytest.raises(DatasetError) as caught:
            load_imageset("dataset/nope")
        places = f"{tmp_path}/notebooks/dataset/nope and {tmp_path}/dataset/nope"
        assert f"looked at {places}. Expected" in str(caught.value)

    def test_empty(self, tmp_path):
        assert refusal(tmp_path) == (
            "DIR: got no images in folders. Expected two classes or more, one folder per class "
            "(<class>/* or {train,val,test}/<class>/*), or a labels.csv. Add class folders with "
            "images."
        )

    def test_one_class(self, tmp_path):
        make_files(tmp_path, "gel/1.png")
        assert refusal(tmp_path).startswith("DIR: got one class, 'gel'. Expected two classes")

    def test_folder_around_it(self, tmp_path):
        make_files(tmp_path, "gels/train/a/1.png", "gels/train/b/1.png")
        assert refusal(tmp_path).endswith("Or did you mean DIR/gels?")

    def test_no_class_folders(self, tmp_path):
        make_files(tmp_path, "1.png", "2.png")
        assert refusal(tmp_path) == (
            "DIR: got 2 images directly in this folder. Expected one folder per class, or a "
            "labels.csv beside them. Sort the images into class folders."
        )

    def test_class_without_images(self, tmp_path):
        make_files(tmp_path, "a/1.png", "b/1.png")
        (tmp_path / "c {0}").mkdir()
        assert refusal(tmp_path) == (
            "DIR: got no images in 'c {0}'. Expected images in every class folder. "
            "Put images there, or remove the folder."
        )

    def test_other_classes_in_test(self, tmp_path):
        make_files(
            tmp_path,
            "train/gel/1.png",
            "train/not_gel/1.png",
            "test/gel/1.png",
            "test/Not_gel/1.png",
        )
        assert refusal(tmp_path) == (
            "the classes differ: got 'gel', 'not_gel' in DIR/train, but 'gel', 'Not_gel' in "
            "DIR/test. Expected exactly the same names in both. "
            "Rename, add or remove class folders."
        )

    def test_images_beside_the_splits(self, tmp_path):
        make_files(tmp_path, "train/a/1.png", "train/b/1.png", "extra/a/1.png")
        assert refusal(tmp_path).startswith(
            "DIR: got the splits 'train', but also images in 'extra'. Expected all images below"
        )

    def test_two_validation_parts(self, tmp_path):
        make_files(tmp_path, *[f"{s}/{c}/1.png" for s in ("train", "val", "valid") for c in "ab"])
        assert refusal(tmp_path).startswith("DIR: got 'val' and 'valid', which both mean val.")

    def test_copy_of_the_set_inside(self, tmp_path):
        make_files(
            tmp_path,
            *[f"{d}{c}/1.png" for d in ("", "brain_tumor_dataset/") for c in ("no", "yes")],
        )
        assert refusal(tmp_path).startswith(
            "DIR: got a folder 'brain_tumor_dataset' that holds 'no', 'yes' again."
        )

    def test_stray_images_are_mentioned(self, tmp_path):
        make_files(tmp_path, "train/a/1.png", "train/b/1.png", "train/sheet.png")
        with pytest.warns(UserWarning, match="1 images are in no class folder.*'sheet.png'"):
            assert len(load_imageset(tmp_path)) == 2


class TestTestDir:
    def test_separate_folder(self, weird):
        make_files(weird, "in/a/1.png", "in/b/1.png", "out/a/1.png", "out/b/1.png")
        images = load_imageset(weird / "in", test_dir=weird / "out")
        assert rows(images) == [
            ("a/1.png", 0, ""),
            ("b/1.png", 1, ""),
            ("../out/a/1.png", 0, "test"),
            ("../out/b/1.png", 1, "test"),
        ]
        assert images.table.path[2] == str(weird / "out" / "a" / "1.png")

    def test_inside_of_the_other(self, tmp_path):
        make_files(tmp_path, "a/1.png", "b/1.png", "held out/a/1.png", "held out/b/1.png")
        images = load_imageset(tmp_path, test_dir=tmp_path / "held out")
        assert images.classes == ("a", "b")
        assert images.counts().to_dict() == {"test": {"a": 1, "b": 1}, "all": {"a": 1, "b": 1}}

    def test_refused(self, tmp_path):
        make_files(tmp_path, *[f"{d}/{c}/1.png" for d in ("in", "s/train", "s/test") for c in "ab"])
        make_files(tmp_path, "other/a/1.png", "other/c/1.png")
        assert "the same as dataset_dir" in refusal(tmp_path / "in", test_dir=tmp_path / "in")
        assert "has test images of its own" in refusal(tmp_path / "s", test_dir=tmp_path / "in")
        assert "has images for training" in refusal(tmp_path / "in", test_dir=tmp_path / "s")
        assert "the classes differ: got 'a', 'b'" in refusal(
            tmp_path / "in", test_dir=tmp_path / "other"
        )
        assert refusal(tmp_path / "in", test_dir=tmp_path / "x").startswith("test_dir: got ")


class TestLabels:
    def test_all_columns(self, weird):
        make_files(weird, "x/1.png", "x/2.png", "y 3.png")
        images = labels(
            weird,
            "file,label,split,group\nx/2.png,gel,train,p1\ny 3.png,not gel,,\n"
            "x/1.png,gel,Valid,p 2\n",
        )
        assert (images.classes, images.task, images.positive) == (
            ("gel", "not gel"),
            SINGLE_LABEL,
            "gel",
        )
        assert rows(images, "file", "label", "split", "group") == [
            ("y 3.png", 1, "", ""),
            ("x/2.png", 0, "train", "p1"),
            ("x/1.png", 0, "val", "p 2"),
        ]
        assert images.table.path[2] == str(weird / "x" / "1.png")

    def test_names_without_extension_or_folder(self, tmp_path):
        make_files(tmp_path, "images/19567.png", "images/v1.5.png", "more/29993.png")
        images = labels(tmp_path, ",Image,Label\n0,19567,a\n1,29993,b\n2,v1.5,b\n")
        assert rows(images, "file", "label") == [
            ("images/19567.png", 0),
            ("images/v1.5.png", 1),
            ("more/29993.png", 1),
        ]

    def test_name_that_may_be_two_files(self, tmp_path):
        make_files(tmp_path, "one/1.png", "two/1.png")
        (tmp_path / "labels.csv").write_text("file,label\n1,a\none/1.png,b\n")
        assert refusal(tmp_path) == (
            "DIR: '1' in labels.csv matches 'one/1.png', 'two/1.png'. Expected one image. "
            "Write the path with its folder and extension."
        )

    @pytest.mark.parametrize(
        ("text", "encoding"),
        [
            ("file;label\n1.png;é\n2.png;b\n", "utf-8-sig"),
            ("file\tlabel\n1.png\té\n2.png\tb\n", "utf-8"),
            ('"File Name","label"\n', None),
            ("FILE, Label \r\n1.png, é\r\n 2.png ,b\r\n\r\n", "cp1252"),
            ("Unnamed: 0,filename,class\n7,1.png,é\n8,2.png,b\n", "utf-8"),
            ("file,label\n./1.png,é\n.\\2.png,b\n", "utf-8"),
        ],
    )
    def test_dialects(self, tmp_path, text, encoding):
        make_files(tmp_path, "1.png", "2.png")
        if encoding is None:
            (tmp_path / "labels.csv").write_text(text)
            assert refusal(tmp_path).startswith("DIR/labels.csv: got no rows. Expected the columns")
            return
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            images = labels(tmp_path, text, encoding=encoding)
        assert images.classes == ("b", "é")
        assert rows(images, "file", "label") == [("1.png", 1), ("2.png", 0)]

    def test_accents_of_a_mac(self, tmp_path):
        make_files(tmp_path, unicodedata.normalize("NFD", "gél.png"), "b.png")
        images = labels(tmp_path, unicodedata.normalize("NFC", "file,label\ngél.png,1\nb.png,0\n"))
        assert len(images) == 2

    def test_several_labels(self, tmp_path):
        make_files(tmp_path, "1.png", "2.png", "3.png")
        images = labels(tmp_path, "file,label\n1.png,6 10\n2.png,10\n3.png,2 6\n")
        assert (images.classes, images.task) == (("2", "6", "10"), MULTILABEL)
        assert [label for _, label, _ in rows(images)] == [(1, 2), (2,), (0, 1)]
        assert images.counts().to_dict() == {"all": {"2": 1, "6": 2, "10": 2}}
        assert len(images.fingerprint()) == 16
        words = labels(tmp_path, "file,label\n1.png,cell wall|nucleus\n2.png,nucleus\n3.png,x|x\n")
        assert words.classes == ("cell wall", "nucleus", "x")
        assert [label for _, label, _ in rows(words)] == [(0, 1), (1,), (2,)]
        known = labels(tmp_path, "file,label\n1.png,b a\n2.png,a\n3.png,b\n")
        assert [label for _, label, _ in rows(known)] == [(0, 1), (0,), (1,)]

    def test_repeated_rows(self, tmp_path):
        make_files(tmp_path, "1.png", "2.png")
        with pytest.warns(
            UserWarning, match="labels.csv: 1 rows repeat another one and are dropped"
        ):
            images = labels(tmp_path, "file,label\n1.png,a\n2.png,b\n1,a\n")
        assert len(images) == 2
        (tmp_path / "labels.csv").write_text("file,label\n1.png,a\n2.png,b\n1,b\n")
        assert refusal(tmp_path) == (
            "DIR/labels.csv: rows contradict each other for '1.png'. Expected one row per file. "
            "Keep one; several labels go into one cell, separated by | or a space."
        )

    def test_column_that_is_not_used(self, tmp_path):
        make_files(tmp_path, "1.png", "2.png")
        with pytest.warns(UserWarning, match="the columns 'age', 'sex' are not used"):
            labels(tmp_path, "file,label,age,sex\n1.png,a,3,m\n2.png,b,4,f\n")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "file,label\n1.png,a\nx {1}.png,b\n",
                "DIR/labels.csv: 1 of 2 files do not exist: 'x {1}.png'. Expected paths relative "
                "to DIR, or names of images below it. Correct or remove the rows.",
            ),
            (
                "file,label,splt\n1.png,a,train\n2.png,b,test\n",
                "DIR/labels.csv: got an unknown column 'splt'; did you mean 'split'? Expected the "
                "columns file,label[,split][,group]. Rename the column, or remove it.",
            ),
            (
                "picture,label\n1.png,a\n",
                "DIR/labels.csv: got the columns 'picture', 'label', without 'file'. Expected the "
                "columns file,label[,split][,group]. Rename the columns.",
            ),
            (
                "1.png,a\n2.png,b\n",
                "DIR/labels.csv: got the columns '1.png', 'a', without 'file' and 'label'. "
                "Expected the columns file,label[,split][,group]. The first row is of an image: "
                "put the names of the columns above it.",
            ),
            (
                "file,label,split\n1.png,a,train\n2.png,b,tset\n",
                "DIR/labels.csv: got the split 'tset'. Expected train, val, test or an empty cell. "
                "Correct the column split.",
            ),
            (
                "file,label\n1.png,a\n2.png,\n",
                "DIR/labels.csv: 1 rows have no label: '2.png'. Expected one label or more per "
                "row. Fill them in, or remove the rows.",
            ),
            (
                "file,label\n1.png,a\n2.png,a\n",
                "DIR/labels.csv: got one class, 'a'. Expected two or more different labels.",
            ),
            (
                "file,label\n1.png,a\n2.png,a,b\n",
                "DIR/labels.csv: got 3 cells in row 3. Expected 2, as in the first row. "
                "Put quotes around cells that hold a separator.",
            ),
            (
                "",
                "DIR/labels.csv: got no rows. Expected the columns file,label[,split][,group]. "
                "Add one row per image.",
            ),
        ],
    )
    def test_refused(self, tmp_path, text, message):
        make_files(tmp_path, "1.png", "2.png")
        (tmp_path / "labels.csv").write_text(text)
        assert refusal(tmp_path) == message

    def test_many_missing_files_are_counted(self, tmp_path):
        make_files(tmp_path, "1.png")
        text = "".join(f"m{i},a\n" for i in range(9))
        (tmp_path / "Labels.CSV").write_text(f"file,label\n1.png,b\n{text}")
        assert "9 of 10 files do not exist: 'm0', 'm1', 'm2', 'm3', 'm4' and 4 more." in refusal(
            tmp_path
        )


class TestFingerprint:
    def make(self, root):
        make_files(root, "a/1.png", "a/2.png", "b/1.png")
        return load_imageset(root)

    def test_does_not_depend_on_the_place(self, tmp_path):
        first = self.make(tmp_path / "x").fingerprint()
        assert first == self.make(tmp_path / "y z").fingerprint()
        assert len(first) == 16
        assert int(first, 16) >= 0

    def test_changes_with_anything(self, tmp_path):
        prints = {self.make(tmp_path).fingerprint()}
        Image.new("L", (4, 4), 9).save(tmp_path / "a" / "1.png")
        prints.add(load_imageset(tmp_path).fingerprint())
        shutil.move(tmp_path / "a" / "1.png", tmp_path / "b" / "9.png")
        prints.add(load_imageset(tmp_path).fingerprint())
        (tmp_path / "b" / "9.png").unlink()
        prints.add(load_imageset(tmp_path).fingerprint())
        assert len(prints) == 4

    def test_changes_with_the_split_of_a_table(self, tmp_path):
        make_files(tmp_path, "1.png", "2.png")
        first = labels(tmp_path, "file,label,split\n1.png,a,train\n2.png,b,test\n").fingerprint()
        second = labels(tmp_path, "file,label,split\n1.png,a,test\n2.png,b,train\n").fingerprint()
        assert first != second

    def test_digests(self, tmp_path):
        images = self.make(tmp_path)
        (tmp_path / "b" / "1.png").unlink()
        digests = list(images.with_digests().table.digest)
        assert digests[0] == file_digest(tmp_path / "a" / "1.png")
        assert digests[2] == ""
        assert set(images.table.digest) == {""}


class TestChecks:
    @pytest.fixture
    def images(self, weird):
        make_files(weird, "a/1.png", "a/2.png", "b/1.png")
        (weird / "b" / "empty.jpg").write_bytes(b"")
        (weird / "b" / "page {2}.png").write_text("no picture")
        return load_imageset(weird)

    def test_bad_images_are_found(self, images):
        seen = []
        errors = find_unreadable(
            images, progress=lambda steps, total, **words: seen.append(total) or steps
        )
        assert [(error.path, error.reason.split(" (")[0]) for error in errors] == [
            (str(images.root / "b" / "empty.jpg"), "empty file"),
            (str(images.root / "b" / "page {2}.png"), "not an image"),
        ]
        assert seen == [5]
        assert len(find_unreadable(images, ImageLimits(max_pixels=1))) == 5

    def test_what_is_known_is_not_looked_at_again(self, images, tmp_path, monkeypatch):
        images = images.with_digests()
        options = {"cache_dir": tmp_path / "known"}
        first = find_unreadable(images, **options)
        assert len(first) == 2
        with monkeypatch.context() as patch:
            patch.setattr("gellib.data.readable.inspect_image", None)
            again = find_unreadable(images, **options)
        assert [(e.path, e.reason) for e in again] == [(e.path, e.reason) for e in first]
        # Other limits, other files and a damaged answer are another question.
        assert len(find_unreadable(images, ImageLimits(max_pixels=1), **options)) == 5
        shutil.copy(images.table["path"][0], first[0].path)
        changed = load_imageset(images.root).with_digests()
        assert len(find_unreadable(changed, **options)) == 1
        for file in (tmp_path / "known").glob("*.json"):
            file.write_text("{")
        assert len(find_unreadable(changed, **options)) == 1

    def test_bad_images_are_dropped(self, images):
        good = drop_images(images, [error.path for error in find_unreadable(images)])
        assert [file for file, *_ in rows(good)] == ["a/1.png", "a/2.png", "b/1.png"]
        assert list(good.table.index) == [0, 1, 2]
        assert len(images) == 5
        assert len(drop_images(good, ["a/1.png"])) == 2
        with pytest.raises(DatasetError, match=r"^cannot leave out \['a/7.png'\]: not in "):
            drop_images(images, ["a/7.png", "a/1.png"])

    def test_tables(self, images):
        Image.new("RGB", (40, 30)).save(images.root / "a" / "2.png", "JPEG")
        infos = inspect_images(images)
        assert [info.path for info in infos] == list(images.table.path)
        table = describe(infos)
        assert table[["file_type", "mode", "bit_depth", "images", "width"]].values.tolist() == [
            ["PNG", "L", 8, 2, "8"],
            ["JPEG", "RGB", 8, 1, "40"],
        ]
        assert list(unreadable(infos, images.root).file) == ["b/empty.jpg", "b/page {2}.png"]
        assert unreadable(infos[:3]).empty
        assert describe([]).empty


class TestClassNames:
    def make(self, tmp_path, names, labels="1,6 4\n2,4\n3,10\n"):
        for i in range(1, 4):
            Image.new("L", (8, 8), i).save(tmp_path / f"{i}.png")
        (tmp_path / "labels.csv").write_text("Image,Label\n" + labels)
        (tmp_path / "classes.csv").write_text(names)

    def test_numbers_get_their_names(self, tmp_path):
        self.make(tmp_path, "label,name\n10,Speckles\n4,Nucleoplasm\n6,Cytosol\n7,Membrane\n")
        images = load_imageset(tmp_path)
        # In the order of the file; a class without images is none.
        assert images.classes == ("Speckles", "Nucleoplasm", "Cytosol")
        assert list(images.table["label"]) == [(1, 2), (1,), (0,)]
        before = images.fingerprint()
        (tmp_path / "classes.csv").write_text("label,name\n10,a\n4,b\n6,c\n")
        assert load_imageset(tmp_path).fingerprint() != before

    def test_names_may_stand_in_the_table(self, tmp_path):
        self.make(tmp_path, "name,label\nA b,4\nC,6\nD,10\n", "1,A b|C\n2,4\n3,10\n")
        images = load_imageset(tmp_path)
        assert images.classes == ("A b", "C", "D")
        assert list(images.table["label"]) == [(0, 1), (0,), (2,)]

    @pytest.mark.parametrize(
        ("names", "words"),
        [
            ("label,name\n4,a\n6,b\n", "got no name for '10'"),
            ("4,a\n6,b\n10,c\n", r"got the first row \['4', 'a'\]"),
            ("label,name\n4,a\n6,a\n10,c\n", "repeated labels or names"),
            ("", "got the first row ''"),
        ],
    )
    def test_names_that_are_wrong(self, tmp_path, names, words):
        self.make(tmp_path, names)
        with pytest.raises(DatasetError, match=words):
            load_imageset(tmp_path)
