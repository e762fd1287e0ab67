"""Does the structure of a Hessian miss a pair? A random direction tells; where it is in doubt, sets of variables.

The second difference along the direction must be what the Hessian says. Where it is not, fun bends more than expected,
or the structure is wrong. Two sets of variables that are said to have no entry between them tell which: f must
change by the sum of what it changes with each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._coloring import Structure
from ._function import component
from ._missing import APART, BENDING_MOST, ROUNDING, SMALL, missed

Float = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

_TRIES = 40
_BENDING = 10.0  # times (h / scale)^2, of the sum of all terms: few, as one pair is little of it


def check(structure: Structure, data: Float, search: Any) -> None:
    """A ValueError where the structure is seen to miss an entry.

    Calls of fun: 2, or 3 where a step is one-sided; in doubt, 3 to 9 for each of up to 40 pairs of sets.
    """
    plan, run, n = search.plan, search.run, structure.shape[0]
    x = run.x0.reshape(-1)
    rng = np.random.default_rng(0)
    step, h = np.zeros(n), np.zeros(n)
    h[plan.index] = plan.h
    one_sided = np.zeros(n, bool)
    one_sided[plan.index] = plan.one_sided
    step[plan.index] = plan.h * rng.uniform(0.5, 1.0, plan.h.size)
    step = np.where(~one_sided & rng.choice([False, True], n), -step, step)

    def f(at: Float) -> float:
        return float(run.evaluate(at.reshape(run.x0.shape)))

    f_below = f(x - np.where(one_sided, 0.0, step)) if not one_sided.all() else run.f0
    f_middle = f(x + np.where(one_sided, step, 0.0)) if one_sided.any() else run.f0
    f_above = f(x + np.where(one_sided, 2.0, 1.0) * step)
    terms = data * step[structure.rows] * step[structure.columns]
    finite = np.isfinite(terms)
    scale, size = np.ones(n), np.zeros(n)
    scale[plan.index] = plan.scale
    with np.errstate(all="ignore"):
        size[plan.index] = np.abs(plan.x * (search.near[:, 0] - run.f0) / plan.h)
        largest = float(np.max(np.abs([run.f0, f_below, f_middle, f_above]))) + float(size.sum())
        rounding = ROUNDING * search.eps * largest
        bending = _BENDING * float(np.max(np.abs(h) / scale)) ** (1 if one_sided.any() else 2)
        allowed = rounding * (2.0 + np.sqrt(data.size)) + min(bending, BENDING_MOST) * float(
            np.abs(terms[finite]).sum()
        )
        off = abs(f_above - 2.0 * f_middle + f_below - float(terms[finite].sum()))
    on = np.zeros(n, bool)
    on[structure.rows[structure.rows == structure.columns]] = True
    with np.errstate(all="ignore"):
        second = np.abs(search.second) * plan.h**2
    if (second[~on[plan.index]] > rounding).any():
        i = int(plan.index[~on[plan.index] & (second > rounding)][0])
        raise missed(f"the second derivative by {component('x0', i, run.x0.shape)} is not 0")
    if not off > allowed:  # also where it is nan
        return

    def mixed(a: Mask, b: Mask, part: float = 1.0) -> float:
        """What mixed derivatives by a and b make of f."""
        at_a, at_b = x + np.where(a, part * h, 0.0), x + np.where(b, part * h, 0.0)
        return abs(f(np.where(b, at_b, at_a)) - f(at_a) - f(at_b) + float(run.f0))

    entries = np.abs(h) > 0
    share = structure.shape[0] / (structure.shape[0] + structure.columns.size)
    for k in range(_TRIES):
        # Few variables are taken one by one: then no pair stays unseen.
        a = entries & (np.arange(n) == k if n <= _TRIES else rng.uniform(size=n) < share)
        b = entries & ~a
        b[structure.columns[a[structure.rows]]] = False
        found = mixed(a, b) if a.any() and b.any() else 0.0
        # Noise in fun's values is no smaller for shorter steps.
        if found <= 4 * rounding or any(mixed(a, b, part) > found / APART for part in SMALL):
            continue
        for _ in range(2):
            while np.count_nonzero(a) > 1:
                half = a & (np.cumsum(a) <= np.count_nonzero(a) // 2)
                a = half if mixed(half, b) > 4 * rounding else a & ~half
            a, b = b, a
        names = [component("x0", int(np.flatnonzero(one)[0]), run.x0.shape) for one in (a, b)]
        raise missed(f"fun has a mixed second derivative by {names[0]} and {names[1]}, where it has no entry")
