"""An executed notebook that cannot be written: the first reason, and no temporary file."""

import errno
import os

import nbformat
import pytest

from gellib.sweeps import execute as module
from gellib.sweeps.engine import NotebookError


@pytest.mark.parametrize("left", ["", '{"cells": [', "{}", "not json"])
@pytest.mark.parametrize("failed", [True, False])
def test_the_reason_is_named_and_nothing_stays(tmp_path, monkeypatch, left, failed):
    source, output = tmp_path / "source.ipynb", tmp_path / "out" / "summary.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), source)

    def write_half(node, partial, **more):
        with open(partial, "w") as file:
            file.write(left)
        if failed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module.papermill, "execute_notebook", write_half)
    with pytest.raises(NotebookError) as found:
        module.execute(source, output, {})
    why = "No space left on device" if failed else "written in part only; is the disk full?"
    text = str(found.value)
    assert text.startswith(f"{output} cannot be written: ") and text.endswith(why)
    assert os.listdir(output.parent) == []
