"""vectorized=True: fun at many points at once; and the moves and kernels behind it."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import numdiff
from numdiff import _moves, _vectorized
from numdiff._stencils import CENTRAL, FORWARD, ONE_SIDED, central

X = np.array([0.5, -1.25, 2.0, 0.1, -0.7])


def smooth(x):
    """Of + * / alone, summed in the order of the rows: the same bits with any number of columns."""
    total = x[0] / (2 + x[0] * x[0]) * x[1] * x[1]
    for i in range(1, len(x)):
        total = total + x[i - 1] * x[i - 1] * x[i - 1] / (1 + x[i] * x[i])
    return total


def several(x):
    return np.stack([smooth(x), x[0] * x[-1], x[1] * x[1]])


class Columns:
    """Keeps the shapes that it was called with, and counts the columns."""

    def __init__(self, fun=smooth):
        self.fun, self.shapes = fun, []

    @property
    def nfev(self):
        return sum(shape[-1] for shape in self.shapes)

    @property
    def blocks(self):
        return sum(shape[-1] > 1 for shape in self.shapes)

    def __call__(self, x, *args):
        assert x.dtype == np.float64
        assert x.flags.c_contiguous or x.size // x.shape[-1] > 2048
        assert x.flags.writeable
        self.shapes.append(x.shape)
        value = self.fun(x, *args)
        x[...] = np.nan  # it may do what it likes with its x
        return value


OPTIONS = (
    {},
    {"method": "forward"},
    {"method": "backward", "order": 2},
    {"order": 6},
    {"method": "richardson"},
    {"indices": [3, 1]},
    {"bounds": (X - 1e-9, X + 1.0)},
    {"bounds": (np.where(np.arange(5) == 2, X, -3.0), np.where(np.arange(5) == 2, X, 3.0))},
    {"noise": 1e-7},
    {"noise": "estimate"},
    {"f0": float(smooth(X))},
    {"rel_step": 1e-4},
)


def same(found, expected):
    for name in ("value", "error", "step", "flag"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_bits_as_one_point_at_a_time(options):
    fun = Columns()
    expected = numdiff.gradient(smooth, X, full_output=True, **options)
    found = numdiff.gradient(fun, X, vectorized=True, full_output=True, **options)
    same(found, expected)
    assert found.nfev == fun.nfev
    assert found.nfev == expected.nfev + fun.blocks  # of each block, one column stands alone, too

    options = {name: value for name, value in options.items() if name != "f0"}
    expected = numdiff.jacobian(several, X, full_output=True, **options)
    same(numdiff.jacobian(Columns(several), X, vectorized=True, full_output=True, **options), expected)


@pytest.mark.parametrize("method", ["central", "forward", "richardson"])
@pytest.mark.parametrize("bounds", [None, (X - 1e-9, X + 1.0), (-9.0, X + 1e-9)], ids=str)
def test_same_second_derivatives(method, bounds):
    fun, options = Columns(), {"method": method, "bounds": bounds, "full_output": True}
    expected = numdiff.hessian(smooth, X, **options)
    found = numdiff.hessian(fun, X, vectorized=True, **options)
    same(found, expected)
    assert found.nfev == fun.nfev == expected.nfev + fun.blocks
    found = numdiff.hessian_diagonal(smooth, X, vectorized=True, **options)
    same(found, numdiff.hessian_diagonal(smooth, X, **options))

    def jac(x):
        return np.stack([x[0] / (1 + x[1] * x[1]), x[0] * x[0], 2 * x[2], x[3] * 0.0, x[4] * x[4]])

    found = numdiff.hessian(None, X, jac=Columns(jac), vectorized=True, **options)
    same(found, numdiff.hessian(None, X, jac=jac, **options))


def test_gradients_of_a_matrix():
    x0 = np.arange(6.0).reshape(2, 3)
    expected = numdiff.hessian(None, x0, jac=lambda x: x**3)
    np.testing.assert_array_equal(numdiff.hessian(None, x0, jac=lambda x: x**3, vectorized=True), expected)
    flat = numdiff.hessian(None, x0, jac=lambda x: x.reshape(6, -1) ** 3, vectorized=True)
    np.testing.assert_array_equal(flat, expected)
    np.testing.assert_allclose(numdiff.hessian(None, 2.0, jac=lambda x: x**3, vectorized=True), 12.0, rtol=1e-9)


def test_every_column_is_counted():
    def fun(x):
        return (x**2).sum(axis=0) * (1 + 1e-13 * (x.shape[-1] > 1))  # the check looks twice

    for workers in (None, map):
        counted = Columns(fun)
        found = numdiff.gradient(counted, np.ones(20), vectorized=True, full_output=True, workers=workers)
        assert found.nfev == counted.nfev > 41
    for method in ("central", "forward"):
        for given in (fun, smooth):
            counted = Columns(given)
            points = np.random.default_rng(3).uniform(0.5, 1.0, (5, 40))
            found = numdiff.gradient(
                counted, points, vectorized=True, points=True, method=method, full_output=True, max_bytes=8 * 13 * 20
            )
            assert found.nfev == counted.nfev
    assert counted.nfev == 2 * 2 + 40 + 40 * 5  # two columns of each block alone, and fun at the points but once


def test_closed_form_and_calls():
    fun = Columns(lambda x: (x**3).sum(axis=0))
    x0 = np.linspace(-1.0, 2.0, 200)
    found = numdiff.gradient(fun, x0, vectorized=True)
    np.testing.assert_allclose(found, 3 * x0**2, atol=2e-7)  # rounding in a sum of 200: sqrt(eps) would leave 1e-6
    assert fun.shapes == [(200, 1), (200, 400)]
    np.testing.assert_allclose(numdiff.grad(fun, vectorized=True)(x0), 3 * x0**2, atol=2e-7)
    value, gradient = numdiff.value_and_grad(fun, vectorized=True)(x0)
    assert value == pytest.approx((x0**3).sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, 3 * x0**2, atol=2e-7)


def test_a_matrix_and_a_number():
    x0 = np.arange(6.0).reshape(2, 3)
    fun = Columns(lambda x: (x**2).sum(axis=(0, 1)))
    np.testing.assert_allclose(numdiff.gradient(fun, x0, vectorized=True), 2 * x0, atol=1e-9)
    assert fun.shapes == [(2, 3, 1), (2, 3, 12)]
    fun = Columns(lambda x: x**2)
    assert numdiff.gradient(fun, 3.0, vectorized=True) == pytest.approx(6.0, abs=1e-10)
    assert fun.shapes == [(1,), (2,)]
    np.testing.assert_allclose(numdiff.jacobian(fun, 3.0, vectorized=True), [[6.0]], atol=1e-10)


def test_blocks_keep_to_max_bytes():
    n = 300
    for max_bytes, widest in ((1, 1), (8 * (n + 1) * 10, 10), (1 << 26, 435)):
        fun = Columns(lambda x: (x**2).sum(axis=0))
        found = numdiff.gradient(fun, np.ones(n), vectorized=True, max_bytes=max_bytes)
        np.testing.assert_allclose(found, 2.0, atol=3e-8)
        assert max(shape[-1] for shape in fun.shapes) == widest
        blocks = -(-2 * n // widest)
        assert fun.nfev == 2 * n + (blocks if widest > 1 else 1)  # of each block, one column alone
    wide = Columns(lambda x: x[0] * np.ones((200_000, 1)))
    numdiff.jacobian(wide, np.ones(100), vectorized=True, indices=range(20), max_bytes=200_100 * 8 * 3)
    assert max(shape[-1] for shape in wide.shapes) == 3


def test_long_columns_are_contiguous():
    def fun(x):
        assert x[..., 0].flags.c_contiguous or x.shape[-1] == 1
        return (x * x).reshape(-1, x.shape[-1]).sum(axis=0)

    for shape in ((3000,), (30, 100)):
        fun_of, x0 = Columns(fun), np.linspace(-1.0, 1.0, 3000).reshape(shape)
        found = numdiff.gradient(fun_of, x0, vectorized=True, indices=range(5, 85))
        np.testing.assert_allclose(found, 2 * x0.reshape(-1)[5:85], atol=2e-7)
        assert fun_of.shapes == [(*shape, 1), (*shape, 64), (*shape, 64), (*shape, 1), (*shape, 32), (*shape, 1)]


def test_values_are_split_as_well(monkeypatch):
    monkeypatch.setattr("numdiff._engine.MOST_VALUES", 12)
    for options in ({}, {"method": "forward"}, {"method": "richardson"}):
        same(
            numdiff.jacobian(Columns(several), X, vectorized=True, full_output=True, **options),
            numdiff.jacobian(several, X, full_output=True, **options),
        )
    same(
        numdiff.hessian(Columns(), X, vectorized=True, full_output=True),
        numdiff.hessian(smooth, X, full_output=True),
    )


def test_domain_and_precision():
    def fun(x):
        with np.errstate(invalid="ignore"):
            return np.sqrt(x[0]) + x[1] * x[2]

    x0 = np.array([1e-9, 2.0, 3.0])
    for method in ("central", "forward", "richardson"):
        same(
            numdiff.gradient(fun, x0, vectorized=True, method=method, full_output=True),
            numdiff.gradient(fun, x0, method=method, full_output=True),
        )
    single = numdiff.gradient(lambda x: smooth(x.astype(np.float32)), X, vectorized=True, full_output=True)
    assert (single.flag & numdiff.Flag.low_precision).all()
    np.testing.assert_allclose(single.value, numdiff.gradient(smooth, X), rtol=3e-3, atol=3e-3)


@pytest.mark.parametrize(
    "options", [{}, {"method": "forward"}, {"method": "richardson"}, {"bounds": ([0, 1, -2], 9.0)}]
)
@pytest.mark.parametrize(
    "fun",
    [
        lambda x: np.abs(x[0]) + x[1] * x[2],
        lambda x: np.where(x[0] >= 0, np.sqrt(np.abs(x[0])), np.nan) + x[1],
        lambda x: np.where(x[0] > 0, np.inf, 1.0) + x[1],
    ],
)
def test_kinks_nan_and_inf_as_one_point_at_a_time(fun, options):
    x0 = np.array([0.0, 1.0, -2.0])
    expected = numdiff.gradient(fun, x0, full_output=True, **options)
    same(numdiff.gradient(fun, x0, full_output=True, vectorized=True, **options), expected)
    same(numdiff.gradient(fun, x0, full_output=True, workers=map, **options), expected)


def test_complex_steps():
    found = numdiff.gradient(smooth, X, vectorized=True, method="complex")
    np.testing.assert_array_equal(found, numdiff.gradient(smooth, X, method="complex"))


@pytest.mark.parametrize("method", ["central", "forward"])
@pytest.mark.parametrize(
    "fun",
    [
        lambda x: (x / x.max()).sum(axis=0),
        lambda x: np.cumsum((x**2).sum(axis=0)),
        lambda x: np.cumsum((x**2).sum(axis=0)[::-1])[::-1],
        lambda x: np.roll((x**2).sum(axis=0), 1),
        lambda x: ((x - x.mean()) ** 3).sum(axis=0),
    ],
)
def test_columns_that_depend_on_others_are_seen(fun, method):
    with pytest.raises(ValueError, match="must treat each column of x by itself"):
        numdiff.gradient(fun, X, vectorized=True, method=method)
    with pytest.raises(ValueError, match="must treat each column of x by itself"):
        numdiff.gradient(fun, np.stack([X, 2 * X, 1 - X], axis=1), vectorized=True, points=True, method=method)


@pytest.mark.parametrize(
    "fun",
    [
        lambda x: ((x - x.mean()) ** 2).sum(axis=0),
        lambda x: ((x - x.mean(axis=-1, keepdims=True)) ** 3).sum(axis=0),
        lambda x: np.roll(smooth(x), 1),
        lambda x: smooth(x)[::-1],
        lambda x: smooth(x) / x.shape[-1],
        lambda x: 20.0 + smooth(x) / x.size,
        lambda x: np.cumsum(smooth(x)),
    ],
)
@pytest.mark.parametrize(
    "derivative",
    [
        numdiff.hessian,
        numdiff.hessian_diagonal,
        partial(numdiff.hessian, method="forward"),
        partial(numdiff.hessian, method="richardson"),
        partial(numdiff.gradient, method="richardson"),
        partial(numdiff.gradient, noise=1e-9),
        lambda fun, x, **options: numdiff.value_and_grad(fun, **options)(x),
    ],
)
def test_columns_that_depend_on_others_are_seen_where_f0_is_known(fun, derivative):
    with pytest.raises(ValueError, match="must treat each column of x by itself"):
        derivative(fun, X, vectorized=True)


@pytest.mark.parametrize("workers", [None, map])
def test_columns_that_depend_on_others_later_on(workers):
    x0 = np.linspace(0.5, 1.5, 30)  # the last is the largest, and is moved in the last block alone
    with pytest.raises(ValueError, match="must treat each column of x by itself"):
        numdiff.gradient(
            lambda x: (x / x.max()).sum(axis=0), x0, vectorized=True, workers=workers, max_bytes=8 * 31 * 10
        )


def test_threads_count_their_own_columns():
    fun = Columns()
    with ThreadPoolExecutor(4) as executor:
        for derivative in (numdiff.gradient, numdiff.hessian):
            fun.shapes.clear()
            found = derivative(fun, X, vectorized=True, workers=executor, full_output=True)
            assert found.nfev == fun.nfev


def test_values_that_cancel_are_no_mistake():
    def fun(x):  # 0 at x0, with a rounding that depends on how many there are
        return (x.sum(axis=0) - 0.65) + 1e-17 * (x.shape[1] > 1)

    np.testing.assert_allclose(numdiff.gradient(fun, X, vectorized=True), 1.0, atol=1e-9)


def test_blas_rounds_by_the_number_of_columns():
    rng = np.random.default_rng(5)
    weights, x0 = rng.normal(size=(60, 20)).astype(np.float32), rng.normal(size=20)
    y = weights @ x0.astype(np.float32)

    def residuals(x):  # 0 at x0, but for rounding
        return weights @ x.astype(np.float32) - y[:, None]

    for method in ("central", "forward"):
        found = numdiff.jacobian(residuals, x0, vectorized=True, method=method, full_output=True)
        np.testing.assert_allclose(found.value, weights, atol=2e-2)
        assert (found.flag & numdiff.Flag.low_precision).all()


def test_a_buffer_that_is_returned_every_time():
    buffer = np.empty(1000)

    def fun(x):
        k = x.shape[-1]
        buffer[:k] = smooth(x)
        return buffer[:k]

    points = np.random.default_rng(1).uniform(0.5, 2.0, (5, 9))
    for options in ({}, {"method": "forward"}, {"order": 4}, {"bounds": (points - 1e-9, 9.0)}):
        for full in (False, True):
            more = {"vectorized": True, "points": True, "full_output": full, **options}
            found, expected = numdiff.gradient(fun, points, **more), numdiff.gradient(smooth, points, **more)
            np.testing.assert_array_equal(getattr(found, "value", found), getattr(expected, "value", expected))
    for derivative in (numdiff.gradient, numdiff.hessian):
        for method in ("central", "forward", "richardson"):
            np.testing.assert_array_equal(
                derivative(fun, X, vectorized=True, method=method), derivative(smooth, X, method=method)
            )


def test_rounding_that_depends_on_the_number_of_columns_is_none():
    rng = np.random.default_rng(0)

    def fun(x):
        return (x**2).sum(axis=0) * (1.0 + 1e-13 * (x.shape[1] > 1))

    def noisy(x):
        return (x**2).sum(axis=0) + 1e-9 * rng.standard_normal(x.shape[1])

    np.testing.assert_allclose(numdiff.gradient(fun, X, vectorized=True), 2 * X, rtol=1e-8)
    found = numdiff.gradient(noisy, X, vectorized=True, noise=1e-9)
    np.testing.assert_allclose(found, 2 * X, atol=3e-5)


@pytest.mark.parametrize(
    ("fun", "error", "text"),
    [
        (lambda x: x.sum(), ValueError, "it returned one number"),
        (lambda x: (x * x).sum(axis=-1), ValueError, r"\(1,\) or \(m, 1\); it returned shape \(5,\)"),
        (lambda x: None, TypeError, "returned None"),
        (lambda x: x.sum(axis=0) > 1, TypeError, "real numbers"),
        (lambda x: several(x)[:2], ValueError, "one number for a gradient"),
        (lambda x: x.sum(axis=0) * (1 + 0j), TypeError, "real numbers"),
        (lambda x: x.sum(axis=0)[:1], ValueError, "for 10 of them"),
        (lambda x: x.sum(axis=0) if x.shape[1] == 1 else several(x), ValueError, "1 at first and 3 later"),
    ],
)
def test_wrong_values(fun, error, text):
    with pytest.raises(error, match=text):
        numdiff.gradient(fun, X, vectorized=True)


def test_wrong_arguments():
    for name, value, error in (
        ("vectorized", 1, TypeError),
        ("max_bytes", 1.5, TypeError),
        ("max_bytes", 0, ValueError),
        ("points", "yes", TypeError),
        ("progress", 1, TypeError),
    ):
        with pytest.raises(error, match=f"`{name}` must be"):
            numdiff.gradient(smooth, X, **{"vectorized": True, name: value})
    with pytest.raises(ValueError, match="`vectorized` cannot be given with a tree"):
        numdiff.gradient(smooth, {"a": X}, vectorized=True)
    for derivative in (numdiff.jacobian, numdiff.hessian):
        with pytest.raises(ValueError, match="`vectorized` cannot be given with `sparsity`"):
            derivative(smooth, X, vectorized=True, sparsity=np.eye(5))
    for wrong, text in ((several, r"shape \(3, 1\)"), (lambda x: x.reshape(-1), r"shape \(1, 5\)")):
        with pytest.raises(ValueError, match=r"`jac` must return the gradient, of shape \(5, 1\).*" + text):
            numdiff.hessian(None, X, jac=wrong, vectorized=True)
    with pytest.raises(TypeError, match="`jac` returned None"):
        numdiff.hessian(None, X, jac=lambda x: None, vectorized=True)
    fun = Columns()
    with pytest.raises(ZeroDivisionError):
        numdiff.gradient(lambda x: 1 // 0, X, vectorized=True)
    with pytest.raises(TypeError, match="unknown option `points`"):
        numdiff.grad(fun, points=True)
    assert fun.nfev == 0


def test_nothing_to_differentiate_by():
    assert numdiff.gradient(lambda x: np.zeros(x.shape[1]), [], vectorized=True).shape == (0,)
    assert numdiff.gradient(smooth, X, vectorized=True, indices=[]).shape == (0,)
    assert numdiff.jacobian(several, X, vectorized=True, indices=[]).shape == (3, 0)


class Trace:
    """A function that keeps the points of its calls."""

    def __init__(self):
        self.points = []

    def __call__(self, x):
        self.points.append(x.copy())
        return float(smooth(x))


def test_moves_are_the_points_of_the_kernels(backend):
    kernels = importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend])
    index, h = np.array([3, 0, 4]), np.array([0.5, -0.25, 0.125])
    for one_sided in ([False, False, False], [True, False, True], [True, True, True]):
        sides = np.array(one_sided)
        cases = [(_moves.of_difference(X, index, h, s), s) for s in (CENTRAL, FORWARD, ONE_SIDED, central(4))]
        for moves, stencil in cases:
            trace, out, again = Trace(), np.empty(3), np.empty(3)
            rest = 1, X.copy(), index, h, stencil, float(smooth(X)), None
            kernels.difference(trace, (), float, *rest, out, None)
            values = check(moves, trace)
            status, calls = kernels.difference(values, (), float, *rest, again, None)
            assert (status, calls) == (0, len(values))
            np.testing.assert_array_equal(again, out)

        near, diagonal, trace = np.empty((3, 2)), np.empty(3), Trace()
        kernels.hessian_diagonal(trace, (), float, X.copy(), index, h, sides, 0.5, None, near, diagonal)
        values = check(_moves.of_diagonal(X, index, h, sides), trace)
        near_again, again = np.empty((3, 2)), np.empty(3)
        kernels.hessian_diagonal(values, (), float, X.copy(), index, h, sides, 0.5, None, near_again, again)
        np.testing.assert_array_equal(again, diagonal)
        np.testing.assert_array_equal(near_again, near)

        for begin, end in ((0, 3), (0, 1), (1, 3)):
            mixed, again, trace = np.zeros((3, 3)), np.zeros((3, 3)), Trace()
            rest = X.copy(), index, h, sides, 0.5, near
            kernels.hessian_mixed(trace, (), float, *rest, mixed, begin, end)
            values = check(_moves.of_mixed(X, index, h, sides, begin, end), trace)
            kernels.hessian_mixed(values, (), float, *rest, again, begin, end)
            np.testing.assert_array_equal(again, mixed)


def check(moves, trace):
    """That the moves are the points of the calls, one by one and as columns; their values."""
    np.testing.assert_array_equal(moves.columns(X).T, trace.points)
    np.testing.assert_array_equal([moves.point(X, p) for p in range(len(moves))], trace.points)
    return np.array([[smooth(x)] for x in trace.points])


def test_too_few_values(backend):
    kernels = importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend])
    with pytest.raises((ValueError, StopIteration)):
        kernels.difference(
            np.ones((9, 1)), (), float, 1, X.copy(), None, np.ones(5), CENTRAL, None, None, np.empty(5), None
        )


def test_width_of_blocks():
    columns = _vectorized.Columns(smooth, 1 << 26)
    assert columns.width(1024) == 128  # 1 MiB
    assert columns.width(2048) == 64
    assert columns.width(4096) == 64  # 2 MiB
    assert columns.width(100_000) == 5  # 4 MiB
    assert columns.width(1 << 20) == 4  # 32 MiB
    assert columns.width(1 << 22) == 2  # 64 MiB
    assert columns.width(1 << 30) == 1
