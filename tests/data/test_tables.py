"""Every table that a person may save is read right, or refused with its name and the row."""

import datetime
import itertools

import pytest
from click.testing import CliRunner
from making.folders import make_files
from making.matrices import spread

from gellib.cli import main
from gellib.data import DatasetError, load_imageset
from gellib.data.tables import read_table

ENCODINGS = (
    "utf-8",
    "utf-8-sig",
    "cp1252",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "mac_roman",
)
SEPARATORS = (",", ";", "\t")
ENDS = ("\n", "\r\n", "\r")
LABELS = [["file", "label"], ["1.png", "Gél"], ["2.png", "a,b;c"], ["3.png", "Gél"]]
TABLES = {  # what each is called, and its cells
    "labels": LABELS,
    "train": LABELS,
    "classes": [["label", "name"], ["0", "Größe, ü"], ["1", "Gél"]],
    "labels_reviewed": [["file", "decision", "label"], ["1.png", "change", "müde"]],
}


def write(path, cells, separator=",", end="\n", encoding="utf-8", first=""):
    def quoted(cell):
        return f'"{cell}"' if any(one in cell for one in SEPARATORS) else cell

    text = first + "".join(separator.join(map(quoted, row)) + end for row in cells)
    path.write_bytes(text.encode(encoding))


def make_sets(root, name, **how):
    """Write three images and a table of the kind with others that it needs, in plain UTF-8."""
    make_files(root, "1.png", "2.png", "3.png")
    if name == "classes":
        write(root / "labels.csv", [["file", "label"], *(["1.png", "0"], ["2.png", "1"])])
    if name == "labels_reviewed":
        own = [["file", "label"], ["1.png", "x"], ["2.png", "müde"], ["3.png", "x"]]
        write(root / "labels.csv", own)
    write(root / f"{name}{how.pop('ending', '.csv')}", TABLES[name], **how)


def texts(root):
    images = load_imageset(root)
    return dict(zip(images.table["file"], images.label_texts(), strict=True))


EXPECTED = {
    "labels": {"1.png": "Gél", "2.png": "a,b;c", "3.png": "Gél"},
    "train": {"1.png": "Gél", "2.png": "a,b;c", "3.png": "Gél"},
    "classes": {"1.png": "Größe, ü", "2.png": "Gél"},
    "labels_reviewed": {"1.png": "müde", "2.png": "müde", "3.png": "x"},
}


@pytest.mark.parametrize(("name", "encoding"), spread(TABLES, ENCODINGS, one_in=4))
@pytest.mark.slow
def test_every_table_is_read_in_every_way_of_saving(tmp_path, name, encoding):
    for number, (separator, end) in enumerate(itertools.product(SEPARATORS, ENDS)):
        if encoding == "mac_roman" and end != "\r":
            continue  # only an old Mac writes it
        if encoding == "cp1252" and end == "\r":
            continue
        root = tmp_path / str(number)
        make_sets(root, name, separator=separator, end=end, encoding=encoding)
        assert texts(root) == EXPECTED[name], (separator, end)


@pytest.mark.parametrize("first", ["sep=;\n", '"sep=;"\n', "SEP=;\n", "sep=;;\n", "\ufeffsep=;\n"])
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.slow
def test_the_line_that_names_the_separator_is_no_row(tmp_path, name, first):
    make_sets(tmp_path, name, separator=";", first=first)
    assert texts(tmp_path) == EXPECTED[name]


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.slow
def test_tsv_and_workbooks(tmp_path, name):
    openpyxl = pytest.importorskip("openpyxl")
    make_sets(tmp_path / "t", name, separator="\t", ending=".tsv")
    assert texts(tmp_path / "t") == EXPECTED[name]
    make_sets(tmp_path / "x", name)
    (tmp_path / "x" / f"{name}.csv").unlink()
    book = openpyxl.Workbook()
    for row in TABLES[name]:
        book.active.append([int(cell) if cell.isdecimal() else cell for cell in row])
    book.active.append([None, None])
    book.create_sheet("empty")
    book.save(tmp_path / "x" / f"{name}.xlsx")
    assert texts(tmp_path / "x") == EXPECTED[name]
    # The name of a file may be wrong.
    (tmp_path / "x" / f"{name}.xlsx").rename(tmp_path / "x" / f"{name}.csv")
    assert texts(tmp_path / "x") == EXPECTED[name]


