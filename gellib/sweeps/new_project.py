"""A new project in an empty folder: notebooks, sweep files, images."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from gellib.base.files import refused_in_words, write_text
from gellib.base.paths import SHIPPED, expand_user, in_shell
from gellib.sweeps.sweep_file import SweepError

_SWEEP = """\
# Which small pretrained network sees most in these images? 3 runs, evaluated on all images: each is
# predicted by heads that did not see it. A network without weights on this machine is skipped.
#
#   gellib check {typed}
#   gellib sweep runs/{name}.yaml
#   gellib predict NEW_IMAGE --runs runs/{name}
#
# To vary something else, give a parameter several values in the grid, such as
# image_size: [224, 320]. `gellib weights` says which networks have weights here.
name: {name}
purpose: Which small pretrained network sees most in these images, and how good is it?
params:
  dataset_dir: {images}
  weights: pretrained
  classifier_head: single
  opt_alg: lbfgs
grid:
  pretrained_model: [efficientnet-lite0, resnet18, mobilenet-v3]
"""


def make_project(folder: str | Path, images: str | Path | None = None) -> list[Path]:
    """Lay out `notebooks/`, `runs/` and `dataset/` in a new folder; return what was written.

    Parameters
    ----------
    folder
        Folder to make; it may exist if it is empty.
    images
        Folder of the images to compare set-ups on. The project's own sweep file names it; without
        one it names `dataset/my_images`, which is to be filled.

    Raises
    ------
    SweepError
        When there is something in the folder already, or no folder of images.
    CannotWriteError
        When the disk is full or read-only, or may not be written to; nothing is left there then.
    """
    folder = expand_user(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SweepError(f"{folder} is there already and not empty; expected a new folder")
    if images is not None and not expand_user(images).is_dir():
        raise SweepError(f"no such folder of images: {images}")
    with _whole_or_not(folder), refused_in_words(folder):
        return _write_project(folder, images)


_PARTS = {"notebooks": "*.ipynb", "runs": "*.yaml", "dataset": "README.md"}


@contextlib.contextmanager
def _whole_or_not(folder: Path) -> Iterator[None]:
    """Delete what was made in a folder if an error ends the block.

    The folder itself is not exchanged for another, as one may stand in it (`gellib new .`).
    """
    new = not folder.exists()
    try:
        yield
    except BaseException:
        for part in _PARTS:
            shutil.rmtree(folder / part, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _write_project(folder: Path, images: str | Path | None) -> list[Path]:
    written = []
    for part, pattern in _PARTS.items():
        (folder / part).mkdir(parents=True)
        for source in sorted((SHIPPED / part).glob(pattern)):
            written.append(Path(shutil.copy(source, folder / part)))
    place = "dataset/my_images"
    if images is not None:
        place = _name_from(expand_user(images), folder)
    # A line break would end the comment.
    typed = in_shell(place) if place.isprintable() else "IMAGES"
    sweep = folder / "runs" / "my_images.yaml"
    write_text(
        sweep,
        _SWEEP.format(name="my_images", images=yaml.safe_dump(place).split("\n")[0], typed=typed),
    )
    return [*written, sweep]


def _name_from(images: Path, folder: Path) -> str:
    """Name the images from the project's folder if they lie below it, else in full."""
    images, folder = Path(os.path.abspath(images)), Path(os.path.abspath(folder))
    inside = images.is_relative_to(folder)
    return (images.relative_to(folder) if inside else images).as_posix()
