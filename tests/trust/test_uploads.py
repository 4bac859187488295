"""Many uploads of many visitors of `gellib app`: what they take, they give back."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from making.images import encode, random_pixels
from making.models import make_model_run
from making.visitors import Visitor, chromium, find_chromium, served

from gellib.report.app.visitor_form import READY

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in /proc"),
]


@dataclass(frozen=True)
class Taken:
    """What the server and its kernels take: memory of their own in kB, by process, and counts."""

    kb: dict[int, int]
    files: dict[int, int]
    threads: dict[int, int]
    temporary: int

    def __str__(self) -> str:
        kb, files, threads = (sum(one.values()) for one in (self.kb, self.files, self.threads))
        return (
            f"{len(self.kb)} processes, {kb / 1000:.1f} MB, {files} files, {threads} threads, "
            f"{self.temporary} temporary files"
        )


def taken(server: psutil.Process, place: Path) -> Taken:
    kb, files, threads = {}, {}, {}
    for process in (server, *server.children(recursive=True)):
        try:
            kb[process.pid] = process.memory_full_info().uss // 1000
            files[process.pid], threads[process.pid] = process.num_fds(), process.num_threads()
        except psutil.NoSuchProcess:
            kb.pop(process.pid, None)
    return Taken(kb, files, threads, sum(1 for _ in place.rglob("*")))


def settled(server: psutil.Process, place: Path, processes: int) -> Taken:
    """Wait until the kernels of visitors who left have ended and one waits for the next."""
    until = time.monotonic() + 120
    while len((found := taken(server, place)).kb) != processes and time.monotonic() < until:
        time.sleep(0.5)
    return found


def find_server(address: str) -> psutil.Process:
    port = address.rstrip("/").split(":")[-1]
    children = psutil.Process().children()
    return next(one for one in children if one.cmdline()[-1:] == [port] or port in one.cmdline())


@pytest.mark.timeout(3000)
def test_nothing_grows_with_the_uploads_and_visitors(tmp_path, monkeypatch, full):
    pytest.importorskip("voila")
    pytest.importorskip("playwright.sync_api")
    if find_chromium() is None:
        pytest.skip("needs Chromium")
    visitors, uploads, early = (5, 100, 20) if full else (1, 8, 3)
    run = make_model_run(tmp_path / "runs")
    image = encode(random_pixels(400, 300))
    left = []
    with tempfile.TemporaryDirectory(prefix="t-") as place, chromium() as browser:
        monkeypatch.setenv("TMPDIR", place)
        with served(run.path) as (address, said):
            server = find_server(address)
            before = taken(server, Path(place))
            for number in range(visitors):
                visitor = Visitor(browser, address)
                seen = []
                for k in range(uploads):
                    visitor.upload((f"image {number}-{k}.png", image))
                    visitor.sees(f"image {number}-{k}.png")
                    if k + 1 in (early, uploads):
                        # The kernel for the next visitor is up.
                        until_ready(said, number + 2)
                        heap = visitor.page.evaluate("performance.memory.usedJSHeapSize")
                        seen.append((taken(server, Path(place)), heap))
                assert not visitor.wrong
                # As who goes on to another page: this one notices that it is left.
                visitor.page.goto("about:blank")
                visitor.page.context.close()
                left.append(settled(server, Path(place), len(before.kb)))
                (first, heap), (last, heap_last) = seen
                more = uploads - early
                grown = {pid: last.kb[pid] - first.kb[pid] for pid in first.kb if pid in last.kb}
                print(
                    f"visitor {number + 1}: {first}\n -> {last}\n"
                    f" kB per upload {sum(grown.values()) / more:.0f}, of the page "
                    f"{(heap_last - heap) / 1000 / more:.0f}; left: {left[-1]}",
                    flush=True,
                )
                assert max(grown.values()) < 15_000 + 100 * more, grown
                assert sum(last.files.values()) <= sum(first.files.values()) + 8
                assert sum(last.threads.values()) <= sum(first.threads.values()) + 8
                assert last.temporary <= first.temporary + 2
            assert "Traceback" not in said() and "WARNING" not in said()
        print("before:", before)
        assert [len(one.kb) for one in left] == [len(before.kb)] * visitors
        assert left[-1].temporary <= left[0].temporary
        assert sum(left[-1].files.values()) <= sum(left[0].files.values()) + 8
        assert left[-1].kb[server.pid] - left[0].kb[server.pid] < 5_000 * visitors
        assert os.listdir(place) == []


def until_ready(said, kernels: int) -> None:
    until = time.monotonic() + 240
    while said().count(READY) < kernels:
        assert time.monotonic() < until, said()
        time.sleep(0.2)