def workbook(path, change, rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    book.save(path)
    return path


ROWS = [["file", "label"], [1, "a"], ["002", "b"]]


def test_the_sheet_that_is_shown_and_has_columns_is_read(tmp_path):
    def add(book):
        book.active.sheet_state = "hidden"
        book.create_sheet("remarks").append(["made in May"])
        other = book.create_sheet("labels")
        other.append(["file", "label"])
        other.append(["9", "z"])

    with pytest.warns(UserWarning, match="the sheet 'labels' is read"):
        table = read_table(workbook(tmp_path / "t.xlsx", add, ROWS))
    assert [row.cells for row in table.rows] == [("9", "z")]


def test_cells_are_read_as_the_sheet_shows_them(tmp_path):
    def shown(book):
        book.active["A2"].number_format = "000"
        book.active.append([3.0, datetime.datetime(2024, 3, 1)])
        book.active.append([12345678901234, datetime.datetime(2024, 3, 1, 12)])

    table = read_table(workbook(tmp_path / "t.xlsx", shown, ROWS))
    files, labels = zip(*(row.cells for row in table.rows), strict=True)
    assert files == ("001", "002", "3", "12345678901234")
    assert labels == ("a", "b", "2024-03-01", "2024-03-01T12:00:00")


@pytest.mark.parametrize("cell", ["A2", "B3"])
def test_formulas_that_were_never_computed_are_refused(tmp_path, cell):
    def formula(book):
        book.active[cell] = '="1"&".png"'

    path = workbook(tmp_path / "t.xlsx", formula, ROWS)
    with pytest.raises(DatasetError, match=rf"t\.xlsx: got a formula .* in row {cell[1]}"):
        read_table(path)
    gap = workbook(tmp_path / "g.xlsx", lambda book: None, [*ROWS, ["3", None]])
    assert read_table(gap).rows[-1].cells == ("3", "")


@pytest.mark.parametrize("name", ["label.csv", "labels.csv.txt", "Labels (1).xlsx", "labels.ods"])
def test_a_table_of_another_name_is_named(tmp_path, name):
    make_files(tmp_path, "1.png", "2.png", name, "~$labels.xlsx")
    with pytest.raises(DatasetError) as caught:
        load_imageset(tmp_path)
    assert f"save the table of the labels as labels.csv (there is {name!r})" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "encoding", "word"),
    [
        ("Gél", "mac_roman", "Gél"),  # with line feeds: no word of cp1252 looks so
        ("Röntgen", "cp1252", "Röntgen"),
        ("don’t", "cp1252", "don’t"),
        ("créée, l·l, CO², 25°C, “é”", "cp1252", "créée, l·l, CO², 25°C, “é”"),
        ("Žádný", "cp1252", None),  # not in it
        ("français", "mac_roman", "français"),
    ],
)
def test_eight_bit_letters(tmp_path, text, encoding, word):
    if word is None:
        encoding, word = "utf-8", text
    write(tmp_path / "t.csv", [["a", "b"], ["1", text]], encoding=encoding)
    assert read_table(tmp_path / "t.csv").rows[0].cells == ("1", word)


