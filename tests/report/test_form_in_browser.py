"""The prediction form as people use it: `4_predict.ipynb` in JupyterLab, in a real browser."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from making.images import make_flat_png
from making.sweeps import make_sweep

from gellib.base.paths import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.notebooks]

# The machine may be shared: starting JupyterLab, a kernel and torch takes a minute then.
PATIENCE_MS = 150_000
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


def wait_for_port(port, server):
    for _ in range(PATIENCE_MS // 200):
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert server.poll() is None, "JupyterLab ended"
        time.sleep(0.2)
    raise AssertionError("JupyterLab does not answer")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("jupyterlab")
    file = shutil.which("chromium") or shutil.which("google-chrome")
    if file is None:
        pytest.skip("no Chromium is installed (apt install chromium)")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=file, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab in a folder with the notebook and a sweep; its address."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copy(PROJECT_ROOT / "notebooks" / "4_predict.ipynb", root)
    make_sweep(root / "runs" / "mine", root / "data")
    settings = root / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
    own = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "share",
        "JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }  # fmt: skip
    env = {**os.environ, **{name: str(root / folder) for name, folder in own.items()}}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--IdentityProvider.token=", f"--ServerApp.root_dir={root}"]
    with open(root / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for_port(port, server)
            yield f"http://127.0.0.1:{port}/lab/tree/4_predict.ipynb"
        finally:
            server.terminate()
            server.wait(timeout=60)


@pytest.fixture(scope="module")
def page(browser, lab):
    """The notebook with all cells run."""
    page = browser.new_page(viewport={"width": 1200, "height": 1000}, accept_downloads=True)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(lab)
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Run", exact=True).first.click()
    page.locator("#jp-mainmenu-run").get_by_text("Run All Cells", exact=True).click()
    page.get_by_role("combobox", name="Model").wait_for()
    # In command mode JupyterLab takes the first Enter for itself, to edit the cell.
    page.get_by_role("button", name="Upload images").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(1000)
    return page


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for name in ("a.png", "<b>.png"):
        (folder / name).write_bytes(make_flat_png(90, width=80, height=40))
    return folder


def upload(page, *files):
    """Choose files by the keyboard alone."""
    button = page.get_by_role("button", name="Upload images")
    button.focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([str(file) for file in files])


def fits(page):
    """Whether nothing of the form is wider than its place."""
    return page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea-output .widget-html-content')]"
        ".every(e => e.scrollWidth <= e.clientWidth + 1)"
    )


def test_its_code_is_folded_and_every_control_has_its_name(page):
    assert page.locator(".jp-Cell.jp-mod-noInput, .jp-InputPlaceholder, .jp-Placeholder").count()
    for role, name in (
        ("combobox", "Model"),
        ("button", "Upload images"),
        ("textbox", "Or a path"),
        ("checkbox", "Show what decided"),
    ):
        assert page.get_by_role(role, name=name).count() == 1, name
    options = page.get_by_role("combobox", name="Model").locator("option").all_inner_texts()
    options = [text.replace("\xa0", " ") for text in options]
    assert options[0].startswith("1. ") and " · sweep mine · " in options[0]
    assert options[-1].startswith("no training")


def test_an_image_is_uploaded_by_keyboard_and_predicted(page, images):
    page.get_by_role("combobox", name="Model").select_option(
        label="no training · gel or not, for a start"
    )
    page.get_by_text("right on").wait_for()
    upload(page, images / "a.png")
    page.get_by_role("img", name="The image a.png").wait_for()
    assert page.get_by_text("predicted by labsim resnet18").count() == 1
    page.get_by_role("checkbox", name="Show what decided").check()
    page.get_by_role("img", name="Heat map of a.png").wait_for()
    page.get_by_role("checkbox", name="Show what decided").uncheck()


def test_several_images_are_a_table_that_is_downloaded(page, images, tmp_path):
    upload(page, images / "a.png", images / "<b>.png")
    page.get_by_role("link", name="Download as CSV").wait_for()
    assert page.get_by_role("cell", name="<b>.png", exact=True).count() == 1
    for link, suffix in (("Download as CSV", "csv"), ("Download as a page", "html")):
        with page.expect_download() as download:
            page.get_by_role("link", name=link).press("Enter")
        assert download.value.suggested_filename == f"predictions.{suffix}"
        download.value.save_as(tmp_path / f"predictions.{suffix}")
    with open(tmp_path / "predictions.csv", encoding="utf-8-sig", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["a.png", "<b>.png"]
    page.get_by_text("gel, ").first.wait_for()


def test_a_folder_is_opened_by_its_path_and_a_wrong_one_is_a_message(page, images):
    field = page.get_by_role("textbox", name="Or a path")
    field.fill(str(images / "nothing"))
    field.press("Enter")
    page.get_by_role("alert").filter(has_text="cannot be read").wait_for()
    field.fill(str(images))
    field.press("Enter")
    page.get_by_role("img", name="The image a.png").wait_for()


@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_a_phone(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(500)
    assert fits(page)
