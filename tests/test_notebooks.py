"""The notebooks: their hygiene, and each of them executed, small, by papermill."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys

import nbformat
import papermill
import pytest
from making.folders import make_stripes_and_dots

from gellib.base.paths import PROJECT_ROOT
from gellib.config import RunConfig
from gellib.runs import REFERENCE_COLUMNS, RunFolder

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))


def small(folder):
    return {
        "dataset_dir": str(folder / "images"),
        "image_size": 32,
        "num_epochs": 2,
        "weights": "none",
        "cache_dir": str(folder / "cache"),
    }


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_they_are_read_in_order():
    names = [path.name for path in NOTEBOOKS]
    assert names[:4] == ["1_explore.ipynb", "2_train.ipynb", "3_summary.ipynb", "4_predict.ipynb"]


class TestHygiene:
    def test_no_outputs_are_stored(self, notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                assert not cell.outputs
                assert cell.execution_count is None

    def test_one_parameters_cell_of_plain_literals(self, notebook):
        tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
        assert len(tagged) == 1
        for line in tagged[0].source.splitlines():
            if not line or line.startswith("# "):
                continue
            statement = ast.parse(line).body[0]
            assert isinstance(statement, ast.AnnAssign), line
            ast.literal_eval(statement.value)
            assert "# " in line, f"{line} says not what it is"

    def test_kernel_is_python3(self, notebook):
        assert notebook.metadata.kernelspec.name == "python3"
        assert set(notebook.metadata) <= {"kernelspec", "language_info"}

    def test_cells_parse_and_are_short(self, notebook):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                ast.parse(cell.source)
                if "parameters" not in cell.metadata.get("tags", []):
                    assert len(cell.source.splitlines()) <= 15

    def test_it_begins_with_a_title_a_badge_and_the_installation(self, notebook, request):
        name = request.node.callspec.params["notebook"].stem
        title, install = notebook.cells[:2]
        number, _, word = name.partition("_")
        assert title.source.startswith(f"# {number} · {word.capitalize()}\n")
        assert title.source.endswith(f"/notebooks/{name}.ipynb)")
        assert install.id == "install" and _folded(install)

    def test_headings_are_numbered_alike(self, notebook):
        text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        numbered = re.findall(r"^## (\d+)(.*)$", text, re.M)
        assert [int(number) for number, _ in numbered] == [*range(1, len(numbered) + 1)]
        assert all(rest.startswith(" · ") for _, rest in numbered)

    def test_it_is_valid(self, notebook):
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def _folded(cell):
    """Whether JupyterLab and Colab hide the code of a cell."""
    metadata = cell.metadata
    return metadata.get("jupyter", {}).get("source_hidden") and metadata.get("cellView") == "form"


@pytest.mark.parametrize("name", ["3_summary", "4_predict"])
def test_what_is_read_as_a_page_has_its_code_folded(name):
    found = nbformat.read(PROJECT_ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in found.cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            assert _folded(cell), cell.id


def test_the_installation_is_one_and_the_same():
    cells = [nbformat.read(path, as_version=4).cells[1].source for path in NOTEBOOKS]
    assert len({*cells}) == 1


@pytest.mark.parametrize("on_colab", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_gellib_is_installed_on_colab_where_it_is_missing(monkeypatch, on_colab, missing):
    """With what is there as constraints; and nothing that it sets is taken for a parameter."""
    ran = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if missing else name)
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", sys)
    else:
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    cells = nbformat.read(PROJECT_ROOT / "notebooks" / "2_train.ipynb", as_version=4).cells
    names: dict[str, object] = {}
    exec(cells[1].source, names)
    assert bool(ran) == (on_colab and missing)
    if ran:
        listed, installed = ran
        assert listed[1:] == ["-m", "pip", "list", "--format=freeze"]
        assert installed[3:5] == ["install", "-q"] and "--upgrade" not in installed
        assert installed[installed.index("-c") + 1] == names["_kept"]
    (parameters,) = [c for c in cells if "parameters" in c.metadata.get("tags", [])]
    exec(parameters.source, names)
    assert RunConfig.from_notebook(names) == RunConfig()


# The ones that people change stand first.
FIRST = ["dataset_dir", "pretrained_model", "classifier_head", "num_epochs", "color"]


def test_the_parameters_that_people_change_stand_first_and_the_others_in_groups():
    path = PROJECT_ROOT / "notebooks" / "2_train.ipynb"
    seen = papermill.inspect_notebook(str(path))
    assert [*seen][: len(FIRST)] == FIRST
    (cell,) = [
        c
        for c in nbformat.read(path, as_version=4).cells
        if "parameters" in c.metadata.get("tags", [])
    ]
    first, *groups = cell.source.split("\n\n")
    assert len(first.splitlines()) == len(FIRST)
    assert groups[0].startswith("# What follows can stay as it is.\n# ")
    assert all(group.startswith("# ") for group in groups)


def test_training_notebook_has_every_parameter_with_its_type_default_and_help():
    seen = papermill.inspect_notebook(str(PROJECT_ROOT / "notebooks" / "2_train.ipynb"))
    assert sorted(seen) == sorted(RunConfig.model_fields)
    for name, field in RunConfig.model_fields.items():
        default = ast.literal_eval(seen[name]["default"])
        assert default == field.default, name
        assert seen[name]["inferred_type_name"] == type(field.default).__name__, name
        assert seen[name]["help"].strip() == field.description, name


@pytest.mark.notebooks
class TestExecuted:
    """By papermill as its users start it: an ordinary kernel, no help from the sweep."""

    def execute(self, name, output, **parameters):
        return papermill.execute_notebook(
            str(PROJECT_ROOT / "notebooks" / name), str(output), parameters, progress_bar=False
        )

    @pytest.mark.slow
    def test_training_alone_honours_the_paths_it_is_given(self, tmp_path):
        make_stripes_and_dots(tmp_path / "images")
        paths = {
            "run_dir": str(tmp_path / "run"),
            "model_path": str(tmp_path / "models" / "model.safetensors"),
            "plots_path": str(tmp_path / "plots" / "gel-1.png"),
            "results_file": str(tmp_path / "all" / "results.csv"),
        }
        self.execute("2_train.ipynb", tmp_path / "out.ipynb", **small(tmp_path), **paths)
        assert RunFolder(tmp_path / "run").read_record().status == "done"
        assert {p.name for p in (tmp_path / "plots").iterdir()} == {
            "gel-1.png",
            "gel-1-calibration.png",
            "gel-1-class_curves.png",
            "gel-1-confusion_matrix.png",
            "gel-1-explanations.png",
            "gel-1-learning_rate.png",
            "gel-1-predictions.png",
            "gel-1-risk_coverage.png",
            "gel-1-roc_curve.png",
        }
        header = (tmp_path / "all" / "results.csv").read_text().splitlines()[0]
        assert header.startswith(",".join(REFERENCE_COLUMNS))
        from gellib.models.training import load_model

        assert load_model(paths["model_path"])[2]["classes"] == ["dots", "stripes"]

    @pytest.mark.slow
    def test_misspelt_parameter_ends_it_before_any_work(self, tmp_path):
        with pytest.raises(papermill.PapermillExecutionError) as caught:
            self.execute("2_train.ipynb", tmp_path / "out.ipynb", learnin_rate=0.1)
        assert caught.value.ename == "ConfigError"
        assert "'learnin_rate' is unknown: did you mean 'learning_rate'" in caught.value.evalue
        assert "Traceback" not in str(caught.value)

    @pytest.mark.slow
    def test_explore_names_what_cannot_be_read(self, tmp_path):
        folder = make_stripes_and_dots(tmp_path / "images")
        (folder / "train" / "dots" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        # The stripes are so much alike that they count as one image.
        node = self.execute(
            "1_explore.ipynb",
            tmp_path / "out.ipynb",
            dataset_dir=str(folder),
            group_duplicates=False,
        )
        shown = "".join(str(o) for c in node.cells for o in c.get("outputs", []))
        assert "cut.png" in shown
        assert sum(
            "image/png" in o.get("data", {}) for c in node.cells for o in c.get("outputs", [])
        )

    @pytest.mark.slow
    def test_pretraining_shows_classes_curves_and_confusion(self, tmp_path):
        asked = {
            "backbone": "mobilenet-v3",
            "quick": True,
            "workers": 0,
            "out": str(tmp_path / "w"),
        }
        node = self.execute("5_pretrain.ipynb", tmp_path / "out.ipynb", **asked)
        figures = [o for c in node.cells for o in c.get("outputs", []) if "image/png" in str(o)]
        assert len(figures) == 3
        card = json.loads((tmp_path / "w" / "mobilenet-v3.json").read_text())
        assert card["steps"] == 4 and card["validation"]["images"] == 2 * len(card["classes"])
        from gellib.labsim.zeroshot import ZeroShot

        asked_of = ZeroShot("mobilenet-v3", weights=tmp_path / "w" / "mobilenet-v3.safetensors")
        assert asked_of.classes == card["classes"]

    @pytest.mark.slow
    def test_predict_opens_without_any_run_and_says_what_to_do(self, tmp_path):
        node = self.execute("4_predict.ipynb", tmp_path / "out.ipynb", runs_dir=str(tmp_path))
        shown = "".join(str(o) for c in node.cells for o in c.get("outputs", []))
        shown += str(node.metadata.get("widgets", ""))
        assert "gellib sweep" in shown
        assert "no training" in shown and "right on" in shown

    @pytest.mark.slow
    def test_the_forms_are_shown_with_the_ipywidgets_of_colab(self, tmp_path, monkeypatch):
        """Version 7.7.1, in the kernel; a package index that is not reached skips it."""
        place = tmp_path / "ipywidgets7"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place)]
        done = subprocess.run([*pip, "ipywidgets==7.7.1", "ipython_genutils"], capture_output=True)
        if done.returncode:
            pytest.skip("ipywidgets 7.7.1 cannot be installed here")
        paths = [str(place), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        node = self.execute("4_predict.ipynb", tmp_path / "4.ipynb", runs_dir=str(tmp_path))
        states = node.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
        versions = {s["state"].get("_model_module_version") for s in states.values()}
        assert "1.5.0" in versions and not {v for v in versions if v.startswith("2")}
        assert "right on" in str(states)
        folder = make_stripes_and_dots(tmp_path / "images")
        asked = {"dataset_dir": str(folder), "judge_network": "", "group_duplicates": False}
        node = self.execute("1_explore.ipynb", tmp_path / "1.ipynb", **asked)
        states = node.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
        assert {s["state"].get("_model_module_version") for s in states.values()} >= {"1.5.0"}
        shown = "".join(str(o) for c in node.cells for o in c.get("outputs", []))
        assert "Each image has one label." in shown, "a sentence where there is nothing to draw"
