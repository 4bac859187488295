"""`gellib new` on a full or closed disk: one sentence, nothing left, and then the project."""

import errno
import os
import shutil

import pytest
from click.testing import CliRunner

from gellib.base.files import CannotWriteError
from gellib.cli import main
from gellib.sweeps import new_project
from gellib.sweeps.new_project import make_project


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("fails_at", [0, 3, "sweep file"])
@pytest.mark.parametrize("empty_folder", [True, False])
def test_a_project_is_made_whole_or_not_at_all(tmp_path, monkeypatch, empty_folder, fails_at, code):
    folder = tmp_path / "mine"
    if empty_folder:
        folder.mkdir()
    copied = []

    def refuse(*args, **more):
        raise OSError(code, os.strerror(code), "source.ipynb", None, "target.ipynb")

    def copy(source, target):
        copied.append(source)
        return refuse() if len(copied) - 1 == fails_at else shutil.copyfile(
            source, target / source.name
        )  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(new_project.shutil, "copy", copy)
        if fails_at == "sweep file":
            patch.setattr(os, "replace", refuse)
        with pytest.raises(CannotWriteError, match=os.strerror(code)) as found:
            make_project(folder)
    assert str(found.value).startswith(str(folder)) and "or name another place" in str(found.value)
    assert folder.exists() == empty_folder and not list(tmp_path.rglob("*.*"))
    assert len(make_project(folder)) == len([*folder.rglob("*.*")])


def test_what_is_there_already_stays(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "mine.ipynb").write_text("mine")
    result = CliRunner().invoke(main, ["new", str(tmp_path)])
    assert result.exit_code == 1 and "is there already and not empty" in result.output
    assert (tmp_path / "notebooks" / "mine.ipynb").read_text() == "mine"
