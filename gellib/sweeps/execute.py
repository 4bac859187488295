"""One notebook through papermill: whole files, honest outcomes, a time limit.

papermill writes its output in place, calls a notebook whose kernel was killed `completed`, and
reads braces in paths as templates. Here the notebook is written under a temporary name and
renamed, and a run has succeeded when its record is there, not when papermill returns.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gellib.base.notebook_files import nbformat

# isort: split
import papermill
from jupyter_core.utils import ensure_event_loop
from papermill.exceptions import PapermillExecutionError

from gellib.base.paths import shown_path
from gellib.config import RunConfig
from gellib.runs import RunFolder
from gellib.sweeps.engine import ENGINE, NotebookError
from gellib.sweeps.kernel_main import LOG_VARIABLE, THREADS_VARIABLE

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute(
    notebook: Path,
    output: Path,
    parameters: dict[str, Any],
    *,
    log: Path | None = None,
    threads: int | None = None,
    limit_s: float | None = None,
    env: dict[str, str] | None = None,
) -> None:
    """Execute a notebook; what was executed is kept in `output`, also when it fails.

    Parameters
    ----------
    notebook
        The notebook to execute.
    output
        Where the executed notebook is kept.
    parameters
        Values for its parameters cell.
    log
        File for what the kernel prints outside its notebook.
    threads
        Threads of torch in the kernel.
    limit_s
        Wall-clock limit for the whole notebook, seconds.
    env
        Environment variables of the kernel, beside this process's own.

    Raises
    ------
    NotebookError
        When a cell raised, the kernel died or the limit was reached.
    """
    kernel_env = dict(env or {})
    if log is not None:
        kernel_env[LOG_VARIABLE] = str(log)
    if threads:
        kernel_env |= {THREADS_VARIABLE: str(threads), "OMP_NUM_THREADS": str(threads)}
    node = nbformat.read(notebook, as_version=4)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}.ipynb")
    problem: NotebookError | None = None
    try:
        _in_loop_of_its_own(
            papermill.execute_notebook,
            node,
            str(partial).replace("{", "{{").replace("}", "}}"),
            parameters=parameters,
            engine_name=ENGINE,
            progress_bar=False,
            limit_s=limit_s,
            kernel_env=kernel_env,
        )
    except PapermillExecutionError as err:
        problem = _explain(err)
    except NotebookError as err:
        problem = err
    except OSError as err:
        problem = NotebookError(_unwritten(err, output))
    except Exception as err:
        problem = NotebookError(_kernel_problem(err, log))
        problem.__cause__ = err
    finally:
        kept = _keep(partial, notebook, output)
    if problem is not None or kept:
        # What went wrong first is the reason; a notebook that cannot be kept follows from it.
        raise problem or NotebookError(kept)


def _in_loop_of_its_own(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function that drives an event loop found in a context variable.

    Dask gives its threads the context of the thread that submitted, and so one loop to all of them.
    """

    def call() -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            ensure_event_loop().close()

    return contextvars.Context().run(call)


def execute_run(
    notebook: Path,
    folder: RunFolder,
    config: RunConfig,
    *,
    threads: int | None = None,
    limit_s: float | None = None,
    env: dict[str, str] | None = None,
) -> float:
    """Execute the training notebook for one configuration and return the seconds that it took.

    It never raises for a run that fails: the failure is recorded in the run's folder.

    Parameters
    ----------
    notebook
        The training notebook.
    folder
        Folder of the run; it is emptied first.
    config
        Parameters of the run.
    threads
        Threads of torch in the kernel; by default all cores.
    limit_s
        Wall-clock limit for the run, seconds.
    env
        Environment variables of the kernel, beside this process's own.
    """
    started = time.monotonic()
    folder.clear()
    folder.running.touch()
    defaults = RunConfig()
    parameters = {
        name: value
        for name, value in config.model_dump().items()
        if value != getattr(defaults, name)
    }
    parameters["run_dir"] = shown_path(folder.path)
    reason, error = "", None
    try:
        execute(
            notebook,
            folder.notebook,
            parameters,
            log=folder.log,
            threads=threads,
            limit_s=limit_s,
            env=env,
        )
    except NotebookError as err:
        reason, error = str(err), err.error
    if not reason and not folder.is_done(config):
        reason = "the notebook ran to its end but left no record of this configuration"
    if reason:
        folder.write_outcome(config, "failed", reason, error=error)
    folder.running.unlink(missing_ok=True)
    return time.monotonic() - started


def _explain(err: PapermillExecutionError) -> NotebookError:
    traceback = _ANSI.sub("", "\n".join(err.traceback or []))
    error = {
        "cell": err.cell_index,
        "ename": err.ename,
        "evalue": err.evalue,
        "traceback": traceback,
    }
    return NotebookError(f"{err.ename}: {err.evalue}", error)


def _kernel_problem(err: Exception, log: Path | None) -> str:
    reason = f"{type(err).__name__}: {err}"
    if "died" in str(err).lower():
        reason = "the kernel died; too little memory is the usual cause"
        text = log.read_text(errors="replace") if log and log.exists() else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if log and lines:
            reason += f". Its last line in {log.name}: {lines[-1][:300]}"
    return reason


def _unwritten(err: OSError, output: Path) -> str:
    path = output if err.filename is None else err.filename
    return f"{path} cannot be written: {err.strerror or err}"


def _keep(partial: Path, notebook: Path, output: Path) -> str:
    """Give what was executed, whole or half, its final name, inside its metadata as well.

    Returns why that cannot be, or nothing; no temporary file stays.
    """
    try:
        _name_finally(partial, notebook, output)
    except OSError as err:
        return _unwritten(err, output)
    except (ValueError, LookupError, AttributeError, nbformat.ValidationError):
        # nbformat's NotJSONError, and what a half-written notebook lacks.
        return f"{output} cannot be written: it was written in part only; is the disk full?"
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return ""


def _name_finally(partial: Path, notebook: Path, output: Path) -> None:
    if partial.exists():
        node = nbformat.read(partial, as_version=4)
        node.metadata.papermill["input_path"] = shown_path(notebook)
        node.metadata.papermill["output_path"] = shown_path(output)
        nbformat.write(node, partial)
        os.replace(partial, output)
