"""The package is the same one wherever one stands, and a wheel is all that one needs."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest
from making.folders import make_stripes_and_dots

import gellib
from gellib.base.paths import PROJECT_ROOT, find_path, made_in, project_folder

SWEEP = """
name: tiny
params:
  dataset_dir: images
  image_size: 32
  num_epochs: 1
  weights: none
  batch_size: 4
  explain: false
  cache_dir: cache
"""
HOSTILE = {
    "torch.py": "raise RuntimeError('torch of the current folder')",
    "random.py": "raise RuntimeError('random of the current folder')",
    "tempfile.py": "raise RuntimeError('tempfile of the current folder')",
    "gellib/__init__.py": "raise RuntimeError('gellib of the current folder')",
    "gellib/runs/README.md": "a folder like that of a clone",
}


def run(command, cwd, **env):
    """Run a command as from a terminal: nothing of the current folder is on the path by itself."""
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "GELLIB_WEIGHTS_TIMEOUT_S": "0", **env},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """The console script, which imports this very package."""
    file = tmp_path_factory.mktemp("bin") / "gellib"
    text = "from gellib.cli import main\n\nif __name__ == '__main__':\n    main()"
    file.write_text(text)
    return [sys.executable, str(file)], {"PYTHONPATH": str(PROJECT_ROOT)}


@pytest.mark.slow
def test_the_parent_of_a_clone_is_a_place_like_any_other(tmp_path, command):
    """There, the clone's folder `gellib/` is no package, though it has the name of one."""
    (tmp_path / "gellib" / "runs").mkdir(parents=True)
    script, env = command
    for line in ("from gellib.runs import RunFolder", "import gellib.sweeps.driver"):
        done = run([sys.executable, "-c", f"{line}; import gellib; print(gellib.__file__)"],
                   tmp_path, **env)  # fmt: skip
        assert done.stdout.strip() == gellib.__file__, done.stderr
    (tmp_path / "runs").mkdir()
    shutil.copy(PROJECT_ROOT / "runs" / "gel.yaml", tmp_path / "runs")
    done = run([*script, "list", "runs"], tmp_path, **env)
    assert done.returncode == 0 and "gel.yaml" in done.stdout


@pytest.mark.notebooks
@pytest.mark.parametrize("path", ["absolute", "relative"])
def test_what_lies_in_the_current_folder_is_not_imported(tmp_path, command, path):
    """Command, server, kernels and workers: a sweep runs to its end beside hostile modules."""
    make_stripes_and_dots(tmp_path / "images", train=6, test=2)
    (tmp_path / "tiny.yaml").write_text(SWEEP)
    for name, text in HOSTILE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    script, env = command
    if path == "relative":
        env = {"PYTHONPATH": os.path.relpath(PROJECT_ROOT, tmp_path)}
    done = run([*script, "sweep", "tiny.yaml", "--no-summary"], tmp_path, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "tiny" / "01" / "record.json").read_text())
    assert record["status"] == "done"


@pytest.mark.notebooks
def test_modules_beside_a_notebook_are_found_but_come_last(tmp_path, monkeypatch):
    import nbformat

    from gellib.sweeps.execute import execute

    (tmp_path / "my_helper.py").write_text("answer = 42")
    (tmp_path / "json.py").write_text("raise RuntimeError")
    cell = nbformat.v4.new_code_cell("import my_helper, json, importlib\nmy_helper.answer")
    node = nbformat.v4.new_notebook(cells=[cell])
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(node, tmp_path / "in.ipynb")
    monkeypatch.chdir(tmp_path)
    execute(tmp_path / "in.ipynb", tmp_path / "out.ipynb", {})
    (out,) = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    assert "42" in out.outputs[-1]["data"]["text/plain"]


def test_things_are_looked_for_from_the_current_folder_first(tmp_path, monkeypatch):
    other = tmp_path / "second clone"
    (other / "notebooks").mkdir(parents=True)
    (other / "notebooks" / "2_train.ipynb").write_text("{}")
    (other / "dataset" / "mine").mkdir(parents=True)
    monkeypatch.chdir(other / "notebooks")
    assert project_folder() == other
    assert find_path("dataset/mine") == other / "dataset" / "mine"
    # What is not there yet is made here, not in the clone that the command comes from.
    assert find_path("dataset/none yet") == other / "dataset" / "none yet"
    # What comes with gellib is found from anywhere; results of its clone are not.
    assert find_path("dataset/gel") == PROJECT_ROOT / "dataset" / "gel"
    assert find_path("runs/showcase") == other / "runs" / "showcase"
    monkeypatch.chdir(tmp_path)
    assert project_folder() == tmp_path
    assert find_path("runs/gel.yaml") == PROJECT_ROOT / "runs" / "gel.yaml"


