"""Differences at several steps, extrapolated to h = 0, all entries at once: Neville's scheme.

Bars come first here, as steps are few and given. The kernel of src/richardson.c, one row at a time, chooses the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_VAGUE = 0.03  # relative: two steps that differ by more, alone, tell little
_EXPLAINED = 0.01  # of the change from step to step: errors below that tell that the extrapolation has it


def differ(a: Float, b: Float, share: float = 0.3) -> Float:
    """By how much a and b differ beyond that share of their size; inf or nan where one is not finite."""
    return np.asarray(np.abs(a - b) - share * np.maximum(np.abs(a), np.abs(b)))


def limits(values: Float, h: Float, rounding: Float, one_sided: Mask) -> tuple[Float, Float, Mask, Mask]:
    """The derivatives at h = 0 from those at the steps h (k, count), errors, where steps are apart, where vague.

    Errors are polynomials in h^2, or in h where one-sided; of a mixed derivative only if both steps shrink alike.
    Where two steps are all, there is none that confirms them: they may differ by much less, and the error is all of it.
    """
    ratio = h / h[0]
    unlike = np.zeros(values.shape[1:], bool)
    if values.ndim == 3:
        unlike = (np.abs(ratio[:, :, None] - ratio[:, None, :]) > 1e-6 * ratio[:, None, :]).any(axis=0)
        either = one_sided[:, None] | one_sided
        product = ratio[:, :, None] * ratio[:, None, :]
        z = np.where(either, np.sqrt(product), product)
    else:
        z = np.where(one_sided, ratio, ratio * ratio)
    order = np.argsort(-z, axis=0, kind="stable")
    values, z, rounding = (np.take_along_axis(array, order, axis=0) for array in (values, z, rounding))
    with np.errstate(all="ignore"):
        change = np.abs(values[-1] - values[-2])
        change = np.where(np.isfinite(change), change, np.abs(values[-1]))
        apart = ~(differ(values[-1], values[-2]) <= 4.0 * rounding[-1])
        vague = ~(differ(values[-1], values[-2], _VAGUE) <= 4.0 * rounding[-1]) & (len(values) == 2)
    best, error = extrapolate(values, z, rounding)
    apart &= ~(error < _EXPLAINED * change)
    with np.errstate(all="ignore"):
        error = np.where(apart | (len(values) == 2), np.fmax(error, change), error)
        error = np.where(vague, 2.0 * (np.abs(values[-1]) + np.abs(values[-2])), error)
    if unlike.any():
        with np.errstate(all="ignore"):
            best[unlike] = values[-1][unlike]
            error[unlike] = (change + rounding[-1])[unlike]
    return best, error, apart, vague


def extrapolate(values: Float, z: Float, rounding: Float) -> tuple[Float, Float]:
    """values (k, ...), polynomials in z (k, ...), at z = 0: the best entry of Neville's tableau and its error.

    z falls, and the last is so small that its value is near the limit, if not so exact: no entry is better than it
    agrees with that. rounding (k, ...) bounds the rounding in the values and is carried along. The error of an entry
    is the larger difference to its two neighbours of lower degree (Ridders 1982), or where that is smaller, to those
    which one more value gives; and its rounding.
    """
    last = len(values) - 1
    table: list[list[Float]] = []
    bars: list[list[Float]] = []
    with np.errstate(all="ignore"):
        for k in range(last + 1):
            row, bar = [values[k]], [rounding[k]]
            for j in range(1, k + 1):
                share = 1.0 / (z[k - j] / z[k] - 1.0)
                row.append(row[j - 1] + share * (row[j - 1] - table[k - 1][j - 1]))
                bar.append((1.0 + np.abs(share)) * bar[j - 1] + np.abs(share) * bars[k - 1][j - 1])
            table.append(row)
            bars.append(bar)
        change = np.abs(values[last] - values[last - 1])
        trust = rounding[last] + np.where(np.isfinite(change), 2.0 * change * (z[last] / z[last - 1]), 0.0)
        best, error = values[last], trust
        for k in range(last + 1):
            for j in range(1, k + 1):
                this = table[k][j]
                estimate = np.abs(this - table[k][j - 1])
                if k < last or j > 1:
                    estimate = np.maximum(estimate, np.abs(this - table[k - 1][j - 1]))
                if k < last:
                    later = np.maximum(np.abs(this - table[k + 1][j]), np.abs(this - table[k + 1][j + 1]))
                    estimate = np.where(later <= bars[k + 1][j + 1], np.fmin(estimate, later), estimate)
                estimate = np.maximum(estimate, np.abs(this - values[last]) - trust) + bars[k][j]
                better = estimate < error
                best, error = np.where(better, this, best), np.where(better, estimate, error)
    return best, error
