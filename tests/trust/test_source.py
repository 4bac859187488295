"""No line of the package runs code from a file, and papermill's parameters are no code."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from papermill.translators import papermill_translators

from gellib.base.paths import PACKAGE_DIR
from gellib.config import RunConfig

MODULES = sorted(PACKAGE_DIR.rglob("*.py"))
# What runs code that stands in data, or hands a text to a shell.
FORBIDDEN = {
    "eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads",
    "joblib.load", "dill.load", "marshal.loads", "shelve.open", "yaml.load", "yaml.unsafe_load",
    "yaml.full_load", "pd.read_pickle", "pandas.read_pickle", "tarfile.open", "torch.hub.load",
}  # fmt: skip


def calls(module):
    """The calls of a module: their names as they are written, and the nodes."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def find_problems(module) -> list[str]:
    found = []
    for name, node in calls(module):
        words = {word.arg: ast.unparse(word.value) for word in node.keywords}
        bad = name in FORBIDDEN or words.get("shell", "False") != "False"
        bad |= name == "torch.load" and words.get("weights_only") != "True"
        bad |= name in ("np.load", "numpy.load") and words.get("allow_pickle", "False") != "False"
        bad |= "trust_remote_code" in words
        found += [f"{module.name}:{node.lineno}: {name}"] if bad else []
    return found


@pytest.mark.slow
def test_no_call_runs_what_stands_in_data():
    assert len(MODULES) > 300
    assert [problem for module in MODULES for problem in find_problems(module)] == []


def test_the_rule_finds_what_it_forbids(tmp_path):
    bad = tmp_path / "bad.py"
    lines = [
        "torch.load('x')", "os.system('x')", "np.load('x', allow_pickle=True)", "eval('x')",
        "subprocess.run('x', shell=True)", "torch.load('x', weights_only=False)",
    ]  # fmt: skip
    bad.write_text("\n".join([*lines, "np.load('x')", "torch.load('x', weights_only=True)"]))
    assert len(find_problems(bad)) == len(lines)


TEXTS = [name for name, field in RunConfig.model_fields.items() if field.annotation is str]
QUOTES = ["'", '"', "'''", '"""', "\\", "\n", "\r", "{x}", "{{x}}", "$(id)", "`id`", "#", "\x00"]


@pytest.mark.slow
@given(
    st.lists(st.one_of(st.sampled_from(QUOTES), st.text(max_size=4)), max_size=8).map("".join),
    st.sampled_from(TEXTS),
)
def test_a_parameter_in_a_notebook_is_a_literal(text, name):
    """What papermill writes for a text is one assignment of that text, whatever it holds."""
    code = papermill_translators.find_translator("python3", "python").codify({name: text})
    body = ast.parse(code).body
    assert len(body) == 1 and isinstance(body[0], ast.Assign)
    assert ast.literal_eval(body[0].value) == text
    assert re.fullmatch(r"[a-z_0-9]+", ast.unparse(body[0].targets[0]))
