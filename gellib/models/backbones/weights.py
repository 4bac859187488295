"""Find or download the weights of a backbone, check their hash, or fall back to others."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from gellib.base.files import CannotWriteError
from gellib.base.locks import locked_if_allowed
from gellib.base.paths import expand_user
from gellib.config.known_names import NAMED_WEIGHTS
from gellib.models.backbones.download import download, short_reason
from gellib.models.backbones.hashes import file_sha256
from gellib.models.backbones.labsim_weights import (
    has_shipped_weights,
    pretrained_facts,
    shipped_card,
    shipped_weights,
)
from gellib.models.backbones.sources import (
    PLUS,
    BackboneError,
    WeightsFile,
    check_backbone,
    find_source,
)

TIMEOUT_ENV = "GELLIB_WEIGHTS_TIMEOUT_S"
DEFAULT_TIMEOUT_S = 3.0
_PACKAGE = "package "  # what the source of installed weights begins with


class WeightsError(BackboneError):
    """Weights are missing, damaged or do not fit; the message says where they were searched for."""


class WeightsMissing(WeightsError):  # noqa: N818 (a state of the machine rather than an error)
    """Pretrained weights are not on this machine and cannot be had from a server now."""


@dataclass(frozen=True)
class WeightsInfo:
    """Which weights a backbone has.

    `name` is `imagenet`, `labsim`, `none` or the name of a file. `source` says where they come
    from: a path, or the seed for `none`. `sha256` is that of the file, or of the initial state for
    `none`. `warning` is empty, or says why results mean little; show it together with the results.
    `license` is the short name of the weights' licence, empty where it is not known.
    """

    name: str
    source: str
    sha256: str = ""
    warning: str = ""
    license: str = ""

    def to_dict(self) -> dict[str, str]:
        """Convert to plain values for a record."""
        return asdict(self)


def resolve_weights(
    name: str, weights: str, *, timeout_s: float | None = None, progress: bool = True
) -> WeightsInfo:
    """Decide which weights to use; download and check them if necessary.

    Parameters
    ----------
    name
        Name or alias of the backbone.
    weights
        `imagenet`: those that the source of the network recommends: an installed package's, or
        torchvision's and timm's from their cache or server. `labsim`: those trained on simulated
        images only, which gellib includes. `pretrained`: `imagenet` if they are installed, cached,
        or their server answers within `timeout_s`, else `labsim` if gellib includes them for this
        backbone. `auto`: as `pretrained`, else `none`. `none`: random ones, with a warning. A path:
        a `.safetensors` file or a state dict. Of a joined backbone, one for all parts, or one per
        part, joined by `+`.
    timeout_s
        Seconds to wait for the server; 0 means no download. The default is the environment variable
        `GELLIB_WEIGHTS_TIMEOUT_S`, or 3 if it is not set.
    progress
        Whether to show a progress bar during a download.

    Raises
    ------
    BackboneError
        For an unknown name.
    WeightsError
        When weights other than `auto` are not available (`WeightsMissing`) or are damaged.
    """
    name = check_backbone(name)
    if PLUS in name:
        # Only here: it needs this function for each part.
        from gellib.models.backbones.joined import join_weights, resolve_joined

        return join_weights(resolve_joined(name, weights, timeout_s=timeout_s, progress=progress))
    if weights == "none":
        warning = (
            f"RANDOM WEIGHTS, as requested by `weights: none`: {name} is not pretrained, so its "
            "accuracy says little about transfer learning."
        )
        return WeightsInfo("none", "seeded initialisation", warning=warning)
    if weights == "labsim":
        return _labsim(name)
    if weights not in NAMED_WEIGHTS:
        return _from_file(weights)
    timeout_s = _timeout() if timeout_s is None else timeout_s
    try:
        return _recommended(name, timeout_s, progress)
    except WeightsError as err:
        if weights == "imagenet":
            raise
        if has_shipped_weights(name):
            return _labsim(name)
        if weights == "pretrained":
            raise
        warning = (
            f"NO PRETRAINED WEIGHTS: {name} has random weights, so its accuracy says little about "
            f"transfer learning. {err}"
        )
        return WeightsInfo("none", "seeded initialisation", warning=warning)


def weights_path(name: str, info: WeightsInfo) -> Path:
    """Return the file that weights are in.

    Raises
    ------
    BackboneError
        When a package that installed them is gone.
    """
    if info.source.startswith(_PACKAGE):
        return find_source(name).weights_file(name).path
    return expand_user(info.source)


def weights_request(name: str, info: WeightsInfo) -> str:
    """Return the value of `weights` that asks for the same weights again."""
    if PLUS in name:
        parts = name.split(PLUS)
        known = info.name.split(PLUS) if PLUS in info.name else [info.name] * len(parts)
        infos = (WeightsInfo(text, "") for text in known)
        return PLUS.join(weights_request(*pair) for pair in zip(parts, infos, strict=True))
    if info.name in ("imagenet", "labsim", "none"):
        return info.name
    try:
        recommended = find_source(name).weights_file(name).data
    except BackboneError:
        recommended = ""
    return "imagenet" if info.name == recommended else info.source


def home_relative(path: Path) -> str:
    """Write a path with `~` for the home folder, so that records are valid on other machines."""
    path, home = path.absolute(), Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def checkpoint_path(name: str) -> Path:
    """Return where the recommended weights of a backbone are kept, whether they exist or not."""
    name = check_backbone(name)
    return find_source(name).weights_file(name).path


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_ENV, "")
    try:
        return float(text) if text else DEFAULT_TIMEOUT_S
    except ValueError:
        raise WeightsError(f"{TIMEOUT_ENV}: got {text!r}, expected seconds, such as 3") from None


def _from_file(text: str) -> WeightsInfo:
    path = expand_user(text)
    if not path.is_file():
        raise WeightsError(
            f"weights: got {text!r}, and there is no file {path.absolute()}; expected auto, "
            "pretrained, imagenet, labsim, none, or the path of a .safetensors file or a state dict"
        )
    return WeightsInfo(path.name, home_relative(path.resolve()), file_sha256(path))


def _labsim(name: str) -> WeightsInfo:
    path = shipped_weights(name)
    sha256, expected = file_sha256(path), shipped_card(name)["sha256"]
    if sha256 != expected:
        raise WeightsError(
            f"weights: {home_relative(path)} is damaged (sha256 {sha256[:8]}..., expected "
            f"{expected[:8]}...); install gellib again"
        )
    # Not an absolute path: records must be the same wherever gellib is installed.
    source = f"simulated images alone (gellib/labsim/weights/{path.name})"
    if (pretrained_facts(path) or {}).get("pooled"):
        source += "; features are the averages of its last convolutions"
    return WeightsInfo("labsim", source, sha256)


def _recommended(name: str, timeout_s: float, progress: bool) -> WeightsInfo:
    """Find the weights that the source of a network recommends; download them if necessary."""
    try:
        known = find_source(name).weights_file(name)
    except WeightsError:
        raise
    except BackboneError as err:
        raise WeightsMissing(str(err)) from err
    if not known.url:
        return _installed(known)
    path, sha256 = _cached_or_downloaded(name, known, timeout_s, progress)
    return WeightsInfo(known.data, home_relative(path), sha256, license=known.license)


def _installed(known: WeightsFile) -> WeightsInfo:
    sha256 = file_sha256(known.path)
    if known.sha256 and not sha256.startswith(known.sha256):
        raise WeightsError(
            f"weights: {home_relative(known.path)} is damaged (sha256 {sha256[:8]}..., expected "
            f"{known.sha256[:8]}...); install it again"
        )
    # Not an absolute path: records must be the same wherever the package is installed.
    source = f"{known.origin} ({known.path.name})" if known.origin else home_relative(known.path)
    return WeightsInfo(known.data, source, sha256, license=known.license)


def _cached_or_downloaded(
    name: str, known: WeightsFile, timeout_s: float, progress: bool
) -> tuple[Path, str]:
    path, prefix = known.path, known.sha256
    # Several runs may need the same file at the same time.
    with locked_if_allowed(Path(f"{path}.lock")) as refused:
        tried = [f"no {home_relative(path)}"]
        if path.is_file():
            sha256 = file_sha256(path)
            if sha256.startswith(prefix):
                return path, sha256
            tried = [
                f"{home_relative(path)} is damaged (sha256 {sha256[:8]}..., expected {prefix}...)"
            ]
        try:
            if refused is not None:
                raise refused
            return path, download(known.url, path, prefix, timeout_s, progress)
        except CannotWriteError as err:
            place = home_relative(path.parent)
            tried.append(f"{place} cannot be written ({err.why}); TORCH_HOME may name another")
        except OSError as err:  # urllib's errors are among them
            tried.append(f"tried {known.url} ({short_reason(err)})")
    raise WeightsMissing(
        f"The pretrained weights of {name} are not available: {'; '.join(tried)}. Download "
        f"{known.url} and save it as {home_relative(path)}, or set `weights` to a file."
    )
