"""The front door, from a script and from a notebook."""

import doctest
import io
import subprocess
import sys

import matplotlib.figure
import nbformat
import numpy as np
import pandas as pd
import pytest
from making.folders import make_stripes_and_dots
from making.sweeps import make_sweep_file
from nbclient import NotebookClient
from PIL import Image

import gellib
from gellib import api
from gellib.api.image_sources import _encode as written
from gellib.api.image_sources import _from_array as read
from gellib.training_run.find_runs import PredictorError


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("front door")
    file = make_sweep_file(folder)
    parameters = {"num_epochs": 1, "explain": False, "opt_alg": "adam", "augmentation": "none"}
    return gellib.sweep(file, out=folder / "mine", **parameters)


def test_importing_is_quick_and_leaves_torch_alone():
    code = """
        import sys, time
        started = time.process_time()
        import gellib
        seconds = time.process_time() - started
        assert not {"torch", "pandas", "numpy", "pydantic"} & set(sys.modules)
        assert {"check", "sweep", "load"} <= set(dir(gellib))
        print(seconds)
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1


def test_names_that_are_not_there_are_refused():
    with pytest.raises(AttributeError, match="no_such_thing"):
        gellib.no_such_thing  # noqa: B018


@pytest.mark.slow
def test_a_check_is_a_page_and_a_text(tmp_path):
    make_stripes_and_dots(tmp_path / "images", train=6, test=3)
    found = gellib.check(tmp_path / "images")
    assert isinstance(found.verdict, list)
    assert "18 images in 2 classes" in repr(found)
    page = found._repr_html_()
    assert page.startswith("<iframe") and "&lt;html" in page


@pytest.mark.notebooks
class TestSweep:
    def test_it_has_table_best_conclusions_and_figures(self, swept):
        assert list(swept.table["status"]) == ["done", "done"]
        assert swept.best.record.is_file()
        assert any("2 of 2 runs finished" in text for text in swept.conclusions())
        assert isinstance(swept.figures["accuracy"], matplotlib.figure.Figure)
        assert "accuracy" in repr(swept.figures)
        with pytest.raises(KeyError, match="no figure 'none'; there are: .*accuracy, "):
            swept.figures["none"]

    def test_it_shows_its_table_and_what_was_chosen(self, swept):
        assert "configuration" in repr(swept) and "single" in repr(swept)
        assert "<table" in swept._repr_html_() and "mine" in swept._repr_html_()

    def test_it_is_opened_again(self, swept, tmp_path):
        assert gellib.open_sweep(swept.folder).table.equals(swept.table)
        with pytest.raises(FileNotFoundError, match="no record of a run"):
            gellib.open_sweep(tmp_path)

    @pytest.mark.slow
    def test_a_model_predicts_whatever_an_image_comes_as(self, swept):
        model = gellib.load(swept.folder)
        assert model.classes == ("dots", "stripes") and model.name in repr(model)
        folder = swept.folder.parent / "images" / "test" / "dots"
        file = folder / "00.png"
        image = Image.open(file)
        array = np.asarray(image)
        deep = array.astype(np.uint16) * 257
        rgb = np.repeat(array[..., None], 3, axis=2)
        sources = [file, str(file), image, array, rgb, file.read_bytes(), ("x", file.read_bytes())]
        table = model.predict(sources)
        assert isinstance(table, pd.DataFrame) and len(table) == len(sources)
        assert list(table["file"])[-1] == "x"
        one = table.loc[0, ["p_dots", "p_stripes"]].to_numpy(dtype=float)
        for _, row in table.iterrows():
            assert row[["p_dots", "p_stripes"]].to_numpy(dtype=float) == pytest.approx(
                one, abs=1e-6
            )
        assert len(model.predict(folder)) == 4
        assert list(model.predict(deep)["error"]) == [""]
        assert len(model.predict(str(file))) == 1

    def test_what_cannot_be_read_says_so_in_its_row(self, swept):
        table = gellib.load(swept.folder).predict([("bad.png", b"no image"), "missing.png"])
        assert (table["error"] != "").all() and (table["label"] == "").all()

    @pytest.mark.parametrize(
        "image",
        [np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), np.zeros(9, np.uint8), 7, None,
         np.zeros((0, 4), np.uint8), np.zeros((3, 4, 4), np.uint8), ("name", 3)],
    )  # fmt: skip
    def test_what_is_no_image_is_refused_in_words(self, swept, image):
        with pytest.raises(TypeError, match="image 1: got .*; expected"):
            gellib.load(swept.folder).predict([image])
        if not isinstance(image, tuple):
            with pytest.raises(TypeError, match="image 1: got .*; expected"):
                gellib.load(swept.folder).predict(image)

    @pytest.mark.slow
    def test_from_a_notebook(self, swept, tmp_path):
        """Cells as a scientist types them, in a kernel; each shows something."""
        lines = [
            "import gellib",
            f"gellib.check({str(swept.folder.parent / 'images')!r})",
            f"sweep = gellib.open_sweep({str(swept.folder)!r})\nsweep",
            "sweep.figures['accuracy']",
            "sweep.load().predict("
            f"{str(swept.folder.parent / 'images' / 'test' / 'dots' / '00.png')!r})",
        ]
        node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(t) for t in lines])
        NotebookClient(node, timeout=300, kernel_name="python3").execute()
        shown = [cell.outputs[-1].get("data", {}) for cell in node.cells[1:]]
        assert all("text/html" in shown[i] for i in (0, 1, 3))
        assert "image/png" in shown[2]


def test_load_says_what_is_missing(tmp_path):
    with pytest.raises(PredictorError, match="No finished run"):
        gellib.load(tmp_path)


def test_arrays_and_images_are_written_without_loss():
    rng = np.random.default_rng(0)
    for array in (
        rng.integers(0, 256, (5, 4), np.uint8),
        rng.integers(0, 65536, (5, 4), np.uint16),
    ):
        again = np.asarray(Image.open(io.BytesIO(written(read(array, 1)))))
        assert np.array_equal(again, array)


@pytest.mark.notebooks
@pytest.mark.parametrize("names", [["check"], ["sweep", "open_sweep", "load"]], ids="-".join)
def test_examples_of_the_docstrings_run(names, tmp_path, monkeypatch):
    """Those of `open_sweep` and `load` use the sweep of the example of `sweep`."""
    monkeypatch.chdir(tmp_path)
    finder = doctest.DocTestFinder()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name in names:
        (test,) = finder.find(getattr(api, name), name, globs={"gellib": gellib})
        assert test.examples, name
        runner.run(test)
        assert runner.failures == 0, name
