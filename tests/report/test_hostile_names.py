"""Names of classes, files, runs and purposes are shown in every page, and run in none."""

import re
import shutil
from pathlib import Path

import pytest
from making.hostile import HOSTILE, Found, comparison_of, markdown, pages

from gellib.base.markup import as_html, as_plain, in_code, in_html, in_markdown
from gellib.report.conclusions import conclusions
from gellib.report.summary.answer import find_answer

PACKAGE = Path(__file__).parents[2] / "gellib"


@pytest.mark.parametrize("name", HOSTILE)
def test_markup_shows_a_name_as_it_is(name):
    line = " ".join(name.split())
    for page in (
        f"<p>{in_html(name)}</p>",
        f"<p>{in_markdown(name)}</p>",
        markdown(f"**a** {in_markdown(name)} **b**"),
        markdown(f"- {in_code(name)} is"),
        f"<p>{as_html(f'**a** {in_markdown(name)} `b`')}</p>",
    ):
        found = Found(page)
        assert line in found.text and not found.unknown, page
        assert page.count("<em>") == page.count("<s>") == page.count("<h1>") == 0
    assert as_plain(f"**Use** {in_markdown(name)}: {in_code(name)}") == f"Use {line}: {line}"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.slow
def test_every_page_shows_a_name_and_runs_none(name):
    line = " ".join(name.split())
    shown = pages(name)
    assert len(shown) >= 13, shown.keys()
    for key, page in shown.items():
        found = Found(page)
        assert not found.unknown, (key, found.unknown)
        assert line in found.text or key in ("effects", "tied_models"), (key, found.text)


def test_a_terminal_shows_names_without_markup_or_control_characters():
    name = "a\x1b[31m_b_ <i> & `c`"
    box = find_answer(comparison_of(name), Path("runs/x")).text()
    assert "a�[31m_b_ <i> & `c`" in box and "\x1b" not in box and "**" not in box
    assert any("&lt;i&gt;" in text for text in conclusions(comparison_of(name)))


def test_one_helper_escapes():
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if file.name != "markup.py":
            assert "html.escape" not in text and "import html" not in text, file
        if file.name != "cells.py":
            assert ".style.hide" not in text, f"{file}: tables are styled by `styled`"


@pytest.mark.slow
def test_no_page_runs_a_name_in_a_browser(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    browser_file = shutil.which("chromium") or shutil.which("google-chrome")
    if browser_file is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        page = browser.new_page()
        ran: list[str] = []

        def refuse(dialog):
            ran.append(f"dialog {dialog.message}")
            dialog.dismiss()

        page.on("dialog", refuse)
        page.on("request", lambda r: ran.append(r.url) if "page.html" not in r.url else None)
        page.on("pageerror", lambda error: ran.append(str(error)))

        def opened(html: str) -> list[str]:
            ran.clear()
            # Names do not run for their markup, not only because a page forbids all scripts.
            html = re.sub(
                r"<meta content=[^>]*Security-Policy[^>]*>|<meta http-equiv[^>]*>", "", html
            )
            assert "Security-Policy" not in html
            (tmp_path / "page.html").write_text(html, encoding="utf-8")
            page.goto((tmp_path / "page.html").as_uri())
            # A notebook sets what an output holds as the inside of an element.
            page.evaluate(
                "text => { const e = document.createElement('div');"
                " document.body.append(e); e.innerHTML = text; }",
                html,
            )
            page.wait_for_timeout(50)
            return list(ran)

        assert opened("<p>" + HOSTILE[0]), "the listener hears a script"
        assert opened("<p>" + HOSTILE[1]), "the listener hears a handler"
        for name in HOSTILE:
            for key, html in pages(name).items():
                assert not opened(html), (key, name, ran)
        browser.close()
