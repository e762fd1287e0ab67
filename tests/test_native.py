"""Native functions: every way to give one, what is refused, lifetimes, statuses, Ctrl-C, threads.

ctypes callbacks of Python functions stand for native ones, so that no compiler is needed; where one is, the `library`
of C functions is made and used as well.
"""

from __future__ import annotations

import ctypes
import gc
import os
import runpy
import shutil
import subprocess
import sys
import textwrap
import threading
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy import LowLevelCallable

import numdiff
from numdiff._native import Native

DOUBLE_P = ctypes.POINTER(ctypes.c_double)
NUMBER = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, DOUBLE_P)
NUMBER_WITH_DATA = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, DOUBLE_P, ctypes.c_void_p)
NUMBERS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, DOUBLE_P, ctypes.c_int, DOUBLE_P, ctypes.c_void_p)

X = np.array([0.3, -1.7, 2.2, 0.9])
ALLOWED = (
    r"double \(int, double \*\).*double \(int, double \*, void \*\).*int \(int, double \*, int, double \*, void \*\)"
)


def smooth(x):
    return float(np.sin(x[0]) * np.exp(x[1]) + x[2] ** 2 * x[3] + x[0] * x[3])


def pair(x):
    return np.array([x[0] * x[1] + x[3] ** 3, np.cos(x[2])])


def array(pointer, n):
    return np.ctypeslib.as_array(pointer, (n,))


class Callback:
    """A Python function behind a C pointer; counts its calls."""

    def __init__(self, fun, prototype=NUMBER):
        self.nfev = 0
        self.lock = threading.Lock()  # of the count
        self.fun = fun
        self.pointer = prototype({NUMBER: self.number, NUMBER_WITH_DATA: self.number, NUMBERS: self.numbers}[prototype])

    def number(self, n, x, data=None):
        with self.lock:
            self.nfev += 1
        return self.fun(array(x, n))

    def numbers(self, n, x, m, fx, data):
        with self.lock:
            self.nfev += 1
        array(fx, m)[:] = self.fun(array(x, n))
        return 0


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc, clang) on the path")
    folder = tmp_path_factory.mktemp("native")
    (folder / "functions.c").write_text(SOURCE)
    path = folder / "functions.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", path, folder / "functions.c", "-lm"], check=True)
    found = ctypes.CDLL(str(path))
    for name in ("rosen", "interrupt"):
        getattr(found, name).restype, getattr(found, name).argtypes = ctypes.c_double, [ctypes.c_int, DOUBLE_P]
    found.scaled.restype = ctypes.c_double
    found.scaled.argtypes = [ctypes.c_int, DOUBLE_P, ctypes.c_void_p]
    found.squares.restype = ctypes.c_int
    found.squares.argtypes = [ctypes.c_int, DOUBLE_P, ctypes.c_int, DOUBLE_P, ctypes.c_void_p]
    return found


SOURCE = """
#include <signal.h>
long calls = 0;
double rosen(int n, double *x) {
    double sum = 0.0;
    for (int i = 0; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        sum += 100.0 * (a * a) + b * b;
    }
    return sum;
}
double interrupt(int n, double *x) {
    if (++calls == 10) raise(SIGINT);
    double sum = 0.0;
    for (int k = 0; k < 100; k++) sum += rosen(n, x);
    return sum;
}
struct data { double factor; };
double scaled(int n, double *x, void *data) { return ((struct data *)data)->factor * rosen(n, x); }
int squares(int n, double *x, int m, double *fx, void *data) {
    for (int r = 0; r < m; r++) fx[r] = x[r % n] * x[r % n] * (r + 1);
    return x[0] > 50.0 ? 3 : 0;
}
"""


def rosen(x):
    total = 0.0
    for i in range(len(x) - 1):
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        total += 100.0 * (a * a) + b * b
    return float(total)


# Every way of giving a function


def cffi_pointer(fun):
    ffi = pytest.importorskip("cffi").FFI()

    @ffi.callback("double(int, double *)")
    def callback(n, x):
        return fun(np.frombuffer(ffi.buffer(x, 8 * n)))

    return callback


