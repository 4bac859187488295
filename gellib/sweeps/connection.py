"""The connection to a Dask scheduler: a local one in this process, or one of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from gellib.base.temporary import temporary_folder
from gellib.sweeps.cluster import Cluster
from gellib.sweeps.same_package import check_workers
from gellib.sweeps.sweep_file import SweepError
from gellib.sweeps.workers import cores_here, offer_gpus

# A run whose worker is lost goes to another one, but not for ever: it may be what kills them.
_ALLOWED_LOSSES = 3
_ANSWER_WITHIN = "20s"
# What Dask keeps for its dashboard grows with every run: stacks sampled each 10 ms, half a megabyte
# per run, and measurements of the machine.
_FLAT = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.log-length": 60,
    "distributed.admin.log-length": 1000,
}


def check_cluster(scheduler: str, log: Callable[[str], None]) -> dict[str, str]:
    """Check that workers have this gellib; return, by hardware type, why none of them has it.

    A run for hardware that no worker offers would never start.

    Raises
    ------
    SweepError
        When the scheduler does not answer, or a worker has another gellib.
    """
    with _client_of(scheduler) as client:
        check_workers(client, log)
        offered = client.run_on_scheduler(_has_gpu)
    return {} if offered else {"gpu": "no worker of the cluster offers the resource GPU=1"}


def _has_gpu(dask_scheduler: Any) -> bool:
    return any(w.resources.get("GPU", 0) >= 1 for w in dask_scheduler.workers.values())


def _client_of(scheduler: str) -> Any:
    from distributed import Client

    try:
        return Client(scheduler, timeout=_ANSWER_WITHIN, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as err:
        raise SweepError(
            f"no Dask scheduler answers at {scheduler} ({type(err).__name__}: {err}); "
            "start one with `dask scheduler` and workers with `dask worker ADDRESS`"
        ) from err


@contextlib.contextmanager
def connect(
    scheduler: str | None, *, jobs: int | None, threads: int | None, gpus: int
) -> Iterator[Cluster]:
    """Connect to a Dask scheduler, or start one in this process.

    Parameters
    ----------
    scheduler
        Address of a scheduler; None starts one, with one worker.
    jobs
        Most runs at once of a local one; by default one per core.
    threads
        Threads of each run; by default the cores divided by the jobs, or each worker's share.
    gpus
        How many GPUs a local one offers.

    Raises
    ------
    SweepError
        When the scheduler does not answer.
    """
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.scheduler.allowed-failures": _ALLOWED_LOSSES,
        "temporary-directory": temporary_folder(),
        **_FLAT,
    }
    if scheduler:
        with _client_of(scheduler) as client:
            yield Cluster(client, cores=None, threads=threads)
        return
    cores = cores_here()
    jobs = min(jobs or cores, cores)
    threads = min(threads or cores, cores // jobs)
    offer_gpus(gpus)
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=1,
            threads_per_worker=jobs,
            processes=False,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            resources={"CPU": jobs * threads, "GPU": gpus},
            silence_logs=logging.ERROR,  # it warns of tasks that end when a sweep is stopped
        ) as local,
        Client(local, set_as_default=False) as client,
    ):
        client.loop.asyncio_loop.set_exception_handler(_report_unexpected)
        logging.getLogger("distributed.worker").addFilter(_is_news)
        yield Cluster(client, cores=jobs * threads, threads=threads)


def _report_unexpected(loop: Any, context: dict[str, Any]) -> None:
    """Report what failed in a local cluster's loop, but for a sender that waited at the end.

    Dask stops its senders by leaving them to the garbage collector. The time limit of one that
    was waiting then passes with nobody to hear of it, which asyncio would print at the end.
    """
    if "future" in context and isinstance(context.get("exception"), asyncio.TimeoutError):
        return
    loop.default_exception_handler(context)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a worker logs more than that its own scheduler was closed while it spoke to it."""
    from distributed.comm import CommClosedError

    return record.exc_info is None or not isinstance(record.exc_info[1], CommClosedError)
