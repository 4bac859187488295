"""The front door: check images, run a sweep, use its best model, from a notebook or a script.

Everything here is thin over the wings; what is returned shows itself in a notebook and in a
terminal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gellib.api.check_result import Check
from gellib.api.model import Model, load
from gellib.api.sweep_result import SweepResult, open_sweep

__all__ = ["Check", "Model", "SweepResult", "check", "load", "open_sweep", "sweep"]


def check(folder: str | Path, *, test_dir: str | Path = "") -> Check:
    """Find what would make results on a folder of images unreliable; nothing is changed.

    Parameters
    ----------
    folder
        The images: one folder per class, or another layout (dataset/README.md).
    test_dir
        A separate folder of test images.

    Raises
    ------
    DatasetError
        When the folder is missing or holds no labelled images.

    Examples
    --------
    >>> from pathlib import Path
    >>> from gellib.labsim.simulate import SYSTEMS
    >>> folder = Path("practice")
    >>> SYSTEMS["gel"](folder, n=8)
    >>> found = gellib.check(folder)
    >>> len(found.report.images)
    16
    """
    from tqdm.auto import tqdm

    from gellib.audit import check_dataset

    def progress(items: Any, **words: Any) -> Any:
        return tqdm(items, leave=False, **words)

    return Check(check_dataset(str(folder), test_dir=str(test_dir), progress=progress))


def sweep(
    file: str | Path,
    *,
    out: str | Path | None = None,
    quick: bool = False,
    jobs: int | None = None,
    fresh: bool = False,
    **parameters: Any,
) -> SweepResult:
    """Run what of a sweep is not done yet, then its summary; as `gellib sweep` does.

    Parameters
    ----------
    file
        Sweep file, such as `runs/gel.yaml`.
    out
        Folder of the results. [default: beside the file]
    quick
        A quick test: few images, two epochs, a small input.
    jobs
        Runs at once. [default: one per core]
    fresh
        Start over, without the runs that are done.
    **parameters
        Parameters set for all runs, such as `dataset_dir="my_images"`; see docs/parameters.md.

    Raises
    ------
    SweepError
        When the file, a parameter or the images are wrong; nothing was run then.

    Examples
    --------
    >>> from pathlib import Path
    >>> from gellib.labsim.simulate import SYSTEMS
    >>> folder = Path("practice")
    >>> SYSTEMS["gel"](folder, n=8)
    >>> done = gellib.sweep("runs/gel.yaml", quick=True, dataset_dir=str(folder), out="mine",
    ...                     hardware_type="cpu", pretrained_model="resnet18", weights="none",
    ...                     classifier_head="single", opt_alg="adam", max_images=16)
    1 run: 1 to do
    ...making the summary
    >>> done.table["status"].tolist()
    ['done']
    >>> model = gellib.load("mine")
    >>> model.predict(folder / "test" / "gel").columns[:5].tolist()
    ['file', 'label', 'p_gel', 'p_not_gel', 'statement']
    """
    from gellib.sweeps import load_sweep, run_sweep
    from gellib.sweeps.outlook import describe_work

    for name in ("dataset_dir", "test_dir"):
        if name in parameters:
            parameters[name] = str(parameters[name])
    loaded = load_sweep(file, overrides=parameters, out=out, quick=quick)
    print(describe_work(loaded, fresh=fresh))
    run_sweep(loaded, jobs=jobs, fresh=fresh)
    return SweepResult(loaded.folder)
