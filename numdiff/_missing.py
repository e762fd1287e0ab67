"""Does a sparse structure miss an entry? One random direction tells; where it is in doubt, a closer look at rows.

Along a random direction the function must change as the matrix says. Where it does not, fun bends more than expected,
or the structure is wrong. Moving what a row is said not to depend on tells which: that row must keep its value. It is
moved by the random steps that raised the doubt, as equal ones cancel in differences of neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._coloring import kernels
from ._function import component
from ._steps import default_step

if TYPE_CHECKING:
    from ._compressed import Compressed

Float = NDArray[np.float64]
Integers = NDArray[np.intp]
Mask = NDArray[np.bool_]

ROUNDING = 8.0  # rounding errors: what may change in a value though nothing that it depends on did
VARIES = 0.1  # of the scale of x: a fun that bends on it raises no doubt by its truncation error, (h / that)^order, ...
BENDING_MOST = 1e-3  # ... relative, unless this is smaller
SMALL = (2.0**-10, 2.0**-11, 2.0**-12, 2.0**-13)  # steps, of the random ones, ...
APART = 64.0  # ... at which the change is as many times smaller, if it is no noise
_COARSE = 1e-4  # of a row, below which entries are not seen: more directions, as two entries may make up for each other
_DIRECTIONS = 3
_SPLITS = 8  # of a group: what two of its columns do is not told apart with a chance of 2^-8
_ROWS = 10  # that are looked at by themselves


def check(found: Compressed, data: Float) -> None:
    """A ValueError where the structure is seen to miss an entry.

    Calls of fun: 1 where f0 is known and all steps are one-sided, else 2; three times as many where rounding or long
    steps leave much unseen. In doubt, one or two for each row in doubt, with noise at most 51 (one-sided) or 101 for
    each direction, and 9 for each group where more than ten rows are in doubt.
    """
    plan, h = found.plan, found.plan.h
    if plan.not_free is not None or not found.finite:
        h = np.where(plan.free, h, 0.0)
        h[found.structure.columns[~np.isfinite(data)]] = 0.0
    if not h.any():
        return
    scale = plan.scale(found.options.x_scale)
    relative = np.abs(h) / scale
    of_entries = (float(relative.max()) / VARIES) ** found.order
    # No longer than an error of the lowest order allows, whatever that of the entries is.
    both_sides = np.asarray(plan.kind == "central") if plan.one_sided is None else ~plan.one_sided
    longest = 1.5 * np.where(both_sides, default_step(found.eps, 2), default_step(found.eps, 1))
    if (relative > longest).any():
        h, relative = np.clip(h, -longest * scale, longest * scale), np.minimum(relative, longest)
    bent = relative / VARIES
    of_direction = float(np.where(both_sides, bent * bent, bent).max())
    bending = min(max(of_entries, of_direction), BENDING_MOST)
    shortest = float(relative.min() or relative[relative > 0].min())
    coarse = max(bending, ROUNDING * found.eps / shortest) > _COARSE
    rng = np.random.default_rng(0)
    cleared = np.zeros(found.structure.shape[0], bool)
    for _ in range(_DIRECTIONS if coarse else 1):
        step = h * (1.0 - 0.9 * rng.random(h.size))
        below = plan.x
        if both_sides.any():
            step = np.where(both_sides & (rng.random(h.size) < 0.5), -step, step)
            below = plan.x - both_sides * step
        _along(found, data, plan.x + step, below, bending, cleared)


def _along(found: Compressed, data: Float, above: Float, below: Float, bending: float, cleared: Mask) -> None:
    """Whether fun changes from below to above as the matrix says; rows that were in doubt for nothing are cleared."""
    structure, x = found.structure, found.plan.x
    f_below = found.f0() if below is x else found.value(below.copy())
    f_above = found.value(above.copy())
    predicted, size, rounding = sums = np.zeros((3, structure.shape[0]))
    if data.size:
        kernels().along(structure.row_begin, structure.columns, data, above - below, x, sums)
    with np.errstate(all="ignore"):
        # Of fun's values, and of x before anything is done with it.
        rounding += np.maximum(np.abs(f_above), np.abs(f_below))
        rounding *= ROUNDING * found.eps
        size *= bending
        off = np.abs(f_above - f_below - predicted)
        doubtful = np.flatnonzero((off > rounding + size) & ~cleared)  # few
        length = structure.row_begin[doubtful + 1] - structure.row_begin[doubtful]
        beyond = off[doubtful] / (rounding[doubtful] * np.sqrt(1 + length) + size[doubtful])
        doubtful = doubtful[np.argsort(-beyond, kind="stable")[: np.count_nonzero(beyond > 1)]]
    if not doubtful.size:
        return
    cleared[doubtful] = True
    if doubtful.size > _ROWS:
        doubtful = _inexplicable(found, above, rounding)
    for i in doubtful[:_ROWS].tolist():
        for to, value in ((above, f_above), (below, f_below)):
            if to is not x:
                _look(found, i, to, float(value[i]), float(rounding[i]))


def _look(found: Compressed, i: int, to: Float, f_to: float, rounding: float) -> None:
    """A ValueError where value i is another one when only the components move to `to` that it is said to depend on."""
    structure, x = found.structure, found.plan.x
    own = structure.columns[structure.row_begin[i] : structure.row_begin[i + 1]]
    start = x.copy()
    start[own] = to[own]
    f_start = float(found.value(start.copy())[i])
    others = np.flatnonzero(start != to)

    def change(moved: Integers, part: float = 1.0) -> float:
        at = start.copy()
        at[moved] += part * (to - x)[moved]
        return abs(float(found.value(at)[i]) - f_start)

    whole = abs(f_to - f_start)
    # Noise in fun's values is no smaller for shorter steps.
    if whole <= rounding or any(change(others, part) > whole / APART for part in SMALL):
        return
    while others.size > 1:
        halves = np.array_split(others, 2)
        changes = [change(half) for half in halves]
        if not max(changes) > rounding / ROUNDING:
            break
        others = halves[int(np.argmax(changes))]
    what = component("x0", int(others[0]), found.run.x0.shape) if others.size == 1 else "other components of `x0`"
    raise missed(f"{_value(found, i)} changes with {what}, where it has no entry")


def _inexplicable(found: Compressed, to: Float, rounding: Float) -> Integers:
    """The rows that change with some columns of a group, of which none is their own, or otherwise than with all of it.

    Random halves tell any two columns apart.
    """
    structure, groups, x = found.structure, found.groups, found.plan.x
    free, rng = np.flatnonzero(to != x), np.random.default_rng(1)
    rows, columns, of_entry = structure.rows, structure.columns, groups[structure.columns]
    worst = np.zeros(structure.shape[0])
    for group in np.unique(groups[free]):
        members = free[groups[free] == group]
        entries = np.flatnonzero(of_entry == group)
        count = np.bincount(rows[entries], minlength=worst.size)  # of a row's own columns in this group

        def values(moved: Mask) -> Float:
            return found.value(np.where(moved, to, x))

        moved = np.zeros(x.size, bool)
        moved[members] = True
        whole = values(moved)
        for split in range(_SPLITS + 1):
            if split:
                moved[members] = rng.random(members.size) < 0.5
            own = np.bincount(rows[entries], moved[columns[entries]], minlength=worst.size)
            with np.errstate(all="ignore"):
                off = np.abs((values(moved) if split else whole) - np.where(own > 0, whole, found.f0())) / rounding
            worst = np.fmax(worst, np.where((own == 0) | (own == count), off, 0.0))
    order = np.argsort(-worst, kind="stable")
    return order[worst[order] > 1.0]


def _value(found: Compressed, i: int) -> str:
    return f"component {i} of `jac`" if found.symmetric else f"value {i} of `fun`"


def missed(what: str) -> ValueError:
    return ValueError(
        f"`sparsity` misses an entry: {what}. `numdiff.jacobian_sparsity` finds structures; "
        "check_sparsity=False skips this check"
    )
