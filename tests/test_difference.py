"""The kernels themselves: closed forms, order of convergence, bits, counts, and what fun sees."""

from __future__ import annotations

import importlib
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numdiff import _kernels_py
from numdiff._kernels_py import INVALID, NO_STEP, NONFINITE, OVERFLOW
from numdiff._stencils import CENTRAL, CENTRAL_ORDERS, FORWARD, ONE_SIDED, ONE_SIDED_ORDERS, central, forward

ROWS = {f"central{order}": central(order) for order in CENTRAL_ORDERS}
ROWS |= {f"forward{order}": forward(order) for order in ONE_SIDED_ORDERS}
ORDER = {name: int(name[-1]) for name in ROWS}


def kernels_of(backend):
    return importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend])


def run(kernels, fun, x0, h, stencil, m=1, f0=None, index=None, first=None, args=(), values=None, kept=None):
    x0 = np.asarray(x0, float)
    count = x0.size if index is None else len(index)
    h = np.full(x0.shape if index is None else count, h) if np.ndim(h) == 0 else np.asarray(h, float)
    out = np.full(count if m == 1 else (count, m), 777.0)
    index = None if index is None else np.asarray(index, np.intp)
    values = values or (float if m == 1 else lambda v: np.array(v, float))
    status, nfev = kernels.difference(fun, args, values, m, x0, index, h, stencil, f0, first, out, kept)
    return out, status, nfev


@pytest.fixture
def kernels(backend):
    return kernels_of(backend)


@pytest.mark.parametrize("name", ROWS)
def test_weights_satisfy_the_moment_conditions(name):
    # sum w = 0, sum w o = scale * width, sum w o^k = 0 up to the order: these make a first derivative of that order
    offsets, weights, scale = ROWS[name]
    width = offsets[-1] - offsets[0]
    moments = [sum(w * o**k for o, w in zip(offsets, weights, strict=True)) for k in range(ORDER[name] + 2)]
    assert moments[0] == 0
    assert moments[1] == scale * width
    assert all(moment == 0 for moment in moments[2 : ORDER[name] + 1])
    assert moments[ORDER[name] + 1] != 0
    assert list(offsets) == sorted(offsets)


def test_published_weights():
    # Fornberg (1988), tables 1 and 2
    assert central(2)[:2] == ((-1, 1), (-1, 1))
    assert central(4)[:2] == ((-2, -1, 1, 2), (1, -8, 8, -1))
    assert central(8)[1][4:] == (672, -168, 32, -3)
    assert central(8)[2] * 8 == 840
    assert forward(4)[1] == (-25, 48, -36, 16, -3)
    assert central(2, 4) == ((-2, -1, 0, 1, 2), (1, -4, 6, -4, 1), 1)
    assert (CENTRAL, FORWARD, ONE_SIDED) == (central(2), forward(1), forward(2))