WAYS = {
    "ctypes": lambda fun: Callback(fun).pointer,
    "ctypes with data": lambda fun: Callback(fun, NUMBER_WITH_DATA).pointer,
    "LowLevelCallable": lambda fun: LowLevelCallable(Callback(fun).pointer),
    "LowLevelCallable, its own text": lambda fun: LowLevelCallable(
        Callback(fun).pointer, signature="double(int,  const double*)"
    ),
    "LowLevelCallable with data": lambda fun: LowLevelCallable(Callback(fun, NUMBER_WITH_DATA).pointer),
    "native": lambda fun: numdiff.native(Callback(fun).pointer),
    "native, several": lambda fun: numdiff.native(Callback(fun, NUMBERS).pointer, m=1),
    "cffi": cffi_pointer,
    "LowLevelCallable of cffi": lambda fun: LowLevelCallable(cffi_pointer(fun)),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_bits_of_the_python_function(way):
    native = WAYS[way](smooth)
    expected = numdiff.gradient(smooth, X, full_output=True)
    found = numdiff.gradient(native, X, full_output=True)
    np.testing.assert_array_equal(found.value, expected.value)
    np.testing.assert_array_equal(found.error, expected.error)
    assert found.nfev == expected.nfev == 8
    np.testing.assert_array_equal(numdiff.gradient(native, X), expected.value)
    np.testing.assert_allclose(expected.value[2], 2 * X[2] * X[3], rtol=1e-9)


ONE_VALUE = {
    "forward": lambda f: numdiff.gradient(f, X, method="forward"),
    "backward, order 3": lambda f: numdiff.gradient(f, X, method="backward", order=3),
    "order 8": lambda f: numdiff.gradient(f, X, order=8),
    "richardson": lambda f: numdiff.gradient(f, X, method="richardson"),
    "bounds": lambda f: numdiff.gradient(f, X, bounds=(X - 1e-7, X + 1.0)),
    "indices": lambda f: numdiff.gradient(f, X, indices=[3, 1]),
    "steps": lambda f: numdiff.gradient(f, X, rel_step=1e-5, x_scale=2.0),
    "f0": lambda f: numdiff.gradient(f, X, method="forward", f0=smooth(X)),
    "noise": lambda f: numdiff.gradient(f, X, noise=1e-10),
    "two axes": lambda f: (
        numdiff.gradient(f, X.reshape(2, 2))
        if isinstance(f, Native)
        else numdiff.gradient(lambda x: f(x.reshape(-1)), X.reshape(2, 2))
    ),
    "integers": lambda f: numdiff.gradient(f, [1, 2, 3, 4]),
    "not contiguous": lambda f: numdiff.gradient(f, np.repeat(X, 2)[::2]),
    "jacobian": lambda f: numdiff.jacobian(f, X),
    "grad": lambda f: numdiff.grad(f)(X),
    "grad, options": lambda f: numdiff.grad(f, method="forward")(X),
    "value_and_grad": lambda f: np.append(*numdiff.value_and_grad(f)(X)),
    "hessian": lambda f: numdiff.hessian(f, X),
    "hessian, bounds": lambda f: numdiff.hessian(f, X, bounds=(X, X + 1.0)),
    "hessian, richardson": lambda f: numdiff.hessian(f, X, method="richardson"),
    "hess": lambda f: numdiff.hess(f)(X),
    "hessian_diagonal": lambda f: numdiff.hessian_diagonal(f, X),
    "hvp": lambda f: numdiff.hvp(f, X, np.ones(4)),
    "jvp": lambda f: numdiff.jvp(f, X, np.ones(4)),
    "approx_fprime": lambda f: numdiff.approx_fprime(X, f),
    "approx_derivative": lambda f: numdiff.approx_derivative(f, X),
    "approx_derivative, float32": lambda f: numdiff.approx_derivative(
        f if isinstance(f, Native) else lambda x: f(x.astype(float)), X.astype(np.float32)
    ),
    "approx_derivative, bounds": lambda f: numdiff.approx_derivative(f, X, bounds=(X, X + 1)),
    "check_grad": lambda f: numdiff.check_grad(f, lambda x: x, X),
    "check_grad, random": lambda f: numdiff.check_grad(f, lambda x: x, X, direction="random", rng=0),
    "check_derivative": lambda f: numdiff.check_derivative(f, lambda x: x, X),
    "estimate_noise": lambda f: numdiff.estimate_noise(f, X).noise,
    "derivative": lambda f: numdiff.derivative(lambda t: f(t * X), 1.0),
}


POINTS = {
    "a number": 2.0,
    "no axes": np.array(2.0),
    "empty": np.empty(0),
    "strided": np.arange(10.0)[::-2],
    "by columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big-endian": np.arange(3).astype(">f8"),
    "float32": np.arange(3, dtype=np.float32),
    "huge": np.array([1e305, 1.0]),
    "tiny": np.array([1e-310, -0.0]),
    "several axes": np.arange(8.0).reshape(2, 2, 2),
}


@pytest.mark.parametrize("name", POINTS)
def test_points_of_any_kind(name):
    def fun(x):
        return float(sum((i + 1) * v * v for i, v in enumerate(np.asarray(x).reshape(-1).tolist())))

    callback = numdiff.native(NUMBER(lambda n, x: fun(array(x, n)) if n else 0.0))
    with np.errstate(all="ignore"):
        for options in ({}, {"full_output": True}, {"method": "forward"}):
            found, expected = (numdiff.gradient(f, POINTS[name], **options) for f in (callback, fun))
            assert repr(found) == repr(expected)


@pytest.mark.parametrize("name", ONE_VALUE)
def test_functions_of_one_value(name):
    native = numdiff.native(Callback(smooth).pointer)
    np.testing.assert_array_equal(ONE_VALUE[name](native), ONE_VALUE[name](smooth))


SEVERAL = {
    "central": lambda f: numdiff.jacobian(f, X),
    "forward": lambda f: numdiff.jacobian(f, X, method="forward"),
    "richardson": lambda f: numdiff.jacobian(f, X, method="richardson"),
    "f0": lambda f: numdiff.jacobian(f, X, method="forward", f0=pair(X)),
    "jac": lambda f: numdiff.jac(f)(X),
    "jvp": lambda f: numdiff.jvp(f, X, np.ones(4)),
    "approx_fprime": lambda f: numdiff.approx_fprime(X, f),
    "approx_derivative": lambda f: numdiff.approx_derivative(f, X),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_functions_of_several_values(name):
    native = numdiff.native(Callback(pair, NUMBERS).pointer, m=2)
    np.testing.assert_array_equal(SEVERAL[name](native), SEVERAL[name](pair))


def test_a_gradient_given_as_a_native_function():
    def gradient(x):
        return np.array([2 * x[0] * x[1], x[0] ** 2 + 3 * x[1] ** 2])

    native = numdiff.native(Callback(gradient, NUMBERS).pointer, m=2)
    point = [1.5, -0.5]
    np.testing.assert_array_equal(numdiff.hessian(None, point, jac=native), numdiff.hessian(None, point, jac=gradient))
    np.testing.assert_array_equal(
        numdiff.hvp(None, point, [1, 2], jac=native), numdiff.hvp(None, point, [1, 2], jac=gradient)
    )
    assert numdiff.check_grad(lambda x: x[0] ** 2 * x[1] + x[1] ** 3, native, point) < 1e-6


@pytest.mark.parametrize(
    ("derivative", "count"),
    [
        (lambda f: numdiff.gradient(f, X), 8),
        (lambda f: numdiff.gradient(f, X, method="forward"), 5),
        (lambda f: numdiff.gradient(f, X, method="forward", f0=1.0), 4),
        (lambda f: numdiff.gradient(f, X, indices=[2]), 2),
        (lambda f: numdiff.hessian(f, X), 21),
        (lambda f: numdiff.approx_derivative(f, X), 9),
    ],
)
def test_counts_are_exact(derivative, count):
    callback = Callback(smooth)
    derivative(callback.pointer)
    assert callback.nfev == count


def test_called_directly():
    assert numdiff.native(Callback(smooth).pointer)(X) == smooth(X)
    native = numdiff.native(Callback(pair, NUMBERS).pointer, m=2)
    np.testing.assert_array_equal(native(list(X)), pair(X))
    assert "m=2" in repr(native)
    assert numdiff.native(native).m == 2


def test_not_finite_at_a_point_as_for_a_python_function():
    def root(x):
        return float(np.sqrt(x[0]) + x[1]) if x[0] >= 0 else float("nan")

    for point in ([1e-12, 1.0], [0.0, 1.0]):
        with np.errstate(all="ignore"):
            expected = numdiff.gradient(root, point, full_output=True)
        found = numdiff.gradient(Callback(root).pointer, np.array(point), full_output=True)
        np.testing.assert_array_equal(found.value, expected.value)
        np.testing.assert_array_equal(found.flag, expected.flag)
        np.testing.assert_array_equal(numdiff.gradient(Callback(root).pointer, np.array(point)), expected.value)


# Gradients


def bowl(x):
    return float((x[0] - 1.0) ** 2 + 2.0 * x[1] ** 2 + x[0] * x[1] / 4.0 + (x[2:] ** 2).sum())


def bowl_gradient(x):
    return np.concatenate([[2 * (x[0] - 1.0) + x[1] / 4.0, 4.0 * x[1] + x[0] / 4.0], 2.0 * x[2:]])


GRADIENTS = {
    "ctypes": lambda g: Callback(g, NUMBERS).pointer,
    "LowLevelCallable": lambda g: LowLevelCallable(Callback(g, NUMBERS).pointer),
    "native": lambda g: numdiff.native(Callback(g, NUMBERS).pointer, m=4),
}
TAKES_A_GRADIENT = {
    "hessian": lambda f, g: numdiff.hessian(None, X, jac=g),
    "hessian, richardson": lambda f, g: numdiff.hessian(None, X, jac=g, method="richardson"),
    "hessian, sparsity": lambda f, g: numdiff.hessian(None, X, jac=g, sparsity=np.ones((4, 4))).toarray(),
    "hess": lambda f, g: numdiff.hess(None, jac=g)(X),
    "hvp": lambda f, g: numdiff.hvp(None, X, np.arange(4.0), jac=g),
    "newton": lambda f, g: numdiff.newton(f, X, jac=g).x,
    "gradient_descent": lambda f, g: numdiff.gradient_descent(f, X, jac=g).x,
    "check_grad": lambda f, g: numdiff.check_grad(f, g, X),
    "gradcheck": lambda f, g: repr(numdiff.gradcheck(f, g, X)),
    "taylor_test": lambda f, g: numdiff.taylor_test(f, g, X, rng=0).slope,
}


@pytest.mark.parametrize("way", GRADIENTS)
@pytest.mark.parametrize("name", TAKES_A_GRADIENT)
def test_a_native_gradient_wherever_one_is_taken(name, way):
    expected = TAKES_A_GRADIENT[name](bowl, bowl_gradient)
    for fun in (bowl, Callback(bowl).pointer):
        found = TAKES_A_GRADIENT[name](fun, GRADIENTS[way](bowl_gradient))
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", TAKES_A_GRADIENT)
def test_native_gradients_that_are_none(name):
    short = numdiff.native(Callback(lambda x: x[:3], NUMBERS).pointer, m=3)
    if name == "gradcheck":  # which says so
        for wrong in (short, Callback(bowl).pointer):
            assert numdiff.gradcheck(bowl, wrong, X).kind == "shape"
    else:
        for wrong in (short, Callback(bowl).pointer):
            with pytest.raises(ValueError, match=r"as many values as `x0` has components, 4|`jac` returned shape"):
                TAKES_A_GRADIENT[name](bowl, wrong)
    for refused in ("no types", "float", "quad's"):
        with pytest.raises(TypeError, match=rf"`(jac|grad)`.*{ALLOWED}"):
            TAKES_A_GRADIENT[name](bowl, REFUSED[refused]())


def test_a_native_jacobian_is_checked_by_rows():
    jac = Callback(lambda x: np.outer([1.0, 2.0], 2.0 * x).reshape(-1), NUMBERS).pointer
    assert numdiff.gradcheck(lambda x: np.array([x @ x, 2 * (x @ x)]), LowLevelCallable(jac), X)
    assert not numdiff.gradcheck(lambda x: np.array([2 * (x @ x), x @ x]), jac, X)


DESCENTS = {
    "plain": {},
    "momentum": {"momentum": 0.5, "nesterov": True},
    "line search": {"line_search": "backtracking"},
    "history": {"history": True},
    "ftol": {"ftol": 1e-8},
    "xtol": {"xtol": 1e-4, "gtol": 0},
    "bounds": {"bounds": (X, X + 10.0)},
    "diverges": {"learning_rate": 10.0},
    "overwrite_x": {"overwrite_x": True},
    "maxiter": {"maxiter": 3},
}


@pytest.mark.parametrize("name", DESCENTS)
def test_descents_of_native_functions(name):
    options = DESCENTS[name]
    fun, gradient = Callback(bowl), Callback(bowl_gradient, NUMBERS)
    expected = numdiff.gradient_descent(bowl, X.copy(), jac=bowl_gradient, **options)
    found = numdiff.gradient_descent(fun.pointer, X.copy(), jac=gradient.pointer, **options)
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.jac, expected.jac)
    for count in ("fun", "nit", "nfev", "njev", "status"):
        assert found[count] == expected[count]
    assert (fun.nfev, gradient.nfev) == (found.nfev, found.njev)
    if "history" in options:
        np.testing.assert_array_equal(found.history["x"], expected.history["x"])
    alone = numdiff.gradient_descent(None, X, jac=Callback(bowl_gradient, NUMBERS).pointer, gtol=1e-3)
    np.testing.assert_allclose(bowl_gradient(alone.x), 0.0, atol=1e-3)


NUMERICAL = {
    **{name: options for name, options in DESCENTS.items() if name != "overwrite_x"},
    "long": {"learning_rate": 0.01, "maxiter": 200, "gtol": 0},
    "below its error": {"gtol": 0, "learning_rate": 0.3},
    "method": {"method": "central"},
    "forward": {"method": "forward"},
    "x_scale": {"x_scale": 2.0},
}


def same_descent(found, expected, calls):
    np.testing.assert_array_equal(found.x, expected.x)
    np.testing.assert_array_equal(found.jac, expected.jac)
    for name in ("fun", "nit", "nfev", "njev", "status"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert calls == found.nfev


@pytest.mark.parametrize("name", NUMERICAL)
@pytest.mark.parametrize("n", [2, 70])
def test_descents_by_differences_of_native_functions(name, n):
    x0 = np.resize(X, n)
    options = {key: (x0, x0 + 10.0) if key == "bounds" else value for key, value in NUMERICAL[name].items()}
    fun = Callback(bowl)
    expected = numdiff.gradient_descent(bowl, x0, **options)
    found = numdiff.gradient_descent(fun.pointer, x0, **options)
    same_descent(found, expected, fun.nfev)


def test_a_native_descent_by_differences_looks_at_its_errors_as_any_other():
    # Without a minimum, and steep at first: the norm falls until the error matters.
    def far(x):
        return float(np.exp(-x[0]) + 1e-3 * np.sqrt(1.0 + x[1] * x[1]))

    for options in ({"gtol": 1e-4}, {"gtol": 0.0, "maxiter": 3000, "learning_rate": 3.0}, {"history": True}):
        fun = Callback(far)
        expected = numdiff.gradient_descent(far, [1.0, 3.0], **options)
        same_descent(numdiff.gradient_descent(fun.pointer, [1.0, 3.0], **options), expected, fun.nfev)


def test_native_descents_by_differences_of_functions_that_end_or_write():
    def ends(x):
        return float(np.log(x[0]) ** 2 + x[1] ** 2) if x[0] > 0 else float("nan")

    def overflows(x):
        with np.errstate(all="ignore"):
            return float(np.exp(x[0] * x[0]) + x[1])

    starts = {ends: [1e-7, 1.0], overflows: [30.0, 1.0]}
    for fun, x0 in starts.items():
        for options in ({"learning_rate": 1e-9, "maxiter": 5}, {"history": True, "maxiter": 4}):
            callback = Callback(fun)
            with np.errstate(all="ignore"):
                expected = numdiff.gradient_descent(fun, x0, **options)
                found = numdiff.gradient_descent(callback.pointer, x0, **options)
            np.testing.assert_array_equal(found.x, expected.x)
            assert (found.status, found.nit) == (expected.status, expected.nit)
            assert callback.nfev == found.nfev  # one more gradient where care is needed

    def written(x):
        found = bowl(x)
        x[1] = 7.0
        return found

    for options in ({}, {"history": True}):
        callback = Callback(written)
        found = numdiff.gradient_descent(callback.pointer, X, **options)
        np.testing.assert_array_equal(found.x, numdiff.gradient_descent(bowl, X, **options).x)
        assert callback.nfev == found.nfev

    pointer = NUMBERS(lambda n, x, m, fx, data: 5)
    with pytest.raises(RuntimeError, match="`fun` stopped with status 5"):
        numdiff.gradient_descent(numdiff.native(pointer, m=1), X)
    with pytest.raises(ValueError, match="one number"):
        numdiff.gradient_descent(numdiff.native(pointer, m=2), X)
    np.testing.assert_array_equal(
        numdiff.gradient_descent(Callback(lambda x: float((x[0] - 1.0) ** 2)).pointer, 3.0).x,
        numdiff.gradient_descent(lambda x: float((x - 1.0) ** 2), 3.0).x,
    )


def test_a_native_gradient_that_stops_writes_or_is_not_finite():
    def stop(n, x, m, fx, data):
        array(fx, m)[:] = bowl_gradient(array(x, n))
        calls.append(1)
        return 9 if len(calls) == 5 else 0

    calls = []
    pointer, x0 = NUMBERS(stop), X.copy()
    with pytest.raises(RuntimeError, match="`jac` stopped with status 9"):
        numdiff.gradient_descent(None, x0, jac=pointer)
    assert len(calls) == 5
    np.testing.assert_array_equal(x0, X)

    def written(x):
        found = bowl_gradient(x)
        x[1] = 7.0
        return found

    found = numdiff.gradient_descent(None, X, jac=Callback(written, NUMBERS).pointer)
    np.testing.assert_array_equal(found.x, numdiff.gradient_descent(None, X, jac=bowl_gradient).x)

    def ends(x):
        return bowl_gradient(x) if x[1] < -0.5 else np.full(4, np.nan)

    for jac in (ends, Callback(ends, NUMBERS).pointer):
        found = numdiff.gradient_descent(None, X, jac=jac)
        assert found.status == 4
        assert found.x[1] < -0.5


def test_callbacks_of_native_descents():
    seen = []

    def callback(x):
        seen.append(x)
        return len(seen) == 5

    jac = Callback(bowl_gradient, NUMBERS).pointer
    assert numdiff.gradient_descent(None, X, jac=jac, callback=callback).nit == len(seen) == 5
    assert len({x.tobytes() for x in seen}) == 5

    def fails(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        numdiff.gradient_descent(None, X, jac=jac, callback=fails)


@pytest.mark.parametrize("where", ["fun", "jac"])
def test_native_functions_take_no_arguments_but_x(where):
    fun, jac = Callback(bowl).pointer, Callback(bowl_gradient, NUMBERS).pointer
    fun, jac = (fun, lambda x, a: bowl_gradient(x)) if where == "fun" else (lambda x, a: bowl(x), jac)
    for call in (numdiff.gradient_descent, numdiff.newton):
        with pytest.raises(TypeError, match=f"a native `{where}` takes no `args`"):
            call(fun, X, args=(1.0,), jac=jac)
    with pytest.raises(TypeError, match=f"a native `{where}` takes no `args`"):
        numdiff.gradcheck(fun, jac, X, args=(1.0,))
    with pytest.raises(TypeError, match="float64 arrays"):
        numdiff.gradient_descent(None, {"a": X}, jac=Callback(bowl_gradient, NUMBERS).pointer)


# What is refused


NULL_P = ctypes.c_void_p
REFUSED = {
    "no types": lambda: ctypes.CDLL(None).sin,
    "of a number": lambda: ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x),
    "long n": lambda: ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_longlong, DOUBLE_P)(lambda n, x: 0.0),
    "float": lambda: ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int, DOUBLE_P)(lambda n, x: 0.0),
    "floats": lambda: ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, ctypes.POINTER(ctypes.c_float))(lambda n, x: 0.0),
    "nothing": lambda: ctypes.CFUNCTYPE(None, ctypes.c_int, DOUBLE_P)(lambda n, x: None),
    "quad's": lambda: LowLevelCallable(ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x)),
    "a wrong text": lambda: LowLevelCallable(Callback(smooth).pointer, signature="double (double *, int)"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("derivative", [numdiff.gradient, numdiff.jacobian, numdiff.hessian, numdiff.approx_derivative])
def test_wrong_signatures_are_errors_that_name_the_allowed(name, derivative):
    with pytest.raises(TypeError, match=ALLOWED):
        derivative(REFUSED[name](), X)


def test_wrong_cffi_pointers():
    ffi = pytest.importorskip("cffi").FFI()
    with pytest.raises(TypeError, match=ALLOWED):
        numdiff.gradient(ffi.callback("double(double)", lambda x: x), X)
    with pytest.raises(TypeError, match=ALLOWED):
        numdiff.gradient(ffi.new("double[3]"), X)
    with pytest.raises(ValueError, match="null pointer"):
        numdiff.gradient(ffi.cast("double(*)(int, double *)", 0), X)


def test_other_errors():
    with pytest.raises(TypeError, match="GIL"):
        numdiff.gradient(ctypes.PYFUNCTYPE(ctypes.c_double, ctypes.c_int, DOUBLE_P)(lambda n, x: 0.0), X)
    with pytest.raises(ValueError, match="null pointer"):
        numdiff.gradient(ctypes.cast(None, NUMBER), X)
    several = Callback(pair, NUMBERS).pointer
    with pytest.raises(ValueError, match=r"how many values.*native\(fun, m="):
        numdiff.jacobian(several, X)
    for m, error in ((0, ValueError), (-1, ValueError), (2**31, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="`m`"):
            numdiff.native(several, m=m)
    with pytest.raises(ValueError, match="`m` must be 1"):
        numdiff.native(Callback(smooth).pointer, m=2)
    with pytest.raises(ValueError, match="one number"):
        numdiff.gradient(numdiff.native(several, m=2), X)
    with pytest.raises(TypeError, match="LowLevelCallable"):
        numdiff.native(smooth)
    with pytest.raises(ValueError, match="`user_data`"):
        numdiff.native(Callback(smooth).pointer, user_data=np.zeros(1))
    for data in ("text", 3, np.array([None]), np.zeros((2, 2))[:, 0]):
        with pytest.raises(TypeError, match="`user_data`"):
            numdiff.native(Callback(smooth, NUMBER_WITH_DATA).pointer, user_data=data)
    for options in ({"args": (1,)}, {"kwargs": {"a": 1}}):
        with pytest.raises(TypeError, match="no `args`"):
            numdiff.gradient(Callback(smooth).pointer, X, **options)
    with pytest.raises(TypeError, match="complex"):
        numdiff.gradient(Callback(smooth).pointer, X, method="complex")
    with pytest.raises(ValueError, match="at most"):
        numdiff.native(Callback(smooth).pointer).check_size(2**31)
    with pytest.raises(TypeError, match=ALLOWED):
        numdiff.grad(REFUSED["float"]())  # at once
    with pytest.raises(ValueError, match="returned 3 at first and 2 later|f0"):
        numdiff.jacobian(numdiff.native(several, m=2), X, method="forward", f0=np.zeros(3))
    with pytest.raises(TypeError, match="`x0`"):
        numdiff.gradient(Callback(smooth).pointer, np.array([1j]))
    with pytest.raises(ValueError, match=r"x0\[1\] is nan"):
        numdiff.gradient(Callback(smooth).pointer, np.array([1.0, np.nan, 1.0, 1.0]))


def test_c_functions_of_a_number_stay_python_callables():
    sin = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(np.sin)
    assert abs(numdiff.derivative(sin, 1.0, vectorized=False) - np.cos(1.0)) < 1e-9


def test_a_status_stops_and_x0_stays():
    seen = []

    def stop(n, x, m, fx, data):
        seen.append(x[1])
        return 5 if len(seen) == 4 else 0

    x0 = X.copy()
    pointer = NUMBERS(stop)
    with pytest.raises(RuntimeError, match="status 5"):
        numdiff.jacobian(numdiff.native(pointer, m=2), x0)
    assert len(seen) == 4
    np.testing.assert_array_equal(x0, X)


@pytest.mark.parametrize("n", [3, 200])
def test_writes_are_seen(n):
    point = np.linspace(0.5, 1.5, n)
    calls = iter(range(10**6))

    def negated(x):
        x *= -1.0  # heals itself every other call
        return float(-x[0] * x[1] + x[-1] ** 2)

    def written(x):
        found = float(x[0] * x[1] + x[-1] ** 2)
        if next(calls) % 7 == 3:
            x[1] = 100.0
        return found

    exact = np.zeros(n)
    exact[0], exact[1], exact[-1] = point[1], point[0], 2 * point[-1]
    x0 = point.copy()
    np.testing.assert_allclose(numdiff.gradient(Callback(written).pointer, x0), exact, atol=1e-8)
    np.testing.assert_array_equal(x0, point)
    exact[0], exact[1] = -point[1], -point[0]
    np.testing.assert_allclose(numdiff.gradient(Callback(negated).pointer, x0), exact, atol=1e-8)
    np.testing.assert_array_equal(x0, point)
    np.testing.assert_allclose(np.diag(numdiff.hessian(Callback(negated).pointer, x0))[-1], 2.0, atol=1e-5)


# Lifetimes


class Data(ctypes.Structure):
    _fields_ = (("factor", ctypes.c_double),)


def with_factor(n, x, data):
    return ctypes.cast(data, ctypes.POINTER(Data)).contents.factor * x[0] * x[1]


DATA = {
    "structure": lambda data: data,
    "pointer": ctypes.pointer,
    "void pointer": lambda data: ctypes.cast(ctypes.pointer(data), ctypes.c_void_p),
    "array": lambda data: (ctypes.c_double * 1)(data.factor),
    "ndarray": lambda data: np.array([data.factor]),
}


@pytest.mark.parametrize("kind", DATA)
def test_user_data(kind):
    fun = NUMBER_WITH_DATA(with_factor)
    native = numdiff.native(fun, user_data=DATA[kind](Data(3.0)))
    gc.collect()
    np.testing.assert_allclose(numdiff.gradient(native, [2.0, 5.0]), [15.0, 6.0], rtol=1e-9)


def test_user_data_of_cffi():
    ffi = pytest.importorskip("cffi").FFI()
    fun = NUMBER_WITH_DATA(with_factor)
    native = numdiff.native(fun, user_data=ffi.new("double[1]", [3.0]))
    gc.collect()
    np.testing.assert_allclose(numdiff.gradient(native, [2.0, 5.0]), [15.0, 6.0], rtol=1e-9)


def test_user_data_of_a_low_level_callable_lives_as_long_as_a_callable_made_of_it():
    data = Data(3.0)
    alive = weakref.ref(data)
    pointer = ctypes.cast(ctypes.pointer(data), ctypes.c_void_p)
    gradient = numdiff.grad(LowLevelCallable(NUMBER_WITH_DATA(with_factor), pointer))
    data.factor = 4.0  # the very structure, no copy
    del data, pointer
    gc.collect()
    assert alive() is not None
    np.testing.assert_allclose(gradient([2.0, 5.0]), [20.0, 8.0], rtol=1e-9)
    numdiff.gradient(LowLevelCallable(Callback(smooth).pointer), X)  # the one recognised last
    del gradient
    gc.collect()
    assert alive() is None


# Compiled C


def test_compiled_functions(library):
    x0 = np.linspace(-1.0, 1.5, 40)
    np.testing.assert_array_equal(numdiff.gradient(library.rosen, x0), numdiff.gradient(rosen, x0))
    np.testing.assert_array_equal(numdiff.hessian(library.rosen, x0), numdiff.hessian(rosen, x0))
    scaled = numdiff.native(library.scaled, user_data=Data(2.0))
    np.testing.assert_array_equal(numdiff.gradient(scaled, x0), 2.0 * numdiff.gradient(rosen, x0))
    squares = numdiff.native(library.squares, m=50)
    expected = np.zeros((50, 40))
    expected[np.arange(50), np.arange(50) % 40] = 2 * x0[np.arange(50) % 40] * np.arange(1, 51)
    np.testing.assert_allclose(numdiff.jacobian(squares, x0), expected, atol=1e-8)
    with pytest.raises(RuntimeError, match="status 3"):
        numdiff.jacobian(squares, np.full(40, 60.0))


@pytest.mark.parametrize("call", ["gradient(fun, np.ones(n))", "gradient_descent(fun, np.ones(n))"])
def test_ctrl_c_stops_a_long_loop(library, backend, call):
    script = f"""
        import ctypes, signal
        import numpy as np, numdiff
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background processes ignore it
        library = ctypes.CDLL({library._name!r})
        fun = library.interrupt
        fun.restype, fun.argtypes = ctypes.c_double, [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
        n = 2000
        try:
            numdiff.{call}
        except KeyboardInterrupt:
            calls = ctypes.c_long.in_dll(library, "calls").value
            assert 10 <= calls < n, calls
            print("stopped")
    """
    environment = {**os.environ, "NUMDIFF_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "stopped", done.stderr


# Threads


@pytest.mark.parametrize("workers", [1, 2, 3, 7, -1])
@pytest.mark.parametrize("n", [1, 2, 5, 130])
def test_threads_give_the_same_bits(workers, n):
    callback = Callback(rosen)
    x0 = np.linspace(-1.0, 1.5, n)
    for options in ({}, {"method": "forward"}, {"method": "richardson"}, {"bounds": (x0, x0 + 1.0)}):
        expected = numdiff.gradient(rosen, x0, full_output=True, **options)
        callback.nfev = 0
        found = numdiff.gradient(callback.pointer, x0, full_output=True, workers=workers, **options)
        np.testing.assert_array_equal(found.value, expected.value)
        np.testing.assert_array_equal(found.error, expected.error)
        assert found.nfev == expected.nfev == callback.nfev


@pytest.mark.parametrize("n", [1, 2, 40])
def test_threads_give_the_same_hessian(n):
    callback = Callback(rosen)
    x0 = np.linspace(-1.0, 1.5, n)
    for options in ({}, {"method": "forward"}, {"method": "richardson"}, {"bounds": (x0, x0 + 1.0)}):
        expected = numdiff.hessian(rosen, x0, full_output=True, **options)
        callback.nfev = 0
        found = numdiff.hessian(callback.pointer, x0, full_output=True, workers=3, **options)
        np.testing.assert_array_equal(found.value, expected.value)
        assert found.nfev == expected.nfev == callback.nfev
    np.testing.assert_array_equal(
        numdiff.hessian_diagonal(callback.pointer, x0, workers=3), numdiff.hessian_diagonal(rosen, x0)
    )
    np.testing.assert_array_equal(numdiff.hess(callback.pointer, workers=3)(x0), numdiff.hessian(rosen, x0))
    for derivative in (numdiff.jacobian, numdiff.hessian):
        with pytest.raises(ValueError, match="`workers` cannot be given with `sparsity`"):
            derivative(callback.pointer, x0, sparsity=np.eye(x0.size), workers=2)


def test_threads_of_an_executor_and_other_functions():
    x0 = np.linspace(-1.0, 1.5, 30)
    fun = Callback(rosen).pointer
    several = numdiff.native(Callback(lambda x: np.array([rosen(x), x[3]]), NUMBERS).pointer, m=2)
    expected = numdiff.gradient(rosen, x0)
    with ThreadPoolExecutor(2) as executor:
        np.testing.assert_array_equal(numdiff.gradient(fun, x0, workers=executor), expected)
        np.testing.assert_array_equal(numdiff.grad(fun, workers=executor)(x0), expected)
        np.testing.assert_array_equal(numdiff.jacobian(several, x0, workers=executor)[0], expected)
        busy = threading.Event()
        for _ in range(2):
            executor.submit(busy.wait)
        np.testing.assert_array_equal(numdiff.gradient(fun, x0, workers=executor), expected)  # without them
        busy.set()
    np.testing.assert_array_equal(numdiff.value_and_grad(fun, workers=2)(x0)[1], expected)
    np.testing.assert_array_equal(numdiff.jac(several, workers=2)(x0)[0], expected)
    np.testing.assert_array_equal(numdiff.approx_derivative(fun, x0, workers=2), numdiff.approx_derivative(rosen, x0))


def test_threads_work_at_once():
    # Each of the two waits for the other: a single thread would never come through.
    meeting = threading.Barrier(2, timeout=60)
    met = set()

    def fun(x):
        if threading.get_ident() not in met:
            met.add(threading.get_ident())
            meeting.wait()
        return float(x @ x)

    x0 = np.linspace(-1.0, 1.0, 64)
    np.testing.assert_allclose(numdiff.gradient(Callback(fun).pointer, x0, workers=2), 2 * x0, atol=1e-9)
    assert len(met) == 2


def test_an_error_in_one_thread_stops_all():
    calls = []

    def stop(n, x, m, fx, data):
        calls.append(1)
        fx[0] = 0.0
        return 4 if abs(x[5] - 5.0) > 1e-9 else 0  # where coordinate 5 is moved

    pointer = NUMBERS(stop)
    with pytest.raises(RuntimeError, match="status 4"):
        numdiff.jacobian(numdiff.native(pointer, m=1), np.arange(1000.0), workers=2)


def test_writes_in_threads():
    def negated(x):
        x *= -1.0
        return float(x @ x)

    x0 = np.linspace(0.5, 1.5, 100)
    np.testing.assert_allclose(numdiff.gradient(Callback(negated).pointer, x0, workers=2), 2 * x0, atol=1e-8)


def test_wrong_workers():
    fun = Callback(smooth).pointer
    for workers, error in ((0, ValueError), (-2, ValueError), (2.0, TypeError), (True, TypeError), ("2", TypeError)):
        with pytest.raises(error, match="`workers`"):
            numdiff.gradient(fun, X, workers=workers)
    with ProcessPoolExecutor(1) as executor:
        for workers in (executor, map):
            with pytest.raises(TypeError, match="`workers` must be threads"):
                numdiff.gradient(fun, X, workers=workers)
    with pytest.raises(ValueError, match="`vectorized` cannot be True for a native `fun`"):
        numdiff.gradient(fun, X, vectorized=True)
    np.testing.assert_array_equal(numdiff.gradient(smooth, X, workers=1), numdiff.gradient(smooth, X))


def test_hammer():
    hammer = runpy.run_path(str(Path(__file__).with_name("hammer.py")))
    assert hammer["run"](threads=8, rounds=15) == 120


# numba


@pytest.fixture
def numba():
    return pytest.importorskip("numba")


def test_numba_cfunc(numba):
    @numba.cfunc(numba.float64(numba.intc, numba.types.CPointer(numba.float64)))
    def fun(n, x):
        return x[0] ** 2 * x[1] + x[n - 1]

    np.testing.assert_allclose(numdiff.gradient(fun, [3.0, 2.0, 1.0]), [12.0, 9.0, 1.0], rtol=1e-9)
    np.testing.assert_array_equal(numdiff.gradient(LowLevelCallable(fun.ctypes), X), numdiff.gradient(fun, X))

    @numba.cfunc(numba.float64(numba.float64))
    def other(x):
        return x

    with pytest.raises(TypeError, match=ALLOWED):
        numdiff.gradient(other, X)


def test_njit_as_it_is(numba):
    @numba.njit
    def fun(x):
        total = 0.0
        for i in range(x.size - 1):
            a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
            total += 100.0 * (a * a) + b * b
        return total

    x0 = np.linspace(-1.0, 1.5, 40)
    for derivative in (numdiff.gradient, numdiff.jacobian, numdiff.hessian, numdiff.approx_derivative):
        np.testing.assert_array_equal(derivative(fun, x0), derivative(rosen, x0))
    found, expected = (numdiff.gradient(f, x0, full_output=True) for f in (fun, rosen))
    assert found.nfev == expected.nfev
    np.testing.assert_array_equal(found.error, expected.error)
    np.testing.assert_array_equal(numdiff.gradient(fun, x0, workers=3), expected.value)
    np.testing.assert_array_equal(numdiff.grad(fun)(x0), expected.value)


def test_njit_gradients(numba):
    @numba.njit
    def jac(x):
        return 2.0 * x * x * x

    def python(x):
        return 2.0 * x * x * x

    np.testing.assert_array_equal(numdiff.hessian(None, X, jac=jac), numdiff.hessian(None, X, jac=python))
    found, expected = (numdiff.gradient_descent(None, X, jac=j, learning_rate=0.01) for j in (jac, python))
    np.testing.assert_array_equal(found.x, expected.x)
    assert (found.nit, found.njev) == (expected.nit, expected.njev)
    fun = numba.njit(lambda x: (x[0] - 1.0) ** 2 + 2.0 * x[1] ** 2 + x[2] ** 2 * x[3] ** 2)
    found, expected = (numdiff.gradient_descent(f, X, learning_rate=0.02) for f in (fun, fun.py_func))
    np.testing.assert_allclose(found.x, expected.x, atol=1e-5)  # it may round in another way
    single = numba.njit(lambda x: np.float32((x[0] - 1.0) ** 2))
    assert (
        numdiff.gradient_descent(single, [3.0], learning_rate=0.1).status
        == numdiff.gradient_descent(lambda x: np.float32((x[0] - 1.0) ** 2), [3.0], learning_rate=0.1).status
    )
    with pytest.raises(ValueError, match="`jac` must return the gradient"):
        numdiff.hessian(None, X, jac=numba.njit(lambda x: x[:2]))


def test_njit_is_compiled_once_and_not_kept(numba, backend):
    from numdiff import _njit

    fun = numba.njit(lambda x: x[0] * x[1])
    numdiff.gradient(fun, X)
    made = _njit._made.get(fun)
    assert (made is not None) == (backend == "c")
    numdiff.gradient(fun, X)
    assert _njit._made.get(fun) is made
    alive = weakref.ref(fun)
    del fun
    gc.collect()
    assert alive() is None


def test_njit_of_several_values_with_arguments_or_axes(numba):
    several = numba.njit(lambda x: np.array([x[0] * x[1], np.sin(x[2]), x[3] ** 2]))
    expected = numdiff.jacobian(lambda x: several.py_func(x), X)
    np.testing.assert_array_equal(numdiff.jacobian(several, X), expected)
    np.testing.assert_array_equal(numdiff.jacobian(several, X, workers=2), expected)
    scaled = numba.njit(lambda x, a: a * x[0] * x[1])
    np.testing.assert_allclose(numdiff.gradient(scaled, [2.0, 5.0], args=(3.0,)), [15.0, 6.0], rtol=1e-9)
    np.testing.assert_allclose(numdiff.gradient(scaled, [2.0, 5.0], kwargs={"a": 3.0}), [15.0, 6.0], rtol=1e-9)
    matrix = numba.njit(lambda x: x[0, 1] * x[1, 0])
    np.testing.assert_allclose(numdiff.gradient(matrix, [[1.0, 2.0], [3.0, 4.0]]), [[0, 3], [2, 0]], atol=1e-9)
    typed = numba.njit("float64(float64[:])")(lambda x: x[0] * x[1])
    np.testing.assert_allclose(numdiff.gradient(typed, [2.0, 5.0]), [5.0, 2.0], rtol=1e-9)
    whole = numba.njit(lambda x: 3)
    np.testing.assert_array_equal(numdiff.gradient(whole, X), np.zeros(4))
    analytic = numba.njit(lambda x: x[0] ** 3)
    np.testing.assert_allclose(numdiff.gradient(analytic, [2.0], method="complex"), [12.0], rtol=1e-14)


def test_njit_in_single_precision_is_seen(numba):
    fun = numba.njit(lambda x: np.float32(x[0] * x[1]))
    found = numdiff.gradient(fun, [2.0, 5.0], full_output=True)
    np.testing.assert_allclose(found.value, [5.0, 2.0], rtol=1e-3)
    assert (found.flag == numdiff.Flag.low_precision).all()


def test_njit_exceptions_pass_through(numba):
    @numba.njit
    def fun(x):
        if x[1] != 0.25:
            raise KeyError("mine")
        return x[0]

    with pytest.raises(KeyError, match="mine"):
        numdiff.gradient(fun, [1.0, 0.25])
    with pytest.raises(KeyError, match="mine"):
        numdiff.gradient_descent(fun, [1.0, 0.25], history=True)  # fun is fine where the descent is

    @numba.njit
    def grows(x):
        return np.ones(2 if x[1] == 0.25 else 3)

    with pytest.raises(ValueError, match="2 at first and 3 later"):
        numdiff.jacobian(grows, [1.0, 0.25])
