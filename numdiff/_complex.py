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

_RTOL = 1e-6  # of the sum of |df/dx_i dx_i|; a central difference is better by orders


def complex_step(run: Run, coordinates: NDArray[np.intp], h: Float) -> Float:
    """The derivatives by these coordinates, (count, m)."""
    rows: list[Float] = []
    for i, hi in zip(coordinates, h, strict=True):
        x = run.x0.astype(np.complex128)
        x.reshape(-1)[i] += hi * 1j
        value = run.fun(x, *run.args)
        run.nfev += 1
        if run.eps is None:
            run.eps = eps_of(dtype_of(value))
        numbers = complex_numbers(value, run.scalar)
        if run.m is None:
            run.learn(numbers.real)
        if numbers.size != run.m:
            raise changed_shape(run.m or 0, numbers.size)
        rows.append(numbers.imag / hi)
    return np.array(rows)


def verify(run: Run, rows: Float, plan: Plan, chosen: NDArray[np.intp]) -> None:
    """Raise unless rows, the complex-step derivatives, agree with a central difference along one direction.

    plan is that of central differences, of which components are chosen: its steps make the direction, with signs that
    are no pattern of anything.
    """
    x, room = plan.x[chosen], np.abs(plan.h[chosen])
    lb, ub = (-np.inf, np.inf) if plan.lb is None else (plan.lb[chosen], plan.ub[chosen])
    room = np.minimum(room, np.minimum(x - lb, ub - x))
    move = np.where(np.random.default_rng(0).random(room.size) < 0.5, -room, room)

    def compare(move: Float) -> tuple[Float, Float, Float]:
        """The change along the direction by rows and by differences, and what rounding may make of the latter."""
        above, below = np.clip(x + move, lb, ub), np.clip(x - move, lb, ub)
        f_above, f_below = [_real_value(run, plan.coordinates[chosen], to) for to in (above, below)]
        along = above - below
        slack = _RTOL * (np.abs(along) @ np.abs(rows))
        slack += 1e3 * (run.eps or 0.0) * np.maximum(np.abs(f_above), np.abs(f_below))
        return along @ rows, f_above - f_below, slack

    by_complex, by_real, slack = compare(move)
    error = np.abs(by_complex - by_real)
    wrong = error > slack
    if wrong.any():
        # Where the gradient vanishes it may be the central difference that is wrong, by its truncation error. That is
        # h^3: an eighth of the step leaves 1/512 of it, but 1/8 of an error in rows.
        closer, real, slack = compare(move / 8)
        wrong &= np.abs(closer - real) > np.maximum(error / 32, slack)
    if wrong.any():
        r = int(np.flatnonzero(wrong)[0])
        which = f" (its value {r})" if rows.shape[1] > 1 else ""
        raise ValueError(
            f'`method` "complex" does not hold for this fun{which}: along one direction it gives {by_complex[r]:.6g}, '
            f"a central difference {by_real[r]:.6g}. fun must be analytic: no abs, max, norm, float() or comparison of "
            'its complex argument. Use method="central"'
        )


def _real_value(run: Run, coordinates: NDArray[np.intp], to: Float) -> Float:
    x = run.x0.copy()
    x.reshape(-1)[coordinates] = to
    return np.atleast_1d(run.evaluate(x))
