"""Visitors of `gellib app`: the server in a process of its own, and what they do in a browser."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from gellib.report.app.visitor_form import READY


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


@contextlib.contextmanager
def served(runs, *options):
    """Serve the runs of a folder; give the address and the log when a kernel waits."""
    port = free_port()
    place = runs.with_name(f"app-{port}.log")
    log = place.open("w+")
    command = [sys.executable, "-m", "gellib", "app", str(runs), "--no-browser"]
    process = subprocess.Popen(
        [*command, "--port", str(port), *options], stdout=log, stderr=log, start_new_session=True
    )

    def said():
        return place.read_text()

    try:
        until = time.monotonic() + 240
        while READY not in said():
            assert process.poll() is None and time.monotonic() < until, said()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/", said
    except AssertionError:
        print(said())
        raise
    finally:
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def find_chromium():
    """Return the browser that is installed, or None."""
    return shutil.which("chromium") or shutil.which("google-chrome")


@contextlib.contextmanager
def chromium():
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        own = driver.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield own
        own.close()


class Visitor:
    """A page of its own, with what a visitor does."""

    def __init__(self, browser, address, width=1000):
        self.page = browser.new_context(viewport={"width": width, "height": 900}).new_page()
        self.page.set_default_timeout(120_000)
        self.wrong, self.asked, self.said = [], set(), []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfinished", lambda request: self.asked.add(request.url))
        # What the page's policy forbids is not asked.
        self.page.on(
            "requestfailed",
            lambda request: "csp" in (request.failure or "") or self.asked.add(request.url),
        )
        self.page.goto(address)
        self._wait(self.button)

    @property
    def button(self):
        return self.page.get_by_role("button", name="Upload images")

    def upload(self, *files):
        with self.page.expect_file_chooser() as chooser:
            self.button.click()
        kinds = [{"name": n, "mimeType": "image/png", "buffer": data} for n, data in files]
        chooser.value.set_files(kinds)

    def sees(self, text):
        # Not what a closed list has.
        self._wait(self.page.get_by_text(text).locator("visible=true").first)

    def waits_for(self, done, seconds=120):
        """Wait, as a visitor who looks at the page, until something is done."""
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, self.text
            self.page.wait_for_timeout(200)

    def _wait(self, shown):
        try:
            shown.wait_for()
        except Exception as err:
            # What the page has in its place, and what its scripts say of it.
            said = [*self.said, *self.wrong]
            raise AssertionError(f"{err}\n{self.text}\n{self.page.content()}\n{said}") from None

    @property
    def text(self):
        return self.page.inner_text("body")
