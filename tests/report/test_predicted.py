"""Predictions as a table, a page and copies by class; stopped, and gone on with."""

import contextlib
import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from making.hostile import HOSTILE, Found
from making.images import save_png

from gellib.base.files import CannotWriteError
from gellib.base.spreadsheet import from_cell
from gellib.cli import main
from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import read_image
from gellib.report.predicted import Outputs, predict_to_files
from gellib.report.predicted.begun_file import BegunPredictions
from gellib.report.predicted.class_folders import ClassFolders, folder_names
from gellib.report.predicted.outputs import OutputError
from gellib.report.predicted.tally import Tally
from gellib.training_run.prediction import Prediction, predictions_table

CLASSES = ("dark", "light")


class FakePredictor:
    """Says light by the mean grey value; cannot say in the middle, and refuses what is no image."""

    def __init__(self, folder, classes=CLASSES, name="runs/fake", stop_after=None):
        record = folder / "record.json"
        if not record.exists():
            record.write_text("{}")
        self.run, self.name, self.classes = SimpleNamespace(record=record), name, classes
        self.limits, self.seen, self.stop_after = ImageLimits(), [], stop_after

    def predict(self, files):
        if self.stop_after is not None and len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        self.seen += map(str, files)
        return [self._predict(str(file)) for file in files]

    def _predict(self, file):
        try:
            light = read_image(file).mean() / 255
        except BadImageError as err:
            return Prediction(file, error=err.reason)
        shares = dict(zip(self.classes, (1 - light, light), strict=True))
        label = max(shares, key=shares.get)
        members = tuple(name for name, share in shares.items() if share > 0.3)
        return Prediction(file, label, shares, self.name, members=members)


@contextlib.contextmanager
def bar(*, total, desc, initial=0):
    shown = SimpleNamespace(n=initial, update=lambda n: setattr(shown, "n", shown.n + n))
    yield shown
    assert shown.n == total, desc


@contextlib.contextmanager
def loose_bar(**_):
    yield SimpleNamespace(n=0, update=lambda n: None)


def write(path, grey):
    save_png(path, np.full((8, 8), grey, np.uint8))
    return path


