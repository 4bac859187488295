"""Forked kernels: real ones, executing, dying and being stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import spawn
from pathlib import Path

import nbformat
import pytest

import gellib
from gellib.base.paths import PROJECT_ROOT
from gellib.sweeps import kernel_server, kernels, server_start
from gellib.sweeps.engine import NotebookError
from gellib.sweeps.execute import execute

pytestmark = pytest.mark.notebooks
forks = pytest.mark.skipif(not kernel_server.CAN_FORK, reason="kernels are forked on Linux only")
HOSTILE = {
    "torch.py": "raise RuntimeError('torch of the current folder')",
    "random.py": "raise RuntimeError('random of the current folder')",
    "gellib/__init__.py": "raise RuntimeError('gellib of the current folder')",
}


@pytest.fixture(params=[pytest.param("forked", marks=forks), "without fork"])
def kind(request, monkeypatch):
    """Each kind of kernel: a fork, and what macOS and Windows have."""
    if request.param == "without fork":
        monkeypatch.setattr(kernel_server, "CAN_FORK", False)
    return request.param


def notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    node = nbformat.v4.new_notebook(cells=cells)
    node.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(node, path)
    return path


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return [cell.outputs for cell in cells if cell.cell_type == "code"]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@forks
def test_kernel_has_its_imports_its_own_process_and_shows_figures(tmp_path):
    source = notebook(
        tmp_path / "a {braces}.ipynb",
        "import sys, os\n('torch' in sys.modules, os.getppid() == os.getpid(), os.getcwd())",
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nplt.close(fig)\nfig",
        "print('to the notebook')\nos.write(1, b'to the log')",
    )
    execute(source, tmp_path / "out {x}.ipynb", {}, log=tmp_path / "log.txt")
    first, second, third = outputs(tmp_path / "out {x}.ipynb")
    assert first[0].data["text/plain"] == str((True, False, os.getcwd()))
    assert "image/png" in second[0].data
    assert third[0].text == "to the notebook\n"
    assert "to the log" in (tmp_path / "log.txt").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "a {braces}.ipynb",
        "log.txt",
        "out {x}.ipynb",
    ]


@forks
def test_each_kernel_starts_clean(tmp_path):
    source = notebook(
        tmp_path / "a.ipynb",
        "import gellib\nstale = getattr(gellib, 'mark', None)\ngellib.mark = 1\nprint(stale)",
    )
    for _ in range(2):
        execute(source, tmp_path / "out.ipynb", {})
        assert outputs(tmp_path / "out.ipynb")[0][0].text == "None\n"


def test_threads_and_environment_reach_the_kernel(tmp_path, kind):
    source = notebook(
        tmp_path / "a.ipynb",
        "import os, threadpoolctl, torch\n"
        "blas = {pool['num_threads'] for pool in threadpoolctl.threadpool_info()}\n"
        "print(torch.get_num_threads(), *blas, os.environ['MARK'])",
    )
    execute(source, tmp_path / "out.ipynb", {}, threads=1, env={"MARK": "here"})
    assert outputs(tmp_path / "out.ipynb")[0][0].text == "1 1 here\n"


def test_failing_cell_is_told_and_the_half_executed_notebook_kept(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "print('before')", "1 / 0", "print('never')")
    with pytest.raises(NotebookError, match="ZeroDivisionError: division by zero") as caught:
        execute(source, tmp_path / "out.ipynb", {})
    assert caught.value.error["ename"] == "ZeroDivisionError"
    assert "\x1b" not in caught.value.error["traceback"]
    kept = "".join(str(output) for output in outputs(tmp_path / "out.ipynb"))
    assert "before" in kept
    assert "never" not in kept


def test_killed_kernel_is_a_failure(tmp_path, kind):
    source = notebook(
        tmp_path / "a.ipynb",
        "import os\nos.write(2, b'last line\\n')",
        "import signal\nos.kill(os.getpid(), signal.SIGKILL)",
    )
    with pytest.raises(NotebookError, match="kernel died.*last line"):
        execute(source, tmp_path / "out.ipynb", {}, log=tmp_path / "log.txt")


def test_a_killed_kernel_that_said_nothing_has_no_last_words(tmp_path, kind):
    source = notebook(tmp_path / "a.ipynb", "import os\nos.kill(os.getpid(), 9)")
    with pytest.raises(NotebookError, match="kernel died; too little memory is the usual cause$"):
        execute(source, tmp_path / "out.ipynb", {}, log=tmp_path / "log.txt")


@forks
def test_time_limit_stops_a_notebook_and_its_processes(tmp_path):
    source = notebook(
        tmp_path / "a.ipynb",
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)",
    )
    source.write_text(source.read_text().replace("'pid'", repr(str(tmp_path / "pid"))))
    started = time.monotonic()
    with pytest.raises(NotebookError, match="stopped at the time limit of 5 s"):
        execute(source, tmp_path / "out.ipynb", {}, limit_s=5)
    assert time.monotonic() - started < 60
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not alive(pid))


@forks
def test_killed_sweep_leaves_no_orphan(tmp_path):
    source = notebook(
        tmp_path / "a.ipynb",
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)",
    )
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
        from pathlib import Path
        from gellib.sweeps.execute import execute
        if __name__ == "__main__":
            execute(Path({str(source)!r}), Path({str(tmp_path / "out.ipynb")!r}), {{}})
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)])
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), 120)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not alive(pid))


@forks
def test_kernel_can_be_interrupted_and_restarted():
    from jupyter_client.utils import run_sync

    async def scenario():
        manager = kernels.SweepKernelManager(kernel_name="python3")
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            client.execute("import time; time.sleep(600)")
            time.sleep(1)
            await manager.interrupt_kernel()
            reply = await client.get_shell_msg(timeout=30)
            first_pid = manager.provisioner.pid
            await manager.restart_kernel(now=True)
            await client.wait_for_ready(timeout=60)
            return reply["content"], first_pid, manager.provisioner.pid
        finally:
            folder = Path(manager.connection_file).parent
            assert (folder / "k.json").is_file()
            client.stop_channels()
            await manager.shutdown_kernel(now=True)
            # With the manager still there, as a server keeps it.
            assert not folder.exists()

    reply, first_pid, second_pid = run_sync(scenario)()
    assert reply["ename"] == "KeyboardInterrupt"
    assert first_pid != second_pid
    assert not alive(first_pid)


@forks
def test_server_has_the_allocator_settings_and_nobody_else(tmp_path):
    names = sorted(server_start.ALLOCATOR)
    assert kernel_server.call("os:getenv", names[0]) == server_start.ALLOCATOR[names[0]]
    assert not set(names) & set(os.environ)
    source = notebook(tmp_path / "a.ipynb", f"import os\n[n for n in {names} if n in os.environ]")
    execute(source, tmp_path / "out.ipynb", {})
    assert outputs(tmp_path / "out.ipynb")[0][0].data["text/plain"] == "[]"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_lies_in_the_current_folder_comes_last(tmp_path, monkeypatch, kind, hostile):
    file = tmp_path / hostile
    file.parent.mkdir(exist_ok=True)
    file.write_text(HOSTILE[hostile])
    (tmp_path / "my_helper.py").write_text("answer = 42")
    source = notebook(
        tmp_path / "a.ipynb",
        "import gellib, random, torch, my_helper\n"
        "[gellib.__file__, random.__file__, torch.__file__, my_helper.answer]",
    )
    monkeypatch.chdir(tmp_path)
    execute(source, tmp_path / "out.ipynb", {}, threads=1)
    import torch

    expected = [gellib.__file__, random.__file__, torch.__file__, 42]
    assert outputs(tmp_path / "out.ipynb")[0][0].data["text/plain"].replace("\n", "") == str(
        expected
    )


def test_a_kernel_imports_the_gellib_of_the_sweep_though_the_path_is_relative(
    tmp_path, monkeypatch, kind
):
    """A second package in the current folder, and a path that means another folder from there."""
    source = notebook(tmp_path / "a.ipynb", "import gellib\nprint(gellib.__file__)")
    (tmp_path / "gellib").mkdir()
    (tmp_path / "gellib" / "__init__.py").write_text("__version__ = 'another'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.path.relpath(PROJECT_ROOT, tmp_path))
    execute(source, tmp_path / "out.ipynb", {})
    assert outputs(tmp_path / "out.ipynb")[0][0].text.strip() == gellib.__file__


@forks
def test_call_returns_raises_and_notices_death():
    assert kernel_server.call("builtins:divmod", 7, 2) == (3, 1)
    with pytest.raises(ValueError, match="invalid literal"):
        kernel_server.call("builtins:int", "x")
    with pytest.raises(RuntimeError, match="os:_exit ended without an answer.*status 3"):
        kernel_server.call("os:_exit", 3)


@pytest.mark.slow
@pytest.mark.skipif(not kernel_server.CAN_FORK, reason="fork is not safe here")
def test_a_script_needs_no_guard_and_runs_once(tmp_path):
    """As `gellib.sweep(...)` in a script without `if __name__ == "__main__"`."""
    script = tmp_path / "six_lines.py"
    script.write_text(
        "from gellib.sweeps import kernel_server\n"
        "kernel_server.start_server()\n"
        "print('ran', kernel_server.call('math:sqrt', 4.0))\n"
    )
    env = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True)
    assert done.stdout == "ran 2.0\n", done.stderr
    assert done.returncode == 0


def test_threads_that_start_processes_leave_the_environment_as_it_was(monkeypatch):
    monkeypatch.setattr(kernel_server, "CAN_FORK", True)
    monkeypatch.setattr(kernel_server.forkserver, "ensure_running", lambda: time.sleep(0.002))
    before = dict(os.environ)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: kernel_server.start_server(), range(100)))
    assert dict(os.environ) == before


def test_other_processes_of_the_script_know_its_main_module():
    """Only what is started here does without it, and the module itself stays."""
    main, prepare = sys.modules["__main__"], spawn.get_preparation_data
    with server_start.without_main():
        assert sys.modules["__main__"] is main
        data = spawn.get_preparation_data("x")
        assert not [key for key in data if key.startswith("init_main")] and "sys_path" in data
    assert spawn.get_preparation_data is prepare
