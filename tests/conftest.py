"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(autouse=True)
def _no_download(monkeypatch):
    """Tests look at weights that are here; those of the download start a server of their own."""
    monkeypatch.setenv("GELLIB_WEIGHTS_TIMEOUT_S", "0")


@pytest.fixture
def real_data() -> Path:
    """Folder of real images."""
    folder = os.environ.get("GELLIB_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GELLIB_REAL_DATA names no folder of real images")
    return Path(folder)
