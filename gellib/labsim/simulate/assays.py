"""Assays: what was loaded into the lanes of a gel; each assay adds its bands to a run.

Every function takes the random generator, the run (`gellib.labsim.simulate.bands`) and the numbers
of the lanes that are free.
"""

import numpy as np

from gellib.labsim.simulate.draw import chance


def _pcr(rng, run, used):
    """Products at one or a few sizes, in some lanes; primers and their dimers far below."""
    products = np.exp(
        rng.uniform(np.log(run.low * 1.6), np.log(run.high * 0.7), rng.integers(1, 4))
    )
    for y in run.migrate(products):
        lanes = used[rng.random(len(used)) < rng.uniform(0.3, 1)]
        amount = rng.uniform(0.2, 1.3) * rng.uniform(0.5, 1.1, len(lanes))
        run.add(lanes, y, amount, rng.uniform(0.9, 1.6), rng.uniform(1, 2))
    if chance(rng, 0.7):
        y = run.migrate(run.low * rng.uniform(0.8, 1.4))
        amount = rng.uniform(0.1, 0.8) * rng.uniform(0.6, 1.1, len(used))
        run.add(used, y, amount, rng.uniform(1.5, 3.5), rng.uniform(1, 2.5))
        if chance(rng, 0.6):
            run.add(used, y - run.height * rng.uniform(0.04, 0.09), amount * 0.35, 4.0, 2.0)
    if chance(rng, 0.4):
        _haze(rng, run, used, 0.15)


def _digest(rng, run, used):
    """A few fragments per lane; some lanes are equal."""
    cut = rng.uniform(run.top, run.front, (len(used), 7))
    if chance(rng, 0.6):
        cut[1:][rng.random(len(used) - 1) < 0.6] = cut[0]
    amount = rng.uniform(0.15, 1.2, cut.shape) * (rng.random(cut.shape) < rng.uniform(0.25, 0.9))
    # Longer fragments bind more stain.
    amount *= 1.25 - 0.8 * (cut - run.top) / (run.front - run.top)
    run.add(used[:, None], cut, amount, rng.uniform(0.8, 1.5), rng.uniform(1, 2))
    if chance(rng, 0.5):
        _haze(rng, run, used, 0.2)


def _genomic(rng, run, used):
    """One heavy band near the wells, or degraded: a smear all the way down."""
    y = run.top + run.height * rng.uniform(0.03, 0.15)
    run.add(used, y, rng.uniform(0.3, 1.6, len(used)), rng.uniform(1.2, 2.5), 1.3)
    _haze(rng, run, used, rng.uniform(0.1, 0.7))


def _rna(rng, run, used):
    """Two ribosomal bands and a smear."""
    y = run.top + (run.front - run.top) * rng.uniform(0.2, 0.45)
    amount = rng.uniform(0.4, 1.2) * rng.uniform(0.7, 1.1, len(used))
    run.add(used, y, amount, 1.4, 2.0)
    run.add(used, y + run.height * rng.uniform(0.09, 0.18), amount * rng.uniform(0.5, 0.9), 1.4, 2)
    if chance(rng, 0.5):
        run.add(used, run.front - run.height * 0.05, amount * 0.4, 3.0, 2.0)
    _haze(rng, run, used, 0.25)


def _fingerprint(rng, run, used):
    """Many bands at shared positions, present or absent from lane to lane."""
    shared = np.sort(rng.uniform(run.top + run.height * 0.02, run.front, rng.integers(8, 26)))
    amount = rng.uniform(0.15, 1.0, (1, len(shared))) * rng.uniform(0.5, 1.1, (len(used), 1))
    amount = amount * (rng.random((len(used), len(shared))) < rng.uniform(0.25, 0.85))
    jitter = rng.normal(0, run.height * 0.001, amount.shape)
    run.add(used[:, None], shared[None] + jitter, amount, rng.uniform(0.6, 1.0), 1.2)
    if chance(rng, 0.4):
        _haze(rng, run, used, 0.15)


def _lysate(rng, run, used):
    """All the proteins of a cell: dozens of bands, equal in all lanes, one perhaps induced."""
    count = int(rng.integers(18, 42))
    shared = rng.uniform(run.top + run.height * 0.02, run.front, count)
    amount = rng.gamma(1.2, 0.16, (1, count)) * rng.uniform(0.5, 1.2, (len(used), 1))
    amount = amount * rng.uniform(0.7, 1.2, (len(used), count))
    run.add(used[:, None], shared[None], amount, rng.uniform(0.7, 1.5, (1, count)), 1.2)
    if chance(rng, 0.6):
        grown = np.linspace(rng.uniform(0, 0.5), rng.uniform(0.5, 1.8), len(used))
        run.add(used, rng.uniform(run.top, run.front), grown, rng.uniform(1.2, 2.2), 1.3, 1.06)
    _haze(rng, run, used, rng.uniform(0.05, 0.3))


def _purification(rng, run, used):
    """Crude lanes first, then fractions in which one protein rises and falls."""
    crude = used[: max(1, len(used) // 3)]
    _lysate(rng, run, crude)
    rest = used[len(crude) :]
    if len(rest):
        peak = np.exp(-(((np.arange(len(rest)) / len(rest) - rng.random()) / 0.35) ** 2))
        y = rng.uniform(run.top + run.height * 0.1, run.front)
        run.add(rest, y, peak * rng.uniform(0.6, 2), rng.uniform(1.2, 2.6), 1.4, 1.05)
        others = rng.uniform(run.top, run.front, (1, 6))
        amount = peak[:, None] * rng.uniform(0, 0.2, (1, 6))
        run.add(rest[:, None], others, amount, 1.0)


def _blot(rng, run, used):
    """One antibody: one band per lane, sometimes a second, soft and of any strength."""
    for number in range(int(rng.integers(1, 3))):
        y = rng.uniform(run.top + run.height * 0.1, run.front)
        amount = rng.uniform(0.05, 1.8, len(used)) * (rng.random(len(used)) < 0.9)
        run.add(used, y, amount / (1 + number), rng.uniform(1.5, 3.0), 1.2, rng.uniform(0.85, 1.1))


def _haze(rng, run, used, strength):
    y = rng.uniform(run.top + 0.2 * run.height, run.front, len(used))
    wide = run.height * rng.uniform(0.1, 0.25, len(used)) / run.sigma
    run.add(used, y, strength * rng.uniform(0, 1, len(used)), wide * 0.5, 1.8)


ASSAYS = {
    "pcr": _pcr,
    "digest": _digest,
    "genomic": _genomic,
    "rna": _rna,
    "fingerprint": _fingerprint,
    "lysate": _lysate,
    "purification": _purification,
    "blot": _blot,
}
