"""What this machine and environment have for gellib, and what to do about what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from gellib import __version__
from gellib.base.cache_files import CacheContents
from gellib.base.paths import PACKAGE_DIR, cache_folder, shown_path
from gellib.base.text import bytes_text

_SHOWN = ("torch", "torchvision", "timm", "papermill", "ipywidgets", "scikit-learn", "distributed")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "microsoft-edge", "firefox", "safari")
# Extras for the development of gellib.
_OWN = ("test", "docs")
# Less room than this is soon filled by the features of a large set.
_LITTLE_SPACE = 2e9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `value` is what was found; `to_do` what to do about it, empty for nothing; `needed` says that
    gellib does not work without.
    """

    name: str
    value: str
    to_do: str = ""
    needed: bool = False


def examine_installation() -> Iterator[Finding]:
    """Look at versions, cores, precision, GPU, weights, cache, kernel and browser, one by one."""
    for look in (_gellib, _packages, _extras, _processor, _arithmetic, _weights, _cache, _results,
                 _jupyter, _browser):  # fmt: skip
        yield from _looked(look)


def _looked(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Go on with the next thing where one cannot be looked at."""
    try:
        yield from look()
    except Exception as err:  # whatever a broken installation raises
        reason = " ".join(f"{type(err).__name__}: {err}".split())[:200]
        yield Finding(look.__name__.strip("_"), f"cannot be looked at: {reason}",
                      "install gellib again in a new environment", needed=True)  # fmt: skip


def _gellib() -> Iterator[Finding]:
    yield Finding("gellib", f"{__version__}, in {PACKAGE_DIR.parent}")
    found = (3, 10) <= sys.version_info[:2] <= (3, 13)
    advice = "" if found else "make an environment with Python 3.10 to 3.13"
    where = f"{platform.python_version()}, {sys.executable}"
    yield Finding("Python", where, advice, needed=not found)


def _packages() -> Iterator[Finding]:
    own = {name: version(name) for name in _SHOWN if _installed(name)}
    yield Finding("packages", ", ".join(f"{name} {number}" for name, number in own.items()))
    for wanted in _requirements(""):
        state = _state(wanted)
        if state:
            yield Finding(wanted.name, state, f'pip install "{wanted}"', needed=True)


def _extras() -> Iterator[Finding]:
    names = [
        name for name in metadata("gellib").get_all("Provides-Extra") or () if name not in _OWN
    ]
    wanted = {name: list(_requirements(name)) for name in names}
    known = {name: own for name, own in wanted.items() if own}
    there = [name for name, own in known.items() if not any(map(_state, own))]
    rest = [name for name in known if name not in there]
    value = f"installed: {', '.join(there) or 'none'}"
    if rest:
        value += f"; not: {', '.join(rest)} (pip install 'gellib[{rest[0]}]')"
    yield Finding("extras", value)


def _requirements(extra: str) -> Iterator[Requirement]:
    for line in requires("gellib") or ():
        wanted = Requirement(line)
        plain, marker = True, wanted.marker
        if marker is not None:
            plain = marker.evaluate({"extra": ""})
            if not marker.evaluate({"extra": extra}):
                continue
        if plain == (not extra):
            wanted.marker = None
            yield wanted


def _installed(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def _state(wanted: Requirement) -> str:
    """Say what is wrong with an installed package; empty for nothing."""
    if not _installed(wanted.name):
        return "not installed"
    number = version(wanted.name)
    fits = wanted.specifier.contains(number, prereleases=True)
    return "" if fits else f"{number} is installed, expected {wanted.specifier}"


def _processor() -> Iterator[Finding]:
    import psutil
    import torch

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = bytes_text(psutil.virtual_memory().total)
    threads = torch.get_num_threads()
    value = f"{allowed} cores ({torch.backends.cpu.get_cpu_capability()}), {memory} of memory"
    advice = ""
    if threads < (allowed or 1) // 2:
        advice = "torch uses few cores: unset OMP_NUM_THREADS to use all"
    yield Finding("processor", f"{value}; torch uses {threads} threads", advice)


def _arithmetic() -> Iterator[Finding]:
    import torch

    from gellib.models.backbones import choose_device, device_missing
    from gellib.models.backbones.devices import resolve_precision
    from gellib.training_run.environment import device_name

    cpu = resolve_precision("auto", "cpu")
    yield Finding("precision", f"{cpu} on the processor")
    missing = device_missing("gpu")
    if missing:
        built = torch.version.cuda is None and shutil.which("nvidia-smi")
        advice = "there is an NVIDIA GPU: install a torch with CUDA to use it" if built else ""
        yield Finding("GPU", missing, advice)
        return
    device = choose_device("gpu")
    yield Finding("GPU", f"{device_name(device)}, {resolve_precision('auto', device)}")


def _weights() -> Iterator[Finding]:
    from gellib.models.backbones.inventory import weights_states

    states = weights_states()
    here = [state.name for state in states if state.state in ("installed", "cached")]
    shipped = [state.name for state in states if state.labsim]
    value = f"ImageNet: {', '.join(here) or 'none'}; simulated images: {', '.join(shipped)}"
    advice = "" if here else "gellib weights --fetch resnet18 downloads ImageNet weights"
    yield Finding("weights", value, advice)


def _cache() -> Iterator[Finding]:
    contents = CacheContents.of(cache_folder())
    above = next(p for p in (contents.folder.resolve(), *contents.folder.resolve().parents)
                 if p.exists())  # fmt: skip
    free = shutil.disk_usage(above).free
    value = f"{bytes_text(contents.size)} in {shown_path(contents.folder)}, {bytes_text(free)} free"
    if not os.access(above, os.W_OK):
        advice = f"{above} may not be written to: give runs another folder by -p cache_dir DIR"
        yield Finding("cache", value, advice, needed=True)
        return
    little = free < _LITTLE_SPACE
    yield Finding("cache", value, "make room: gellib cache --clear" if little else "")


def _results() -> Iterator[Finding]:
    from gellib.base.paths import find_path
    from gellib.training_run.find_runs import list_runs

    folder = find_path("runs")
    n = len(list_runs(folder))
    yield Finding("models", f"{n} finished {'run' if n == 1 else 'runs'} in {shown_path(folder)}")


def _jupyter() -> Iterator[Finding]:
    from jupyter_client.kernelspec import KernelSpecManager

    specs = KernelSpecManager(ensure_native_kernel=False).get_all_specs()
    own = [name for name, spec in specs.items() if _is_ours(spec["spec"]["argv"][:1])]
    programs, folder = ("jupyter-lab", "jupyter-notebook"), str(Path(sys.executable).parent)
    here = [name for name in programs if shutil.which(name, path=folder)]
    elsewhere = next(filter(None, map(shutil.which, programs)), "")
    kernel = f"kernel {', '.join(own)}" if own else "no kernel of this environment"
    if here or not elsewhere:
        advice = "" if here else "for notebooks: pip install jupyterlab"
        yield Finding("Jupyter", f"{', '.join(here) or 'none'}; {kernel}", advice)
        return
    # It finds kernels of its own environment and those of the user; `python3` is its own.
    advice = "let it find this environment: python -m ipykernel install --user --name gellib"
    found = any(name != "python3" for name in own)
    yield Finding(
        "Jupyter", f"{elsewhere}, of another environment; {kernel}", "" if found else advice
    )


def _is_ours(command: list[str]) -> bool:
    """Whether a kernel is started by the Python of this environment."""
    if not command:
        return False
    found = shutil.which(command[0], path=str(Path(sys.executable).parent)) or command[0]
    return Path(found).parent == Path(sys.executable).parent


def _browser() -> Iterator[Finding]:
    import webbrowser

    found = next(filter(None, map(shutil.which, _BROWSERS)), "")
    if not found:
        try:
            found = str(getattr(webbrowser.get(), "name", "the default one"))
        except webbrowser.Error:
            found = ""
    advice = "" if found else "none here: open pages (.html) and Jupyter from another machine"
    yield Finding("browser", found or "none", advice)
