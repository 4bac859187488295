"""Where the weights of a backbone come from, checked by hash; what to do without them."""

from __future__ import annotations

import hashlib
import os
import re
import threading
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from tqdm.auto import tqdm

from gellib.base.files import atomic_path
from gellib.models.backbones.architectures import BackboneError, check_backbone, default_weights
from gellib.models.backbones.labsim import (
    has_shipped_weights,
    pretrained_facts,
    shipped_card,
    shipped_weights,
)

TIMEOUT_ENV = "GELLIB_WEIGHTS_TIMEOUT_S"
DEFAULT_TIMEOUT_S = 3.0
STALL_TIMEOUT_S = 30.0  # a download that brings nothing for so long has failed
_CHUNK = 1 << 20


class WeightsError(BackboneError):
    """Weights are missing, damaged or do not fit; the message says where they are looked for."""


@dataclass(frozen=True)
class WeightsInfo:
    """Which weights a backbone has.

    `name` is `imagenet`, `labsim`, `none` or the name of a file; `source` says where they are from:
    a path, or the seed for `none`. `sha256` is that of the file, or of the initial state for
    `none`. `warning` is empty, or says why the results mean little and is to be shown wherever
    they are.
    """

    name: str
    source: str
    sha256: str = ""
    warning: str = ""

    def to_dict(self) -> dict[str, str]:
        """Convert to plain values for a record."""
        return asdict(self)


def resolve_weights(
    name: str, weights: str, *, timeout_s: float | None = None, progress: bool = True
) -> WeightsInfo:
    """Decide which weights to use and have them on disk, downloaded and checked if need be.

    `weights` is `imagenet` (what torchvision recommends for the network: the enum member
    `DEFAULT`), `labsim` (trained on simulated images alone, come with gellib), `none` (random,
    with a warning), a file
    (`.safetensors` or a state dict), or `auto`: `imagenet` if it is in torch's checkpoint cache or
    can be reached within `timeout_s`, else `labsim` if the network has such, else `none` with a
    warning.
    `timeout_s` defaults to the environment variable `GELLIB_WEIGHTS_TIMEOUT_S`, else to 3; with 0
    the network is not tried.

    Raises
    ------
    WeightsError
        When certain weights were asked for and cannot be had.
    """
    name = check_backbone(name)
    if weights == "none":
        warning = (
            f"RANDOM WEIGHTS, as asked for by `weights: none`: {name} has learned nothing before, "
            "so its accuracy says little about transfer learning."
        )
        return WeightsInfo("none", "seeded initialisation", warning=warning)
    if weights == "labsim":
        return _labsim(name)
    if weights not in ("auto", "imagenet"):
        return _from_file(weights)
    timeout_s = _timeout() if timeout_s is None else timeout_s
    try:
        path, sha256 = _imagenet(name, timeout_s, progress)
    except WeightsError as err:
        if weights == "imagenet":
            raise
        if has_shipped_weights(name):
            return _labsim(name)
        warning = (
            f"NO PRETRAINED WEIGHTS: {name} works with random weights, so its accuracy says "
            f"little about transfer learning. {err}"
        )
        return WeightsInfo("none", "seeded initialisation", warning=warning)
    return WeightsInfo("imagenet", shown(path), sha256)


def shown(path: Path) -> str:
    """Write a path with `~` for the home folder: records and notebooks travel."""
    path, home = path.absolute(), Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def checkpoint_path(name: str) -> Path:
    """Where torch keeps the ImageNet weights of a network, whether they are there or not."""
    file = default_weights(check_backbone(name)).url.rpartition("/")[2]
    return Path(torch.hub.get_dir()) / "checkpoints" / file


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_ENV, "")
    try:
        return float(text) if text else DEFAULT_TIMEOUT_S
    except ValueError:
        raise WeightsError(f"{TIMEOUT_ENV}: got {text!r}, expected seconds, such as 3") from None


