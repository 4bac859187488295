"""Where the home folder may not be written to, libraries get folders that go with the command."""

import os
from pathlib import Path

import pytest
from making.places import closed

from gellib.base.closed_home import settings_elsewhere_if_home_is_closed
from gellib.base.temporary import temporary_folder

NAMES = {"MPLCONFIGDIR": ".config/matplotlib", "IPYTHONDIR": ".ipython"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (*NAMES, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    yield tmp_path / "home"
    for name in NAMES:
        os.environ.pop(name, None)


@pytest.mark.parametrize("there", [True, False])
def test_a_closed_home_is_not_written_to(home, there):
    for name in NAMES.values() if there else ():
        (home / name).mkdir(parents=True)
    with closed(home):
        settings_elsewhere_if_home_is_closed()
    for name in NAMES:
        made = Path(os.environ[name])
        assert made.is_dir() and made.parent == Path(temporary_folder())


def test_a_home_that_is_open_or_settings_that_are_given_stay(home, monkeypatch):
    settings_elsewhere_if_home_is_closed()
    assert not set(NAMES) & set(os.environ)
    with closed(home):
        monkeypatch.setenv("MPLCONFIGDIR", "mine")
        monkeypatch.setenv("IPYTHONDIR", "mine")
        settings_elsewhere_if_home_is_closed()
        assert os.environ["MPLCONFIGDIR"] == os.environ["IPYTHONDIR"] == "mine"
    assert list(home.iterdir()) == []


def test_no_home_at_all_is_a_closed_one(home, monkeypatch):
    monkeypatch.setenv("HOME", "/nonexistent")
    with closed(home):  # of an ordinary user; root could make it
        if os.geteuid() == 0:
            monkeypatch.setenv("HOME", str(home / "nonexistent"))
        settings_elsewhere_if_home_is_closed()
    assert set(NAMES) <= set(os.environ)
