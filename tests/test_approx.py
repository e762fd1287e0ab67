"""SciPy's names against SciPy: bits, shapes, counts, warnings, error types and texts."""

from __future__ import annotations

import contextlib
import inspect
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import _numdiff

import numdiff

SCIPY = {
    "approx_fprime": scipy.optimize.approx_fprime,
    "approx_derivative": _numdiff.approx_derivative,
    "check_grad": scipy.optimize.check_grad,
    "check_derivative": _numdiff.check_derivative,
    "group_columns": _numdiff.group_columns,
}


def outcome(function, *args, **kwargs):
    """What a call gives: value or exception, and warnings, ready to compare."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = function(*args, **kwargs)
        except Exception as error:
            value = type(error), str(error)
    return value, sorted({(w.category, str(w.message)) for w in caught}, key=str)


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    nan = np.isnan(a)
    return bool(np.array_equal(nan, np.isnan(b)) and a[~nan].tobytes() == b[~nan].tobytes())


def assert_same(name, *args, **kwargs):
    ours, scipys = outcome(getattr(numdiff, name), *args, **kwargs), outcome(SCIPY[name], *args, **kwargs)
    if isinstance(scipys[0], tuple) and isinstance(scipys[0][0], type):
        assert ours[0] == scipys[0]
    else:
        assert same_bits(ours[0], scipys[0]), (ours, scipys)
    assert ours[1] == scipys[1]


@pytest.mark.parametrize("name", SCIPY)
def test_signatures(name):
    assert str(inspect.signature(SCIPY[name])) == str(
        inspect.signature(getattr(numdiff, name)).replace(return_annotation=inspect.Signature.empty)
    ).replace(": Any", "").replace("'Any'", "") or list(inspect.signature(SCIPY[name]).parameters) == list(
        inspect.signature(getattr(numdiff, name)).parameters
    )
    ours, theirs = (inspect.signature(f).parameters.values() for f in (getattr(numdiff, name), SCIPY[name]))
    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]


def sphere(x, a=1.0):
    return a * np.sum(np.sin(x) * x)


def vector(x):
    return np.array([x[0] ** 2, x[-1] * 3, np.sin(x).sum()])


FUNCTIONS = [
    sphere,
    vector,
    lambda x: float(x[0]),
    lambda x: x,
    lambda x: x[:1],
    lambda x: [1, 2],
    lambda x: 7,
    lambda x: [],
]
POINTS = [
    [1.0, -2.0, 0.0],
    2.0,
    [3],
    [1, 2],
    [],
    np.array([1e10, 1e-10, 1e300]),
    np.array([1.0, np.nan]),
    np.array([-0.0, 5e-324]),
    np.float64(3.5),
    np.array([1.0, 2.0])[::-1],
    np.array([1.5, 2.5], ">f8"),
]


@pytest.mark.parametrize("k", range(len(FUNCTIONS)))
@pytest.mark.parametrize("point", POINTS, ids=repr)
def test_points_and_functions(k, point):
    fun = FUNCTIONS[k]
    assert_same("approx_fprime", point, fun)
    for method in ("2-point", "3-point"):
        assert_same("approx_derivative", fun, point, method)


@pytest.mark.parametrize(
    "epsilon",
    [1e-6, -1e-6, 0.0, None, 1e-30, [1e-6, -1e-5, 1e-7], [1e-6], np.nan, [1e-6, 0, 1e-6], np.float32(1e-3), 1],
)
def test_epsilon(epsilon):
    for fun in (sphere, vector):
        assert_same("approx_fprime", [1.0, -2.0, 1e9], fun, epsilon)


def test_arguments_are_passed():
    assert_same("approx_fprime", [1.0, 2.0], sphere, 1e-6, 3.0)
    for extra in ({"args": (2.0,)}, {"kwargs": {"a": 2.0}}, {"args": [2.0]}):
        assert_same("approx_derivative", sphere, [1.0, 2.0], **extra)


@pytest.mark.parametrize(
    "value", [None, "text", True, np.array([True, False]), 1 + 2j, np.array([1j, 2.0]), object(), [[1.0]]]
)
def test_values_that_are_no_real_numbers(value):
    assert_same("approx_fprime", [1.0, 2.0], lambda x: value)
    for method in ("2-point", "3-point"):
        assert_same("approx_derivative", lambda x: value, [1.0, 2.0], method)


@pytest.mark.parametrize("big", [np.inf, -np.inf, 1.7e308])
def test_warnings_of_infinite_values(big):
    def fun(x):
        return big if x[0] == 1.0 else -big

    for f in (fun, lambda x: big, lambda x: np.array([1.0, fun(x)])):
        assert_same("approx_fprime", [1.0, 2.0], f)
    with np.errstate(all="raise"):
        for derivative in (numdiff.approx_fprime, scipy.optimize.approx_fprime):
            with pytest.raises(FloatingPointError):
                derivative([1.0, 2.0], fun)


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "4-point"},
        {"x0": np.ones((2, 2))},
        {"bounds": (0.0, [1.0, 2.0, 3.0])},
        {"bounds": ([0, 0], [0.5, 5.0])},
        {"f0": [[1.0]]},
        {"workers": -2},
        {"workers": lambda f: None},
        {"as_linear_operator": True, "bounds": (0.0, 5.0)},
        {"fun": lambda x: np.ones((2, 2))},
    ],
    ids=str,
)
def test_errors(bad):
    call = {"fun": sphere, "x0": np.array([1.0, 2.0]), **bad}
    assert_same("approx_derivative", **call)


def test_an_abs_step_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match="abs_step|broadcast"):
        numdiff.approx_derivative(sphere, [1.0, 2.0], abs_step=[[1e-6], [1e-6]])


@pytest.mark.parametrize("method", ["2-point", "3-point", "cs"])
def test_fixed_variables_give_nan_and_warn_as_in_scipy(method):
    assert_same("approx_derivative", lambda x: (x * x).sum(), [1.0, 2.0], method, bounds=([1.0, 0.0], [1.0, 5.0]))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble])
@pytest.mark.parametrize("method", ["2-point", "3-point", "cs"])
def test_other_dtypes_of_x0(dtype, method):
    x0 = np.array([1.0, 2.0], dtype)
    ours, scipys = (f(vector, x0, method) for f in (numdiff.approx_derivative, SCIPY["approx_derivative"]))
    assert ours.dtype == scipys.dtype
    eps = max(float(np.finfo(dtype).eps), 1e-16)
    assert np.allclose(ours, scipys, rtol=4 * eps**0.5 if method == "2-point" else eps ** (2 / 3) * 20, atol=eps**0.5)


def test_longdouble_differences_keep_their_digits():
    x0 = np.array([1.0], np.longdouble)
    value = numdiff.approx_derivative(lambda x: np.exp(x[0]), x0)
    assert abs(value[0] - np.e) < 1e-12


@pytest.mark.parametrize("method", ["2-point", "3-point"])
@pytest.mark.parametrize("step", [{"abs_step": np.float64(1.5e-8)}, {"abs_step": np.full(3, 1e-9)}, {"rel_step": 1e-9}])
def test_a_step_that_is_lost_at_float32_points_is_replaced_by_the_default(step, method):
    # SciPy: 0, or nan and a warning
    x0 = np.array([0.5, -1.25, 3.0], np.float32)
    fun = np.square
    expected = numdiff.approx_derivative(fun, x0, method=method)
    np.testing.assert_array_equal(numdiff.approx_derivative(fun, x0, method=method, **step), expected)
    np.testing.assert_allclose(expected, np.diag(2 * x0), rtol=1e-3)


@pytest.mark.parametrize("f32", [lambda x: np.float32(x @ x), lambda x: (x * x).astype(np.float32)])
def test_functions_in_float32_with_float64_x0(f32):
    # SciPy's step, and differences of the same float32 numbers; SciPy rounds them to float32 once more
    for method in ("2-point", "3-point"):
        ours, scipys = (f(f32, [1.0, 2.0], method) for f in (numdiff.approx_derivative, SCIPY["approx_derivative"]))
        assert np.allclose(ours, scipys, rtol=1e-5)


@pytest.mark.parametrize("method", ["2-point", "3-point", "cs"])
def test_workers(method):
    x0 = np.array([0.5, 1.5, 2.0])
    serial = SCIPY["approx_derivative"](scipy.optimize.rosen, x0, method)
    for workers in (None, 0, 1, map, lambda f, xs: [f(x) for x in xs]):
        J, info = numdiff.approx_derivative(scipy.optimize.rosen, x0, method, workers=workers, full_output=True)
        assert same_bits(J, serial)
        assert info["nfev"] == (7 if method == "3-point" else 4)


def test_workers_in_processes():
    x0 = np.array([0.5, 1.5, 2.0])
    assert same_bits(
        numdiff.approx_derivative(scipy.optimize.rosen, x0, workers=2),
        SCIPY["approx_derivative"](scipy.optimize.rosen, x0),
    )


def test_nfev_is_a_counter_in_fun(counted):
    for method in ("2-point", "3-point", "cs"):
        for f0 in (None, [sphere(np.array([1.0, 2.0]))]):
            f = counted(sphere)
            _, info = numdiff.approx_derivative(f, [1.0, 2.0], method, f0=f0, full_output=True)
            assert (
                info["nfev"]
                == f.nfev
                == SCIPY["approx_derivative"](sphere, [1.0, 2.0], method, f0=f0, full_output=True)[1]["nfev"]
            )


def test_the_users_array_is_not_handed_out():
    x0 = np.array([1.0, 2.0])
    seen = []
    numdiff.approx_fprime(x0, lambda x: seen.append(x) or 0.0)
    assert all(x is not x0 and x.base is not x0 for x in seen)


numbers = st.floats(-1e8, 1e8) | st.floats(-1e-8, 1e-8) | st.integers(-3, 3).map(float)
steps = st.floats(1e-12, 1e3) | st.floats(-1e3, -1e-12) | st.just(0.0)


@given(data=st.data())
def test_bits_of_scipy(data):
    n = data.draw(st.integers(1, 5))
    vectors = st.lists(numbers, min_size=n, max_size=n).map(np.array)
    x0 = data.draw(vectors)
    method = data.draw(st.sampled_from(["2-point", "3-point", "cs"]))
    options = {}
    kind = data.draw(st.sampled_from(["default", "rel_step", "abs_step"]))
    if kind != "default":
        options[kind] = data.draw(steps | st.lists(steps, min_size=n, max_size=n).map(np.array))
    if data.draw(st.booleans()):
        widths = st.lists(st.floats(0, 1e-5) | st.floats(0, 10) | st.just(np.inf), min_size=n, max_size=n).map(np.array)
        options["bounds"] = (x0 - data.draw(widths), x0 + data.draw(widths))
    A = np.array(data.draw(st.lists(vectors, min_size=1, max_size=3)))
    scalar = data.draw(st.booleans())
    outside = []

    def fun(x):
        if "bounds" in options and method != "cs":
            lb, ub = options["bounds"]
            outside.append(bool(np.any(x < lb) or np.any(x > ub)))
        value = (A @ x) ** 2 + np.sin(x).sum()
        return value[0] if scalar else value

    with np.errstate(all="ignore"):
        scipys = outcome(SCIPY["approx_derivative"], fun, x0, method, full_output=True, **options)
        left = any(outside)
        outside.clear()
        ours = outcome(numdiff.approx_derivative, fun, x0, method, full_output=True, **options)
    assert not any(outside)
    assume(not left)  # SciPy steps outside by an ulp: numdiff does not
    (a, a_info), (b, b_info) = ours[0], scipys[0]
    assert same_bits(a, b)
    assert a.flags.f_contiguous == b.flags.f_contiguous
    assert a_info == b_info


@given(x0=st.lists(numbers, min_size=1, max_size=70).map(np.array), epsilon=steps, m=st.integers(0, 2))
def test_bits_of_scipy_approx_fprime(x0, epsilon, m):
    def fun(x):
        value = float(np.sum(x * np.cos(x)))
        return value if m == 0 else np.linspace(-1, 1, m) * value

    with np.errstate(all="ignore"), contextlib.suppress(FloatingPointError):
        assert same_bits(numdiff.approx_fprime(x0, fun, epsilon), SCIPY["approx_fprime"](x0, fun, epsilon))


def test_scipys_own_tests_of_these_functions(backend):
    # The runner is a script of its own: it binds the names before collection. CI runs all of its suites.
    runner = Path(__file__).with_name("scipy_suite.py")
    done = subprocess.run(
        [sys.executable, str(runner), "scipy.optimize.tests.test__numdiff", "-k", "not worker and not test_all"],
        capture_output=True,
        text=True,
        env={**os.environ, "NUMDIFF_BACKEND": backend},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"on numdiff ({backend}); calls: " in done.stdout
