"""Does a sparse structure miss an entry? One random direction tells; where it is in doubt, a closer look at rows.

Along a random direction the function must change as the matrix says. Where it does not, fun bends more than expected,
or the structure is wrong. Moving what a row is said not to depend on tells which: that row must keep its value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ._coloring import kernels
from ._function import component

if TYPE_CHECKING:
    from ._compressed import Compressed

Float = NDArray[np.float64]
Integers = NDArray[np.intp]

ROUNDING = 16.0  # rounding errors: what may change in a value though nothing that it depends on did
BENDING = 100.0  # times (h / scale)^order: the relative truncation error that raises no doubt
BENDING_MOST = 1e-3
SMALL = (2.0**-10, 2.0**-11)  # steps, of h, ...
APART = 64.0  # ... at which the change is as many times smaller, if it is no noise
_SPLITS = 8  # of a group: what two of its columns do is not told apart with a chance of 2^-8
_ROWS = 10  # that are looked at by themselves


def check(found: Compressed, data: Float) -> None:
    """A ValueError where the structure is seen to miss an entry.

    Calls of fun: 1 where f0 is known and all steps are one-sided, else 2. In doubt, up to 31 more, and 9 for
    each group where more than ten rows are in doubt.
    """
    plan, structure = found.plan, found.structure
    x, columns = plan.x, structure.columns
    rng = np.random.default_rng(0)
    step = plan.h * rng.uniform(0.25, 1.0, x.size)
    if plan.not_free is not None:
        step[plan.not_free] = 0.0
    if not found.finite:
        step[columns[~np.isfinite(data)]] = 0.0
    if not step.any():
        return
    below = x
    if plan.kind == "central":
        one_sided = np.zeros(x.size, bool) if plan.one_sided is None else plan.one_sided
        step = np.where(~one_sided & (rng.random(x.size) < 0.5), -step, step)
        below = np.where(one_sided, x, x - step)
    above = x + step
    moved = above - below
    f_below = found.f0() if np.array_equal(below, x) else found.value(below)  # which may write into it
    f_above = found.value(above)

    predicted, size, rounding = sums = np.zeros((3, structure.shape[0]))
    if data.size:
        kernels().along(structure.row_begin, columns, data, moved, x, sums)
    with np.errstate(all="ignore"):
        # Of fun's values, and of x before anything is done with it.
        rounding += np.maximum(np.abs(f_above), np.abs(f_below))
        rounding *= ROUNDING * found.eps
        bending = BENDING * np.max(np.abs(step) / plan.scale(found.options.x_scale)) ** found.order
        allowed = rounding * (2 + np.diff(structure.row_begin)) + min(bending, BENDING_MOST) * size
        off = np.abs(f_above - f_below - predicted)
        doubtful = np.flatnonzero(off > allowed)
        if not doubtful.size:
            return
        doubtful = doubtful[np.argsort(-off[doubtful] / allowed[doubtful], kind="stable")]

    free = np.flatnonzero(step)
    if doubtful.size > _ROWS:
        doubtful = _inexplicable(found, free, rounding)
    for i in doubtful[:_ROWS].tolist():
        own = columns[structure.row_begin[i] : structure.row_begin[i + 1]]
        others = np.setdiff1d(free, own)
        change = _change(found, i, others)
        # Noise in fun's values is no smaller for shorter steps.
        if change > rounding[i] and all(_change(found, i, others, part) < change / APART for part in SMALL):
            raise _missing(found, i, others, rounding[i])


def _inexplicable(found: Compressed, free: Integers, rounding: Float) -> Integers:
    """The rows that change with some columns of a group though their own column of the group is not among them.

    Or that do not change as they do with the whole group, though it is. Random halves tell any two columns apart.
    """
    structure, groups, x, h = found.structure, found.groups, found.plan.x, found.plan.h
    rng = np.random.default_rng(1)
    rows, columns, of_entry = structure.rows, structure.columns, groups[structure.columns]
    worst = np.zeros(structure.shape[0])
    for group in np.unique(groups[free]):
        members = free[groups[free] == group]
        entries = np.flatnonzero(of_entry == group)
        own = np.full(worst.size, -1)  # the column of each row in this group
        own[rows[entries]] = columns[entries]
        clear = np.bincount(rows[entries], minlength=worst.size) <= 1
        whole = None
        for split in range(_SPLITS + 1):
            moved = np.zeros(x.size, bool)
            moved[members] = split == 0 or rng.random(members.size) < 0.5
            value = found.value(np.where(moved, x + h, x))
            if whole is None:
                whole = value
            with np.errstate(all="ignore"):
                off = np.abs(value - np.where((own >= 0) & moved[own], whole, found.f0())) / rounding
            worst = np.fmax(worst, np.where(clear, off, 0.0))
    order = np.argsort(-worst, kind="stable")
    return order[worst[order] > 1.0]


def _change(found: Compressed, i: int, moved: Integers, part: float = 1.0) -> float:
    """How much value i of fun changes with these components."""
    x = found.plan.x.copy()
    x[moved] += part * found.plan.h[moved]
    return float(abs(found.value(x)[i] - found.f0()[i])) if moved.size else 0.0


def _missing(found: Compressed, i: int, among: Integers, rounding: float) -> ValueError:
    """The error, with the component if halving finds one."""
    while among.size > 1:
        half = among.size // 2
        for part in (among[:half], among[half:]):
            if _change(found, i, part) > rounding:
                among = part
                break
        else:
            break
    what = component("x0", int(among[0]), found.run.x0.shape) if among.size == 1 else "other components of `x0`"
    return missed(f"{_value(found, i)} changes with {what}, where it has no entry")


def _value(found: Compressed, i: int) -> str:
    return f"component {i} of `jac`" if found.symmetric else f"value {i} of `fun`"


def missed(what: str) -> ValueError:
    return ValueError(
        f"`sparsity` misses an entry: {what}. `numdiff.jacobian_sparsity` finds structures; "
        "check_sparsity=False skips this check"
    )
