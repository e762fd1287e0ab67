"""What users' functions do, and what must not go wrong: every trap of research/USERS.md section 0 and PEERS.md 7."""

from __future__ import annotations

import gc
import sys
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numdiff
from numdiff import Flag, approx_derivative, approx_fprime, gradient, jacobian

METHODS = ["forward", "backward", "central"]
ATOL = {"forward": 1e-6, "backward": 1e-6, "central": 1e-9}


def total(x):
    return float((x**2).sum())


def every_gradient(fun, x0):
    """(name, gradient) by every name and method of numdiff that takes a scalar function."""
    for method in METHODS:
        yield method, gradient(fun, x0, method=method)
    yield "approx_fprime", approx_fprime(x0, fun)
    for method in ("2-point", "3-point"):
        yield method, approx_derivative(fun, x0, method=method)


# Buffers and references: scipy#19463, scipy#13740, FiniteDiff.jl#111


@pytest.mark.parametrize("method", METHODS)
def test_fun_returns_one_buffer_every_time(method):
    # scipy#19463: an all-zero Jacobian in SciPy, statsmodels, numdifftools and jacobi
    buffer = np.empty(2)

    def fun(x):
        np.multiply(x, [2.0, 3.0], out=buffer)
        return buffer

    assert np.allclose(jacobian(fun, [1.0, 2.0], method=method), np.diag([2.0, 3.0]), atol=1e-6)
    for name in ("2-point", "3-point"):
        assert np.allclose(approx_derivative(fun, [1.0, 2.0], method=name), np.diag([2.0, 3.0]), atol=1e-6)
        J = approx_derivative(fun, [1.0, 2.0], method=name, workers=lambda f, xs: [f(x) for x in xs])
        assert np.allclose(J, np.diag([2.0, 3.0]), atol=1e-6)
    assert np.allclose(approx_fprime([1.0, 2.0], fun), np.diag([2.0, 3.0]), atol=1e-6)


def test_fun_returns_one_buffer_of_one_number():
    buffer = np.empty(())

    def fun(x):
        buffer[...] = x.sum() ** 2
        return buffer

    for name, g in every_gradient(fun, np.array([1.0, 2.0])):
        assert np.allclose(g, 6.0, atol=1e-6), name


@pytest.mark.parametrize("returned", [lambda x: x, lambda x: x[:], lambda x: x[::-1]])
def test_fun_returns_its_argument_or_a_view(returned):
    x0 = np.array([1.0, 2.0, 5.0])
    expected = np.eye(3)[[np.flatnonzero(x0 == v)[0] for v in returned(x0)]]
    for method in METHODS:
        assert np.allclose(jacobian(returned, x0, method=method), expected, atol=1e-7)
    assert np.allclose(approx_fprime(x0, returned), expected, atol=1e-7)


@pytest.mark.parametrize("n", [3, 70, 500])
def test_fun_keeps_every_x(n):
    x0 = np.linspace(1, 2, n)
    for method in METHODS:
        history = []

        def fun(x, history=history):
            history.append((x, x.copy()))
            return total(x)

        result = gradient(fun, x0, method=method, full_output=True)
        assert np.allclose(result.value, 2 * x0, rtol=0, atol=1e-4)
        assert all(np.array_equal(kept, then) for kept, then in history)
        assert result.nfev == len(history)
        assert len({id(kept) for kept, _ in history}) == len(history)


