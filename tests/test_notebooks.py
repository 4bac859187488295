"""The notebooks: their hygiene, and each of them executed, small, by papermill."""

from __future__ import annotations

import ast
import json

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

    def test_it_begins_with_a_title(self, notebook):
        assert notebook.cells[0].source.startswith("# ")

    def test_it_is_valid(self, notebook):
        nbformat.validate(notebook)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)


def test_training_notebook_has_every_parameter_with_its_type_default_and_help():
    seen = papermill.inspect_notebook(str(PROJECT_ROOT / "notebooks" / "2_train.ipynb"))
    assert list(seen) == list(RunConfig.model_fields)
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
