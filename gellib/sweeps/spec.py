"""A sweep file expanded: one `RunConfig` per run, checked, by the name of its folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gellib.base.paths import SHIPPED, expand_user, find_path, made_in
from gellib.base.text import join_some
from gellib.config import ConfigError, RunConfig
from gellib.sweeps.expansion import changed_values, expand_repeats, expand_runs
from gellib.sweeps.output_places import find_stray
from gellib.sweeps.quick import quick_params, quick_purpose
from gellib.sweeps.repeats import check_same, check_size, share_evaluation
from gellib.sweeps.sweep_file import SweepFile, SweepInputError, read_sweep_file


@dataclass(frozen=True)
class Sweep:
    """A sweep ready to run: `configs` by the name of their run folder, in order.

    `system` is the simulated data set that can stand in for its images: a name that `gellib
    simulate` takes, or empty. Scores that differ by less than `margin` are practically the same.
    """

    name: str
    purpose: str
    notebook: Path
    file: Path
    folder: Path
    configs: dict[str, RunConfig] = field(default_factory=dict)
    system: str = ""
    listed: list[dict[str, Any]] = field(default_factory=list)
    margin: float = 0.05

    def modules(self) -> list[str]:
        """Name the modules that its runs import and most other runs do not."""
        models = {config.pretrained_model for config in self.configs.values()}
        names = [part.strip() for model in models for part in model.split("+")]
        ours = ("timm/", "efficientnet-lite", "efficientnet_lite")
        return ["timm"] if any(name.startswith(ours) for name in names) else []

    def missing_folders(self) -> list[str]:
        """Name the folders of images that are not there, as the runs name them."""
        folders = dict.fromkeys(config.dataset_dir for config in self.configs.values())
        return [folder for folder in folders if not find_path(folder).is_dir()]

    def describe(self) -> dict[str, Any]:
        """Return what the sweep's folder keeps of it: name, purpose, runs, and their ancestry.

        `listed_runs` has an entry for each of the listed `runs`: its `model_id`, `name`, `like`,
        and what it `changed` there, by parameter: from, to.
        """
        info: dict[str, Any] = {"name": self.name, "purpose": self.purpose}
        info |= {"margin": self.margin, "runs": list(self.configs)}
        return {**info, "listed_runs": self.listed} if self.listed else info


def load_sweep(
    file: str | Path,
    *,
    overrides: dict[str, Any] | None = None,
    out: str | Path | None = None,
    quick: bool = False,
    many: bool = False,
    outside: bool = False,
) -> Sweep:
    """Read a sweep file and expand it.

    Parameters
    ----------
    file
        The sweep file; one of those that come with gellib is found from anywhere.
    overrides
        Parameters set for all runs; the grid no longer varies one of these.
    out
        Folder of the results; by default the one beside the file that has the sweep's name.
    quick
        The same runs with few images, two epochs, a small input, the first seed and fold, in a
        folder of their own: `<name>-quick`.
    many
        Whether more than 10,000 runs are meant.
    outside
        Whether its runs may write outside of the project and of `out`: see `find_stray`.

    Raises
    ------
    SweepInputError
        When the file cannot be read or a key or parameter is wrong; every wrong parameter is named.
    """
    path = find_path(file)
    spec = read_sweep_file(path)
    overrides = overrides or {}
    if not many:
        check_size(spec, overrides, path)
    varied = list(expand_runs(spec, overrides, path))
    if not varied:
        raise SweepInputError(
            f"{path}: no runs: give `grid` (a product), `runs` (a list) or `params`"
        )
    if spec.folds == 1:
        raise SweepInputError(f"{path}: key 'folds': got 1, expected 2 or more (or 0: no folds)")
    folder = (made_in(path) / _name(spec, quick) if out is None else expand_user(out)).resolve()
    configs: dict[str, RunConfig] = {}
    problems: dict[str, list[str]] = {}
    listed_runs = []
    known: dict[str | None, dict[str, Any]] = {}
    for number, (values, label, about) in enumerate(varied, start=1):
        base = {"model_id": number, **values, **overrides}
        base = quick_params(base, overrides) if quick else base
        if about:
            known[about["name"]] = base
            changed = changed_values(base, known.get(about["like"]))
            listed_runs.append({"model_id": base["model_id"], **about, "changed": changed})
        repeats = expand_repeats(spec, overrides)
        for repeat, suffix in repeats[:1] if quick else repeats:
            params = {**base, **repeat}
            try:
                config = RunConfig.check(params)
            except ConfigError as err:
                for line in str(err).splitlines():
                    problems.setdefault(line, []).append(label or str(number))
                continue
            if not outside and (stray := find_stray(config, folder, overrides)):
                problems.setdefault(stray, []).append(label or str(number))
            name = "-".join(part for part in (f"{config.model_id:02d}", label, suffix) if part)
            if name in configs:
                raise SweepInputError(
                    f"{path}: two runs are called {name}: give them other model_ids"
                )
            configs[name] = config
    if problems:
        lines = [
            f"  {line}\n    in {len(runs)} runs: {join_some(dict.fromkeys(runs), 3)}"
            for line, runs in problems.items()
        ]
        raise SweepInputError(f"{path}: wrong parameters, nothing was run:\n" + "\n".join(lines))
    configs = share_evaluation(configs)
    if not overrides and not quick:  # these may make runs alike that the file tells apart
        check_same(configs, path)
    notebook = find_path(spec.notebook)
    if not notebook.is_file():
        raise SweepInputError(
            f"{path}: the notebook {spec.notebook!r} does not exist: expected it at {notebook}"
        )
    # The question of a data set of gellib's is not that of other images: the summary asks theirs.
    own = bool(spec.system) and ("dataset_dir" in overrides or out is not None)
    asked = "" if own else spec.purpose
    purpose = quick_purpose(asked) if quick else asked
    return Sweep(
        _name(spec, quick),
        purpose,
        notebook,
        path,
        folder,
        configs,
        spec.system,
        listed_runs,
        spec.margin,
    )


def list_sweeps(folder: str | Path) -> dict[Path, Sweep | SweepInputError]:
    """Read all sweep files of a folder; one that cannot be read is its error.

    Where there is no folder `runs`, those that come with gellib are listed.
    """
    found: dict[Path, Sweep | SweepInputError] = {}
    place = find_path(folder)
    if not place.is_dir() and str(folder) == "runs":
        place = SHIPPED / "runs"
    for path in sorted(place.glob("*.yaml")):
        try:
            found[path] = load_sweep(path, outside=True)
        except SweepInputError as err:
            found[path] = err
    return found


def _name(spec: SweepFile, quick: bool) -> str:
    return f"{spec.name}-quick" if quick else spec.name
