"""points=True: the gradients at many points at once, of vectorised and native functions."""

import ctypes
import importlib

import numpy as np
import pytest

import numdiff
from numdiff._steps import EPS, default_step

NUMBER = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_double))
NUMBERS = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_double), ctypes.c_int, ctypes.POINTER(ctypes.c_double),
    ctypes.c_void_p,
)  # fmt: skip


class Callback:
    """A Python function behind a C pointer; counts its calls."""

    def __init__(self, fun):
        self.nfev = 0
        self.fun = fun
        self.pointer = NUMBER(self.call)

    def call(self, n, x):
        self.nfev += 1
        return float(self.fun(np.ctypeslib.as_array(x, (n,))))


RNG = np.random.default_rng(7)
POINTS = RNG.uniform(-2.0, 2.0, (3, 50))


def fun(x):
    return x[0] * x[1] * x[1] + 0.25 * x[2] * x[2] * x[2] * x[0]


def one_by_one(points, **options):
    found = [numdiff.gradient(fun, x, full_output=True, **options) for x in points.T]
    return {name: np.stack([getattr(each, name) for each in found], axis=1) for name in ("value", "step")}


@pytest.mark.parametrize(
    "options",
    [
        {}, {"method": "forward"}, {"method": "backward"}, {"order": 4},
        {"rel_step": 1e-4}, {"x_scale": 3.0}, {"abs_step": 0.5},
    ],
    ids=str,
)  # fmt: skip
def test_the_gradient_of_each_column(options):
    expected = one_by_one(POINTS, **options)
    native = Callback(fun).pointer
    for given, more in ((fun, {"vectorized": True}), (native, {})):
        found = numdiff.gradient(given, POINTS, points=True, **more, **options)
        np.testing.assert_array_equal(found, expected["value"])
        full = numdiff.gradient(given, POINTS, points=True, full_output=True, **more, **options)
        np.testing.assert_array_equal(full.value, expected["value"])
        np.testing.assert_array_equal(full.step, expected["step"])
        assert full.flag.shape == full.error.shape == (3, 50)


def test_the_bars_cover_closed_forms():
    x, y, z = POINTS
    exact = np.stack([y**2 + 0.25 * z**3, 2 * x * y, 0.75 * z**2 * x])
    found = numdiff.gradient(fun, POINTS, vectorized=True, points=True, full_output=True)
    np.testing.assert_allclose(found.value, exact, atol=3e-9)
    assert (np.abs(found.value - exact) <= found.error).mean() > 0.95


def test_steps_and_bounds_of_each_point():
    steps = RNG.uniform(1e-6, 1e-3, POINTS.shape)
    lb = POINTS - np.where(RNG.random(POINTS.shape) < 0.3, 0.0, 1.0)
    found = numdiff.gradient(fun, POINTS, points=True, vectorized=True, abs_step=steps, bounds=(lb, 9.0))
    for k, x in enumerate(POINTS.T):
        expected = numdiff.gradient(fun, x, abs_step=steps[:, k], bounds=(lb[:, k], 9.0))
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-8, atol=1e-9)


