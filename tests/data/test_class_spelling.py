"""Names of classes that look like one another, or like no label, are said and kept."""

import pytest
from click.testing import CliRunner
from making.folders import make_files

from gellib.cli import main
from gellib.config import RunConfig
from gellib.data import load_imageset
from gellib.data.class_spelling import name_problems

SAME = [
    ("Gel", "gel"),
    ("not gel", "not_gel"),
    ("not-gel", "not gel"),
    ("notgel", "not_gel"),
    ("1", "1.0"),
    ("01", "1"),
    ("gel", "gel\u200b"),
    ("gel a", "gel\u00a0a"),
    ("gel", "\ufeffgel"),
    ("stra\u00dfe", "STRASSE"),
    ("\uff47el", "gel"),
    ("gel  1", "gel 1"),
    ("gel", "'gel'"),
    ("gel_1", "gel 1"),
    ("Not_Gel", "notgel"),
    ("so\u00adft", "soft"),
]
DIFFERENT = [
    ("a+", "a-"),
    ("1", "-1"),
    ("1.1", "11"),
    ("v1.1", "v11"),
    ("gel1", "gel11"),
    ("1-1", "11"),
    ("gel", "gels"),
    ("ä", "a"),
    ("0", "1"),
    ("1", "10"),
    ("?gel", "gel"),
    ("A", "B"),
]


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [("yess", "yes"), ("ye", "yes"), ("gle", "gel"), ("not_gal", "not_gel"), ("tumor", "tumour"),
     ("Normall", "normal"), ("ggel", "gel")],
)  # fmt: skip
def test_a_rare_class_that_is_one_letter_from_a_frequent_one_may_be_misspelt(rare, frequent):
    said = " ".join(name_problems({frequent: 60, rare: 1, "else": 40}))
    found = f"{rare!r} (one image) is one letter from {frequent!r} (60 images)" in said
    assert found == (len(rare) > 2)
    assert "one letter" not in " ".join(name_problems({frequent: 60, rare: 7, "else": 40}))


@pytest.mark.parametrize("pair", [("T1a", "T2a"), ("gel1", "gel2"), ("stage 1", "stage 2"),
                                  ("cat", "dog"), ("mild", "moderate")])  # fmt: skip
def test_rare_classes_that_are_numbered_or_other_words_are_not_misspelt(pair):
    assert name_problems({pair[0]: 60, pair[1]: 1}) == []


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_name(one, other):
    said = name_problems({one: 5, other: 3, "else": 2})
    assert any("differ in spelling only" in text and "(5 images)" in text for text in said)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_names_that_are_different(one, other):
    assert not name_problems({one: 5, other: 3})


@pytest.mark.parametrize(
    "word",
    [
        "NaN",
        "nan",
        "N/A",
        "#N/A",
        "NA",
        "?",
        "??",
        "unknown",
        "Unknown",
        "UNKNOWN",
        "-",
        "--",
        "—",
        "null",
        "NULL",
        "unlabelled",
        "not available",
        "Not_Labelled",
        "missing",
        "TBD",
        ".",
    ],
)
def test_words_for_no_label(word):
    (said,) = name_problems({word: 4, "gel": 9, "blot": 9})
    assert said.startswith(f"4 images are of the class {word!r}")


@pytest.mark.parametrize("name", ["gel\u200b", "a\u00a0b", "\u2066gel", "a\tb"])
def test_invisible_characters_are_shown(name):
    (said,) = name_problems({name: 1, "x": 1})
    assert "invisible" in said and ascii(name) in said.replace("\\\\", "\\")


@pytest.mark.parametrize("separator", [",", ";", "/", "+", " & "])
def test_several_labels_with_another_separator(separator):
    (said,) = name_problems({f"a{separator}b": 2, "a": 3, "b": 4})
    assert "looks like several labels" in said
    assert not name_problems({f"a{separator}b": 2, "a": 3})


@pytest.mark.parametrize(
    "name",
    ["1-Mar", "02-Sep", "Mar-01", "1. Mrz", "2024-03-01", "3/1/2024", "01.03.24"],
)
def test_names_that_a_spreadsheet_made_dates(name):
    (said,) = name_problems({name: 2, "MARCH2": 3})
    assert f"The class {name!r} looks like a date" in said
    assert not name_problems({name: 2, "2024-05-07": 3})  # all are: batches, by day


@pytest.mark.parametrize("name", ["march", "1-2", "may", "dec1", "S1-mar", "10.5", "2024", "1/2"])
def test_names_that_are_no_dates(name):
    assert not name_problems({name: 2, "b": 3})


@pytest.mark.parametrize("name", ["GÃ©l", "G\ufffdl", "mÃ¼de", "â€“gel"])
def test_letters_in_a_wrong_encoding(name):
    (said,) = name_problems({name: 2, "gel": 3})
    assert "letters that were read in a wrong encoding" in said
    assert not name_problems({"Gél": 2, "müde": 3, "凝胶": 4, "CO²": 1, "çà": 1, "Ä": 1})


@pytest.mark.slow
def test_check_and_run_say_it(tmp_path, capsys):
    make_files(tmp_path, *(f"{name}/{i}.png" for name in ("Gel", "gel ", "NaN") for i in range(4)))
    images = load_imageset(tmp_path)
    assert len(images.classes) == 3 and len(images.problems) == 2
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    output = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "differ in spelling only" in output and "stands for no label" in output
    from gellib.training_run import TrainingRun

    run = TrainingRun(RunConfig(dataset_dir=str(tmp_path), weights="none", image_size=32))
    run.load_images()
    assert "differ in spelling only" in capsys.readouterr().err


def test_none_may_be_a_class(tmp_path):
    make_files(tmp_path, "none/1.png", "some/2.png")
    images = load_imageset(tmp_path)
    assert not images.problems
    assert "'none' is taken for a class" in images.notes[0]
