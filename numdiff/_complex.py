"""The complex step, f' = Im f(x + ih) / h, checked once against real differences.

Source: W. Squire and G. Trapp, SIAM Review 40 (1998) 110-112. It holds for analytic functions only; abs, max, norm and
float() are not, and give a wrong number without a sound. So the derivative along one direction is compared with a
central difference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._function import changed_shape, complex_numbers, dtype_of
from ._plan import Plan
from ._steps import eps_of

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]

_RTOL = 3e-5  # of the sum of |df/dx_i dx_i|; a central difference is better by orders, if f is not all rounding
_CLOSER = (1.0, 1 / 8, 1 / 64, 1 / 512)


def complex_step(run: Run, coordinates: NDArray[np.intp], h: Float) -> Float:
    """The derivatives by these coordinates, (count, m)."""
    rows: list[Float] = []
    for i, hi in zip(coordinates, h, strict=True):
        x = run.x0.astype(np.complex128)
        x.reshape(-1)[i] += hi * 1j
        value = run.fun(x, *run.args)
        run.nfev += 1
        numbers = complex_numbers(value, run.scalar)
        if run.eps is None:
            run.eps = eps_of(dtype_of(value))
        if run.m is None:
            run.learn(numbers.real)
        if numbers.size != run.m:
            raise changed_shape(run.m or 0, numbers.size)
        with np.errstate(all="ignore"):
            rows.append(numbers.imag / hi)
    return np.array(rows)


def verify(run: Run, rows: Float, plan: Plan, chosen: NDArray[np.intp]) -> Mask:
    """Raise where rows, the complex-step derivatives, disagree with a real difference along one direction.

    Answers for which of the m values no difference was finite, so that nothing is known. plan is that of central
    differences, of which components are chosen: its steps make the direction. Components whose derivatives are all 0,
    as non-analytic functions have them, are checked by themselves as well, that the others may not drown them.
    """
    once = np.unique(plan.coordinates[chosen], return_index=True)[1]
    chosen, rows = chosen[once], rows[once]
    unknown = _verify_along(run, rows, plan, chosen)
    zero = np.flatnonzero(~rows.any(axis=1))
    if 0 < zero.size < len(rows):
        unknown |= _verify_along(run, rows[zero], plan, chosen[zero])
    return unknown


def _verify_along(run: Run, rows: Float, plan: Plan, chosen: NDArray[np.intp]) -> Mask:
    x, h = plan.x[chosen], np.abs(plan.h[chosen])
    lb, ub = (-np.inf, np.inf) if plan.lb is None else (plan.lb[chosen], plan.ub[chosen])
    # Both ways where there is room; at a bound inwards only.
    both = np.minimum(x - lb, ub - x) >= 0.5 * h
    signs = np.where(np.random.default_rng(0).random(h.size) < 0.5, -1.0, 1.0)
    inward = np.where(ub - x >= x - lb, 1.0, -1.0)
    distance = plan.distance()[chosen]
    unknown = np.ones(rows.shape[1], bool)
    for part, signs_here, one_sided in ((both, signs, False), (~both, inward, True)):
        if not part.any():
            continue
        room = np.maximum(ub - x, x - lb) / 2 if one_sided else np.minimum(x - lb, ub - x)
        longest = np.minimum(h, room) * part
        # Where the difference is the one that is wrong, by its truncation error or a step out of the domain, a closer
        # look makes it right: an eighth of the step leaves 1/512 of that error, but 1/8 of an error in rows.
        error = np.full(rows.shape[1], np.inf)
        agrees = np.zeros(rows.shape[1], bool)
        compared = np.zeros(rows.shape[1], bool)
        for limit in (np.inf, 0.03):
            for scale in _CLOSER:
                if agrees.all():
                    break
                move = signs_here * scale * np.minimum(longest, np.where(distance < np.inf, limit, np.inf) * distance)
                by_rows, real, slack, noise = _compare(run, rows, plan.coordinates[chosen], x, move, one_sided, lb, ub)
                with np.errstate(all="ignore"):
                    difference = np.abs(by_rows - real)
                    finite = np.isfinite(difference)
                    first = finite & ~compared
                    allowed = np.where(first, slack + noise, np.maximum(slack, scale * error / 32))
                    agrees |= finite & (difference <= allowed) & (first | (noise <= allowed))
                    agrees |= first & (real == 0)  # a change lost in rounding says nothing
                error = np.where(first, difference / scale, error)
                compared |= finite
        wrong = compared & ~agrees
        unknown &= ~compared
        if not wrong.any():
            continue
        r = int(np.flatnonzero(wrong)[0])
        which = f" (its value {r})" if rows.shape[1] > 1 else ""
        raise ValueError(
            f'`method` "complex" does not hold for this fun{which}: along one direction it gives {by_rows[r]:.6g}, '
            f"a real difference {real[r]:.6g}. fun must be analytic: no abs, max, norm, float() or comparison of its "
            'complex argument (and x_scale must suit it, for the difference). Use method="central"'
        )
    return unknown


def _compare(
    run: Run,
    rows: Float,
    coordinates: NDArray[np.intp],
    x: Float,
    move: Float,
    one_sided: bool,
    lb: Float | float,
    ub: Float | float,
) -> tuple[Float, Float, Float, Float]:
    """The change along move by rows and by a difference, what may part them, and the rounding of the latter."""
    points: tuple[Float, ...]
    weights: tuple[float, ...]
    if one_sided:  # twice the derivative along move, to second order
        points, weights = (x, x + move, x + 2 * move), (-3.0, 4.0, -1.0)
    else:
        points, weights = (x - move, x + move), (-1.0, 1.0)
    inside = [np.clip(point, lb, ub) for point in points]
    values = [_real_value(run, coordinates, point) for point in inside]
    with np.errstate(all="ignore"):
        along = inside[-1] - inside[0]
        real = sum(weight * value for weight, value in zip(weights, values, strict=True))
        size = np.max(np.abs(values), axis=0)
        noise = (10 + 0.1 * run.x0.size**0.5) * (run.eps or 0.0) * size
        return along @ rows, np.asarray(real), _RTOL * (np.abs(along) @ np.abs(rows)), noise


def _real_value(run: Run, coordinates: NDArray[np.intp], to: Float) -> Float:
    """fun at a real point, in float64 as it would be; it may return a complex array there as well."""
    x = run.x0.copy()
    x.reshape(-1)[coordinates] = to
    value = complex_numbers(run.fun(x, *run.args), run.scalar)
    run.nfev += 1
    if value.size != run.m:
        raise changed_shape(run.m or 0, value.size)
    return value.real
