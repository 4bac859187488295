"""Texts that a spreadsheet would run: neutralised in CSV files, and read back as they were."""

import csv

import pandas as pd
import pytest
from making.cells import FORMULAS, PLAIN

from gellib.base.files import write_csv
from gellib.base.spreadsheet import from_cell, to_cell
from gellib.data.tables import read_table
from gellib.runs import RunFolder
from gellib.runs.table import REFERENCE_COLUMNS


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_gets_an_apostrophe_that_is_taken_off(text):
    assert to_cell(text) == f"'{text}" and from_cell(to_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_and_numbers_stay(text):
    assert to_cell(text) == from_cell(text) == text


def test_predictions_are_read_back_right(tmp_path):
    run = RunFolder(tmp_path)
    formulas = [text for text in FORMULAS if "\r" not in text]
    names = [*formulas, *(text for text in PLAIN if text)]
    table = pd.DataFrame({"file": names, "split": "test", "label": names, "predicted": names})
    table["p_=x"] = [-0.25] * len(names)
    run.write_predictions(table)
    with open(run.predictions, encoding="utf-8", newline="") as file:
        cells = [row[0] for row in csv.reader(file)][1:]
    assert all(cell[0] not in "=@\t\r" for cell in cells)
    assert all(cell == "'" + name for cell, name in zip(cells, formulas, strict=False))
    again = run.read_predictions()
    assert again["label"].tolist() == again["file"].tolist() == names
    assert (again["p_=x"] == -0.25).all()


def test_tables_of_labels_are_read_back_right(tmp_path):
    names = [text for text in FORMULAS if not text.isspace() and text.strip() == text]
    write_csv(tmp_path / "labels.csv", pd.DataFrame({"file": names, "label": names}))
    rows = read_table(tmp_path / "labels.csv").rows
    assert [row.cells for row in rows] == [(name, name) for name in names]


def test_a_carriage_return_begins_no_row(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"a": ["x\r=1", "\r=1", "y\r\n=1"]}))
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a"], ["x\n=1"], ["'\n=1"], ["y\n=1"]]


def test_headings_are_neutralised_too(tmp_path):
    write_csv(tmp_path / "a.csv", pd.DataFrame({"=1+1": [1.5], "b": ["x"]}))
    assert (tmp_path / "a.csv").read_text() == "'=1+1,b\n1.5,x\n"
    assert all(to_cell(name) == name for name in REFERENCE_COLUMNS)