WRITES = {
    "zeroes it": lambda x: x.fill(0.0),
    "x *= -1": lambda x: np.multiply(x, -1, out=x),
    "reverses it": lambda x: x.__setitem__(slice(None), x[::-1].copy()),
    "toggles one entry": lambda x: x.__setitem__(0, 1.0 - x[0]),
    "x -= x.mean()": lambda x: np.subtract(x, x.mean(), out=x),
    "sorts it": lambda x: x.sort(),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("n", [2, 3, 100])
def test_fun_writes_into_its_argument(write, n):
    # scipy#13740 and section 0, 2: a wrong gradient, and the caller's x0 changed
    x0 = np.linspace(0, 3, n)
    before = x0.copy()

    def fun(x):
        value = total(x)
        WRITES[write](x)
        return value

    for name, g in every_gradient(fun, x0):
        assert np.allclose(g, 2 * before, rtol=0, atol=1e-4 if name not in ("central", "3-point") else 1e-7), name
        assert np.array_equal(x0, before)


def test_the_case_that_heals_itself():
    # x *= -1 at (0, 3) with central differences: -0 and the negated neighbour come back at the second call
    def fun(x):
        value = float(x[0] + 10 * x[1])
        x *= -1
        return value

    result = gradient(fun, [0.0, 3.0], full_output=True)
    assert np.allclose(result.value, [1.0, 10.0], atol=1e-9)
    assert result.nfev == 1 + 4 or result.nfev == 1 + 1 + 4  # the discarded calls count


@pytest.mark.parametrize("n", [2, 5, 80])
def test_fun_writes_at_the_kth_call_only(n, counted):
    x0 = np.linspace(1, 2, n)
    for k in range(0, 2 * n, max(1, n // 5)):
        calls = []

        def fun(x, calls=calls, k=k):
            value = total(x)
            calls.append(1)
            if len(calls) == k + 1:
                x[(3 * k) % n] = 1e6
            return value

        result = gradient(fun, x0, full_output=True)
        assert np.allclose(result.value, 2 * x0, rtol=0, atol=1e-7)
        assert result.nfev == len(calls)


def test_writing_the_same_value_is_no_write():
    def fun(x):
        x[:] = x
        return total(x)

    assert gradient(fun, [1.0, 2.0], full_output=True).nfev == 4


# Exceptions


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), StopIteration(), SystemExit(3)])
def test_exceptions_pass_untouched_at_every_call(error, counted):
    x0 = np.array([1.0, 2.0, 3.0])
    names = {
        **{m: lambda f, m=m: gradient(f, x0, method=m) for m in METHODS},
        "complex": lambda f: gradient(f, x0, method="complex"),
        "approx_fprime": lambda f: approx_fprime(x0, f),
        "jacobian": lambda f: jacobian(f, x0),
    }
    for name, derivative in names.items():
        f = counted(lambda x: (x**2).sum())
        derivative(f)
        for k in range(f.nfev):
            calls = []

            def fun(x, calls=calls, k=k):
                calls.append(1)
                if len(calls) == k + 1:
                    raise error
                return (x**2).sum()

            with pytest.raises(type(error)) as caught:
                derivative(fun)
            assert caught.value is error, name
            assert len(calls) == k + 1
            assert x0.tolist() == [1.0, 2.0, 3.0]


def test_no_leak_after_exceptions_and_kept_arrays():
    class Argument:
        pass

    argument = Argument()
    alive = weakref.ref(argument)
    x0 = np.arange(100.0)

    def fun(x, a, kept=[]):  # noqa: B006
        kept.append(x)
        if len(kept) % 3 == 0:
            raise ValueError
        return float(x[0])

    before = sys.getrefcount(x0)
    for _ in range(50):
        with pytest.raises(ValueError):
            gradient(fun, x0, args=(argument,))
    assert sys.getrefcount(x0) == before
    fun.__defaults__[0].clear()
    del argument
    gc.collect()
    assert alive() is None


def test_no_leak_in_many_calls(backend):
    x0 = np.arange(2000.0)

    def use():
        for _ in range(20):
            gradient(lambda x: x, x0[:1])
            jacobian(lambda x: x[:3], x0[:3])

    use()
    tracemalloc.start()
    try:
        use()
        first = tracemalloc.get_traced_memory()[0]
        use()
        assert tracemalloc.get_traced_memory()[0] - first < 20_000
    finally:
        tracemalloc.stop()


# What fun returns

OWN = [("gradient", gradient), ("jacobian", jacobian)]