def _from_file(text: str) -> WeightsInfo:
    path = Path(text).expanduser()
    if not path.is_file():
        raise WeightsError(
            f"weights: got {text!r}, and {path.absolute()} is no file; expected auto, imagenet, "
            "labsim, none, or the path of a .safetensors file or a state dict"
        )
    return WeightsInfo(path.name, shown(path.resolve()), file_sha256(path))


def file_sha256(path: Path) -> str:
    """Compute the sha256 of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _labsim(name: str) -> WeightsInfo:
    path = shipped_weights(name)
    sha256, expected = file_sha256(path), shipped_card(name)["sha256"]
    if sha256 != expected:
        raise WeightsError(
            f"weights: {shown(path)} is damaged (sha256 {sha256[:8]}..., expected "
            f"{expected[:8]}...); install gellib again"
        )
    # No path: a record is to say the same wherever gellib is installed.
    source = f"simulated images alone (gellib/labsim/weights/{path.name})"
    if (pretrained_facts(path) or {}).get("pooled"):
        source += "; features are the averages of its last convolutions"
    return WeightsInfo("labsim", source, sha256)


def _imagenet(name: str, timeout_s: float, progress: bool) -> tuple[Path, str]:
    url, path = default_weights(name).url, checkpoint_path(name)
    match = re.search(r"-([a-f0-9]{8,})\.", path.name)
    prefix = match.group(1) if match else ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # several runs may want the same file at once
        tried = [f"no {shown(path)}"]
        if path.is_file():
            sha256 = file_sha256(path)
            if sha256.startswith(prefix):
                return path, sha256
            tried = [f"{shown(path)} is damaged (sha256 {sha256[:8]}..., expected {prefix}...)"]
        try:
            return path, _download(url, path, prefix, timeout_s, progress)
        except OSError as err:  # urllib's errors are among them
            tried.append(f"tried {url} ({_short(err)})")
    raise WeightsError(
        f"The ImageNet weights of {name} cannot be had: {'; '.join(tried)}. By hand: get {url} "
        f"and put it at {shown(path)}, or give a file as `weights`."
    )


def _download(url: str, path: Path, prefix: str, timeout_s: float, progress: bool) -> str:
    _reach(url, timeout_s)
    digest = hashlib.sha256()
    with atomic_path(path) as part:
        with urllib.request.urlopen(_request(url), timeout=STALL_TIMEOUT_S) as answer:
            total = int(answer.headers.get("Content-Length") or 0) or None
            bar = tqdm(total=total, unit="B", unit_scale=True, desc=path.name, disable=not progress)
            with bar, open(part, "wb") as file:
                while block := answer.read(_CHUNK):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
        sha256 = digest.hexdigest()
        if not sha256.startswith(prefix):
            raise OSError(f"what came has sha256 {sha256[:8]}..., expected {prefix}...")
    return sha256


def _reach(url: str, timeout_s: float) -> None:
    """Raise OSError unless the server answers in time."""
    if timeout_s <= 0:
        raise OSError("not tried again: it could not be reached, or is not to be")
    failure: list[BaseException | None] = [TimeoutError(f"no answer within {timeout_s:g} s")]

    def ask() -> None:
        try:
            with urllib.request.urlopen(_request(url, method="HEAD"), timeout=timeout_s):
                failure[0] = None
        except (OSError, ValueError) as err:
            failure[0] = err if isinstance(err, OSError) else OSError(str(err))

    # In a thread, because looking up a host name knows no time-out.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout_s)
    if failure[0] is not None:
        raise failure[0]


def _request(url: str, method: str = "GET") -> urllib.request.Request:
    return urllib.request.Request(url, method=method, headers={"User-Agent": "torch.hub"})


def _short(err: OSError) -> str:
    if isinstance(err, urllib.error.HTTPError):
        return f"HTTP {err.code} {err.reason}"
    return str(getattr(err, "reason", err)) or type(err).__name__


def state_sha256(state: dict[str, Any]) -> str:
    """Compute the sha256 of a state dict: names, shapes, types and values, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        # uint8 of a flat view, because numpy has no bfloat16.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
