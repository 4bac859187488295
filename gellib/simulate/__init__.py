"""Simulated images: gels and what may be taken for one, made from nothing but random numbers.

They are for demonstration, for tests and for pretraining; training never imports them.
"""

from collections.abc import Callable

from gellib.simulate.classes import CLASSES, WEIGHTS, picture, simulate, stream
from gellib.simulate.write import write_gel, write_gel_split

SYSTEMS: dict[str, Callable] = {"gel": write_gel_split}
"""What `gellib simulate NAME` writes: functions of (out, *, n, seed, progress); n is per class."""

__all__ = ["CLASSES", "SYSTEMS", "WEIGHTS", "picture", "simulate", "stream", "write_gel"]