@pytest.mark.parametrize(("name", "derivative"), OWN)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "did fun forget to return"),
        (True, "True"),
        (np.True_, "True"),
        ("1.0", "'1.0'"),
        (1 + 2j, "(1+2j)"),
        (object(), "object"),
        ([1.0, [2.0]], "[1.0, [2.0]]"),
        (np.datetime64("2020-01-01"), "2020-01-01"),
    ],
)
def test_fun_returns_no_real_number(name, derivative, value, said):
    for method in METHODS:
        with pytest.raises(TypeError, match="`fun`") as caught:
            derivative(lambda x: value, [1.0, 2.0], method=method)
        assert said in str(caught.value)


@pytest.mark.parametrize(
    "wrap",
    [
        float,
        np.float64,
        lambda v: np.array(float(v)),
        lambda v: np.array([v]),
        lambda v: np.array([[v]]),
        lambda v: [v],
        np.longdouble,
    ],
)
def test_one_number_in_any_wrapping(wrap):
    assert np.allclose(gradient(lambda x: wrap(x @ x), [1.0, 2.0]), [2, 4], atol=1e-9)
    assert np.allclose(jacobian(lambda x: wrap(x @ x), [1.0, 2.0]), [[2, 4]], atol=1e-9)


def test_integers_count_as_numbers():
    assert gradient(lambda x: 3, [1.0, 2.0]).tolist() == [0.0, 0.0]
    assert gradient(lambda x: np.int32(3), [1.0, 2.0]).tolist() == [0.0, 0.0]


def test_a_vector_for_gradient_points_to_jacobian():
    with pytest.raises(ValueError, match=r"\(3,\).*numdiff\.jacobian"):
        gradient(lambda x: np.zeros(3), [1.0, 2.0])


def test_a_matrix_for_jacobian():
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        jacobian(lambda x: np.zeros((2, 3)), [1.0, 2.0])


@pytest.mark.parametrize("later", [1, 2, 4])
@pytest.mark.parametrize(
    "derivative", [jacobian, lambda f, x: approx_derivative(f, x), lambda f, x: approx_fprime(x, f)]
)
def test_fun_changes_its_shape_midway(later, derivative):
    calls = []

    def fun(x):
        calls.append(1)
        return np.ones(3 if len(calls) < 3 else later)

    with pytest.raises(ValueError, match=f"returned 3 at first and {later} later"):
        derivative(fun, np.array([1.0, 2.0]))


def test_fun_changes_from_a_number_to_an_array():
    calls = []

    def fun(x):
        calls.append(1)
        return 1.0 if len(calls) < 3 else np.ones(2)

    with pytest.raises(ValueError, match=r"\(2,\)"):
        gradient(fun, np.array([1.0, 2.0]))
    calls.clear()
    with pytest.raises(ValueError, match="returned 1 at first and 2 later"):
        approx_fprime([1.0, 2.0], fun)


def test_nan_is_in_one_component_alone():
    def fun(x):
        return float(x[0]) + (0.0 if x[1] == 2.0 else np.nan)

    for method in METHODS:
        result = gradient(fun, [1.0, 2.0], method=method, full_output=True)
        assert result.value[0] == pytest.approx(1.0, abs=1e-7)
        assert np.isnan(result.value[1])
        assert result.flag[1] & Flag.nonfinite
        assert result.flag[0] == Flag.ok


def test_nan_everywhere():
    result = gradient(lambda x: np.nan, [1.0, 2.0], full_output=True)
    assert np.isnan(result.value).all()
    assert (result.flag == Flag.nonfinite).all()


# Re-entrancy and threads


def test_fun_calls_numdiff():
    def inner(y):
        return float((y**3).sum())

    def outer(x):
        return float(gradient(inner, x).sum())

    assert np.allclose(gradient(outer, [1.0, 2.0]), [6.0, 12.0], atol=1e-4)


def test_eight_threads_at_once():
    x0 = np.linspace(1, 2, 150)
    failures = []

    def work(seed):
        a = float(seed + 1)
        for _ in range(15):
            g = gradient(lambda x: a * float(x @ x), x0, method="forward")
            J = jacobian(lambda x: [a * x[0], x[1]], x0[:3])
            if not np.allclose(g, 2 * a * x0, rtol=1e-5) or not np.allclose(J[0], [a, 0, 0], atol=1e-7):
                failures.append(seed)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# Precision: scipy#17636, scipy#12991