def test_points_where_fun_is_not_finite(backend):
    def log(x):
        with np.errstate(all="ignore"):
            return np.log(x[0]) + x[1]

    points = np.array([[1.0, 1e-7, -1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
    for given, more in ((log, {"vectorized": True}), (Callback(lambda x: float(log(x))).pointer, {})):
        found = numdiff.gradient(given, points, points=True, full_output=True, **more)
        assert np.isnan(found.value[:, 2]).all()
        assert (found.flag[:, 2] & numdiff.Flag.nonfinite).all()
        np.testing.assert_allclose(found.value[0, [0, 1, 3]], [1.0, 1e7, 0.5], rtol=1e-3)
        np.testing.assert_allclose(numdiff.gradient(given, points, points=True, **more), found.value, rtol=1e-6)


def test_blocks():
    def counting(x):
        shapes.append(x.shape)
        value = fun(x)
        x[...] = np.nan
        return value

    shapes = []
    points = RNG.uniform(-1.0, 1.0, (3, 1000))
    found = numdiff.gradient(counting, points, vectorized=True, points=True, max_bytes=8 * 11 * 100)
    assert max(shape[1] for shape in shapes) == 100
    assert sum(shape[1] for shape in shapes) == 6000 + 2 * 10  # of each block, two columns alone
    np.testing.assert_array_equal(found, numdiff.gradient(fun, points, vectorized=True, points=True))


def test_every_block_is_watched():
    points = RNG.uniform(-1.0, 1.0, (3, 200))
    points[0, 170] = 9.0  # which only its own block sees
    with pytest.raises(ValueError, match="must treat each column of x by itself"):
        numdiff.gradient(
            lambda x: fun(x) * (1.0 + 0.1 * (x.max() > 5.0)),
            points,
            vectorized=True,
            points=True,
            max_bytes=8 * 11 * 50,
        )


def test_single_precision():
    found = numdiff.gradient(lambda x: fun(x.astype(np.float32)), POINTS, vectorized=True, points=True)
    np.testing.assert_allclose(found, one_by_one(POINTS)["value"], rtol=1e-3, atol=1e-3)


def test_no_points_and_no_components():
    for shape in ((3, 0), (0, 4), (0, 0)):
        points = np.empty(shape)
        assert numdiff.gradient(fun, points, vectorized=True, points=True).shape == shape
        full = numdiff.gradient(Callback(lambda x: 0.0).pointer, points, points=True, full_output=True)
        assert full.value.shape == full.flag.shape == shape
        assert full.nfev == 0


def test_native_functions_that_write_or_are_given_data():
    def writes(x):
        value = float(fun(x))
        x[:] = 1e6
        return value

    def writes_elsewhere(x):
        value = float(fun(x))
        if x[2] in POINTS[2]:  # it is not the one that is moved
            x[2] += 1.0
        return value

    for given in (writes, writes_elsewhere):
        found = numdiff.gradient(Callback(given).pointer, POINTS, points=True)
        np.testing.assert_array_equal(found, one_by_one(POINTS)["value"])
    with pytest.raises(ValueError, match="one number for a gradient"):
        numdiff.gradient(numdiff.native(NUMBERS(lambda n, x, m, fx, data: 0), m=2), POINTS, points=True)


def test_native_functions_of_the_vector_form():
    def several(n, x, m, fx, data):
        fx[0] = fun(np.ctypeslib.as_array(x, (n,)))
        return 0

    native = numdiff.native(NUMBERS(several), m=1)
    for options in ({}, {"order": 4}):
        np.testing.assert_array_equal(
            numdiff.gradient(native, POINTS, points=True, **options), one_by_one(POINTS, **options)["value"]
        )


def test_near_a_pole_as_for_single_points():
    points = np.array([[1e-9, 1e-12, 1e-7, 3e-6, 0.5]])
    for full in (False, True):
        found = numdiff.gradient(lambda x: 1 / x[0], points, points=True, vectorized=True, full_output=full)
        single = [numdiff.gradient(lambda x: 1 / x[0], x)[0] for x in points.T]
        np.testing.assert_allclose(getattr(found, "value", found)[0], single, rtol=1e-14)


@pytest.mark.parametrize("method", ["forward", "backward", "central"])
@pytest.mark.parametrize("name", ["log", "sqrt", "entropy", "reciprocal"])
def test_beside_the_end_of_a_domain_as_for_single_points(method, name):
    def fun_of(x):
        with np.errstate(all="ignore"):
            first = {
                "log": np.log(x[0]),
                "sqrt": np.sqrt(x[0]),
                "entropy": x[0] * np.log(x[0]),
                "reciprocal": 1 / x[0],
            }[name]
            return first + x[1]

    points = np.array([[1e-9, 1e-10, 1e-8, 1e-7, 1e-6, 0.5, 1.0 + 1e-9], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
    native = Callback(lambda x: float(fun_of(x))).pointer
    for bounds in (None, (np.array([[0.0], [0.0]]) + 0 * points, 9.0), (np.minimum(points, 1.0) * [[1.0], [0.0]], 9.0)):
        for given, more in ((fun_of, {"vectorized": True}), (native, {})):
            found = numdiff.gradient(given, points, points=True, method=method, bounds=bounds, full_output=True, **more)
            for k, x in enumerate(points.T):
                own = None if bounds is None else (bounds[0][:, k], 9.0)
                single = numdiff.gradient(fun_of, x, method=method, bounds=own, full_output=True)
                # central ones that are not finite take smaller steps by a rule of their own
                np.testing.assert_allclose(found.value[:, k], single.value, rtol=1e-6 if method != "central" else 1e-3)
                np.testing.assert_array_equal(found.flag[0, k] & 6, single.flag[0] & 6)


def test_wrong_arguments():
    for options, text in (
        ({}, "`points` needs `vectorized=True`"),
        ({"vectorized": True, "method": "richardson"}, "`method` must be one of"),
        ({"vectorized": True, "workers": 2}, "`workers` cannot be given with `points`"),
        ({"vectorized": True, "f0": 1.0}, "`f0` cannot be given with `points`"),
        ({"vectorized": True, "indices": [0]}, "`indices` cannot be given with `points`"),
        ({"vectorized": True, "rel_step": np.ones(3)}, r"shape of `x0`, \(3, 50\)"),
    ):
        with pytest.raises(ValueError, match=text):
            numdiff.gradient(fun, POINTS, points=True, **options)
    with pytest.raises(ValueError, match=r"\(n, k\) with `points`"):
        numdiff.gradient(fun, POINTS[0], points=True, vectorized=True)
    with pytest.raises(ValueError, match=r"x0\[1, 2\] is nan"):
        bad = POINTS.copy()
        bad[1, 2] = np.nan
        numdiff.gradient(fun, bad, points=True, vectorized=True)


def test_kernels(backend):
    kernels = importlib.import_module({"c": "numdiff._kernels_c", "python": "numdiff._kernels_py"}[backend])
    callback = Callback(lambda x: float(fun(x)))
    native = numdiff.native(callback.pointer)
    out, relative = np.empty((3, 50)), float(default_step(EPS, 2))
    status, nfev = kernels.gradients(native, POINTS, relative, 1.0, np.empty(3), out)
    assert (status, nfev) == (0, callback.nfev) == (0, 50 * 3 * 2)
    expected = np.stack([numdiff.gradient(fun, x, abs_step=steps(x)) for x in POINTS.T], axis=1)
    np.testing.assert_array_equal(out, expected)
    values = np.empty(50)
    kernels.columns(native, POINTS, np.empty(3), values)
    np.testing.assert_array_equal(values, fun(POINTS))


def steps(x):
    """Powers of two, the nearest ones."""
    significand, exponent = np.frexp(default_step(EPS, 2) * np.maximum(np.abs(x), 1.0))
    return np.ldexp(np.where(significand < 0.75, 0.5, 1.0), exponent)


def test_njit_functions_that_c_cannot_call():
    numba = pytest.importorskip("numba", reason="numba is not installed")

    @numba.njit
    def single(x):
        return np.float32(x[0] * x[1])

    @numba.njit
    def double(x):
        return x[0] * x[1]

    @numba.njit
    def scaled(x, a):
        return a * x[0] * x[1]

    @numba.njit
    def columns(x):
        return x[0] * x[1]

    expected = np.stack([POINTS[1], POINTS[0]])
    points = POINTS[:2].copy()
    np.testing.assert_allclose(numdiff.gradient(double, points, points=True), expected, atol=1e-9)
    np.testing.assert_allclose(numdiff.gradient(columns, points, points=True, vectorized=True), expected, atol=1e-9)
    for fun, args in ((single, ()), (scaled, (2.0,))):
        with pytest.raises(ValueError, match="a native `fun` that C can call"):
            numdiff.gradient(fun, points, points=True, args=args)
    with pytest.raises(ValueError, match="`vectorized` cannot be True for a native `fun`"):
        numdiff.gradient(Callback(double.py_func).pointer, points, points=True, vectorized=True)
    with pytest.raises(ValueError, match="one number for a gradient"):
        numdiff.gradient(lambda x: x, points, points=True, vectorized=True)
