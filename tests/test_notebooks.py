"""The notebooks: their hygiene, and each of them executed, small, by papermill."""

from __future__ import annotations

import ast

import nbformat
import papermill
import pytest

from gellib.config import PROJECT_ROOT, RunConfig

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))


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