def test_nothing_is_made_inside_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inside = Path(gellib.__file__).parent / "_project" / "runs" / "gel.yaml"
    assert made_in(inside) == tmp_path / "runs"
    assert made_in(tmp_path / "x" / "my.yaml") == tmp_path / "x"


@pytest.mark.parametrize("arguments", [["list"], ["sweep", "runs/gel.yaml", "--dry-run"]])
def test_listing_imports_nothing_heavy(tmp_path, arguments):
    (tmp_path / "runs").mkdir()
    shutil.copy(PROJECT_ROOT / "runs" / "gel.yaml", tmp_path / "runs")
    code = f"""
        import sys
        from gellib.cli import main
        try:
            main({arguments!r}, standalone_mode=False)
        except SystemExit as end:
            assert not end.code
        heavy = ("torch", "pandas", "numpy", "sklearn", "scipy", "papermill", "distributed")
        print([name for name in heavy if name in sys.modules], file=sys.stderr)
    """
    env = {"PYTHONPATH": str(PROJECT_ROOT)}
    done = run([sys.executable, "-c", textwrap.dedent(code)], tmp_path, **env)
    assert done.returncode == 0 and done.stderr.strip() == "[]", done.stderr


WRONG = (
    "predict a.png",
    "predict empty",
    "predict a.png --run nothing",
    "next empty --runs nothing",
    "check nothing",
    "card nothing",
    "methods nothing",
    "partition nothing",
    "app nothing",
)


@pytest.mark.slow
def test_what_is_wrong_is_said_before_torch_is_imported(tmp_path):
    (tmp_path / "empty").mkdir()
    code = f"""
        import sys
        from gellib.cli import main
        for command in {WRONG!r}:
            try:
                main(command.split())
            except SystemExit as end:
                assert end.code, f"nothing was wrong with {{command}}"
            assert "torch" not in sys.modules, command
    """
    env = {"PYTHONPATH": str(PROJECT_ROOT)}
    done = run([sys.executable, "-c", textwrap.dedent(code)], tmp_path, **env)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_wheel_is_all_that_one_needs(tmp_path):
    """Built, installed into an environment of its own, used in an empty folder."""
    done = run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        PROJECT_ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    # Everything but gellib itself comes from here: nothing is downloaded.
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    installed = run([*pip, str(wheel)], tmp_path)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (site / "zz_others.pth").write_text("\n".join(here))
    script = [str(tmp_path / "venv" / "bin" / "gellib")]
    empty, cache = tmp_path / "empty", tmp_path / "cache"
    empty.mkdir()
    env = {"PYTHONPATH": "", "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    before = sorted(site.rglob("*"))
    found = run([python, "-c", "import gellib; print(gellib.__file__)"], empty, **env)
    assert found.stdout.strip() == str(site / "gellib" / "__init__.py")
    listed = run([*script, "list"], empty, **env)
    assert listed.returncode == 0 and "24 runs" in listed.stdout, listed.stderr
    assert "not there" in listed.stdout, "brain MRI has to be got, the demo images are there"
    small = ["-p", "image_size", "32", "-p", "num_epochs", "1", "-p", "weights", "none"]
    small += ["-p", "max_images", "24", "-p", "augmentation", "none", "-p", "explain", "false"]
    small += ["-p", "pretrained_model", "resnet18", "-p", "hardware_type", "cpu"]
    swept = run([*script, "sweep", "runs/gel.yaml", "--no-summary", *small], empty, **env)
    assert swept.returncode == 0, swept.stdout + swept.stderr
    assert (empty / "runs" / "gel" / "results.csv").is_file()
    assert any(cache.rglob("ready-*.json")), "outside of a project the cache is the user's"
    make_stripes_and_dots(tmp_path / "mine", train=2, test=2)
    new = run([*script, "new", "project", "--images", str(tmp_path / "mine")], empty, **env)
    assert new.returncode == 0, new.stderr
    dry = run([*script, "sweep", "runs/my_images.yaml", "--dry-run"], empty / "project", **env)
    assert dry.returncode == 0 and "3 runs: 3 to do" in dry.stdout, dry.stderr
    assert sorted(site.rglob("*")) == before, "nothing is written into site-packages"
    (metadata,) = site.glob("gellib-*.dist-info/METADATA")
    page = metadata.read_text(encoding="utf-8").split("\n\n", 1)[1]
    assert "](runs/" not in page and "](docs/" not in page