@pytest.mark.parametrize("f32", [lambda x: np.float32((x**2).sum()), lambda x: (x.astype(np.float32) ** 2).sum()])
def test_float32_functions(f32):
    x0 = np.array([1.0, 2.0, -3.5])
    for method in METHODS:
        result = gradient(f32, x0, method=method, full_output=True)
        error = np.abs(result.value / (2 * x0) - 1).max()
        assert error < (1e-3 if method == "central" else 1e-2)
        assert (result.flag & Flag.low_precision).all()
    assert np.allclose(approx_fprime(x0, f32), 2 * x0, rtol=1e-2)
    assert np.allclose(jacobian(lambda x: np.array([f32(x)]), x0), [2 * x0], rtol=1e-3)


def test_float16_functions():
    f16 = lambda x: np.float16((x**2).sum())  # noqa: E731
    assert np.allclose(gradient(f16, [1.0, 2.0]), [2, 4], rtol=0.05)
    assert np.allclose(approx_fprime([1.0, 2.0], f16), [2, 4], rtol=0.1)


def test_a_coarser_dtype_discards_the_first_call_and_counts_it(counted):
    f = counted(lambda x: np.float32((x**2).sum()))
    assert gradient(f, [1.0, 2.0], full_output=True).nfev == f.nfev == 5
    f = counted(lambda x: np.float32((x**2).sum()))
    assert gradient(f, [1.0, 2.0], method="forward", full_output=True).nfev == f.nfev == 3


def test_float32_x0_is_passed_as_float64_by_own_names_and_as_is_by_scipys(counted):
    x0 = np.array([1.0, 2.0], np.float32)
    f = counted(total)
    gradient(f, x0)
    assert {x.dtype for x in f.seen} == {np.dtype(np.float64)}
    f = counted(total)
    approx_derivative(f, x0)
    assert {x.dtype for x in f.seen} == {np.dtype(np.float32)}


# Domains, bounds


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("fun", "x", "true"), [(np.log, 1e-9, 1e9), (np.sqrt, 1e-12, 5e5), (np.log, 1e-300, 1e300)])
def test_near_the_end_of_a_domain(method, fun, x, true):
    def f(v):
        with np.errstate(all="ignore"):
            return fun(v[0]) * v[1]

    result = gradient(f, [x, 1.0], method=method, full_output=True)
    assert result.value[0] == pytest.approx(true, rel=1e-2)
    assert result.flag[0] & Flag.shrunk
    assert result.value[1] == pytest.approx(fun(x), rel=1e-6)
    assert result.flag[1] == Flag.ok


def test_one_side_only_at_the_end_of_a_domain():
    def f(v):
        with np.errstate(all="ignore"):
            return float(np.sqrt(v[0] - 1.0) * (v[0] - 1.0))

    result = gradient(f, [1.0], full_output=True)
    assert abs(result.value[0]) < 0.01
    assert result.flag[0] & Flag.one_sided


def test_x_outside_its_bound_by_rounding_is_clipped(counted):
    # section 0, 7: scipy raises
    eps = np.finfo(float).eps
    f = counted(total)
    g = gradient(f, [1.0 + 4 * eps, 2.0], bounds=(0.0, [1.0, 5.0]))
    assert np.allclose(g, [2.0, 4.0], atol=1e-8)
    assert max(x[0] for x in f.seen) <= 1.0
    with pytest.raises(ValueError, match=r"`x0` must be within `bounds`: x0\[0\]"):
        gradient(total, [1.0 + 6 * eps, 2.0], bounds=(0.0, [1.0, 5.0]))


