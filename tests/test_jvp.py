"""jvp: against the Jacobian and closed forms, counts, bounds, domains, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdiff import Flag, jacobian, jvp

A = np.array([[0.3, -1.2, 0.7, 0.1], [1.0, 0.4, -0.5, 0.9], [-0.2, 0.8, 0.6, -1.1]])
X = np.array([0.5, -0.3, 1.2, 0.8])
V = np.array([1.0, -2.0, 0.5, 0.3])
RTOL = {"central": 1e-9, "forward": 3e-7, "backward": 3e-7}


def f(x):
    return np.sin(A @ x.reshape(-1))


EXACT = np.cos(A @ X) * (A @ V)


@pytest.mark.parametrize(("method", "calls", "with_f0"), [("central", 2, 2), ("forward", 2, 1), ("backward", 2, 1)])
def test_values_and_counts(method, calls, with_f0, counted):
    fun = counted(f)
    result = jvp(fun, X, V, method=method, full_output=True)
    assert np.allclose(result.value, EXACT, rtol=RTOL[method])
    assert np.allclose(result.value, jacobian(f, X, method=method) @ V, rtol=RTOL[method])
    assert result.nfev == fun.nfev == calls
    assert result.value.shape == result.step.shape == result.flag.shape == (3,)
    assert result.method == method
    assert not result.flag.any()
    fun = counted(f)
    result = jvp(fun, X, V, method=method, f0=f(X), full_output=True)
    assert result.nfev == fun.nfev == with_f0
    assert np.allclose(result.value, EXACT, rtol=RTOL[method])


def test_numbers_and_shapes(counted):
    square = lambda x: float(np.sum(x * x))  # noqa: E731
    value = jvp(square, X, V)
    assert type(value) is float
    assert value == pytest.approx(2 * X @ V, rel=1e-9)
    assert jvp(lambda x: np.array([np.sum(x * x)]), X, V).shape == (1,)
    assert jvp(lambda x: x**3, 2.0, 0.5) == pytest.approx(6.0, rel=1e-9)
    result = jvp(square, X, V, full_output=True)
    assert [type(v) for v in (result.value, result.step, result.flag)] == [float, float, int]
    W = X.reshape(2, 2)
    fun = counted(f)
    assert np.allclose(jvp(fun, W, V.reshape(2, 2)), EXACT)
    assert {x.shape for x in fun.seen} == {(2, 2)}
    assert np.allclose(jvp(lambda x, a, b: a * f(x) + b, X, V, args=(2.0,), kwargs={"b": 1.0}), 2 * EXACT)


def test_zero_direction(counted):
    fun = counted(f)
    result = jvp(fun, X, 0 * V, full_output=True)
    assert np.array_equal(result.value, np.zeros(3))
    assert result.nfev == fun.nfev == 1
    assert jvp(lambda x: 1.0, X, 0 * V) == 0.0
    fun = counted(f)
    assert np.array_equal(jvp(fun, X, 0 * V, f0=f(X)), np.zeros(3))
    assert fun.nfev == 0


def test_linear_in_v():
    for power in (-300, -20, 1, 40, 300):
        assert np.array_equal(jvp(f, X, 2.0**power * V), 2.0**power * jvp(f, X, V))  # the same points
    for factor in (-1.0, 1e-6, 3.7, 1e9):
        assert np.allclose(jvp(f, X, factor * V) / factor, EXACT, rtol=1e-9)


def test_no_component_moves_farther_than_its_step():
    x = np.array([1e6, 1.0, 1e-3])
    seen = []

    def fun(y):
        seen.append(np.abs(y - x))
        return y.sum()

    for v in ([1.0, 1.0, 1.0], [1e6, 0.0, 1.0], [0.0, 1e-9, 1e-9]):
        jvp(fun, x, v)
    jvp(fun, x, [1.0, 2.0, 3.0], abs_step=[1e-2, 1e-3, 1e-3])
    jvp(fun, x, [1.0, 2.0, 3.0], rel_step=1e-6)
    assert np.all(np.max(seen, axis=0) <= [10.0, 1e-3 * 1.01, 1e-3 * 1.01])


def test_fun_may_write_and_keep():
    kept = []

    def fun(x):
        kept.append((x, x.copy()))
        return f(x)

    def writes(x):
        value = f(x)
        x *= -1
        return value

    for method in RTOL:
        assert np.allclose(jvp(fun, X, V, method=method), EXACT, rtol=RTOL[method])
        assert np.allclose(jvp(writes, X, V, method=method), EXACT, rtol=RTOL[method])
    assert all(np.array_equal(a, b) for a, b in kept)
    buffer = np.empty(3)

    def one_buffer(x):
        buffer[:] = f(x)
        return buffer

    assert np.allclose(jvp(one_buffer, X, V), EXACT)


def test_bounds(counted):
    fun = counted(lambda x: np.exp(x))
    result = jvp(fun, [0.0, 1.0], [1.0, -1.0], bounds=(0, [1, 2]), full_output=True)
    assert np.allclose(result.value, [1, -np.e], rtol=1e-8)
    assert np.all(result.flag == Flag.one_sided)
    assert result.nfev == fun.nfev == 3
    result = jvp(np.exp, [0.0, 1.0], [1.0, 1.0], bounds=(0, 1), full_output=True)  # no way along v
    assert np.isnan(result.value).all()
    assert np.all(result.flag == Flag.fixed)
    assert np.allclose(jvp(np.exp, [0.0, 1.0], [0.0, 1.0], bounds=([0, -9], [0, 9])), [0, np.e])  # fixed, but not moved
    result = jvp(np.exp, [1.0], [1.0], method="forward", bounds=(0, 1), full_output=True)
    assert result.flag[0] == Flag.one_sided
    assert result.step[0] < 0


@given(
    x=st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    v=st.lists(st.floats(-10, 10), min_size=3, max_size=3),
    below=st.floats(0, 1e-3) | st.floats(0, 1e-15),
    above=st.floats(0, 1e-3) | st.floats(0, 1e-15),
    method=st.sampled_from(list(RTOL)),
)
def test_never_outside_the_bounds(x, v, below, above, method):
    x, v = np.array(x), np.array(v)
    v[np.abs(v) < 1e-100] = 0
    lb, ub = x - below, x + above

    def fun(y):
        assert np.all((y >= lb) & (y <= ub))
        return np.exp(0.1 * y)

    jvp(fun, x, v, bounds=(lb, ub), method=method)


@np.errstate(all="ignore")
def test_domains():
    result = jvp(np.log, [1e-9, 2.0], [1.0, 1.0], full_output=True)
    assert np.allclose(result.value, [1e9, 0.5], rtol=1e-3)
    assert [Flag(v) for v in result.flag] == [Flag.shrunk, Flag.ok]
    result = jvp(lambda x: np.where(x <= 1, x**2, np.nan), [1.0], [1.0], full_output=True)
    assert result.value[0] == pytest.approx(2, rel=1e-6)
    assert result.flag[0] & Flag.one_sided
    result = jvp(np.sqrt, [-1.0, 4.0], [1.0, 1.0], full_output=True)
    assert np.allclose(result.value, [np.nan, 0.25], equal_nan=True)
    assert [Flag(v) for v in result.flag] == [Flag.nonfinite, Flag.ok]


@pytest.mark.parametrize("method", ["forward", "backward"])
@pytest.mark.parametrize(("x", "bounds", "end"), [(1e-9, None, 0.0), (1.0 + 1e-9, (1.0, 9.0), 1.0)])
def test_a_one_sided_step_across_an_end_is_shortened(method, x, bounds, end):
    with np.errstate(invalid="ignore"):
        result = jvp(lambda z: np.log(z - end), [x], [1.0], method=method, bounds=bounds, full_output=True)
    off = abs(result.value[0] - 1 / (x - end))
    assert off < 3e-3 / (x - end)
    assert off < result.error[0] < 0.3 / (x - end)
    assert result.flag[0] & Flag.shrunk


def test_two_components_of_which_one_is_at_an_end():
    result = jvp(np.log, [1e-9, 1.0], [1.0, -2.0], method="forward", full_output=True)
    assert np.allclose(result.value, [1e9, -2.0], rtol=3e-3)
    assert [Flag(v) for v in result.flag] == [Flag.shrunk, Flag.ok]


@pytest.mark.parametrize("method", list(RTOL))
@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e9])
def test_the_error_covers_the_error(method, factor):
    result = jvp(f, X, factor * V, method=method, full_output=True)
    assert np.all(abs(result.value - factor * EXACT) < result.error)
    assert np.all(result.error < 1e-4 * factor)
    one = jvp(lambda x: float(f(x)[0]), X, V, method=method, full_output=True)
    assert type(one.error) is float
    assert 0 < one.error < 1e-4
    assert np.array_equal(jvp(f, X, 0 * V, full_output=True).error, np.zeros(3))


@pytest.mark.parametrize(("method", "close"), [("central", 0.02), ("forward", 0.2)])
def test_noise(method, close, counted):
    noise, off, held = 1e-4, [], 0
    rng = np.random.default_rng(0)
    fun = counted(lambda x: f(x) + noise * rng.normal(size=3))
    for k in range(50):
        result = jvp(fun, X, V, method=method, noise=noise, full_output=True)
        assert fun.nfev == (k + 1) * result.nfev == (k + 1) * (3 if method == "central" else 2)
        off.append(abs(result.value - EXACT).max())
        held += np.all(abs(result.value - EXACT) < result.error)
    assert np.median(off) < close
    assert held > 40
    assert np.allclose(jvp(fun, X, V, noise="estimate"), EXACT, atol=0.1)
    with pytest.raises(TypeError, match="`noise`"):
        jvp(f, X, V, noise="loud")


def test_float32(counted):
    fun = counted(lambda x: f(x).astype(np.float32))
    result = jvp(fun, X, V, full_output=True)
    assert np.allclose(result.value, EXACT, atol=1e-3)
    assert result.nfev == fun.nfev == 3
    assert np.all(result.flag == Flag.low_precision)


@pytest.mark.parametrize(
    ("v", "options", "error", "words"),
    [
        ([1.0, 2.0], {}, ValueError, ["`v`", "`x0`", "(4,)", "(2,)"]),
        (1.0, {}, ValueError, ["`v`", "()"]),
        (["a"] * 4, {}, TypeError, ["`v`"]),
        ([1.0, np.nan, 0.0, 0.0], {}, ValueError, ["`v` must be finite", "v[1]", "nan"]),
        (V, {"method": "complex"}, ValueError, ["`method`", "'central'", "'complex'"]),
        (V, {"rel_step": 1.0, "abs_step": 1.0}, ValueError, ["`rel_step`", "`abs_step`"]),
        (V, {"abs_step": 1e-40}, ValueError, ["`abs_step`", "too small"]),
        (V, {"rel_step": 0.0}, ValueError, ["`rel_step`"]),
        (V, {"bounds": (2.0, 3.0)}, ValueError, ["`x0` must be within `bounds`"]),
        (V, {"f0": [[1.0, 2.0]]}, ValueError, ["`f0`"]),
        (V, {"args": 1}, TypeError, ["`args`"]),
    ],
)
def test_errors(v, options, error, words):
    with pytest.raises(error) as caught:
        jvp(f, X, v, **options)
    assert all(word in str(caught.value) for word in words), caught.value


def test_errors_of_fun():
    with pytest.raises(TypeError, match="None"):
        jvp(lambda x: None, X, V)
    with pytest.raises(ValueError, match="1-D"):
        jvp(lambda x: np.outer(x, x), X, V)
    sizes = iter([2, 3])
    with pytest.raises(ValueError, match="one shape"):
        jvp(lambda x: np.ones(next(sizes)), X, V)
