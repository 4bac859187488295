"""Firefox without a window, driven by WebDriver BiDi, which it speaks itself.

Playwright drives only a Firefox that it has changed, and Selenium needs geckodriver, which Debian
does not have.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

_DEAD = 9  # a port that nothing listens on, as the proxy of all connections
_PREFERENCES = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": _DEAD,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": _DEAD,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.disabledForTesting": True,
}


def find_firefox():
    """Return the path of Firefox, or None."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


class Firefox:
    """A running Firefox."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.events = []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["network.beforeRequestSent", "log.entryAdded"])

    def send(self, method, **params):
        """Send a command; return its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            self.events.append(answer)
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, file):
        """Open a page from its file; returns it, and what tells what went wrong in it."""
        page = FirefoxPage(self, file)
        return page, page.wrong


class FirefoxPage:
    """An open page, with those methods of playwright's that the tests of both browsers call."""

    def __init__(self, firefox, file):
        self._firefox, self._own = firefox, ("blob:", "data:", "about:", file.as_uri())
        self._context = firefox.send("browsingContext.create", type="tab")["context"]
        firefox.send(
            "browsingContext.navigate", context=self._context, url=file.as_uri(), wait="complete"
        )

    def _run(self, expression):
        found = self._firefox.send(
            "script.evaluate", expression=expression, target={"context": self._context},
            awaitPromise=True,
        )  # fmt: skip
        assert found["type"] == "success", found
        return found["result"]

    def evaluate(self, expression, argument=None):
        """Return what an expression, or a function of one argument, gives, as JSON holds it."""
        text = (
            f"(async () => {{ const found = ({expression}); return JSON.stringify(await "
            f"(typeof found === 'function' ? found({json.dumps(argument)}) : found)); }})()"
        )
        return json.loads(self._run(text).get("value", "null"))

    def set_input_files(self, selector, files):
        """Choose files as a person does."""
        element = {"sharedId": self._run(f"document.querySelector({selector!r})")["sharedId"]}
        self._firefox.send(
            "input.setFiles", context=self._context, element=element, files=[*map(str, files)]
        )

    def wrong(self):
        """Return the errors of the page, and what it asked for beside its own."""
        self.evaluate("0")  # takes the events that are on their way
        found = []
        for event in self._firefox.events:
            params = event["params"]
            if event["method"] == "log.entryAdded":
                if params["level"] == "error" and params["source"]["context"] == self._context:
                    found.append(params["text"])
            elif params.get("context") == self._context:
                url = params["request"]["url"]
                if not url.startswith(self._own):
                    found.append(url)
        return found


@contextlib.contextmanager
def running_firefox(profile: Path):
    """Start Firefox with a profile of its own, without a connection."""
    import websocket

    profile.mkdir()
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});"
        for name, value in _PREFERENCES.items()
    ]
    (profile / "user.js").write_text("\n".join(lines))
    log, socket = profile / "log", None
    with log.open("w") as out:
        process = subprocess.Popen(
            [find_firefox(), "--headless", "--no-remote", "--profile", profile,
             "--remote-debugging-port", "0"],
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while not (found := re.search(r"BiDi listening on (ws://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        socket = websocket.create_connection(
            f"{found[1]}/session", timeout=300, suppress_origin=True
        )
        yield Firefox(socket)
    finally:
        if socket is not None:
            socket.close()
        process.terminate()
        process.wait(60)
