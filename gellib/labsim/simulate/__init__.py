"""Simulated images, drawn from random numbers: gels, brain slices, stained cells.

They serve demonstrations, tests and pretraining; training never imports them.
"""

from collections.abc import Callable

from gellib.labsim.simulate.alzheimer import write_alzheimer
from gellib.labsim.simulate.brain_mri import write_brain_mri
from gellib.labsim.simulate.classes import CLASSES, WEIGHTS, draw_image, simulate, stream
from gellib.labsim.simulate.protein import write_protein
from gellib.labsim.simulate.write import write_gel, write_gel_split

SYSTEMS: dict[str, Callable] = {
    "gel": write_gel_split,
    "brain_mri": write_brain_mri,
    "alzheimer": write_alzheimer,
    "protein": write_protein,
}
"""What `gellib simulate NAME` writes: functions of (out, *, n, seed, progress).

`n` is the number of images: of each class for gel, of all for the others, whose classes are of
different sizes.
"""

__all__ = [
    "CLASSES",
    "SYSTEMS",
    "WEIGHTS",
    "draw_image",
    "simulate",
    "stream",
    "write_alzheimer",
    "write_brain_mri",
    "write_gel",
    "write_protein",
]
