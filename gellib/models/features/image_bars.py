"""Bars that count the images whose features are computed: drawn, or reported elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

from tqdm.auto import tqdm


class Bar(Protocol):
    """What is advanced while images are done: a `tqdm`, or what looks like one."""

    n: Any

    def update(self, n: Any = 1, /) -> Any:
        """Count `n` more."""


# Whether to draw a bar; one to advance, which may count more than these images; or what makes one
# of `total`, `desc` and `unit`.
ShowProgress: TypeAlias = "bool | Bar | Callable[..., AbstractContextManager[Bar]]"


@contextmanager
def progress_bar(
    progress: ShowProgress, total: int, title: str, *, unit: str = "images"
) -> Iterator[Bar]:
    """Open a progress bar that counts images, or use the given one.

    Parameters
    ----------
    progress
        Whether to draw one, one to advance, or what makes one of `total`, `desc` and `unit`.
    total
        How many images or views there are.
    title
        Title of a new bar.
    unit
        What a new bar counts.
    """
    if isinstance(progress, bool):
        with tqdm(
            total=total, unit=f" {unit}", desc=title, disable=not progress, leave=False
        ) as bar:
            yield bar
    elif callable(progress):
        with progress(total=total, unit=unit, desc=title) as made:
            yield made
    else:
        yield progress