def test_equal_bounds_fix_a_component(counted):
    f = counted(total)
    result = gradient(f, [1.0, 2.0], bounds=([0.0, 2.0], [5.0, 2.0]), full_output=True)
    assert np.isnan(result.value[1])
    assert result.flag[1] == Flag.fixed
    assert result.nfev == f.nfev == 2
    assert all(x[1] == 2.0 for x in f.seen)
    f = counted(total)
    assert np.isnan(gradient(f, [1.0, 2.0], bounds=([1.0, 2.0], [1.0, 2.0]))).all()
    assert f.nfev == 0


@given(data=st.data())
def test_never_outside_the_bounds(data):
    n = data.draw(st.integers(1, 4))
    number = st.floats(-1e6, 1e6) | st.floats(-1e-6, 1e-6) | st.floats(allow_nan=False, allow_infinity=False)
    lb = np.array(data.draw(st.lists(number, min_size=n, max_size=n)))
    width = np.array(data.draw(st.lists(st.floats(0, 1e-3) | st.floats(0, 1e6), min_size=n, max_size=n)))
    with np.errstate(over="ignore"):
        ub = np.minimum(lb + width, np.finfo(float).max)
    t = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.5, 1e-9, 1 - 1e-9]), min_size=n, max_size=n)))
    with np.errstate(over="ignore", invalid="ignore"):
        x0 = np.clip(np.nan_to_num(lb + t * (ub - lb)), lb, ub)
    outside = []

    def fun(x):
        if np.any(x < lb) or np.any(x > ub):
            outside.append(x.copy())
        with np.errstate(all="ignore"):
            return float(np.sum(x))

    def analytic(x):
        with np.errstate(all="ignore"):
            return np.sum(x)

    step = data.draw(st.none() | st.floats(1e-12, 1e3))
    for method in [*METHODS, "complex"]:
        try:
            gradient(analytic if method == "complex" else fun, x0, method=method, bounds=(lb, ub))
            if step is not None and method != "complex":
                gradient(fun, x0, method=method, bounds=(lb, ub), abs_step=step)
        except ValueError as error:
            assert "too small" in str(error)  # noqa: PT017
    for method in ("2-point", "3-point"):
        with np.errstate(all="ignore"):
            approx_derivative(fun, x0, method=method, bounds=(lb, ub), abs_step=step)
    assert not outside


# Points


def test_no_variables(counted):
    f = counted(lambda x: 1.0)
    assert gradient(f, []).shape == (0,)
    assert f.nfev == 0
    assert jacobian(lambda x: np.ones(3), []).shape == (3, 0)
    assert approx_fprime([], lambda x: 1.0).shape == (0,)
    assert approx_derivative(lambda x: np.ones(2), []).shape == (2, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_x0_with_nan_or_inf(bad, counted):
    f = counted(total)
    for method in [*METHODS, "complex"]:
        with pytest.raises(ValueError, match=r"`x0` must be finite; x0\[1\]"):
            gradient(f, [1.0, bad], method=method)
    assert f.nfev == 0


@pytest.mark.parametrize("x", [1e300, -1e300, 1e-300, -1e-300, 1.7e308, 5e-324])
def test_huge_and_tiny_x(x):
    for method in METHODS:
        g = gradient(lambda v: v[0], [x], method=method)
        assert g[0] == pytest.approx(1.0, rel=1e-7)
    with np.errstate(over="ignore"):
        assert gradient(lambda v: float(np.exp(v[0])), [1e-300])[0] == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: np.repeat(x, 2)[::2],
        lambda x: x[::-1][::-1],
        lambda x: x.astype(">f8"),
        lambda x: np.asfortranarray(np.vstack([x, x]))[0],
        lambda x: x.astype(np.float32).astype(np.longdouble),
        lambda x: list(x),
        lambda x: tuple(int(v) for v in x),
    ],
)
def test_x0_of_any_layout(make):
    x = make(np.array([1.0, 2.0, 3.0]))
    if isinstance(x, np.ndarray):
        x.flags.writeable = False
    for name, g in every_gradient(total, x):
        assert np.allclose(g, [2, 4, 6], atol=1e-6), name


class Labelled(np.ndarray):
    """An array of a type of its own, as pandas and astropy have them."""


