"""Defects that a review found, each with its input: wrong numbers first."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.optimize import _numdiff, rosen

from numdiff import (
    Flag,
    approx_derivative,
    approx_fprime,
    check_grad,
    gradient,
    group_columns,
    jacobian,
    value_and_grad,
)


def quiet(fun):
    def silenced(x):
        with np.errstate(all="ignore"):
            return fun(x)

    return silenced


# fun changes the shape, dtype, flags or memory of its argument in place


def outer(x):
    value = float((x * np.arange(1.0, x.size + 1)).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy 2.5 deprecates this
        x.shape = (x.size, 1)
    return value


def retyped(x):
    value = float((x * x).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        x.dtype = np.int64
    return value


def locked(x):
    x *= 1
    x.flags.writeable = False
    return float(x @ x)


def resized(x):
    value = float(x @ x)
    x.resize(x.size + 1000, refcheck=False)
    return value


@pytest.mark.parametrize("n", [3, 300])
@pytest.mark.parametrize("fun", [outer, retyped, locked, resized])
def test_changes_of_the_array_itself(fun, n):
    x0 = np.linspace(1, 2, n)
    expected = np.arange(1.0, n + 1) if fun is outer else 2 * x0
    assert np.allclose(approx_fprime(x0, fun), expected, rtol=1e-3)
    assert np.allclose(gradient(fun, x0), expected, rtol=1e-6)


# the complex step verifies itself


@pytest.mark.parametrize(
    ("fun", "x0", "options"),
    [
        (lambda x: np.log(x[0]) + np.abs(x[1]), [1e-9, -2.0], {}),
        (lambda x: np.abs(x[0]), [1.0], {"bounds": (1, 2)}),
        (lambda x: 1e8 + np.abs(x[0]), [1.0], {}),
        (lambda x: 5e9 + np.abs(x[0]), [1.0], {}),
        (lambda x: 1e8 * x[0] ** 2 + np.abs(x[1]), [1.0, -1.0], {}),
    ],
)
def test_functions_that_are_not_analytic(fun, x0, options):
    with pytest.raises(ValueError, match="does not hold"):
        gradient(quiet(fun), x0, method="complex", **options)


@pytest.mark.parametrize(
    ("fun", "x0", "true", "options"),
    [
        (lambda x: np.log(x[0]) + x[1] ** 2, [1e-9, 2.0], [1e9, 4.0], {}),
        (lambda x: np.exp(x[0] * x[1]), [1.0, 2.0], [2 * np.exp(2), np.exp(2)], {"bounds": (1, 2)}),
        (lambda x: np.exp(x[0]) * x[1], [1.0, 2.0], [2 * np.e, 2 * np.e], {"indices": [0, 0]}),
        (lambda x: np.prod(x.astype(complex)), [1.0, 2.0], [2.0, 1.0], {}),
        (lambda x: np.cos(1e5 * x[0]), [1.0], [-1e5 * np.sin(1e5)], {}),
        (lambda x: np.sum((x - 1) ** 2 * (x + 2)), [1.0, 1.0], [0.0, 0.0], {}),
    ],
)
def test_analytic_functions_are_not_refused(fun, x0, true, options):
    assert np.allclose(gradient(quiet(fun), x0, method="complex", **options), true, rtol=1e-12)


def test_a_complex_step_that_cannot_be_checked_is_nan():
    result = gradient(quiet(lambda x: np.log(x[0])), [0.0], method="complex", full_output=True)
    assert np.isnan(result.value).all()
    assert result.flag[0] == Flag.nonfinite


# steps that are lost, or end at a domain


def test_a_good_number_is_not_replaced_by_a_worse_one(counted):
    for x in (1e-13, 5e-14):
        assert value_and_grad(lambda v: 1 + 170 * v[0])([x])[1][0] == pytest.approx(170, rel=1e-9)
        assert gradient(lambda v: 1 + 170 * v[0], [x], bounds=(0, 1))[0] == pytest.approx(170, rel=1e-9)
    fun = counted(lambda v: v @ v)
    value_and_grad(fun)(np.full(50, 1e-9))
    assert fun.nfev == 101


def test_domains_that_end_at_a_bound():
    for gap in (1e-9, 1e-6):
        g = gradient(quiet(lambda x: np.log1p(x[0])), [-1 + gap], bounds=(-1, np.inf), full_output=True)
        assert g.value[0] * gap == pytest.approx(1, rel=1e-2)
        assert g.flag[0] & Flag.shrunk


def test_zero_derivatives_beside_nan():
    result = jacobian(quiet(lambda x: x if x[0] > 0 else x * np.nan), [1e-9, 2.0], full_output=True)
    assert np.allclose(result.value, np.eye(2), atol=1e-9)
    assert result.nfev < 20
    result = gradient(lambda x: 5.0 if x[0] >= 0 else np.nan, [0.0], full_output=True)
    assert result.value[0] == 0.0
    assert result.flag[0] == Flag.one_sided


@pytest.mark.parametrize("ulps", range(2, 12))
def test_bounds_of_a_few_ulps(ulps):
    result = gradient(lambda x: x[0] - 1, [1.0], bounds=(1, 1 + ulps * 2**-52), full_output=True)
    assert result.value[0] == 1.0 or (np.isnan(result.value[0]) and result.flag[0] == Flag.fixed)


def test_masked_values_are_nan_to_numdiff():
    assert gradient(quiet(lambda x: np.ma.log(x[0])), [1e-9])[0] == pytest.approx(1e9, rel=1e-2)
    assert np.isnan(gradient(quiet(lambda x: np.ma.log(x[0])), [-1.0])[0])


def test_the_step_reported_is_the_one_taken():
    step = gradient(quiet(lambda x: np.log(x[0])), [1e-9], full_output=True).step
    assert step[0] == (1e-9 + step[0]) - 1e-9


# input


def test_empty_selections_and_values():
    f = lambda x: x @ x  # noqa: E731
    assert gradient(f, [1.0, 2.0], indices=[], x_scale=[1.0, 2.0]).shape == (0,)
    assert gradient(f, np.ones(1000), indices=np.array([1, 2], np.int8)).tolist() == [2.0, 2.0]
    for method in ("central", "forward", "complex"):
        assert jacobian(lambda x: np.zeros(0), [1.0, 2.0], method=method).shape == (0, 2)


@pytest.mark.parametrize("options", [{"abs_step": 1e308}, {"rel_step": 1e308}, {"x_scale": 1e308}])
def test_steps_that_overflow(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` is too large"):
        gradient(lambda x: x[0], [100.0], **options)


def test_other_bad_input():
    with pytest.raises(TypeError, match="`kwargs` must be a dict"):
        gradient(lambda x: 1.0, [1.0], kwargs=5)
    with pytest.raises(TypeError, match="`kwargs` must be a dict"):
        value_and_grad(lambda x: 1.0, kwargs=5)
    with pytest.raises(TypeError, match="`x0` must be a real number"):
        gradient(lambda x: 1.0, [[1.0], [1.0, 2.0]])
    assert gradient(lambda x: 10**30, [1.0])[0] == 0.0


@pytest.mark.parametrize("x", [np.finfo(float).max, np.finfo(float).max * (1 - 8e-6), -np.finfo(float).max])
def test_the_largest_floats_do_not_warn(x):
    result = gradient(lambda v: v[0] * 1e-3, [x], full_output=True)
    assert result.value[0] == pytest.approx(1e-3)


# SciPy's names


def test_scipys_vectorised_workers():
    x0 = np.array([1.0, 2.0, 3.0])

    def vectorised(f, xs):
        return f(np.array(list(xs)).T)

    for method in ("2-point", "3-point", "cs"):
        ours, scipys = (
            f(rosen, x0, method, workers=vectorised, f0=rosen(x0))
            for f in (approx_derivative, _numdiff.approx_derivative)
        )
        assert ours.tobytes() == scipys.tobytes()
    floats = lambda f, xs: [float(f(x)[0]) for x in xs]  # noqa: E731
    assert np.allclose(approx_derivative(rosen, x0, workers=floats), approx_derivative(rosen, x0))


@pytest.mark.parametrize(
    "options",
    [
        {"abs_step": np.longdouble(1e-3)},
        {"abs_step": np.full(3, 1e-3, np.longdouble)},
        {"bounds": (np.nan, 5)},
        {"bounds": ([np.nan, -np.inf, -np.inf], np.inf)},
        {"rel_step": np.nan, "bounds": (-5, 5)},
        {"workers": []},
    ],
    ids=str,
)
def test_odd_options(options):
    x0 = np.array([1.0, 2.0, 3.0])
    for fun in (lambda x: float(x @ x), lambda x: x * x):
        with np.errstate(all="ignore"):
            ours, scipys = (f(fun, x0, "2-point", **options) for f in (approx_derivative, _numdiff.approx_derivative))
        # in longdouble SciPy divides by a step that was not taken
        assert np.allclose(ours, scipys, rtol=1e-12 if "abs_step" in options else 0, atol=0, equal_nan=True)


def test_odd_input():
    for odd in ([[None, 1]], [["a", ""]]):
        assert np.array_equal(group_columns(odd), _numdiff.group_columns(odd))
    for method in (["2-point"], {}):
        with pytest.raises(ValueError, match="Unknown method"):
            approx_derivative(rosen, [1.0, 2.0], method)
    when = np.datetime64("2020-01-01", "s")
    ours, scipys = (
        f(lambda x: when + np.timedelta64(int(x[0] * 1e6), "s"), [1.0], "2-point", abs_step=1e-3)
        for f in (approx_derivative, _numdiff.approx_derivative)
    )
    assert ours.tobytes() == scipys.tobytes()


def test_check_grad_with_longdouble_epsilon():
    assert check_grad(lambda x: x @ x, lambda x: 2 * x, [1.0, 2.0], epsilon=np.longdouble(1e-6)) < 1e-5


def test_integers_beyond_float64_are_infinite():
    assert np.isnan(gradient(lambda x: 10**400, [1.0]))[0]
    found = gradient(lambda x: 10**400 if x[0] > 1 else x[0], [1.0], full_output=True)
    assert found.value[0] == pytest.approx(1.0)
    assert found.flag[0] & Flag.one_sided
    with pytest.raises(ValueError, match="`x0` must be finite"):
        gradient(lambda x: 1.0, 10**400)


@pytest.mark.parametrize("name", ["abs_step", "rel_step"])
def test_richardson_names_the_step_that_was_given(name):
    for options in ({}, {"bounds": (0, 9)}):
        with pytest.raises(ValueError, match=f"`{name}` is too small: the step 1e-20.*x0\\[0\\]"):
            gradient(lambda x: x @ x, [1.0, 2.0], method="richardson", **{name: 1e-20}, **options)
    assert gradient(lambda x: x @ x, [1.0, 0.0], method="richardson", indices=[1], abs_step=1e-20) == pytest.approx(0)