GOOD = {
    "a,b\n1,\n": [("1", "")],
    "a,b\n\n , \n1,2\n\n": [("1", "2")],
    "a,b,,\n1,2,,\n3,4,,\n": [("1", "2"), ("3", "4")],
    "a,b\n1,2,\n3,4,,,\n": [("1", "2"), ("3", "4")],
    'a,b\n"1","2 ""x"", y"\n': [("1", '2 "x", y')],
    'a, b\n1, "2"\n"3" ,4\n': [("1", "2"), ("3", "4")],
    'a,b\n"",""\n1,2\n': [("1", "2")],
    'a,b\n1,"two\nlines"\n2,x\n': [("1", "two\nlines"), ("2", "x")],
    "a;b\n1,5;x\n2,5;y\n": [("1,5", "x"), ("2,5", "y")],
    "a;b (0,1,2,3)\n1;2\n3;4\n": [("1", "2"), ("3", "4")],
    "a,b\n1," + "x" * 300_000 + "\n": [("1", "x" * 300_000)],
    "a,b\n1,2\x1a": [("1", "2")],
    "a,b\n1,x\u2028y\x0cz\x85\n": [("1", "x\u2028y\x0cz")],
}


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_rows_and_cells(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    table = read_table(tmp_path / "t.csv")
    assert len(table.columns) == 2
    assert [row.cells for row in table.rows] == GOOD[text]


BAD = {
    'file,label\n1.png,a\n2.png,"b\n3.png,c\n': 'a quote that is never closed (") in row 3',
    'file,label\n"1.png,a\n2.png,b\n3.png,c\n': 'a quote that is never closed (") in row 2',
    'file,label\n1.png,"a\n2.png,b\n3.png,"c\n': 'that is not closed in its row (") in row 2',
    'file,label\n1.png,"a\n2.png,b\n3.png,c"\n': "a line break in a cell of row 2",
    'file,label\n1.png,"a\nb"\n2.png,b\n': "a line break in a cell of row 2",
    'file,label\n"1.p\nng",a\n2.png,b\n': "a line break in a cell of row 2",
    'file,label\n1.png,a"\n2.png,b\n': 'a quote in the middle of a cell (") in row 2',
    'file,label\n1.png,"a"b\n2.png,b\n': "a quote that is not at the end of its cell",
    "file,label\n\n1.png,a,b\n": "got 3 cells in row 3",
    "file,label\n1.png\n": "got 1 cells in row 2",
    b"file,label\n1.png,\xff\x00a\n": "zero bytes",
    "file,label\n1.png,é\n".encode() + b"2.png,\xe9\n": "different encodings",
    b"PK\x03\x04 and no more": "cannot be read as a workbook",
    "file,label\n1.png,a\nFile,Label\n2.png,b\n": "the names of the columns again in row 3",
    "file,label\n1.png,a\n\ufefffile,label\n2.png,b\n": "the names of the columns again in row 3",
    "1.png,a\n2.png,b\n": "put the names of the columns above it",
    '"file,label"\n"1.png,a"\n"2.png,b"\n': "put no quotes around whole rows",
    "file|label\n1.png|a\n2.png|b\n": "separate its cells by a comma",
    "file label\n1.png a\n2.png b\n": "separate its cells by a comma",
    b"\n<!DOCTYPE html><html><table>": "a web page (HTML or XML) instead of text",
    "file,label\n1.png,凝胶\n".encode("gb18030"): "letters in row 2 in an encoding",
    "file,label\n1.png,a\n2.png,ゲル\n".encode("shift_jis"): "letters in row 3 in an encoding",
    "file,label\n1.png,гель\n".encode("cp1251"): "letters in row 2 in an encoding",
    "file,label\n1.png,γέλη\n".encode("cp1253"): "letters in row 2 in an encoding",
    b"\xd0\xcf\x11\xe0 and more": "an Excel workbook of the old kind",
    b"%PDF-1.4": "a PDF instead of text",
    b"\xff\xfef\x00i": "got",
    b"\xff\xfef": "cut off",
}


@pytest.mark.slow
@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
@pytest.mark.parametrize("name", ["labels", "test"])
def test_damaged_tables_name_file_and_row(tmp_path, content, name):
    if isinstance(content, bytes) and content.startswith(b"PK"):
        pytest.importorskip("openpyxl")
    make_files(tmp_path, "1.png", "2.png", "3.png")
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / f"{name}.csv").write_bytes(data)
    with pytest.raises(DatasetError) as caught:
        load_imageset(tmp_path)
    assert str(tmp_path / f"{name}.csv") in str(caught.value)
    assert BAD[content] in str(caught.value)
    for command in (["check"], *[["partition"]] * (name == "labels")):
        result = CliRunner().invoke(main, [*command, str(tmp_path)])
        assert result.exit_code == 2, result.output
        assert f"{name}.csv" in result.output


@pytest.mark.parametrize("name", TABLES)
def test_a_quote_that_is_never_closed_is_refused_in_every_table(tmp_path, name):
    make_sets(tmp_path, name)
    text = (tmp_path / f"{name}.csv").read_text()
    (tmp_path / f"{name}.csv").write_text(text.rstrip("\n").replace("1.png,", '1.png,"') + ',"x\n')
    with pytest.raises(DatasetError, match=rf"{name}\.csv: got .* in row \d"):
        load_imageset(tmp_path)


