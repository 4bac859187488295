"""Whole matrices of cases, of which a spread sample is quick."""

import itertools

import pytest


def spread(*axes, one_in):
    """List all combinations of the axes' values; one in `one_in` is quick, the others are slow.

    The quick ones are spread evenly, so that each value of each axis is in some of them as long as
    the axes are not shorter than `one_in`.
    """
    return [
        pytest.param(
            *(value for _, value in cell),
            marks=() if sum(place for place, _ in cell) % one_in == 0 else pytest.mark.slow,
        )
        for cell in itertools.product(*map(enumerate, axes))
    ]
