"""A sweep file from elsewhere writes nowhere but in the project and in the results' folder."""

import pytest
import yaml
from click.testing import CliRunner

from gellib.cli import main
from gellib.sweeps import SweepError, load_sweep

PARAMETERS = ("run_dir", "model_path", "results_file", "plots_path")


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = tmp_path / "project"
    (root / "notebooks").mkdir(parents=True)
    (root / "notebooks" / "2_train.ipynb").write_text("{}")
    (root / "runs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (root / "way_out").symlink_to(tmp_path / "elsewhere")
    (root / "link.csv").symlink_to(tmp_path / "elsewhere" / "theirs.csv")
    monkeypatch.chdir(root)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    return root


def write(root, **params):
    file = root / "runs" / "s.yaml"
    file.write_text(yaml.safe_dump({"name": "s", "params": params}))
    return file


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "place",
    [
        "/etc/gellib", "//server/share/a", "../a", "runs/../../a", "./runs/../../elsewhere/a",
        "way_out", "way_out/a", "way_out/../a", "link.csv", "~", "~/a", "~root/a", "C:\\a",
        "c:a", "C:/a", "..\\a", "runs\\..\\..\\a", "\\\\server\\share\\a", "\\a",
        "\\\\?\\C:\\a", ".git/hooks/pre-commit", "runs/.cache/a", ".bashrc", "..a/b",
        "notebooks/2_train.ipynb", "runs/s.yaml",
    ],
)  # fmt: skip
def test_a_place_elsewhere_is_refused(project, name, place):
    file = write(project, **{name: place})
    with pytest.raises(SweepError) as caught:
        load_sweep(file)
    assert name in str(caught.value) and "nothing was run" in str(caught.value)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "place",
    [
        "a", "runs/a", "./runs/../a", "models\\a", "$HOME/a", "${HOME}/a", "{home}/a", "$(id)/a",
        "`id`", "%USERPROFILE%/a", "{0.__class__}", "{{ a }}", "!python/a", "a..b", "gel:1",
    ],
)  # fmt: skip
def test_a_place_in_the_project_is_taken_as_it_stands(project, name, place):
    """Names that look like expressions are names: nothing in them is replaced or run."""
    (config,) = load_sweep(write(project, **{name: place})).configs.values()
    assert getattr(config, name) == place


def test_the_folder_of_the_results_is_allowed_wherever_it_is(project, tmp_path):
    out = tmp_path / "elsewhere" / "out"
    file = write(project, results_file=str(out / "all.csv"))
    assert load_sweep(file, out=out).folder == out
    with pytest.raises(SweepError, match="results_file"):
        load_sweep(file, out=tmp_path / "elsewhere" / "other")


def test_who_runs_the_sweep_may_allow_it(project, tmp_path):
    place = str(tmp_path / "elsewhere" / "a.csv")
    file = write(project, results_file=place)
    for config in load_sweep(file, outside=True).configs.values():
        assert config.results_file == place
    assert load_sweep(write(project), overrides={"results_file": place}).configs
    write(project, results_file=place, plots_path=place)
    with pytest.raises(SweepError, match="plots_path"):
        load_sweep(file, overrides={"results_file": place})


def test_files_of_an_earlier_run_are_replaced(project):
    for name in ("a.csv", "a.safetensors", "a.png"):
        (project / name).touch()
    params = {"results_file": "a.csv", "model_path": "a.safetensors", "plots_path": "a.png"}
    assert load_sweep(write(project, **params)).configs
    with pytest.raises(SweepError, match="another kind"):
        load_sweep(write(project, model_path="a.csv"))


def test_the_command_says_how_to_allow_it(project, tmp_path):
    file = write(project, model_path=str(tmp_path / "a.pt"))
    refused = CliRunner().invoke(main, ["sweep", str(file), "--dry-run"])
    assert refused.exit_code == 2 and "--allow-outside" in refused.output
    for more in (["--allow-outside"], ["-p", "model_path", str(tmp_path / "a.pt")]):
        listed = CliRunner().invoke(main, ["sweep", str(file), "--dry-run", *more])
        assert "would write" not in listed.output and "outside of the project" not in listed.output
    assert CliRunner().invoke(main, ["status", str(file)]).exit_code == 0
