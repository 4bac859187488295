"""What runs inside the kernel of a sweep: a Jupyter kernel for which the current folder comes last.

Forked kernels call `serve`. Where fork is not safe this file is started as a script: a script has
its own folder on the path instead of the current one, so that a `torch.py`, `random.py` or
`gellib/` that lies in the current folder is not imported by mistake.
"""

from __future__ import annotations

import os
import sys

LOG_VARIABLE = "GELLIB_KERNEL_LOG"  # file that takes what a kernel prints outside its notebook
INHERITED = "-"  # or this for the output of the process that starts it
THREADS_VARIABLE = "GELLIB_THREADS"


def serve(connection_file: str, arguments: list[str]) -> None:
    """Run a Jupyter kernel in this process until it is shut down.

    Parameters
    ----------
    connection_file
        File with the ports or sockets and the key, as jupyter_client wrote it.
    arguments
        Further arguments of ipykernel's command line.
    """
    log = os.environ.get(LOG_VARIABLE) or os.devnull
    if log != INHERITED:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(target, stream)
    if threads := os.environ.get(THREADS_VARIABLE):
        import torch

        # In a fork, OMP_NUM_THREADS was read when torch was imported, before the fork.
        torch.set_num_threads(int(threads))
        # Likewise numpy's and scikit-learn's: two runs whose BLAS takes all cores, and waits in
        # a loop, hold each other up for seconds.
        from threadpoolctl import threadpool_limits

        threadpool_limits(int(threads))
    from ipykernel.kernelapp import IPKernelApp

    class QuietKernelApp(IPKernelApp):
        """Says nothing of how to connect: the last line of its log is what it died of."""

        def init_sockets(self) -> None:
            # The second is of the interrupt that its client sends before it shuts a kernel down.
            noise = "running over TCP", "KeyboardInterrupt caught in kernel"
            self.log.addFilter(
                lambda record: not any(text in record.getMessage() for text in noise)
            )
            super().init_sockets()

        def log_connection_info(self) -> None:
            with open(os.devnull, "w") as nowhere:
                before, sys.__stdout__ = sys.__stdout__, nowhere  # type: ignore[misc]
                try:
                    super().log_connection_info()
                finally:
                    sys.__stdout__ = before  # type: ignore[misc]

    # A notebook starts like a script: no arguments, modules of its folder can be imported.
    # They come last: a `random.py` or `gellib/` that lies there must not stand in for another.
    # ipykernel puts the folder first only where it is not on the path yet.
    sys.argv = ["ipykernel"]
    sys.path.append("")
    # What a sweep runs is none of the user's history.
    QuietKernelApp.launch_instance(
        argv=["-f", connection_file, *arguments, "--HistoryManager.enabled=False"]
    )


def forked_kernel(
    connection_file: str, arguments: list[str], env: dict[str, str], cwd: str
) -> None:
    """Run a kernel in a fork of the server, with an environment and a folder of its own.

    Parameters
    ----------
    connection_file, arguments
        As of `serve`.
    env
        All environment variables of the kernel.
    cwd
        Current folder of the kernel.
    """
    os.chdir(cwd)
    place = os.environ.get("TMPDIR")  # the server's, which is the folder of the sweep
    os.environ.clear()
    os.environ.update(env)
    if place:
        os.environ["TMPDIR"] = place
    # The lifeline ends this process with its owner; the parent is the server, which lives on.
    os.environ.pop("JPY_PARENT_PID", None)
    serve(connection_file, arguments)


if __name__ == "__main__":
    _ours = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _ours]
    serve(sys.argv[sys.argv.index("-f") + 1], sys.argv[sys.argv.index("-f") + 2 :])
