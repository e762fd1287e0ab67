"""The entries of a sparse Jacobian, from differences along groups of its columns; twin of src/compressed.c."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._stencils import Stencil
from .difference import combine
from .point import NONFINITE

Float = NDArray[np.float64]
Integers = NDArray[np.intp]


def entries_alone(row_begin: Integers, columns: Integers, groups: Integers, out: NDArray[np.bool_]) -> int:
    """Which entries are alone in their row and group, into out, and how many are not: nd_entries_alone."""
    rows = np.repeat(np.arange(row_begin.size - 1), np.diff(row_begin))
    keys = rows * (int(groups.max()) + 1) + groups[columns]
    order = np.argsort(keys, kind="stable")  # nearly sorted already
    same = keys[order[1:]] == keys[order[:-1]]
    out[:] = True
    out[order[1:][same]] = out[order[:-1][same]] = False
    return int(np.count_nonzero(~out))


def entries(
    row_begin: Integers,
    columns: Integers,
    groups: Integers,
    begin: int,
    stencil: Stencil,
    chosen: Any,
    x: Float,
    h: Float,
    f0: Any,
    values: Float,
    out: Float,
) -> int:
    """The entries of the groups begin, begin + 1, ... from values (group, call, m), into out; remarks: nd_entries."""
    offsets = stencil[0]
    of_entry = groups[columns] - begin
    here = (of_entry >= 0) & (of_entry < len(values))
    if chosen is not None:
        here &= chosen[columns]
    rows = np.repeat(np.arange(row_begin.size - 1), np.diff(row_begin))[here]
    j, group = columns[here], of_entry[here]
    f = [values[group, k, rows] for k in range(values.shape[1])]
    if offsets[0] == 0.0:
        f.insert(0, f0[rows])
    span = (x[j] + offsets[-1] * h[j]) - (x[j] + offsets[0] * h[j])
    with np.errstate(all="ignore"):
        out[here] = combine(stencil, f, span)
    return 0 if np.isfinite(out[here]).all() else NONFINITE


def along(row_begin: Integers, columns: Integers, entries: Float, step: Float, x: Float, out: Float) -> None:
    """By row, the sums of entry * step, |entry * step| and |entry * x| over the finite entries: nd_along."""
    finite = np.isfinite(entries)
    rows = np.repeat(np.arange(row_begin.size - 1), np.diff(row_begin))[finite]
    entries, columns = entries[finite], columns[finite]
    terms = entries * step[columns]
    for sums, parts in zip(out, (terms, np.abs(terms), np.abs(entries * x[columns])), strict=True):
        sums[:] = np.bincount(rows, parts, minlength=sums.size)  # which adds one by one
