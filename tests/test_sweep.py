"""step_sweep: the V-curve against exact errors, traps, bounds, counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import numdiff
from numdiff import step_sweep
from numdiff._sweep import estimate_error

# No round numbers: there tiny steps give the derivative exactly, by chance.
SMOOTH = {
    "exp": (np.exp, np.exp, 1.0),
    "exp at 0.1": (np.exp, np.exp, 0.1),
    "sin 20 x": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x), 0.3),
    "sin 20 x far": (lambda x: np.sin(20 * x), lambda x: 20 * np.cos(20 * x), -506.0),
    "cube": (lambda x: x**3, lambda x: 3 * x**2, 2.7),
    "cube at -1.1": (lambda x: x**3, lambda x: 3 * x**2, -1.1),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2, 0.6),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), 3.0),
    "log": (np.log, lambda x: 1 / x, 1.3e-3),
    "tanh": (lambda x: np.tanh(50 * x), lambda x: 50 / np.cosh(50 * x) ** 2, 0.01),
    "period of the steps": (lambda x: np.sin(2 * np.pi * x), lambda x: 2 * np.pi * np.cos(2 * np.pi * x), 0.3),
}


def noisy(sigma, seed):
    rng = np.random.default_rng(seed)
    return lambda x: float(np.exp(x)) + sigma * rng.normal()


def optimum(sweep, exact):
    """The step where the envelope of the true error is least, and that error; rounding is right by chance often."""
    error = np.abs(sweep.derivative - exact)
    wide = np.stack([error[2:-2], error[1:-3], error[:-4], error[3:-1], error[4:]])
    smooth = np.max(wide, axis=0)
    k = int(np.nanargmin(smooth)) + 2
    return sweep.h[k], smooth[k - 2]


@pytest.mark.parametrize("name", SMOOTH)
def test_smooth(name):
    fun, derivative, x = SMOOTH[name]
    sweep, exact = step_sweep(fun, x), derivative(x)
    error = np.abs(sweep.derivative - exact)
    best_h, least = optimum(sweep, exact)
    assert best_h / 30 <= sweep.best_h <= 30 * best_h
    assert abs(sweep.best - exact) <= 10 * least
    assert abs(sweep.best - exact) <= 3 * sweep.best_error
    seen = np.isfinite(error) & (error > 0)
    ratio = sweep.error[seen] / error[seen]
    assert np.mean((ratio > 0.01) & (ratio < 100)) >= 0.9
    assert np.mean(ratio >= 1) >= 0.65


@pytest.mark.parametrize("sigma", [1e-10, 1e-8, 1e-6, 1e-3])
@pytest.mark.parametrize("seed", range(5))
def test_noisy(sigma, seed):
    sweep, exact = step_sweep(noisy(sigma, seed), 1.0), np.exp(1.0)
    error = np.abs(sweep.derivative - exact)
    theory = (3 * sigma / exact) ** (1 / 3)
    assert theory / 30 <= sweep.best_h <= 30 * theory
    assert abs(sweep.best - exact) <= 10 * sigma ** (2 / 3)
    assert abs(sweep.best - exact) <= 3 * sweep.best_error
    ratio = sweep.error / error
    assert np.mean((ratio > 0.01) & (ratio < 100)) >= 0.85


def test_float32():
    sweep = step_sweep(lambda x: np.float32(np.exp(x)), 1.0)
    assert 1e-4 < sweep.best_h < 0.1
    assert abs(sweep.best - np.exp(1)) <= sweep.best_error < 1e-3
    # where all values are equal the derivative is 0, and the error says so
    assert np.all(sweep.error[sweep.derivative == 0] > 2)


def test_the_curve_is_a_v():
    for fun, _, x in SMOOTH.values():
        sweep = step_sweep(fun, x)
        seen = np.isfinite(sweep.error)
        error, best = sweep.error[seen], int(np.nanargmin(sweep.error[seen]))
        assert np.all(error[: best - 5] > error[best])
        assert np.all(error[best + 5 :] > 10 * error[best])


def test_differences_that_vanish_are_no_optimum():
    # at h = 1/2 and 1 all differences are 0, and agree
    sweep = step_sweep(lambda x: np.sin(2 * np.pi * x), 0.1)
    assert sweep.best_h < 1e-3
    assert sweep.error[sweep.h == 0.5][0] > 1


def test_a_kink_is_in_the_error():
    sweep = step_sweep(abs, 0.0)
    assert sweep.best_error == pytest.approx(1.0)  # the slopes are -1 and 1
    sweep = step_sweep(lambda x: max(x, 0.0) + np.exp(x), 0.0)
    assert sweep.best_error >= 0.5
    assert step_sweep(np.exp, 0.0).best_error < 1e-9
    assert step_sweep(np.cos, 0.0).best_error < 1e-9


def test_exact_functions():
    sweep = step_sweep(lambda x: 3 * x, 1.0)
    assert sweep.best == 3.0
    assert sweep.best_error < 1e-15
    assert step_sweep(lambda x: 7.0, 1.0).best == 0.0


def test_steps_are_powers_of_two_in_the_size_of_x0():
    for x, scale in ((0.0, 1.0), (1.0, 1.0), (1e-5, 1.0), (1e6, 2.0**20), (-3e-8, 1.0)):
        sweep = step_sweep(np.sin, x)
        assert sweep.h.shape == sweep.derivative.shape == sweep.error.shape == (54,)
        assert sweep.h[-1] == scale
        assert np.all(sweep.h[1:] == 2 * sweep.h[:-1])
        assert np.all(np.frexp(sweep.h)[0] == 0.5)


def test_counts_are_exact(counted):
    for fun, _, x in SMOOTH.values():
        f = counted(fun)
        sweep = step_sweep(f, x)
        assert sweep.nfev == f.nfev
        assert 100 < sweep.nfev < 180


def test_directions(counted):
    x0 = np.array([1.0, 2.0, 3.0])
    gradient = np.array([1.0, 4.0, 27.0]) * np.exp(-1.0)

    def fun(x):
        return np.exp(-1.0) * (x[0] + x[1] ** 2 + x[2] ** 3)

    for direction in (1, -1, [1.0, -2.0, 0.5], [1e200, 0.0, 0.0], [0.0, 1e-200, 0.0]):
        unit = np.eye(3)[direction] if isinstance(direction, int) else np.array(direction)
        sweep = step_sweep(fun, x0, direction)
        assert sweep.best == pytest.approx(gradient @ unit, rel=1e-8)
    f = counted(fun)
    sweep = step_sweep(f, x0)
    along = f.seen[-12] - x0  # by the default one, which is a unit vector
    assert sweep.best == pytest.approx(step_sweep(fun, x0).best, rel=0)
    assert abs(sweep.best) <= np.linalg.norm(gradient)
    assert np.linalg.norm(along) > 0
    first = step_sweep(lambda x: x[0], [1.0, 2.0]).best
    second = step_sweep(lambda x: x[1], [1.0, 2.0]).best
    assert np.hypot(first, second) == pytest.approx(1.0)


def test_x0_of_any_shape(counted):
    assert step_sweep(np.exp, 1.0).best == step_sweep(lambda x: np.exp(x[0]), [1.0]).best
    f = counted(lambda x: x[0, 1] ** 2)
    assert step_sweep(f, [[1.0, 3.0]], 1).best == pytest.approx(6.0)
    assert {x.shape for x in f.seen} == {(1, 2)}


@pytest.mark.parametrize(
    "bounds", [(0.9, 1.0 + 1e-5), (1.0, 2.0), (1.0, 1.0), (1 - 2**-53, 1 + 2**-52), (-np.inf, 1.5)]
)
def test_never_outside_the_bounds(counted, bounds):
    f = counted(lambda x: np.exp(x[0]))
    sweep = step_sweep(f, [1.0], bounds=bounds)
    assert sweep.nfev == f.nfev
    assert all(bounds[0] <= x[0] <= bounds[1] for x in f.seen)
    outside = (1.0 - sweep.h < bounds[0]) | (1.0 + sweep.h > bounds[1])
    assert np.all(np.isnan(sweep.derivative[outside]))
    assert np.array_equal(np.isnan(sweep.derivative), np.isnan(sweep.error))
    if not np.any(np.isfinite(sweep.error)):  # no step, or one alone
        assert np.isnan([sweep.best_h, sweep.best, sweep.best_error]).all()
    else:
        assert np.isfinite([sweep.best_h, sweep.best, sweep.best_error]).all()


def test_all_fixed(counted):
    f = counted(lambda x: x @ x)
    sweep = step_sweep(f, [1.0, 2.0], bounds=([1, 2], [1, 2]))
    assert (sweep.nfev, f.nfev) == (0, 0)
    assert np.isnan(sweep.best)


def test_points_where_fun_is_not_finite():
    sweep = step_sweep(np.log, 1e-3)
    assert np.all(np.isnan(sweep.derivative[sweep.h >= 1e-3]))
    assert sweep.best == pytest.approx(1e3, rel=1e-8)
    nothing = step_sweep(lambda x: np.nan, 1.0)
    assert np.isnan(nothing.best)
    assert np.all(np.isnan(nothing.error))


def test_a_fun_that_writes_or_keeps():
    kept = []

    def writes(x):
        value = np.exp(x[0])
        x[0] = 77
        kept.append(x)
        return value

    assert step_sweep(writes, [1.0]).best == step_sweep(lambda x: np.exp(x[0]), [1.0]).best
    assert len({id(x) for x in kept}) == len(kept)


def test_args_and_kwargs():
    sweep = step_sweep(lambda x, a, b: a * x**b, 2.0, args=(3.0,), kwargs={"b": 2})
    assert sweep.best == pytest.approx(12.0)


def test_errors():
    with pytest.raises(ValueError, match=r"`direction`, as a coordinate, must be from -1 to 0; it is 1"):
        step_sweep(np.exp, 1.0, 1)
    with pytest.raises(ValueError, match="`direction` must not be zero"):
        step_sweep(lambda x: x @ x, [1.0, 2.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="`x0` must be finite; x0 is nan"):
        step_sweep(np.exp, np.nan)
    with pytest.raises(ValueError, match="`fun` must return one number"):
        step_sweep(lambda x: x, [1.0, 2.0])
    with pytest.raises(ZeroDivisionError):
        step_sweep(lambda x: 1 / 0, 1.0)


def test_result():
    sweep = step_sweep(np.exp, 0.0)
    lines = repr(sweep).splitlines()
    assert lines[0] == f"StepSweep of 54 steps, {sweep.nfev} evaluations"
    assert sum(line.endswith("best") for line in lines) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        sweep.best = 1.0
    assert isinstance(sweep, numdiff.StepSweep)


def test_estimate_error_alone():
    # d(h) = 1 + h^2: the truncation is known, and doubled
    h = 2.0 ** np.arange(-20, 1)
    zeros = np.zeros_like(h)
    assert estimate_error(h, 1 + h**2, zeros, 0.0) == pytest.approx(2 * h**2, rel=1e-9, abs=1e-15)
    # constant: rounding alone
    assert estimate_error(h, 1 + zeros, zeros, 1e-9) == pytest.approx(2e-9 / h)
    # one step alone says nothing of its truncation
    alone = np.where(h == h[5], 1.0, np.nan)
    error = estimate_error(h, alone, zeros, 1e-9)
    assert error[5] == np.inf
    assert np.isnan(np.delete(error, 5)).all()