@pytest.mark.parametrize("name", ROWS)
def test_order_of_convergence(kernels, name):
    x, errors = 0.7, []
    longest = {1: 1e-3, 2: 1e-2, 3: 1e-2, 4: 0.02, 6: 0.2, 8: 0.4}[ORDER[name]]
    for h in (longest, longest / 2):
        df, status, _ = run(kernels, lambda v: float(np.exp(v[0])), [x], h, ROWS[name], f0=float(np.exp(x)))
        assert status == 0
        errors.append(abs(df[0] - np.exp(x)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(ORDER[name], abs=0.05)


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("m", [1, 3])
def test_values_kept(kernels, name, m):
    offsets = [offset for offset in ROWS[name][0] if offset]
    x0, h = np.array([0.5, -2.0]), 0.25
    fun = (lambda x: float(x[0] * x[1])) if m == 1 else (lambda x: np.array([x[0], x[1], x[0] * x[1]]))
    kept = np.full((2, len(offsets), m), np.nan)
    f0 = fun(x0)
    with_kept = run(kernels, fun, x0, h, ROWS[name], m, f0=f0, kept=kept)[0]
    expected = [[fun(x0 + offset * h * np.eye(2)[i]) for offset in offsets] for i in range(2)]
    assert kept.tolist() == np.reshape(expected, kept.shape).tolist()
    assert with_kept.tolist() == run(kernels, fun, x0, h, ROWS[name], m, f0=f0)[0].tolist()


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_exact_for_polynomials_of_its_order(kernels, name, sign):
    # steps and points are dyadic, so every operation is exact
    h = sign * 0.25
    x0 = np.array([1.0, -2.0, 0.5])
    power = ORDER[name]
    df, status, _ = run(kernels, lambda v: float((v**power).sum()), x0, h, ROWS[name], f0=float((x0**power).sum()))
    assert status == 0
    assert df.tolist() == (power * x0 ** (power - 1)).tolist()


def test_vector_functions_and_ranges(kernels):
    A = np.arange(12.0).reshape(4, 3)
    x0 = np.array([1.0, 2.0, -3.0])
    out, status, nfev = run(kernels, lambda x: A @ x, x0, 0.5, CENTRAL, m=4)
    assert status == 0
    assert nfev == 6
    assert out.tolist() == A.T.tolist()
    part, _, nfev = run(kernels, lambda x: A @ x, x0, 0.5, FORWARD, m=4, f0=A @ x0, index=[2, 0])
    assert nfev == 2
    assert part.tolist() == A.T[[2, 0]].tolist()


def test_divides_by_the_step_taken(kernels):
    # f(x) = x: the quotient is 1 only if the divisor is (x + h) - x, not h
    for x in (1.0, 3.3, 1e5):
        df, _, _ = run(kernels, lambda v: float(v[0]), [x], 1.23456789e-8, FORWARD, f0=x)
        assert df[0] == 1.0


def test_first_value_saves_its_call(kernels, counted):
    f = counted(lambda x: float(x[0] ** 2))
    df, status, nfev = run(kernels, f, [2.0], 0.5, CENTRAL, first=1.5**2)
    assert (df[0], status, nfev, f.nfev) == (4.0, 0, 1, 1)


def test_args_are_passed(kernels):
    df, _, _ = run(kernels, lambda x, a, b: a * float(x[0]) + b, [2.0], 0.5, CENTRAL, args=(3.0, 1.0))
    assert df[0] == 3.0


def test_no_step_is_found_before_any_call(kernels, counted):
    f = counted(lambda x: 0.0)
    _, status, nfev = run(kernels, f, [1.0, 1e20], 1e-8, CENTRAL)
    assert (status, nfev, f.nfev) == (NO_STEP, 0, 0)


@pytest.mark.parametrize(
    ("values", "remarks"),
    [
        ((1.0, 2.0), 0),
        ((np.nan, 1.0), NONFINITE),
        ((np.inf, 1.0), NONFINITE),
        ((np.inf, np.inf), NONFINITE | INVALID),
        ((-1e308, 1e308), NONFINITE | OVERFLOW),
        ((np.inf, np.nan), NONFINITE),
    ],
)
@pytest.mark.parametrize("m", [1, 2])
def test_remarks(kernels, values, remarks, m):
    each = iter(values)
    fun = (lambda x: next(each)) if m == 1 else (lambda x: [next(each), 1.0])
    _, status, _ = run(kernels, fun, [1.0], 0.5, CENTRAL, m=m)
    assert status == remarks


def test_exceptions_leave_at_once_and_unchanged(kernels, counted):
    error = RuntimeError("mine")
    for k in range(6):
        f = counted(lambda x: 0.0)

        def fun(x, f=f, k=k):
            f(x)
            if f.nfev == k + 1:
                raise error
            return 0.0

        with pytest.raises(RuntimeError) as caught:
            run(kernels, fun, [1.0, 2.0, 3.0], 0.5, CENTRAL)
        assert caught.value is error
        assert f.nfev == k + 1


finite = st.floats(-1e3, 1e3)


@given(
    x0=st.lists(finite, min_size=1, max_size=90),
    h=st.floats(1e-9, 1.0) | st.floats(-1.0, -1e-9),
    name=st.sampled_from(sorted(ROWS)),
    m=st.integers(1, 3),
    writes_at=st.none() | st.integers(0, 200),
    keeps=st.booleans(),
)
def test_both_backends_give_the_same_bits_statuses_and_counts(x0, h, name, m, writes_at, keeps):
    x0 = np.array(x0)
    # numbers that exercise signed zeros, nan and inf as well
    specials = np.array([0.0, -0.0, np.nan, np.inf, 1e308])

    def answer(kernels):
        kept, calls = [], iter(range(10**6))

        def fun(x):
            call = next(calls)
            if keeps:
                kept.append(x)
            value = float(np.sin(x).sum() + 3.0 * x[0] * x[-1])
            if call % 7 == 5:
                value = float(specials[call % 5])
            if call == writes_at:
                x[call % x.size] += 1.0
            return value if m == 1 else np.linspace(1, 2, m) * value

        f0 = 0.25 if m == 1 else np.full(m, 0.25)
        out, status, nfev = run(kernels, fun, x0, h, ROWS[name], m=m, f0=f0)
        return (out.tobytes() if status >= 0 else None), status, nfev

    with np.errstate(all="ignore"):
        a, b = (answer(kernels_of(backend)) for backend in ("c", "python"))
    assert a[1:] == b[1:]
    if a[0] is not None:
        left, right = (np.frombuffer(bits) for bits in (a[0], b[0]))
        assert np.array_equal(left, right, equal_nan=True)
        assert np.array_equal(np.signbit(left), np.signbit(right)) or np.isnan(left).any()


def test_the_surface_of_the_backends_is_equal():
    twin = inspect.signature(_kernels_py.difference)
    door = inspect.signature(kernels_of("c").difference)
    assert list(twin.parameters) == list(door.parameters)
