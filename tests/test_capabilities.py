"""The tables of docs/capabilities.md name tests that there are, and files of ours."""

import re

from gellib.base.paths import PROJECT_ROOT
from gellib.config import RunConfig

PAGE = (PROJECT_ROOT / "docs" / "capabilities.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and "::" in line
]


def names_in(module):
    (path,) = (PROJECT_ROOT / "tests").rglob(f"test_{module}.py")
    return set(re.findall(r"^ *def (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))


def test_every_capability_has_a_test_that_there_is():
    assert len(ROWS) > 50
    known = {}
    for capability, _, tests in ROWS:
        names = re.findall(r"`(\w+)::(\w+)`", tests)
        assert names, capability
        for module, name in names:
            known.setdefault(module, names_in(module))
            assert name in known[module], f"{capability}: {module}::{name}"


def test_every_capability_is_somewhere():
    for capability, where, _ in ROWS:
        for text in re.findall(r"`([^`]+)`", where):
            name = text.split(":")[0].strip()
            places = (PROJECT_ROOT / "gellib" / name, PROJECT_ROOT / name)
            there = any(place.exists() for place in places)
            notebook = (PROJECT_ROOT / "notebooks" / f"{name}.ipynb").exists()
            command = name.startswith("gellib ")
            written = name.endswith((".csv", ".json")) or name == "like"
            known = there or notebook or command or written or name in RunConfig.model_fields
            assert known, f"{capability}: {text}"
