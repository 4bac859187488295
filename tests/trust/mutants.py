"""Mutation testing: change one thing in the code, and see whether a test notices it.

    python tests/trust/mutants.py                                # 60 mutants of each area
    python tests/trust/mutants.py splitting -n 20 --seed 1 --out found.jsonl
    python tests/trust/mutants.py --again found.jsonl            # those that no test noticed

A mutant is a comparison with the next operator, another arithmetic operator, a number plus one, a
condition or Boolean that is reversed, `and` for `or`, or a function that returns None. Messages are
left alone. A mutant is killed when one of the tests that reach its line fails, or takes five times
as long; these tests run fastest first, for a minute at most. Nothing is written into the source: a
process that has imported the libraries is forked, and the fork imports the changed module.
Needs `coverage` and a system with `fork`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import pickle
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
QUICK, ALL = "not slow and not notebooks", "not notebooks"
# The code of an area, its tests, and which of these.
AREAS: dict[str, tuple[list[str], list[str], str]] = {
    "evaluation": (["gellib/evaluation"], ["tests/evaluation"], QUICK),
    "splitting": (
        [f"gellib/data/{name}.py" for name in ("splits", "folds", "run_parts", "partition")]
        + ["gellib/data/drawing.py"],
        [
            f"tests/data/test_{name}.py"
            for name in ("splits", "folds", "drawing", "run_parts", "partition")
        ],
        ALL,
    ),
    "features": (
        ["gellib/models/features", "gellib/base/cache_files.py"],
        [f"tests/models/test_{name}.py" for name in ("features", "augmentation", "steps_of_views")]
        + ["tests/models/test_image_statistics.py", "tests/trust/test_cache_truth.py"]
        + ["tests/base/test_cache_files.py"],
        ALL,
    ),
}
# Imported before the fork; nothing of gellib.
LIBRARIES = """numpy pandas scipy.stats scipy.optimize sklearn.linear_model sklearn.metrics torch
torchvision timm PIL.Image tifffile pytest hypothesis matplotlib.pyplot seaborn click pydantic
filelock xxhash nbformat yaml jinja2 distributed papermill""".split()
NEXT: dict[type, type] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Mod: ast.Add,
    ast.FloorDiv: ast.Div, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.MatMult: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
MESSAGES = (ast.Raise, ast.JoinedStr, ast.Assert)
LOGGING = ("log.", "logging.", "warnings.")
SECONDS = 60  # of tests per mutant


def changes(node: ast.AST) -> Iterator[Callable[[], ast.AST]]:
    """Yield functions that change a node in place, and return what stands in its place then."""

    def swap(holder: Any, name: str, new: Any) -> Callable[[], ast.AST]:
        def change() -> ast.AST:
            setattr(holder, name, new)
            return node

        return change

    match node:
        case ast.Compare(ops=ops):
            for k, op in enumerate(ops):
                yield swap(node, "ops", [*ops[:k], NEXT[type(op)](), *ops[k + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in NEXT:
            yield swap(node, "op", NEXT[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield lambda: operand
        case ast.Constant(value=bool() as value):
            yield swap(node, "value", not value)
        case ast.Constant(value=int() | float() as value):
            yield swap(node, "value", value + 1)
        case ast.IfExp(test=test) | ast.If(test=test) | ast.While(test=test):
            yield swap(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.AST()):
            yield swap(node, "value", ast.Constant(None))


def code_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of code that runs, without messages and types, always in one order."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    if isinstance(node, MESSAGES) or called.startswith(LOGGING):
        return
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from code_nodes(child)


def count_mutants(source: str) -> int:
    """Count the mutants of a module."""
    return sum(len(list(changes(node))) for node in code_nodes(ast.parse(source)))


def mutate(source: str, number: int) -> tuple[str, str, range]:
    """Return a changed module, what changed, and the lines of its statement up to there."""
    tree = ast.parse(source)
    places = [(node, change) for node in code_nodes(tree) for change in changes(node)]
    wanted, change = places[number]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    inside = [node for node in statements if any(part is wanted for part in ast.walk(node))]
    test = getattr(wanted, "test", wanted)  # not the whole body of an `if`
    lines = range(max(node.lineno for node in inside), test.end_lineno + 1)
    before = ast.unparse(wanted).splitlines()[0]
    new = change()

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is wanted else self.generic_visit(node)

    tree = ast.fix_missing_locations(Replace().visit(tree))
    text = f"line {lines[-1]}: {before} -> {ast.unparse(new).splitlines()[0]}"
    return ast.unparse(tree), text, lines


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import one module from another source."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.source = file, source
        self.name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        file = ROOT / self.file
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        return importlib.util.spec_from_file_location(
            name, file, loader=self, submodule_search_locations=inside
        )

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(compile(self.source, str(ROOT / self.file), "exec"), module.__dict__)


def in_fork(job: Callable[[], int], limit_s: float) -> int | None:
    """Do a job in a fork, in silence; return its exit status, None after the limit."""
    pid = os.fork()
    if pid == 0:
        status = 99
        with contextlib.suppress(BaseException):
            os.setsid()
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            status = job()
        os._exit(status)
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def pytest_of(marks: str, *words: str, plugins: Any = ()) -> int:
    import pytest

    own = ["-x", "-q", "-p", "no:cacheprovider", "-m", marks]
    return int(pytest.main([*own, *words], plugins=list(plugins)))


class Times:
    """Seconds of each test, and a context of the coverage for each."""

    def __init__(self, coverage: Any) -> None:
        self.coverage, self.seconds = coverage, Counter[str]()

    def pytest_runtest_protocol(self, item, nextitem):
        self.coverage.switch_context(item.nodeid)

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration


Reached = tuple[dict[str, dict[int, list[str]]], dict[str, float]]


def reached_lines(area: str) -> Reached:
    """Run the tests of an area unchanged: which of them reach a line, and their seconds."""
    place = Path(tempfile.mkdtemp(prefix="mutants-"))

    def job() -> int:
        import coverage

        own = coverage.Coverage(data_file=str(place / "coverage"), source=[str(ROOT / "gellib")])
        times = Times(own)
        own.start()
        status = pytest_of(AREAS[area][2], *AREAS[area][1], plugins=[times])
        own.stop()
        data = own.get_data()
        lines = {
            os.path.relpath(f, ROOT): data.contexts_by_lineno(f) for f in data.measured_files()
        }
        (place / "found").write_bytes(pickle.dumps((lines, dict(times.seconds))))
        return status

    status = in_fork(job, 3000)
    if status != 0:
        raise SystemExit(f"{area}: the tests fail as they are (exit status {status})")
    return pickle.loads((place / "found").read_bytes())


def tests_of(file: str, lines: range, reached: Reached) -> list[str]:
    """Choose the tests that reach some lines; where only an import does, those of the module."""
    by_line, seconds = reached
    own = by_line.get(file, {})
    there = [test for line in lines for test in own.get(line, [])]
    if "" in there and not any(there):
        there = [test for tests in own.values() for test in tests]
    chosen, total = [], 0.0
    for test in sorted({*there} - {""}, key=lambda test: seconds.get(test, 0)):
        total += seconds.get(test, 0)
        if total <= SECONDS or not chosen:
            chosen.append(test)
    return chosen


def try_mutant(file: str, number: int, reached: Reached) -> dict[str, Any]:
    source, text, lines = mutate((ROOT / file).read_text(encoding="utf-8"), number)
    tests = tests_of(file, lines, reached)

    def job() -> int:
        sys.meta_path.insert(0, Changed(file, source))
        return pytest_of(ALL, *tests)

    limit_s = 30 + 5 * sum(reached[1].get(test, 0) for test in tests)
    status = in_fork(job, limit_s) if tests else 0
    return {"file": file, "number": number, "text": text, "tests": len(tests),
            "status": status, "killed": status != 0}  # fmt: skip


def sample(area: str, n: int, seed: int) -> list[tuple[str, int]]:
    """Draw mutants of an area."""
    found: list[tuple[str, int]] = []
    for place in AREAS[area][0]:
        files = (
            sorted((ROOT / place).rglob("*.py")) if not place.endswith(".py") else [ROOT / place]
        )
        for file in files:
            n_here = count_mutants(file.read_text(encoding="utf-8"))
            found += [(file.relative_to(ROOT).as_posix(), k) for k in range(n_here)]
    print(f"{area}: {len(found)} mutants, of which {min(n, len(found))} are tried", flush=True)
    return random.Random(seed).sample(found, min(n, len(found)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("areas", nargs="*", default=[], help=f"of {', '.join(AREAS)}")
    parser.add_argument("-n", type=int, default=60, help="mutants of each area")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="file to append the results to")
    parser.add_argument("--again", type=Path, help="results, whose survivors are tried again")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    for name in LIBRARIES:
        importlib.import_module(name)
    old = [json.loads(line) for line in args.again.read_text().splitlines()] if args.again else []
    total: Counter[bool] = Counter()
    for area in args.areas or AREAS:
        chosen = [(r["file"], r["number"]) for r in old if r["area"] == area and not r["killed"]]
        chosen = chosen if args.again else sample(area, args.n, args.seed)
        reached = reached_lines(area) if chosen else ({}, {})
        killed: Counter[bool] = Counter()
        for file, number in chosen:
            result = {"area": area, **try_mutant(file, number, reached)}
            killed[result["killed"]] += 1
            if not result["killed"]:
                print("survived:", file, result["text"], f"({result['tests']} tests)", flush=True)
            if args.out:
                with args.out.open("a") as stream:
                    stream.write(json.dumps(result) + "\n")
        print(f"{area}: {killed[True]} of {killed.total()} killed", flush=True)
        total += killed
    print(f"{total[True]} of {total.total()} killed")


if __name__ == "__main__":
    main()
