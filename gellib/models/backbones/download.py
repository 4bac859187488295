"""Download a file of weights, and check its hash while it arrives."""

from __future__ import annotations

import hashlib
import threading
import urllib.error
import urllib.request
from pathlib import Path

from tqdm.auto import tqdm

from gellib.base.files import atomic_path

STALL_TIMEOUT_S = 30.0  # a download that receives nothing for this long has failed
_CHUNK = 1 << 20


def download(url: str, path: Path, prefix: str, timeout_s: float, progress: bool) -> str:
    """Download a file of weights and return its sha256.

    Parameters
    ----------
    url
        Where it is.
    path
        Where it goes; nothing is left there when the download fails.
    prefix
        First hex digits of the sha256 that it must have; empty: any.
    timeout_s
        Seconds to wait for the first answer of the server; 0: do not try.
    progress
        Whether to show a progress bar.

    Raises
    ------
    OSError
        When the server does not answer, stops, or sends another file.
    """
    _check_reachable(url, timeout_s)
    digest = hashlib.sha256()
    with atomic_path(path) as part:
        # The addresses are those of the tables of weights, of no file that a user was sent.
        with urllib.request.urlopen(_request(url), timeout=STALL_TIMEOUT_S) as response:  # nosec B310
            total = int(response.headers.get("Content-Length") or 0) or None
            bar = tqdm(total=total, unit="B", unit_scale=True, desc=path.name, disable=not progress)
            with bar, open(part, "wb") as file:
                while block := response.read(_CHUNK):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
        sha256 = digest.hexdigest()
        if not sha256.startswith(prefix):
            raise OSError(f"the download has sha256 {sha256[:8]}..., expected {prefix}...")
    return sha256


def _check_reachable(url: str, timeout_s: float) -> None:
    """Raise OSError unless the server answers in time."""
    if timeout_s <= 0:
        raise OSError("not tried: the time-out is 0, or an earlier attempt failed")
    failure: list[BaseException | None] = [TimeoutError(f"no answer within {timeout_s:g} s")]

    def send_request() -> None:
        try:
            head = _request(url, method="HEAD")
            with urllib.request.urlopen(head, timeout=timeout_s):  # nosec B310
                failure[0] = None
        except (OSError, ValueError) as err:
            failure[0] = err if isinstance(err, OSError) else OSError(str(err))

    # In a thread, because the look-up of a host name has no time-out.
    thread = threading.Thread(target=send_request, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure[0] is not None:
        raise failure[0]


def _request(url: str, method: str = "GET") -> urllib.request.Request:
    return urllib.request.Request(url, method=method, headers={"User-Agent": "torch.hub"})


def short_reason(err: OSError) -> str:
    """Say in a few words why a download failed."""
    if isinstance(err, urllib.error.HTTPError):
        return f"HTTP {err.code} {err.reason}"
    return str(getattr(err, "reason", err)) or type(err).__name__
