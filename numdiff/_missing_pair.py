"""Does the structure of a Hessian miss a pair? A random direction tells; where it is in doubt, sets of variables.

The second difference along the direction must be what the Hessian says. Where it is not, fun bends more than expected,
or the structure is wrong. Two sets of variables that are said to have no entry between them tell which: f must
change by the sum of what it changes with each. They are moved by the random steps that raised the doubt, as equal ones
cancel in differences of neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._coloring import Structure
from ._function import component
from ._missing import BENDING_MOST, ROUNDING, SMALL, missed

Float = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

_DIRECTIONS = 3  # few beside the calls for the entries, and two pairs may make up for each other along one
_ONE_BY_ONE = 40  # variables: all pairs of one and others are looked at
_TRIES = 10  # times 2 and the entries of a row, of random sets: all of them miss a pair with a chance of 1e-3
_BENDING = 10.0  # times (h / scale)^2, of the sum of all terms: few, as one pair is little of it
_APART = 8.0  # the change by steps a thousandth as long, a millionth of it if it is no noise, is as many times smaller


def check(structure: Structure, data: Float, search: Any) -> None:
    """A ValueError where the structure is seen to miss an entry.

    Calls of fun: 6, or 9 where a step is one-sided. In doubt, 3 for each of n pairs of sets, or of 10 (s + 2) where n
    is above 40 and a row has s entries; 3 to 15 more for each with more than rounding between them.
    """
    plan, n = search.plan, structure.shape[0]
    on = np.zeros(n, bool)
    on[structure.rows[structure.rows == structure.columns]] = True
    rng = np.random.default_rng(0)
    one_sided = np.zeros(n, bool)
    one_sided[plan.index] = plan.one_sided
    for _ in range(_DIRECTIONS):
        step = np.zeros(n)
        step[plan.index] = plan.h * rng.uniform(0.5, 1.0, plan.h.size)
        step = np.where(~one_sided & rng.choice([False, True], n), -step, step)
        rounding, doubt = _along(structure, data, search, step, one_sided)
        with np.errstate(all="ignore"):
            curved = ~on[plan.index] & (np.abs(search.second) * plan.h**2 > 2 * rounding)
        if curved.any():
            i = int(plan.index[curved][0])
            raise missed(f"the second derivative by {component('x0', i, search.run.x0.shape)} is not 0")
        if doubt:
            _look(structure, search.run, step, rounding, rng)
            return


def _value(run: Any, at: Float) -> float:
    return float(run.evaluate(at.reshape(run.x0.shape)))


def _along(structure: Structure, data: Float, search: Any, step: Float, one_sided: Mask) -> tuple[float, bool]:
    """The size of rounding errors of fun, and whether its second difference is not what the matrix says."""
    plan, run = search.plan, search.run
    x = run.x0.reshape(-1)
    f_below = _value(run, x - np.where(one_sided, 0.0, step)) if not one_sided.all() else run.f0
    f_middle = _value(run, x + np.where(one_sided, step, 0.0)) if one_sided.any() else run.f0
    f_above = _value(run, x + np.where(one_sided, 2.0, 1.0) * step)
    terms = data * step[structure.rows] * step[structure.columns]
    terms = terms[np.isfinite(terms)]
    with np.errstate(all="ignore"):
        size = np.abs(plan.x * (search.near[:, 0] - run.f0) / plan.h)
        largest = float(np.max(np.abs([run.f0, f_below, f_middle, f_above]))) + float(size.sum())
        rounding = ROUNDING * search.eps * largest
        bending = _BENDING * float(np.max(np.abs(plan.h) / plan.scale)) ** (1 if one_sided.any() else 2)
        # A doubt costs little: less is allowed here than in the closer look.
        allowed = 0.25 * rounding * (2.0 + np.sqrt(data.size)) + min(bending, BENDING_MOST) * float(np.abs(terms).sum())
        off = abs(f_above - 2.0 * f_middle + f_below - float(terms.sum()))
    return rounding, off > allowed  # no doubt where it is nan


def _look(structure: Structure, run: Any, step: Float, rounding: float, rng: np.random.Generator) -> None:
    """A ValueError where sets of variables with no entry between them do not add up."""
    n, x = structure.shape[0], run.x0.reshape(-1)

    def mixed(a: Mask, b: Mask, part: float = 1.0) -> float:
        """What mixed derivatives by a and b make of f."""
        at_a, at_b = x + np.where(a, part * step, 0.0), x + np.where(b, part * step, 0.0)
        return _value(run, np.where(b, at_b, at_a)) - _value(run, at_a) - _value(run, at_b) + float(run.f0)

    moved = step != 0
    few = n <= _ONE_BY_ONE
    share = n / (n + structure.columns.size)
    for k in range(n if few else int(_TRIES * (2 + structure.columns.size / n))):
        a = moved & (np.arange(n) == k if few else rng.uniform(size=n) < share)
        b = moved & ~a
        b[structure.columns[a[structure.rows]]] = False
        found = mixed(a, b) if a.any() and b.any() else 0.0
        if not rounding < abs(found) < np.inf:
            continue
        # Half the steps make a quarter of it: values that are rounded coarsely make nothing, or no less. Noise is no
        # smaller for much shorter steps.
        if abs(mixed(a, b, 0.5) - 0.25 * found) > 0.125 * abs(found):
            continue
        if any(abs(mixed(a, b, part)) > abs(found) / _APART for part in SMALL):
            continue
        for _ in range(2):
            while np.count_nonzero(a) > 1:
                half = a & (np.cumsum(a) <= np.count_nonzero(a) // 2)
                rest = a & ~half
                a = half if abs(mixed(half, b)) > abs(mixed(rest, b)) else rest
            a, b = b, a
        names = [component("x0", int(np.flatnonzero(one)[0]), run.x0.shape) for one in (a, b)]
        raise missed(f"fun has a mixed second derivative by {names[0]} and {names[1]}, where it has no entry")
