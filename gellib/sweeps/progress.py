"""The progress of a sweep, on the terminal: a bar, and a line for each run that ends."""

from __future__ import annotations

from collections.abc import Callable

from tqdm import tqdm

from gellib.sweeps.spec import Sweep


class Progress:
    """The bar of a sweep, and a line for each run that ends."""

    def __init__(self, sweep: Sweep, log: Callable[[str], None], *, before: int) -> None:
        self._log = log
        self._numbers = {name: number for number, name in enumerate(sweep.configs, start=1)}
        self._width = max(map(len, self._numbers))
        self._bar = tqdm(total=len(self._numbers), desc=sweep.name, unit="run", smoothing=0)
        if before:
            self._bar.update(before)
            log(f"{before} of {len(self._numbers)} runs were done before")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def skipped(self, n: int, reason: str) -> None:
        """Log one line for all runs that are skipped for a reason, and count them."""
        self._log(f"{n} {'run is' if n == 1 else 'runs are'} skipped: {reason}")
        self._bar.update(n)

    def ended(self, name: str, text: str) -> None:
        """Log a line about a run, and count it."""
        self._log(
            f"[{self._numbers[name]:>3} of {len(self._numbers)}] {name:<{self._width}}  {text}"
        )
        self._bar.update()
