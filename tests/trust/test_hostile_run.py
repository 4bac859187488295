"""Names that are markup or code, through a whole sweep and everything that is made of it."""

from __future__ import annotations

import csv
import re
import shutil

import numpy as np
import pytest
import yaml
from making.commands import gellib
from making.hostile import HOSTILE
from making.images import save_png

from gellib.runs import SweepFolder

pytestmark = pytest.mark.notebooks
# As a parameter of a notebook, in a shell, and in a template.
CODE = "x'); open('pwned1', 'w') #$(touch pwned2)`touch pwned3`{{ 7 * 7 }}\"\"\"'''\\"
# In a table, a name is one line, and a bar separates labels.
NAMES = [" ".join(name.replace("|", "/").split()) for name in HOSTILE]


def make_hostile_images(root):
    """Write four images of each class into a folder, with a table that names their classes."""
    rng = np.random.default_rng(0)
    rows = []
    for number, label in enumerate(NAMES):
        for k in range(4):
            name = f"{number}{k}" + label.replace("/", "") + ".png"
            save_png(root / name, rng.integers(number * 10, 250, (24, 20), dtype=np.uint8))
            rows.append((name, label))
    with open(root / "labels.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "label"), *rows])
    return root


def opened(files, tmp_path) -> dict[str, list[str]]:
    """Open pages in a browser, without their policy; return what ran there, by page."""
    playwright = pytest.importorskip("playwright.sync_api")
    browser_file = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_file is None:
        pytest.skip("needs Chromium")
    found: dict[str, list[str]] = {}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        page = browser.new_page()
        ran: list[str] = []

        def refuse(dialog):
            ran.append(f"dialog {dialog.message}")
            dialog.dismiss()

        def asked(request):
            own = "shown.html" in request.url or request.url.startswith(("data:", "blob:"))
            ran.extend([] if own else [request.url])

        page.on("dialog", refuse)
        page.on("pageerror", lambda error: ran.append(str(error)))
        page.on("request", asked)
        for name, text in files.items():
            text = re.sub(r"<meta[^>]*Security-Policy[^>]*>", "", text)
            (tmp_path / "shown.html").write_text(text, encoding="utf-8")
            page.goto((tmp_path / "shown.html").as_uri())
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            page.wait_for_timeout(200)
            if ran:
                found[name] = list(ran)
            ran.clear()
        browser.close()
    return found


@pytest.mark.timeout(1500)
def test_no_name_runs_in_a_sweep_or_in_what_is_made_of_it(tmp_path):
    folder = tmp_path / f"{HOSTILE[1]} work".replace("/", "")
    folder.mkdir()
    images = make_hostile_images(folder / CODE.replace("/", ""))
    content = {
        "name": "s",
        "purpose": "\n".join((*HOSTILE, CODE)),
        "params": {
            "dataset_dir": str(images), "image_size": 32, "num_epochs": 1, "weights": "none",
            "batch_size": 16, "cache_dir": str(folder / "cache"), "evaluation": "holdout",
        },
        "runs": [{"name": HOSTILE[0], "seed": 1}, {"name": CODE, "seed": 2}],
    }  # fmt: skip
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def ok(*words, status=0):
        got, output = gellib(*words, cwd=folder)
        assert got == status, output
        return output

    ok("sweep", file, "--jobs", "1")
    sweep = SweepFolder(folder / "s")
    records = sweep.records()
    assert [record.done for record in records] == [True, True]
    assert set(records[0].data.classes) == set(NAMES)
    for run in sweep.run_folders():
        ok("report", run.path)
    ok("card", sweep.path, "--out", folder / "card.html")
    ok("methods", sweep.path, "--out", folder / "methods.html")
    ok("checklist", sweep.path, "--out", folder / "checklist.html")
    predict = ["predict", images, "--runs", sweep.path]
    ok(*predict, "--html", folder / "p.html", "--csv", folder / "p.csv")
    assert gellib("check", images, "--html", folder / "check.html", cwd=folder)[0] in (0, 1)
    pages = {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.html")
    }
    assert len(pages) >= 8, pages.keys()
    for name in ("s/summary.html", "card.html", "checklist.html", "p.html"):
        assert "&lt;script&gt;" in pages[name], name
    for name in ("s/summary.html", "check.html", "p.html"):
        assert "7 * 7" in pages[name], name
    assert [path for path in tmp_path.rglob("pwned*") if len(path.name) < 8] == []
    pages["a page that runs something"] = "<p>" + HOSTILE[0]
    ran = opened(pages, tmp_path)
    assert ran.pop("a page that runs something") == ["dialog 1"]
    assert ran == {}
