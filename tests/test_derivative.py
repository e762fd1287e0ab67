"""derivative: values against closed forms, counts, shapes, domains, bounds, errors; the bits of both backends."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdiff import Flag, derivative
from numdiff._stencils import central, forward

X = np.linspace(-6, 6, 400)
WHERE_POSITIVE = np.where(X > 0, X, np.nan)

# The fifteen functions of a calculus notebook: name, function, derivative.
FUNCTIONS = {
    "constant 0": (lambda x: 0 * x, lambda x: 0 * x),
    "2x": (lambda x: 2 * x, lambda x: 2 + 0 * x),
    "x^2": (lambda x: x**2, lambda x: 2 * x),
    "x^3": (lambda x: x**3, lambda x: 3 * x**2),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "e^x": (np.exp, np.exp),
    "ln": (np.log, lambda x: np.where(x > 0, 1 / x, np.nan)),
    "log10": (np.log10, lambda x: np.where(x > 0, 1 / (x * np.log(10)), np.nan)),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "|x|": (np.abs, np.sign),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "ReLU": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float)),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
}


@pytest.mark.parametrize("full_output", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
@np.errstate(all="ignore")
def test_fifteen_functions(name, full_output, counted):
    f, df = FUNCTIONS[name]
    fun = counted(f)
    found = derivative(fun, X, full_output=full_output)
    half = name in ("sqrt", "ln", "log10")  # nan below 0: there f(x) is asked for, once
    assert fun.nfev == 2 + half
    if full_output:
        assert found.nfev == fun.nfev
        assert np.array_equal(found.flag == Flag.nonfinite, np.isnan(df(X)))
        found = found.value
    np.testing.assert_allclose(found, df(X), rtol=3e-7, atol=2e-9)  # near 0, 1/x varies on a scale of 0.015


@np.errstate(all="ignore")
def test_ends_of_domains_and_poles():
    assert math.isnan(derivative(lambda x: 1 / x, 0.0))
    assert math.isnan(derivative(lambda x: 1 / (x - 1), 1.0))
    assert math.isnan(derivative(np.tan, math.pi / 2))
    assert math.isnan(derivative(np.sqrt, -1.0))
    for x in (1e-12, 1e-9, 1e-7, 1e-5, 1e-4, 0.01):
        for method in ("central", "forward"):
            assert derivative(np.log, x, method=method) == pytest.approx(1 / x, rel=0.01), (x, method)
            assert derivative(np.sqrt, x, method=method) == pytest.approx(0.5 / np.sqrt(x), rel=0.01), (x, method)
    mixed = derivative(np.log, [-1.0, 0.0, 1e-9, 2.0], full_output=True)
    assert np.allclose(mixed.value, [np.nan, np.nan, 1e9, 0.5], rtol=1e-3, equal_nan=True)
    assert list(mixed.flag) == [Flag.nonfinite, Flag.nonfinite, Flag.shrunk, Flag.ok]
    # the end of a domain that is not 0: one side
    ends_at_1 = derivative(lambda x: np.where(x <= 1, x**2, np.nan), 1.0, full_output=True)
    assert ends_at_1.value == pytest.approx(2, rel=1e-7)
    assert ends_at_1.flag & Flag.one_sided


def test_retries_are_silent_but_first_calls_are_the_users():
    with pytest.warns(RuntimeWarning):
        derivative(np.sqrt, -1.0)
    heard = []

    def fun(x):
        heard.append(np.geterr()["invalid"])
        with np.errstate(all="ignore"):
            return np.log(x)

    derivative(fun, 1e-9)
    assert len(heard) > 2
    assert heard[:2] == ["warn", "warn"]
    assert set(heard[2:]) == {"ignore"}


def test_critical_point():
    f = lambda p: p**7 * (1 - p) ** 3  # noqa: E731
    assert abs(derivative(f, 0.7)) < 1e-10
    assert abs(derivative(f, 0.7, order=6)) < 2e-12
    p = 0.7
    second = 42 * p**5 * (1 - p) ** 3 - 42 * p**6 * (1 - p) ** 2 + 6 * p**7 * (1 - p)
    assert derivative(f, p, n=2, order=4) == pytest.approx(second, rel=1e-7)


RULES = [("central", order, n) for order in (2, 4, 6, 8) for n in range(1, 7)]
RULES += [(method, order, n) for method in ("forward", "backward") for order in (1, 2, 3, 4) for n in range(1, 7)]


@pytest.mark.parametrize(("method", "order", "n"), RULES)
def test_order_of_convergence_exactness_and_counts(method, order, n, counted):
    # a polynomial that the stencil has exactly, in integers: no rounding
    degree = n + order - 1
    x = np.array([0.0, 1.0, -2.0])
    fun = counted(lambda x: x**degree)
    exact = math.perm(degree, n) * x ** (degree - n)
    found = derivative(fun, x, n=n, method=method, order=order, abs_step=0.5, full_output=True)
    assert np.allclose(found.value, exact, rtol=1e-9, atol=1e-6)
    row = central(order, n) if method == "central" else forward(order, n)
    assert found.nfev == fun.nfev == len(row[0])
    # the error for exp falls with h^order; on the side where the terms of the error have one sign
    h = {1: 0.01, 2: 0.05, 3: 0.05, 4: 0.08, 6: 0.25, 8: 0.4}[order] * (1 + (n > 3))
    sign = -1 if method == "backward" else 1
    errors = [
        abs(derivative(lambda x: np.exp(sign * x), 0.0, n=n, method=method, order=order, abs_step=step) - sign**n)
        for step in (h, h / 2)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.45)


@pytest.mark.parametrize(("method", "order", "n"), RULES)
def test_default_steps_and_error_bars(method, order, n):
    x = np.linspace(-3, 3, 25)
    found = derivative(np.sin, x, n=n, method=method, order=order, full_output=True)
    error = np.abs(found.value - np.sin(x + n * np.pi / 2))
    # one-sided weights are larger
    assert np.max(error) < (300 if method == "central" else 3000) * np.finfo(float).eps ** (order / (order + n))
    assert np.mean(error <= found.error) > 0.9
    assert np.all(np.frexp(np.abs(found.step))[0] == 0.5)
    assert np.array_equal(found.value, derivative(np.sin, x, n=n, method=method, order=order))


def test_shapes(counted):
    for shape in [(), (1,), (5,), (2, 3), (2, 1, 3), (0,), (20_000,)]:
        x = np.linspace(0.1, 0.9, math.prod(shape)).reshape(shape)
        fun = counted(np.exp)
        value = derivative(fun, x)
        assert np.shape(value) == shape
        assert np.allclose(value, np.exp(x), rtol=1e-9)
        assert {y.shape for y in fun.seen} <= {shape}
        assert fun.nfev == (2 if x.size else 0)
    assert type(derivative(np.sin, 1)) is float
    assert type(derivative(math.sin, 1.0, vectorized=False)) is float
    result = derivative(np.sin, 1, full_output=True)
    assert [type(v) for v in (result.value, result.error, result.step, result.flag)] == [float, float, float, int]
    assert derivative(np.sin, [[0, 1]]).shape == (1, 2)
    assert derivative(np.sin, X.reshape(20, 20).T).shape == (20, 20)
    assert np.array_equal(derivative(np.sin, X[::-2]), derivative(np.sin, X)[::-2])


def test_point_by_point(counted):
    seen = []

    def fun(x):
        seen.append(type(x))
        return math.sin(x)

    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    result = derivative(fun, x, vectorized=False, full_output=True)
    assert set(seen) == {float}
    assert result.nfev == len(seen) == 8
    assert np.allclose(result.value, derivative(np.sin, x), rtol=1e-9)
    branches = lambda x: x * x if x > 0 else -x  # noqa: E731
    assert np.allclose(derivative(branches, [-1.0, 2.0], vectorized=False), [-1, 4])


def test_parameters_of_the_shape_of_x():
    a = np.arange(1.0, 7.0).reshape(2, 3)
    x = np.full((2, 3), 0.5)
    x[0, 0] = 1e-9  # tried again
    with np.errstate(all="ignore"):
        assert np.allclose(derivative(lambda x: a * np.log(x), x), a / x, rtol=1e-3)
    assert np.allclose(derivative(lambda x, a, b: a * x**b, x, args=(a,), kwargs={"b": 2}), 2 * a * x)


def test_functions_that_write_keep_and_return_one_buffer():
    x = np.linspace(-2, 2, 1000)
    before = x.copy()
    kept, buffer = [], np.empty_like(x)

    def writes(x):
        x *= -1
        return -(x**3)

    def keeps(x):
        kept.append((x, x.copy()))
        return x**3

    def keeps_a_view(x):
        kept.append((x[::2], x[::2].copy()))
        return x**3

    def returns_its_argument(x):
        x[...] = x**3
        return x

    def returns_one_buffer(x):
        np.power(x, 3, out=buffer)
        return buffer

    def keeps_its_values(x):
        y = x**3
        kept.append((y, y.copy()))
        return y

    for fun in (writes, keeps, keeps_a_view, returns_its_argument, returns_one_buffer, keeps_its_values):
        for method in ("central", "forward", "backward"):
            value = derivative(fun, x, method=method)
            assert np.allclose(value, 3 * x**2, atol=2e-6), fun.__name__
            assert np.array_equal(x, before)
            assert not np.shares_memory(value, buffer)
            assert np.allclose(derivative(fun, x, method=method, full_output=True).value, 3 * x**2, atol=2e-6)
    assert all(np.array_equal(a, b) for a, b in kept)
    assert np.allclose(derivative(lambda x: x, x), 1)
    assert np.allclose(derivative(lambda x: x[::-1][::-1], x), 1)
    gc.collect()


def test_float32(counted):
    fun = counted(lambda x: np.sin(x).astype(np.float32))
    x = np.linspace(-3, 3, 100)
    for full_output in (False, True):
        fun.nfev = 0
        found = derivative(fun, x, full_output=full_output)
        assert fun.nfev == 3
        value = found.value if full_output else found
        assert np.max(np.abs(value - np.cos(x))) < 1e-3
    assert np.all(found.flag == Flag.low_precision)
    assert np.mean(np.abs(found.value - np.cos(x)) <= found.error) > 0.97
    assert found.nfev == 3
    own = derivative(fun, x, abs_step=0.01, full_output=True)
    assert own.nfev == 2
    assert derivative(np.sin, np.float32(1)) == pytest.approx(math.cos(1), rel=1e-9)  # fun gets float64


def test_step_options():
    x = np.array([0.0, 2.0])
    step = lambda **options: derivative(np.sin, x, full_output=True, **options).step  # noqa: E731
    assert np.allclose(step(abs_step=[1e-3, 1e-4]), [1e-3, 1e-4], rtol=1e-9)
    assert np.allclose(step(rel_step=1e-3, x_scale=[10.0, 0.1]), [1e-2, 2e-3], rtol=1e-9)
    assert np.all(step(method="backward") < 0)
    assert derivative(lambda x: np.sin(x / 1e-8), 1e-9, x_scale=1e-8) == pytest.approx(1e8 * math.cos(0.1), rel=1e-8)
    scale = np.array([1e-8, 1e3])
    assert np.allclose(derivative(lambda x: np.sin(x / scale), 0 * x, x_scale=scale), 1 / scale, rtol=1e-8)


def test_huge_x():
    assert derivative(lambda x: x / 1e300, 1e308) == pytest.approx(1e-300, rel=1e-8)
    assert derivative(np.sin, np.array([1.0]), bounds=(-np.inf, np.inf))[0] == pytest.approx(math.cos(1), rel=1e-9)


@given(
    x=st.lists(st.floats(-10, 10), min_size=1, max_size=5),
    below=st.floats(0, 1e-3) | st.floats(0, 1e-15),
    above=st.floats(0, 1e-3) | st.floats(0, 1e-15),
    rule=st.sampled_from(RULES),
    step=st.none() | st.floats(1e-6, 10.0),
)
def test_never_outside_the_bounds(x, below, above, rule, step):
    method, order, n = rule
    x = np.array(x)
    lb, ub = x - below, x + above

    def fun(y):
        assert np.all((y >= lb) & (y <= ub))
        return np.exp(0.1 * y)

    result = derivative(fun, x, n=n, method=method, order=order, bounds=(lb, ub), abs_step=step, full_output=True)
    assert np.array_equal(np.isnan(result.value), (result.flag & (Flag.fixed | Flag.nonfinite)) != 0)


def test_bounds(counted):
    x = np.array([0.0, 0.5, 1.0])
    fun = counted(np.exp)
    result = derivative(fun, x, bounds=(0.0, 1.0), full_output=True)
    assert np.allclose(result.value, np.exp(x), rtol=1e-8)
    assert list(result.flag) == [Flag.one_sided, Flag.ok, Flag.one_sided]
    assert result.nfev == fun.nfev == 5
    fixed = derivative(np.exp, x, bounds=([0.0, 0.5, 0.0], [1.0, 0.5, 1.0]), full_output=True)
    assert math.isnan(fixed.value[1])
    assert fixed.flag[1] == Flag.fixed
    assert derivative(np.abs, 0.0, bounds=(0, np.inf)) == 1
    assert derivative(np.abs, 0.0, bounds=(-np.inf, 0)) == -1
    narrow = derivative(np.exp, 0.5, bounds=(0.5 - 1e-9, 0.5 + 1e-9), full_output=True)
    assert narrow.flag == Flag.shrunk
    assert narrow.value == pytest.approx(math.exp(0.5), rel=1e-5)
    with np.errstate(all="ignore"):
        assert np.allclose(derivative(np.log, [1e-9, 1.0], bounds=(0, np.inf)), [1e9, 1], rtol=0.01)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"n": 7}, ValueError, ["`n`", "1, 2, 3, 4, 5, 6", "7"]),
        ({"n": 0}, ValueError, ["`n`", "0"]),
        ({"n": 1.5}, TypeError, ["`n`", "integer", "1.5"]),
        ({"n": True}, TypeError, ["`n`", "True"]),
        ({"order": 3}, ValueError, ["`order`", "2, 4, 6, 8", "central", "3"]),
        ({"order": 6, "method": "forward"}, ValueError, ["`order`", "1, 2, 3, 4", "forward", "6"]),
        ({"order": 2.0}, TypeError, ["`order`", "2.0"]),
        ({"method": "centre"}, ValueError, ["`method`", "'central'", "'forward'", "'backward'", "'centre'"]),
        ({"method": None}, ValueError, ["`method`", "None"]),
        ({"abs_step": -1.0}, ValueError, ["`abs_step`", "-1.0"]),
        ({"abs_step": 1e-30}, ValueError, ["`abs_step`", "too small", "1e-30"]),
        ({"abs_step": 1e305}, ValueError, ["`abs_step`", "too large"]),
        ({"rel_step": "a"}, TypeError, ["`rel_step`", "'a'"]),
        ({"rel_step": [1.0, 2.0]}, ValueError, ["`rel_step`", "`x`", "(3,)", "(2,)"]),
        ({"rel_step": 0.1, "abs_step": 0.1}, ValueError, ["`rel_step`", "`abs_step`"]),
        ({"bounds": (0.0, [1.0])}, ValueError, ["`bounds`", "`x`", "(3,)"]),
        ({"bounds": (2.5, 3.0)}, ValueError, ["`x` must be within `bounds`", "x[0]"]),
        ({"args": 3}, TypeError, ["`args`"]),
        ({"kwargs": 3}, TypeError, ["`kwargs`"]),
    ],
)
def test_errors_of_options(options, error, words):
    with pytest.raises(error) as caught:
        derivative(np.sin, [1.0, 2.0, 3.0], **options)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("fun", "error", "words"),
    [
        (np.sum, ValueError, ["`fun`", "elementwise", "(3,)", "one number", "vectorized=False", "gradient"]),
        (lambda x: 1.0, ValueError, ["`fun`", "elementwise"]),
        (lambda x: x[:2], ValueError, ["`fun`", "elementwise", "(3,)", "(2,)"]),
        (lambda x: x[:, None] * x, ValueError, ["(3, 3)"]),
        (lambda x: None, TypeError, ["None", "return"]),
        (lambda x: x > 0, TypeError, ["`fun`", "real numbers", "bool"]),
        (lambda x: x * 1j, TypeError, ["`fun`", "real numbers", "complex"]),
        (3, TypeError, ["`fun`", "callable"]),
    ],
)
@pytest.mark.parametrize("full_output", [False, True])
def test_errors_of_fun(fun, error, words, full_output):
    with pytest.raises(error) as caught:
        derivative(fun, [1.0, 2.0, 3.0], full_output=full_output)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("full_output", [False, True])
def test_errors_of_x_and_exceptions_of_fun(full_output, counted):
    fun = counted(np.sin)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match=r"`x` must be finite; x\[1\] is"):
            derivative(fun, [1.0, bad], full_output=full_output)
    assert fun.nfev == 0
    with pytest.raises(TypeError, match="`x`"):
        derivative(fun, "a")
    with pytest.raises(TypeError, match="`x`"):
        derivative(fun, 1j)
    error = RuntimeError("mine")

    def raises(x):
        raise error

    with pytest.raises(RuntimeError) as caught:
        derivative(raises, [1.0], full_output=full_output)
    assert caught.value is error
    # a fun of one number is called point by point, and its errors are its own
    with pytest.raises(TypeError):
        derivative(math.sin, [1.0, 2.0])


def test_the_quick_way_gives_the_bits_of_the_general_one():
    x = np.concatenate([X, 10.0 ** np.arange(-12, 12), -(2.0 ** np.arange(-20.0, 20.0)), [0.0]])
    for method in ("central", "forward", "backward"):
        for fun in (np.tanh, np.cos, lambda x: x**2 / 100):
            quick = derivative(fun, x, method=method)
            assert np.array_equal(quick, derivative(fun, x, method=method, full_output=True).value)


def test_fun_may_make_its_argument_read_only(backend):
    def fun(x):
        value = np.sin(x)
        x.setflags(write=False)
        return value

    x = np.array([1.0, 2.0])
    assert np.array_equal(derivative(fun, x), derivative(np.sin, x))
    assert np.array_equal(derivative(fun, x, method="forward"), derivative(np.sin, x, method="forward"))
    assert x.flags.writeable


@pytest.mark.parametrize(
    ("fun", "n", "methods"),
    [
        (np.cbrt, 1, ["central", "forward", "backward"]),
        (lambda x: np.sqrt(np.abs(x)) * np.sign(x), 1, ["central", "forward", "backward"]),
        (lambda x: np.sqrt(np.abs(x)), 1, ["forward", "backward"]),
        (np.abs, 2, ["central"]),
        (lambda x: np.abs(x) ** 1.5, 2, ["central", "forward"]),
    ],
)
def test_an_infinite_derivative_has_no_error_bar(fun, n, methods):
    for method in methods:
        found = derivative(fun, 0.0, n=n, method=method, full_output=True)
        assert found.error == np.inf
        assert found.flag & Flag.kink
        assert np.isfinite(found.value)
        assert derivative(fun, 0.0, n=n, method=method) == found.value
        if fun is np.abs:
            continue
        bounded = derivative(lambda x: fun(x - 1), 1.0, n=n, method=method, bounds=(1.0, 2.0), full_output=True)
        assert bounded.error == np.inf
        assert bounded.flag & Flag.kink


@np.errstate(invalid="ignore")
def test_the_slope_of_sqrt_at_0_is_infinite(counted):
    for method in ("central", "forward"):
        fun = counted(np.sqrt)
        found = derivative(fun, [0.0, 1.0], method=method, full_output=True)
        assert found.error[0] == np.inf
        assert found.error[1] < 1e-6
        assert found.flag[0] & Flag.kink
        assert found.flag[1] == 0
        assert found.nfev == fun.nfev


def test_a_steep_smooth_function_keeps_a_good_bar(counted):
    for rate in (50.0, 1e3, 1e4):
        fun = counted(lambda x, rate=rate: np.exp(rate * x))
        found = derivative(fun, [0.0, 1e-3], full_output=True)
        true = rate * np.exp(rate * np.array([0.0, 1e-3]))
        assert abs(found.value[0] - true[0]) <= found.error[0] < 0.3 * true[0]
        assert found.nfev == fun.nfev == 4
        assert not found.flag.any()


@pytest.mark.parametrize(
    ("method", "n", "close"), [("central", 1, 0.01), ("forward", 1, 0.1), ("backward", 1, 0.1), ("central", 2, 0.3)]
)
@pytest.mark.parametrize("vectorized", [True, False])
def test_noise(method, n, close, vectorized):
    noise, rng, x = 1e-4, np.random.default_rng(0), np.array([0.0, 0.5, 1.0])
    off, held = [], 0

    def fun(z):
        return np.exp(z) + noise * rng.normal(size=np.shape(z))

    for _ in range(40):
        found = derivative(fun, x, n=n, method=method, noise=noise, vectorized=vectorized, full_output=True)
        calls = (2 if method != "central" else 3) * (1 if vectorized else 3)
        assert found.nfev == calls
        off.append(abs(found.value - np.exp(x)))
        held += np.mean(abs(found.value - np.exp(x)) <= found.error)
        assert not found.flag.any()
    assert np.median(off) < close
    assert held > 36


def test_noise_estimated_bounded_and_wrong():
    rng = np.random.default_rng(0)

    def fun(z):
        return np.exp(z) + 1e-4 * rng.normal(size=z.shape)

    x = np.array([[0.0, 0.5], [1.0, 0.2]])
    found = derivative(fun, x, noise="estimate", full_output=True)
    assert np.allclose(found.value, np.exp(x), atol=0.1)
    assert found.nfev >= 9 + 3
    bounded = derivative(fun, x, noise=1e-4, bounds=(0.0, 1.0))
    assert np.allclose(bounded, np.exp(x), atol=0.1)
    assert np.array_equal(derivative(np.sin, x, noise=0.0), derivative(np.sin, x))
    assert derivative(np.sin, [], noise="estimate").shape == (0,)
    coarse = derivative(lambda z: np.exp(z.astype(np.float32)), x, noise=1e-3)
    assert np.allclose(coarse, np.exp(x), atol=0.05)
    for bad, error in ((-1.0, ValueError), ("loud", TypeError)):
        with pytest.raises(error, match="`noise`"):
            derivative(np.sin, x, noise=bad)