@pytest.fixture
def files(tmp_path):
    """150 images from dark to light, and two that are none."""
    found = [write(tmp_path / "in" / f"{i:03}.png", i * 255 // 149) for i in range(150)]
    found[70].write_bytes(b"no image")
    found.append(tmp_path / "in" / "gone.png")
    return found


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_table_has_a_row_per_file_in_order(tmp_path, files):
    table = tmp_path / "out" / "out.csv"
    done = predict_to_files(FakePredictor(tmp_path), files, Outputs(table), bar=bar)
    rows = rows_of(table)
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert [*rows[0]] == [
        "file", "label", "p_dark", "p_light", "statement", "unlike_training",
        "training_image", "error", "uncertainty", "run",
    ]  # fmt: skip
    assert rows[0]["label"] == "dark" and float(rows[0]["p_dark"]) == 1
    assert rows[75]["statement"] == "light or dark: cannot say"
    assert rows[70]["error"].startswith("not an image") and rows[70]["p_dark"] == ""
    assert rows[-1]["error"] == "no such file" and rows[-1]["uncertainty"] == ""
    assert {row["run"] for row in rows} == {"runs/fake"}
    assert (done.tally.total, done.tally.unreadable) == (151, 2)
    assert done.tally.sentence() == (
        "151 images: 75 light, 74 dark; the model cannot say of 59; 2 cannot be read"
    )
    assert os.listdir(table.parent) == ["out.csv"]


def test_no_spreadsheet_runs_a_name(tmp_path, monkeypatch):
    file = write(tmp_path / "=1+1.png", 0)
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "out.csv"
    predictor = FakePredictor(tmp_path, classes=("@SUM(1)", "-2+3"), name="+run")
    predict_to_files(predictor, [Path(file.name), "-no.png"], Outputs(table), bar=bar)
    rows = rows_of(table)
    for row in rows:
        for key, cell in row.items():
            assert key[:1] not in "=+-@" and (not cell or cell[0] not in "=+@\t\r")
    assert [from_cell(row["file"]) for row in rows] == ["=1+1.png", "-no.png"]
    assert from_cell(rows[0]["label"]) == "@SUM(1)"


@pytest.mark.parametrize("end", ["", '{"file": "x", "lab', "no JSON\n", '{"file": 3}\n'])
def test_a_stopped_command_goes_on(tmp_path, files, end):
    outputs = Outputs(tmp_path / "out.csv")
    with pytest.raises(KeyboardInterrupt):
        predict_to_files(FakePredictor(tmp_path, stop_after=64), files, outputs, bar=loose_bar)
    assert not outputs.table.exists()
    with outputs.begun.open("a") as stream:
        stream.write(end)
    write(files[3], 255)
    new = write(tmp_path / "in" / "0001.png", 0)
    again = FakePredictor(tmp_path)
    predict_to_files(again, [new, *files], outputs, bar=bar)
    assert again.seen == [str(new), str(files[3]), *map(str, files[64:])]
    whole = tmp_path / "whole.csv"
    predict_to_files(FakePredictor(tmp_path), [new, *files], Outputs(whole), bar=bar)
    assert outputs.table.read_bytes() == whole.read_bytes()
    assert not outputs.begun.exists()


def test_unreadable_files_are_tried_again_and_other_models_begin_anew(tmp_path, files):
    outputs = Outputs(tmp_path / "out.csv")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            predictor = FakePredictor(tmp_path, stop_after=64)
            predict_to_files(predictor, files, outputs, bar=loose_bar)
    write(files[70], 0)
    again = FakePredictor(tmp_path)
    predict_to_files(again, files, outputs, bar=bar)
    assert again.seen == [str(file) for file in (files[70], *files[128:])]
    with pytest.raises(KeyboardInterrupt):
        predict_to_files(FakePredictor(tmp_path, stop_after=64), files, outputs, bar=loose_bar)
    other = FakePredictor(tmp_path)
    other.run.record.write_text('{"trained": "again"}')
    predict_to_files(other, files, outputs, bar=bar)
    assert len(other.seen) == len(files)


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_predicted(tmp_path, files):
    (tmp_path / "file").write_text("")
    predictor = FakePredictor(tmp_path)
    with pytest.raises(CannotWriteError, match="out.csv.part cannot be written"):
        predict_to_files(predictor, files, Outputs(tmp_path / "file" / "out.csv"), bar=bar)
    assert not predictor.seen


def test_the_page_shows_the_most_uncertain_first_and_needs_no_other_file(tmp_path, files):
    page = tmp_path / "out.html"
    done = predict_to_files(FakePredictor(tmp_path), files, Outputs(page=page), bar=bar)
    text = page.read_text(encoding="utf-8")
    shown = [part.split('"')[0] for part in text.split('alt="')[1:]]
    values = [abs(int(name[:3]) * 255 // 149 - 127.5) for name in shown]
    assert len(shown) == 149 and values == sorted(values)
    assert text.count("data:image/jpeg;base64,") == 149 and "http" not in text
    undecided = done.tally.undecided["light"]
    assert 0 < undecided < 75 and f"<td>light</td><td>75</td>\n<td>{undecided}</td>" in text
    assert "gone.png: no such file" in text and "070.png: not an image" in text


def test_very_many_images_are_not_all_shown(tmp_path, files, monkeypatch):
    monkeypatch.setattr("gellib.report.predicted.write_files.MOST_SHOWN", 10)
    page = tmp_path / "out.html"
    done = predict_to_files(FakePredictor(tmp_path), files, Outputs(page=page), bar=bar)
    assert "Shown are 10 of 149 images" in page.read_text(encoding="utf-8")
    assert "the 10 most uncertain images" in done.sentences[0]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_page_runs_no_name(tmp_path, name):
    file = tmp_path / f"{name.replace('/', ' ')[:60]}.png"
    write(file, 0)
    page = tmp_path / "out.html"
    predictor = FakePredictor(tmp_path, classes=(name, "other"), name=name)
    predict_to_files(predictor, [file, f"{name}/none.png"], Outputs(page=page), bar=bar)
    found = Found(page.read_text(encoding="utf-8"))
    line = " ".join(name.split())
    assert found.text.count(line) >= 5
    own = {"article", "img", "label", "select", "option", "script"}
    unknown = {what for what in found.unknown if what.split()[0] not in own}
    assert not unknown
    assert found.unknown.count("script") == 1 and found.unknown.count("img") == 1
    assert not [what for what in found.unknown if " on" in what or what == "link"]


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname == "Darwin", reason="names are text")
def test_a_name_that_is_no_text_is_written(tmp_path):
    file = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"gel\xff.png"))
    write(Path(file), 0)
    outputs = Outputs(tmp_path / "out.csv", tmp_path / "out.html", tmp_path / "sorted")
    predict_to_files(FakePredictor(tmp_path), [file], outputs, bar=bar)
    assert rows_of(outputs.table)[0]["file"].endswith("gel\\udcff.png")
    assert os.listdir(os.fsencode(tmp_path / "sorted" / "dark")) == [b"gel\xff.png"]


def test_images_are_copied_by_class_and_stay(tmp_path, files):
    before = {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files[:-1]}
    outputs = Outputs(folder=tmp_path / "sorted")
    done = predict_to_files(FakePredictor(tmp_path), files, outputs, bar=bar)
    assert {file: (file.stat().st_mtime_ns, file.read_bytes()) for file in files[:-1]} == before
    assert sorted(os.listdir(tmp_path / "sorted")) == ["dark", "light"]
    for file in files[:-1]:
        places = list((tmp_path / "sorted").glob(f"*/{file.name}"))
        assert len(places) == (file != files[70])
        for place in places:
            assert place.read_bytes() == before[file][1]
            assert place.stat().st_mtime_ns == before[file][0]
    assert done.sentences == (f"copied 149 images into folders in {outputs.folder}",)
    again = predict_to_files(FakePredictor(tmp_path), files, outputs, bar=bar)
    assert again.sentences[0].startswith("copied 0 images") and "149 were there" in str(again)
    assert len(list((tmp_path / "sorted").rglob("*.png"))) == 149


def test_images_of_one_name_are_all_kept_and_nothing_is_written_over(tmp_path):
    own = [write(tmp_path / str(i) / "a.png", i // 2) for i in range(6)]
    own.append(write(tmp_path / "6" / "A.PNG", 1))
    there = write(tmp_path / "sorted" / "x" / "a (2).png", 200)
    other = there.read_bytes()
    for _ in range(2):
        folders = ClassFolders(tmp_path / "sorted", folder_names(["x"]))
        for file in own:
            folders.copy(file, ["x"])
        found = sorted((tmp_path / "sorted" / "x").iterdir())
        assert len(found) == 8 and there.read_bytes() == other
        wanted = sorted([*(file.read_bytes() for file in own), other])
        assert sorted(file.read_bytes() for file in found) == wanted
    assert folders.there == 7 and folders.copied == 0


def test_an_image_of_several_labels_or_none_is_in_each_folder(tmp_path):
    folders = ClassFolders(tmp_path / "sorted", folder_names(["a", "b", "no label"]))
    folders.copy(write(tmp_path / "1.png", 0), ["a", "b"])
    folders.copy(write(tmp_path / "2.png", 0), [])
    folders.copy(write(tmp_path / "3.png", 0), ["no label"])
    folders.copy(tmp_path / "gone.png", ["a"])
    found = {str(f.relative_to(tmp_path / "sorted")) for f in (tmp_path / "sorted").rglob("*.png")}
    assert found == {"a/1.png", "b/1.png", "no label/3.png", "no label (2)/2.png"}
    assert folders.failed == [(str(tmp_path / "gone.png"), "No such file or directory")]


@pytest.mark.parametrize(
    "names",
    [
        ["..", ".", "", " ", "/", "../../up", "/etc", "a/b", "a\\b", "a|b", "a:b", "C:"],
        ["Gel", "gel", "GEL", "gel (2)", "gel.", "gel ", " gel"],
        ["con", "NUL.txt", "com1", "aux", "com", "nula"],
        [".hidden", "-rf", "$(x)", "a\0b", "a\nb", "a\u202eb", "\udcff", "é" * 300, "x" * 300],
        [*HOSTILE],
    ],
)
def test_every_class_has_a_folder_of_its_own_inside(tmp_path, names):
    file = write(tmp_path / "1.png", 0)
    folders = ClassFolders(tmp_path / "sorted", folder_names(names))
    for name in names:
        folders.copy(file, [name])
    made = list((tmp_path / "sorted").rglob("*.png"))
    assert len(made) == len({name for name in names}) and len(list(tmp_path.iterdir())) == 2
    used = [place.parent.name for place in made]
    assert len({name.casefold() for name in used}) == len(made)
    for name in used:
        assert name == name.strip() and not name.startswith(".") and not name.endswith(".")
        assert not set(name) & set('<>:"/\\|?*\0\n')
        assert name.split(".")[0].casefold() not in {"con", "nul", "com1", "aux"}


@pytest.mark.parametrize("place", ["in", "in/sorted", "in/../in/x"])
def test_copies_do_not_go_where_images_are_looked_for(tmp_path, place):
    (tmp_path / "in").mkdir()
    with pytest.raises(OutputError, match="would be predicted too next time"):
        Outputs(folder=tmp_path / place).check([tmp_path / "in"])
    Outputs(folder=tmp_path / "sorted").check([tmp_path / "in", tmp_path / "none.png"])


def test_outputs_are_different_places(tmp_path):
    with pytest.raises(OutputError, match="given for two outputs"):
        Outputs(tmp_path / "x", tmp_path / "a" / ".." / "x").check([])
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; expected a folder"):
        Outputs(folder=tmp_path / "file").check([])


@pytest.mark.parametrize("how", ["itself", "another way", "link", "linked folder", "part"])
@pytest.mark.parametrize("what", ["table", "page"])
def test_no_image_is_written_over(tmp_path, what, how):
    suffix = {"table": ".csv", "page": ".html"}[what]
    image = write(tmp_path / "in" / f"a{suffix}{'.part' * (how == 'part')}", 0)
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    (tmp_path / f"link{suffix}").symlink_to(image)
    place = {
        "itself": image,
        "another way": tmp_path / "in" / ".." / "in" / image.name,
        "link": tmp_path / f"link{suffix}",
        "linked folder": tmp_path / "linked" / image.name,
        "part": tmp_path / "in" / f"a{suffix}",
    }[how]
    with pytest.raises(OutputError, match="is one of the images to predict"):
        Outputs(**{what: place}).check([tmp_path / "in" / "0.png", image])
    Outputs(**{what: tmp_path / f"other{suffix}"}).check([image, tmp_path / "none.png"])


@pytest.mark.parametrize("name", ["a.png", "a", "a.csv.gz", "a.xlsx", ".csv"])
def test_outputs_have_the_suffix_of_their_kind(tmp_path, name):
    for outputs in (Outputs(tmp_path / name), Outputs(page=tmp_path / name)):
        with pytest.raises(OutputError, match="got the suffix .*expected .(csv|html)"):
            outputs.check([])
    for page in ("a.html", "a.HTM"):
        Outputs(tmp_path / "a.CSV", tmp_path / page).check([])


def test_the_command_keeps_an_image_that_its_table_is_named_like(tmp_path):
    image = write(tmp_path / "01.png", 7)
    before = image.read_bytes()
    done = CliRunner().invoke(main, ["predict", "--zero-shot", "--csv", str(image), str(image)])
    assert done.exit_code == 2 and "got the suffix '.png'" in done.output
    assert image.read_bytes() == before and os.listdir(tmp_path) == ["01.png"]


@pytest.mark.parametrize(
    "content", [b"mine", b"mine\n", b'{"a": 1}\n', b"[]\n", b"\xff\0", b'{"format": 1}\n', b"\n"]
)
def test_a_file_that_is_named_like_begun_predictions_is_kept(tmp_path, files, content):
    outputs = Outputs(tmp_path / "out" / "out.csv")
    outputs.begun.parent.mkdir()
    outputs.begun.write_bytes(content)
    with pytest.raises(OutputError, match="out.csv.part is there and has no predictions"):
        predict_to_files(FakePredictor(tmp_path), files[:2], outputs, bar=bar)
    assert outputs.begun.read_bytes() == content
    assert os.listdir(outputs.begun.parent) == ["out.csv.part"]


@pytest.mark.parametrize("part", ["", '{"for', '{"format": 1, "ru'])
def test_a_first_line_that_was_cut_off_is_begun_anew(tmp_path, files, part):
    outputs = Outputs(tmp_path / "out.csv")
    outputs.begun.write_text(part)
    predict_to_files(FakePredictor(tmp_path), files[:2], outputs, bar=bar)
    assert len(rows_of(outputs.table)) == 2 and not outputs.begun.exists()


def test_two_commands_do_not_write_one_output(tmp_path):
    path = tmp_path / "out" / "out.csv.part"
    first = BegunPredictions(path, {"run": "a"})
    first.add([Prediction("x.png", "dark", {"dark": 1.0})])
    before = path.read_bytes()
    for model in ("a", "b"):
        with pytest.raises(OutputError, match="another command writes .*out.csv.part"):
            BegunPredictions(path, {"run": model})
    assert path.read_bytes() == before and json.loads(before.splitlines()[0])["run"] == "a"
    first.close()
    assert os.listdir(path.parent) == [path.name]
    BegunPredictions(path, {"run": "b"}).delete()
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("place", [".", "..", "sub/.."])
def test_copies_go_to_the_current_folder(tmp_path, monkeypatch, place):
    own = tmp_path / "a" / "b"
    (own / "sub").mkdir(parents=True)
    monkeypatch.chdir(own)
    outputs, file = Outputs(folder=Path(place)), write(tmp_path / "1.png", 0)
    outputs.check([file])
    predict_to_files(FakePredictor(tmp_path), [file], outputs, bar=bar)
    assert (own / place / "dark" / "1.png").is_file()
    assert not [*tmp_path.rglob("*.part"), *tmp_path.rglob(".*")]
    with pytest.raises(OutputError, match="expected a file or folder in it"):
        Outputs(folder=Path(own.anchor)).check([])


def test_copies_that_fail_are_counted(tmp_path, monkeypatch):
    file = write(tmp_path / "in" / "1.png", 0)

    def fail(self, path, labels):
        self.failed.append((str(path), "gone"))

    monkeypatch.setattr(ClassFolders, "copy", fail)
    outputs = Outputs(folder=tmp_path / "sorted")
    done = predict_to_files(FakePredictor(tmp_path), [file], outputs, bar=bar)
    assert done.failed == 1 and done.tally.unreadable == 0
    monkeypatch.setattr("gellib.labsim.zeroshot.ZeroShot", lambda: FakePredictor(tmp_path))
    ran = CliRunner().invoke(
        main, ["predict", "--zero-shot", str(file), "--copy-to", str(outputs.folder)]
    )
    assert ran.exit_code == 1 and "cannot be copied: gone" in ran.output


def test_what_is_not_known_of_the_training_images_is_left_empty():
    one = Prediction("a.png", "a", {"a": 1.0})
    known = [replace(one, ood_score=score) for score in (0.5, 2.0)]
    table = predictions_table([one, Prediction("b.png", error="gone"), *known], ["a"])
    column = table["unlike_training"]
    assert column.isna().tolist() == [True, True, False, False]
    assert column[2:].tolist() == [False, True] and str(column.dtype) == "boolean"
    cells = [row.split(",")[4] for row in table.to_csv(index=False).splitlines()[1:]]
    assert cells == ["", "", "False", "True"]
    assert table[column]["file"].tolist() == ["a.png"]


def test_an_image_of_several_labels_is_counted_once():
    tally = Tally()
    for label, shares in (("a|b", (0.9, 0.9)), ("a", (0.9, 0.1)), ("", (0.1, 0.1))):
        own = dict(zip("ab", shares, strict=True))
        thresholds = dict.fromkeys("ab", 0.5)
        tally.add(Prediction("x", label, own, thresholds=thresholds, members=()))
    assert tally.sentence() == ("3 images: 2 a, 1 b, 1 without a label; the model cannot say of 2")
