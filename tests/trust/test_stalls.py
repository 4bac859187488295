"""A network folder that does not answer for a while: said, waited for, and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile

import pytest
from making.commands import in_terminal, make_two_runs

from gellib.runs import SweepFolder

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD"),
]
# Whoever opens, lists or looks at something below a folder waits some seconds, as with NFS.
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void stall(const char *path) {
    const char *below = getenv("STALL_BELOW"), *note = getenv("STALL_NOTE");
    char until[32];
    if (!path || !below || strncmp(path, below, strlen(below))) return;
    if (path[strlen(below)] && path[strlen(below)] != '/') return;
    /* The first of all processes that comes says until when; a link is made whole. */
    snprintf(until, 31, "%ld", time(NULL) + atol(getenv("STALL_S")));
    symlink(until, note);
    ssize_t n = readlink(note, until, 31);
    until[n < 0 ? 0 : n] = 0;
    while (time(NULL) < atol(until)) usleep(50000);
}
#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)
#define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more); \
    REAL(name); stall(path); return real(path, flags, mode); }
OPEN(open) OPEN(open64)
struct stat; struct stat64; struct statx; typedef struct __dirstream DIR;
int openat(int d, const char *path, int flags, ...) {
    va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);
    REAL(openat); stall(path); return real(d, path, flags, mode); }
#define LOOK(name, type) int name(const char *path, type *found) { \
    REAL(name); stall(path); return real(path, found); }
int stat(const char *, struct stat *); int lstat(const char *, struct stat *);
int stat64(const char *, struct stat64 *); int lstat64(const char *, struct stat64 *);
LOOK(stat, struct stat) LOOK(lstat, struct stat) LOOK(stat64, struct stat64)
LOOK(lstat64, struct stat64)
DIR *opendir(const char *);
DIR *opendir(const char *path) { REAL(opendir); stall(path); return real(path); }
int mkdir(const char *, mode_t);
int mkdir(const char *path, mode_t mode) { REAL(mkdir); stall(path); return real(path, mode); }
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("shim")
    (folder / "stall.c").write_text(_SHIM)
    words = [compiler, "-shared", "-fPIC", "-w", "-o", str(folder / "stall.so")]
    subprocess.run([*words, str(folder / "stall.c"), "-ldl"], check=True)
    return str(folder / "stall.so")


@contextlib.contextmanager
def stalling(shim, folder, seconds):
    """Let a folder stall for a command that is started in here, from its first look on."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as place:
        note = f"{place}/until"
        given = {"BELOW": folder, "S": seconds, "NOTE": note}
        for name, value in given.items():
            patch.setenv(f"STALL_{name}", str(value))
        patch.setenv("LD_PRELOAD", shim)
        yield
        assert os.path.islink(note), "nothing there was asked for"


def test_what_is_waited_for_is_said(tmp_path, shim, full):
    """Five seconds after the start, in a terminal; and then all is as ever."""
    file = make_two_runs(tmp_path)
    for place in ("images", "small.yaml"):
        with stalling(shim, tmp_path / place, 8):
            words = ["sweep", file, "--dry-run"]
            status, output = in_terminal(*words, columns=200, cwd=tmp_path)
        assert status == 0 and "waiting for the folders of " in output, (place, output)
        assert "2 runs: 2 to do" in output
        if not full:
            break


def test_a_sweep_whose_results_stall_is_complete(tmp_path, shim, full):
    """It says that it waits, and completes."""
    if not full:
        pytest.skip("in full only")
    file = make_two_runs(tmp_path)
    folder = SweepFolder(tmp_path / "small")
    with stalling(shim, folder.path, 30):
        words = ["sweep", file, "--jobs", "1", "--no-summary"]
        status, output = in_terminal(*words, columns=200, cwd=tmp_path)
    assert status == 0 and "waiting for the folders of " in output, output
    assert [record.done for record in folder.records()] == [True, True]


COMMANDS = ("status", "report", "card", "methods", "checklist", "list", "predict", "next", "export")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_waits_for_a_folder_says_so(tmp_path, shim, full, command):
    """Also while its arguments are read, before the command itself begins."""
    if not full and command != "status":
        pytest.skip("in full only")
    slow = tmp_path / "runs"
    slow.mkdir()
    (slow / "mine.yaml").write_text("name: mine\nnotebook: notebooks/2_train.ipynb\n")
    words = {"list": [], "predict": ["a.png", "--runs", str(slow)]}.get(command, [str(slow)])
    with stalling(shim, slow, 8):
        _, output = in_terminal(command, *words, columns=200, cwd=tmp_path)
    assert "may be slow to answer" in output, output
