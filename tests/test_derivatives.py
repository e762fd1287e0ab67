"""gradient, jacobian and the callables: values, shapes, counts, options and their errors."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import numdiff
from numdiff import Flag, grad, gradient, jac, jacobian, value_and_grad

METHODS = ["forward", "backward", "central", "complex"]
CALLS = {
    "forward": lambda n: n + 1,
    "backward": lambda n: n + 1,
    "central": lambda n: 2 * n,
    "complex": lambda n: n + 2,
}

# relative errors that tell eps^(1/2) from eps^(1/3) from eps
RTOL = {"forward": 3e-7, "backward": 3e-7, "central": 3e-10, "complex": 1e-14}


def f(x):
    return np.sum(np.exp(x) * np.sin(2 * x))


def df(x):
    return np.exp(x) * (np.sin(2 * x) + 2 * np.cos(2 * x))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 3), (70,)])
def test_values_shapes_and_counts(method, shape, counted):
    x0 = np.linspace(0.1, 0.9, int(np.prod(shape))).reshape(shape)
    fun = counted(f)
    result = gradient(fun, x0, method=method, full_output=True)
    assert np.shape(result.value) == np.shape(result.step) == np.shape(result.flag) == shape
    rtol = RTOL[method] * max(1, x0.size / 3)  # f, and with it its rounding error, grows with the number of terms
    assert np.allclose(result.value, df(x0), rtol=rtol, atol=0)
    assert result.nfev == fun.nfev == CALLS[method](x0.size)
    assert not np.any(result.flag)
    assert result.method == method
    assert np.all(np.abs(result.value - df(x0)) <= result.error)
    assert np.all(result.error <= 1000 * rtol * np.abs(result.value))
    assert {x.shape for x in fun.seen} == {shape}


def test_the_order_of_accuracy_shows():
    x0 = np.array([0.3, 0.7])
    errors = {m: np.abs(gradient(f, x0, method=m) / df(x0) - 1).max() for m in METHODS}
    assert errors["complex"] < 1e-15 < 1e-13 < errors["central"] < 1e-9 < 1e-8 < errors["forward"] < 1e-6


def test_a_number():
    value = gradient(lambda x: x**3, 2.0)
    assert isinstance(value, float)
    assert value == pytest.approx(12.0, rel=1e-9)
    assert gradient(lambda x: x**3, 2) == value
    assert jacobian(lambda x: x**3, 2.0).shape == (1, 1)


def test_aliases_are_the_same_methods():
    for alias, method in (("2-point", "forward"), ("3-point", "central"), ("cs", "complex")):
        result = gradient(f, [0.3], method=alias, full_output=True)
        assert result.method == method
        assert np.array_equal(result.value, gradient(f, [0.3], method=method))


@pytest.mark.parametrize("method", METHODS)
def test_jacobian(method, counted):
    A = np.arange(1.0, 7.0).reshape(2, 3)
    fun = counted(lambda x: A @ x**2)
    x0 = np.array([1.0, 2.0, -3.0])
    result = jacobian(fun, x0, method=method, full_output=True)
    assert np.allclose(result.value, 2 * A * x0, rtol=1e-6)
    assert result.value.shape == result.step.shape == result.flag.shape == (2, 3)
    assert result.nfev == fun.nfev == CALLS[method](3)
    assert jacobian(lambda x: x @ x, x0, method=method).shape == (1, 3)
    W = x0.reshape(3, 1)
    assert np.allclose(jacobian(lambda w: A @ w[:, 0] ** 2, W, method=method), 2 * A * x0, rtol=1e-6)


@pytest.mark.parametrize("method", [*METHODS, "richardson"])
def test_a_jacobian_of_no_values(method):
    for options in (
        {},
        {"bounds": (0.0, 3.0)},
        {"bounds": ([1.0, -3.0], 3.0)},
        {"order": None if method == "complex" else 2},
    ):
        found = jacobian(lambda x: [], [1.0, 2.0], method=method, full_output=True, **options)
        assert found.value.shape == found.error.shape == found.flag.shape == (0, 2)


def test_f0_saves_a_call_where_it_is_needed(counted):
    x0 = np.array([0.3, 0.7])
    for method, calls in (("forward", 2), ("backward", 2), ("central", 4)):
        fun = counted(f)
        result = gradient(fun, x0, method=method, f0=f(x0), full_output=True)
        assert result.nfev == fun.nfev == calls
        assert np.array_equal(result.value, gradient(f, x0, method=method))
    fun = counted(lambda x: x * 2)
    assert jacobian(fun, x0, method="forward", f0=x0 * 2, full_output=True).nfev == 2


def test_f0_does_not_hide_float32(counted):
    fun = counted(lambda x: np.float32(x @ x))
    result = gradient(fun, [1.0, 2.0], method="forward", f0=5.0, full_output=True)
    assert np.allclose(result.value, [2, 4], rtol=1e-2)
    assert result.nfev == fun.nfev == 3


def test_indices():
    x0 = np.linspace(0.1, 0.9, 6).reshape(2, 3)
    full = gradient(f, x0).reshape(-1)
    for indices in ([0, 5], [5, 0, 0], [-1], np.array([2], np.int8), []):
        assert np.array_equal(gradient(f, x0, indices=indices), full[np.asarray(indices, int)])
    assert np.array_equal(gradient(f, x0, indices=3), full[[3]])
    mask = x0 > 0.5
    assert np.array_equal(gradient(f, x0, indices=mask), full[mask.reshape(-1)])
    assert jacobian(lambda x: x.reshape(-1), x0, indices=[1, 2]).shape == (6, 2)
    result = gradient(f, x0, indices=[4], full_output=True, bounds=(0, 1), x_scale=np.ones((2, 3)))
    assert result.nfev == 2
    assert result.flag.shape == (1,)


def test_steps_are_powers_of_two_and_exact():
    x0 = np.array([0.0, 1e-3, 1.0, 1.7, -2.9, 1e5, 3e-12])
    step = gradient(lambda x: x.sum(), x0, full_output=True).step
    assert np.array_equal(step, (x0 + step) - x0)
    ratio = step / (np.finfo(float).eps ** (1 / 3) * np.maximum(np.abs(x0), 1))
    assert np.all((0.5 < ratio) & (ratio < 2))
    assert np.all(np.frexp(step[:5])[0] == 0.5)
    step = gradient(lambda x: x.sum(), x0, method="backward", full_output=True).step
    assert np.all(step < 0)
    assert np.array_equal(step, (x0 + step) - x0)


def test_step_options():
    x0 = np.array([0.0, 2.0])
    step = lambda **options: gradient(lambda x: x.sum(), x0, full_output=True, **options).step  # noqa: E731
    assert np.allclose(step(abs_step=1e-3), [1e-3, 1e-3], rtol=1e-9)
    assert np.allclose(step(abs_step=[1e-3, 1e-4]), [1e-3, 1e-4], rtol=1e-9)
    assert np.allclose(step(rel_step=1e-3), [1e-3, 2e-3], rtol=1e-9)
    assert np.allclose(step(rel_step=1e-3, x_scale=[10.0, 0.1]), [1e-2, 2e-3], rtol=1e-9)
    assert np.allclose(step(x_scale=1e-6) / step(), [1e-6, 1.0], rtol=0.5)
    # x_scale is what makes a tiny variable come out right
    assert gradient(lambda x: 1 / x[0], [1e-8], x_scale=1e-8)[0] == pytest.approx(-1e16, rel=1e-8)


def test_bounds_make_it_one_sided_with_the_same_order(counted):
    x0 = np.array([0.0, 0.5])
    fun = counted(f)
    result = gradient(fun, x0, bounds=(0.0, [1.0, np.inf]), full_output=True)
    assert np.allclose(result.value, df(x0), rtol=1e-8)
    assert [Flag(v) for v in result.flag] == [Flag.one_sided, Flag.ok]
    assert result.nfev == fun.nfev == 5
    result = gradient(f, [1.0], method="forward", bounds=(0.0, 1.0), full_output=True)
    assert result.step[0] < 0
    assert result.flag[0] == Flag.one_sided
    narrow = gradient(f, [0.5], bounds=(0.5 - 1e-9, 0.5 + 1e-9), full_output=True)
    assert narrow.flag[0] == Flag.shrunk
    assert narrow.value[0] == pytest.approx(df(0.5), rel=1e-5)


def test_bounds_of_one_side_of_a_kink():
    g = lambda x: abs(x[0])  # noqa: E731
    assert gradient(g, [0.0], bounds=(0, np.inf))[0] == pytest.approx(1.0)
    assert gradient(g, [0.0], bounds=(-np.inf, 0))[0] == pytest.approx(-1.0)


def test_args_and_kwargs():
    fun = lambda x, a, b=1.0: a * x @ x + b * x[0]  # noqa: E731
    assert np.allclose(gradient(fun, [1.0, 2.0], args=(3.0,), kwargs={"b": 5.0}), [11.0, 12.0], rtol=1e-8)
    assert np.allclose(jacobian(fun, [1.0, 2.0], args=(3.0,), method="complex"), [[7.0, 12.0]])


# The callables


def test_grad_in_minimize():
    x0 = np.full(6, 1.3)
    for method in METHODS:
        found = scipy.optimize.minimize(scipy.optimize.rosen, x0, jac=grad(scipy.optimize.rosen, method=method))
        assert np.allclose(found.x, 1.0, atol=1e-4)
    found = scipy.optimize.minimize(
        lambda x, a: np.sum((x - a) ** 2), x0, args=(3.0,), jac=grad(lambda x, a: np.sum((x - a) ** 2))
    )
    assert np.allclose(found.x, 3.0, atol=1e-6)


@pytest.mark.parametrize(("method", "calls"), [("forward", 4), ("backward", 4), ("central", 7), ("complex", 6)])
def test_value_and_grad(method, calls, counted):
    fun = counted(f)
    x = np.array([0.1, 0.2, 0.3])
    value, g = value_and_grad(fun, method=method)(x)
    assert isinstance(value, float)
    assert value == f(x)
    assert np.array_equal(g, gradient(f, x, method=method))
    assert fun.nfev == calls
    rosen = scipy.optimize.rosen
    assert np.allclose(scipy.optimize.minimize(value_and_grad(rosen), np.full(3, 1.2), jac=True).x, 1, atol=1e-4)


def test_jac_in_least_squares_and_root():
    t = np.linspace(0, 1, 20)
    residual = lambda p, y: p[0] * np.exp(p[1] * t) - y  # noqa: E731
    y = 2 * np.exp(-1.5 * t)
    found = scipy.optimize.least_squares(residual, [1.0, 1.0], jac=jac(residual), args=(y,))
    assert np.allclose(found.x, [2.0, -1.5], atol=1e-6)
    found = scipy.optimize.least_squares(residual, [1.0, 1.0], jac=jac(residual), kwargs={"y": y})
    assert np.allclose(found.x, [2.0, -1.5], atol=1e-6)
    equations = lambda x: [x[0] + x[1] - 3, x[0] * x[1] - 2]  # noqa: E731
    assert np.allclose(np.sort(scipy.optimize.root(equations, [0.5, 3.0], jac=jac(equations)).x), [1, 2])


def test_jac_in_solve_ivp_as_its_docstring_says():
    rhs = lambda t, y: [-100 * y[0] + y[1], np.cos(t) - y[1]]  # noqa: E731
    J = jac(lambda y, t: rhs(t, y))
    found = solve_ivp(rhs, (0, 1), [1.0, 0.0], method="BDF", jac=lambda t, y: J(y, t))
    reference = solve_ivp(rhs, (0, 1), [1.0, 0.0], method="BDF", jac=[[-100.0, 1.0], [0.0, -1.0]])
    assert found.success
    assert np.allclose(found.y[:, -1], reference.y[:, -1], rtol=1e-3)


@pytest.mark.parametrize("make", [grad, jac, value_and_grad])
def test_options_of_the_callables_are_checked_at_once(make):
    with pytest.raises(TypeError, match="unknown option `step`"):
        make(f, step=1)
    with pytest.raises(TypeError, match="`full_output`"):
        make(f, full_output=True)
    with pytest.raises(ValueError, match="`method` must be"):
        make(f, method="middle")


# Errors: the argument, the value, what is allowed, and fun not called

BAD = [
    ({"method": "middle"}, ValueError, "`method` must be one of 'forward', .*; it is 'middle'"),
    ({"method": None}, ValueError, "`method`.*None"),
    ({"abs_step": 0.0}, ValueError, "`abs_step` must be positive and finite; abs_step is 0.0"),
    ({"abs_step": [1e-3, -1e-3]}, ValueError, r"abs_step\[1\] is -0.001"),
    ({"rel_step": np.nan}, ValueError, "`rel_step` must be positive and finite; rel_step is nan"),
    ({"rel_step": np.inf}, ValueError, "`rel_step` must be positive and finite"),
    ({"x_scale": 0}, ValueError, "`x_scale` must be positive"),
    ({"rel_step": [1e-3]}, ValueError, r"`rel_step` must be a number or have the shape of `x0`, \(2,\); it has \(1,\)"),
    ({"abs_step": "big"}, TypeError, "`abs_step` must be a positive number"),
    ({"rel_step": 1e-3, "abs_step": 1e-3}, ValueError, "`rel_step` or `abs_step`, not both"),
    ({"abs_step": 1e-20}, ValueError, r"`abs_step` is too small: .* lost in rounding at x0\[0\] = 1.0"),
    ({"bounds": 3}, ValueError, r"`bounds` must be a pair \(lb, ub\)"),
    ({"bounds": [(0, 1), (0, 1), (0, 1)]}, ValueError, "`bounds` must be a pair"),
    ({"bounds": ([0, 0, 0], 5)}, ValueError, r"`bounds`: lb .*\(2,\); it is \(3,\)"),
    ({"bounds": (5, 0)}, ValueError, r"`bounds` must have lb <= ub; lb\[0\] is 5.0 and ub\[0\] is 0.0"),
    ({"bounds": (0, np.nan)}, ValueError, "`bounds`: ub must not be nan"),
    ({"bounds": (None, 1)}, TypeError, "`bounds`: lb must be a real number"),
    ({"bounds": (0, 1.5)}, ValueError, r"`x0` must be within `bounds`: x0\[1\] is 2.0, not <= ub = 1.5"),
    ({"indices": [2]}, ValueError, "`indices` must be from -2 to 1; one is 2"),
    ({"indices": [0.5]}, TypeError, "`indices` must be integers"),
    ({"indices": [True]}, ValueError, "`indices`: a mask must have the shape of `x0`"),
    ({"f0": [1.0, 2.0]}, ValueError, r"`f0` must be one number.*\(2,\)"),
    ({"f0": "x"}, TypeError, "`f0` must be real numbers"),
    ({"args": 3.0}, TypeError, "`args` must be a tuple"),
    ({"fun": 3.0}, TypeError, "`fun` must be callable; it is 3.0"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD, ids=lambda v: str(v) if isinstance(v, dict) else "")
def test_bad_input_is_named_before_fun_is_called(options, error, message, counted):
    fun = counted(f)
    x0 = np.array([1.0, 2.0])
    call = {"fun": fun, "x0": x0, **options}
    with pytest.raises(error, match=message):
        gradient(call.pop("fun"), call.pop("x0"), **call)
    assert fun.nfev == 0
    assert x0.tolist() == [1.0, 2.0]


def test_options_are_not_changed():
    lb, ub, step = np.zeros(2), np.full(2, 2.0), np.full(2, 1e-4)
    x0 = np.array([2.0 + 4e-16, 1.0])
    before = [a.copy() for a in (lb, ub, step, x0)]
    gradient(f, x0, bounds=(lb, ub), abs_step=step)
    assert all(np.array_equal(a, b) for a, b in zip((lb, ub, step, x0), before, strict=True))


# The result


def test_the_result_prints_readably():
    with np.errstate(all="ignore"):
        text = repr(gradient(lambda x: float(np.log(x).sum()), [1e-9, 1.0], bounds=([0, 1], [2, 1]), full_output=True))
    assert re.search(r"value: \[9\.99\d*e\+08\s+nan\]", text)
    assert "[0] one_sided|shrunk; [1] fixed" in text
    assert "method: central" in text
    scalar = repr(gradient(lambda x: np.float32(x), 1.0, full_output=True))
    assert "flag: low_precision" in scalar
    many = gradient(lambda x: np.nan, np.ones(30), full_output=True)
    assert "and 20 more" in repr(many)


def test_a_large_result_prints_briefly():
    assert len(repr(gradient(lambda x: x.sum(), np.ones((20, 40)), full_output=True)).splitlines()) < 30


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=6), st.sampled_from(METHODS))
def test_linear_functions_are_exact_to_rounding(x0, method):
    a = np.arange(1.0, len(x0) + 1)
    found = gradient(lambda x: a @ x, x0, method=method)
    h = np.finfo(float).eps ** (0.5 if method in ("forward", "backward") else 1 / 3)
    size = 1 + np.abs(a) @ np.abs(x0)
    assert np.allclose(found, a, rtol=1e-14, atol=1e-14 if method == "complex" else 8e-16 * size / h)


def test_the_two_backends_give_the_same_result(monkeypatch):
    import importlib

    import numdiff._difference as dense

    x0 = np.linspace(-1, 2, 40)
    for method in METHODS:
        results = []
        for name in ("numdiff._kernels_c", "numdiff._kernels_py"):
            monkeypatch.setattr(dense, "kernels", importlib.import_module(name))
            results.append(gradient(f, x0, method=method, bounds=(-1, 3), full_output=True))
        a, b = results
        assert a.value.tobytes() == b.value.tobytes()
        assert (a.nfev, repr(a)) == (b.nfev, repr(b))


def test_the_readmes_python_runs():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(block, {})


def test_every_public_name_has_a_numpy_docstring():
    for name in numdiff.__all__:
        value = getattr(numdiff, name)
        results = (
            "Flag",
            "DerivativeResult",
            "DescentResult",
            "GradientReport",
            "NoiseEstimate",
            "StepSweep",
            "TaylorResult",
            "TaylorTest",
        )
        if callable(value) and name not in (*results, "show_config"):
            parameters = ("Parameters",) if inspect.signature(value).parameters else ()
            for section in (*parameters, "Returns", "Raises", "Notes", "Examples"):
                assert f"\n{section}\n" in "\n".join(line.strip() for line in value.__doc__.splitlines()), (
                    name,
                    section,
                )


# EXAMPLES.md


def test_example_a():
    def fun(w):
        S = w @ w
        return -np.sin(np.pi * S) + np.log(S)

    assert np.allclose(gradient(fun, [0.5, 0.5]), [2.0, 2.0], atol=1e-8)
    wrong = lambda w: np.pi * np.sum(2 * w) * -np.cos(np.pi * w @ w) + np.sum(2 * w) / (w @ w)  # noqa: E731
    assert wrong(np.array([0.5, 0.5])) == pytest.approx(4.0)
    with pytest.raises(ValueError, match=r"shape \(\) where \(2,\) is due"):
        numdiff.check_grad(fun, wrong, [0.5, 0.5])


def test_example_b3():
    assert numdiff.approx_fprime(2.0, lambda x: x**2, 1e-6)[0] == pytest.approx(4.000001, abs=1e-9)


def test_examples_c2_and_e4():
    assert abs(gradient(lambda p: p**7 * (1 - p) ** 3, 0.7)) < 1e-9
    assert np.allclose(gradient(lambda x: x[0] ** 2 + x[1] ** 2, [5.0, 3.0]), [10.0, 6.0], rtol=1e-10)


def test_the_bars_of_central_differences_hold_at_a_minimum():
    """There f' is no scale for the truncation: f'' is, seen with f0 or in the other components."""
    rosen = gradient(
        lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), np.ones(5), full_output=True
    )
    assert rosen.nfev == 10
    assert np.all(rosen.error >= np.abs(rosen.value))
    assert np.all(rosen.error < 1e-6)
    well = gradient(lambda x: (x[0] ** 2 - 1) ** 2, [1.0], f0=0.0, full_output=True)
    assert 1e-8 > well.error[0] >= abs(well.value[0]) > 1e-10