def test_a_table_that_cannot_be_opened(tmp_path, monkeypatch):
    make_sets(tmp_path, "labels")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DatasetError, match=r"labels\.csv: cannot be opened: Permission denied"):
        load_imageset(tmp_path)


def test_of_several_tables_of_a_name_one_is_read_which_is_said(tmp_path):
    make_sets(tmp_path, "labels")
    (tmp_path / "Labels.tsv").write_text("file\tlabel\n1.png\tz\n2.png\ty\n")
    with pytest.warns(UserWarning, match=r"labels\.csv is read, and not Labels\.tsv"):
        assert texts(tmp_path) == EXPECTED["labels"]


def test_without_openpyxl_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    (tmp_path / "labels.xlsx").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"pip install 'gellib\[excel\]'"):
        load_imageset(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        "id,image_id,label",
        "image,id,label",
        "id,path,label",
        "name,file_name,label",
        "ID,Image ID,Class",
        "image_id,image,label",
    ],
)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("names", [("1.png", "2.png"), ("1", "2"), ("x/7.png", "x/8.png")])
@pytest.mark.slow
def test_of_several_columns_the_one_that_has_the_files_is_taken(tmp_path, header, first, names):
    make_files(tmp_path, "1.png", "2.png", "x/7.png", "x/8.png")
    other = ("1001", "1002")
    rows = [(a, b) if first else (b, a) for a, b in zip(names, other, strict=True)]
    text = "".join(f"{a},{b},{label}\n" for (a, b), label in zip(rows, "pq", strict=True))
    (tmp_path / "labels.csv").write_text(f"{header}\n{text}")
    found = texts(tmp_path)
    assert [file.removesuffix(".png") for file in found] == [n.removesuffix(".png") for n in names]


@pytest.mark.parametrize(
    ("file", "cell"),
    [
        ("001.jpg", "1.jpg"),
        ("001.jpg", "1"),
        ("gel_007.png", "gel_7"),
        ("a/GEL 1.png", "a/gel 1.png"),
        ("gel.jpeg", "gel.jpg"),
        ("gel.TIF", "gel.tiff"),
        ("a/gel.png", "C:\\data\\gel.png"),
        ("a/gel.png", "b\\gel.png"),
        ("gel_1.png", "gel 1.png"),
        ("gelatine.png", "gelatin.png"),
        ("gel.png", "gel\u200b.png"),
        ("x/gel.png", "/home/me/x/gel.png"),
        ("7.png", "7.0"),
        ("100000.png", "1.00E+05"),
        ("x/gel.png", "http://x.org/gel.png\u200b"),
    ],
)
def test_files_that_do_not_exist_get_the_nearest_name(tmp_path, file, cell):
    make_files(tmp_path, "other.png", file)
    (tmp_path / "labels.csv").write_text(f"file,label\nother.png,a\n{cell},b\n", encoding="utf-8")
    try:
        assert file in texts(tmp_path)  # a disk may not care for case
    except DatasetError as err:
        assert f"did you mean {file!r}?" in str(err)


def test_images_that_no_row_names_are_counted(tmp_path):
    make_files(tmp_path, "1.png", "2.png", "new/3.png", "new/4.png")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,a\n2.png,b\n")
    (note,) = load_imageset(tmp_path).notes
    assert "2 images below the folder of the table are named by no row and not used" in note
    assert "'new/3.png'" in note
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert "named by no row" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("a|b", "a", "b"), "several labels, such as 'a', 'b', separated by |"),
        (("1 2", "1", "2"), "separated by spaces."),
        (("western blot", "western", "blot"), "write it without a space, as 'western_blot'"),
        (("western blot", "other", "western blot"), ""),
    ],
)
def test_that_images_have_several_labels_is_said(tmp_path, cells, words):
    make_files(tmp_path, "1.png", "2.png", "3.png")
    rows = "".join(f"{i}.png,{cell}\n" for i, cell in enumerate(cells, 1))
    (tmp_path / "labels.csv").write_text(f"file,label\n{rows}")
    notes = " ".join(load_imageset(tmp_path).notes)
    assert (words in notes) if words else not notes