@pytest.mark.parametrize("m", [1, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda v: v,
        lambda v: np.repeat(v, 2)[::2],
        lambda v: np.ascontiguousarray(v[::-1])[::-1],
        lambda v: np.broadcast_to(v, (2, v.size))[1],
        lambda v: v.astype(">f8"),
        lambda v: v.astype(np.float32),
        lambda v: v.astype(np.longdouble),
        lambda v: v.view(Labelled),
        lambda v: np.ma.masked_array(v),
        lambda v: v.tolist(),
        lambda v: tuple(v),
    ],
)
def test_values_of_any_layout(make, m):
    A = np.arange(1.0, 1.0 + 2 * m).reshape(m, 2)
    for method in METHODS:
        J = jacobian(lambda x: make(A @ x), [1.0, -2.0], method=method, abs_step=0.5)
        assert np.array_equal(J, A), method  # to the bit: halves are exact
    for method in ("2-point", "3-point"):
        J = approx_derivative(lambda x: make(A @ x), [1.0, -2.0], method, abs_step=0.5)
        assert np.array_equal(J, A if m > 1 else A[0]), method


def test_x0_in_fortran_order_and_two_dimensions():
    W = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    A = np.arange(6.0, 12.0).reshape(2, 3)
    for method in METHODS:
        g = gradient(lambda w: (A * w).sum(), W, method=method)
        assert g.shape == (2, 3)
        assert np.allclose(g, A, atol=1e-6)


@pytest.mark.parametrize(
    "x0",
    [
        np.array([1.0, 2.0], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        "12",
        [None],
        [1.0 + 2j],
        [True, False],
    ],
)
def test_x0_that_is_not_numeric(x0, counted):
    f = counted(total)
    with pytest.raises(TypeError, match="`x0` must be a real number or an array of them"):
        gradient(f, x0)
    assert f.nfev == 0


def test_masked_x0():
    with pytest.raises(ValueError, match="`x0` is a masked array"):
        gradient(total, np.ma.masked_array([1.0, 2.0], mask=[False, True]))


# Memory


@pytest.mark.parametrize(
    "derivative", [lambda f, x: gradient(f, x, method="forward"), lambda f, x: approx_fprime(x, f)]
)
def test_workspace_is_at_most_4n_doubles(derivative):
    n = 200_000
    x0 = np.linspace(-1, 1, n)  # with tiny ones, which are looked at twice
    derivative(lambda x: 0.0, x0[:10])
    tracemalloc.start()
    try:
        g = derivative(lambda x: 0.0, x0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - g.nbytes <= 4 * x0.nbytes + 50_000


def test_the_complex_step_verifies_itself():
    x0 = np.array([1.0, -2.0, 3.0])
    assert np.allclose(gradient(lambda x: (x**3).sum(), x0, method="complex"), 3 * x0**2, rtol=1e-15)
    for bad in (
        lambda x: np.abs(x).sum(),
        lambda x: np.linalg.norm(x),
        lambda x: max(x.real),
        lambda x: float(x[0].real),
    ):
        with pytest.raises(ValueError, match="real difference"):
            gradient(bad, x0, method="cs")
    with pytest.raises(TypeError):
        gradient(lambda x: float(complex(x[0])), x0, method="complex")
    # a constant is analytic, though it returns no complex number
    assert gradient(lambda x: 3.0, x0, method="complex").tolist() == [0, 0, 0]


def test_numdiff_has_no_state_between_calls():
    assert not [name for name, value in vars(numdiff).items() if isinstance(value, list | dict) and name[0] != "_"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tiny", [1e-9, 1e-40, 1e-210, 5e-324])
def test_a_smaller_step_that_is_lost_in_the_rest_of_f_is_not_taken(method, tiny):
    # the change over 0.03 |x| would be 0 beside f: the longer step is the right one
    g = gradient(lambda x: float(x[0] + 2 * x[1]), [1e-9, tiny], method=method)
    assert np.allclose(g, [1.0, 2.0], rtol=1e-6)
