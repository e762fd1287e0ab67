"""rosen.c, compiled by the local compiler: the function that numdiff is given, and the C program it is measured by."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np

FLAGS = ("-O3", "-ffp-contract=off", "-shared", "-fPIC")
RATE = 1e-4  # of the descents
TIMES = 10  # gradients in one call of C, so that ctypes does not count


@cache
def compiled(name):
    """The library made of name.c; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.so")
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run([compiler, *FLAGS, "-o", path, source, "-lm"], check=True)
        return ctypes.CDLL(str(path))


@cache
def library():
    """The compiled rosen.c; None where there is no compiler."""
    found = compiled("rosen")
    if found is None:
        return None
    found.rosen.restype = ctypes.c_double
    found.rosen.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    double_p, found.descend.restype = ctypes.POINTER(ctypes.c_double), ctypes.c_int
    found.rosen_gradient.restype = ctypes.c_int
    found.rosen_gradient.argtypes = [ctypes.c_int, double_p, ctypes.c_int, double_p, ctypes.c_void_p]
    for name in ("gradients", "gradients_at", "hessian"):
        getattr(found, name).restype = None
    return found


def c_gradients(x):
    """A call that makes TIMES gradients of rosen in C, and where it leaves them."""
    x, out = x.copy(), np.empty(x.size)
    call = partial(library().gradients, library().rosen, x.size, _pointer(x), _pointer(out), TIMES)
    return call, out


def c_gradients_at(points):
    """A call that makes the gradients at the columns of points in C, and where it leaves them."""
    n, k = points.shape
    x, out = np.empty(n), np.empty(points.shape)
    return partial(library().gradients_at, library().rosen, n, k, *map(_pointer, (points, x, out))), out


def c_hessian(x):
    x, h, beside, out = x.copy(), np.empty(x.size), np.empty(2 * x.size), np.empty((x.size, x.size))
    return partial(library().hessian, library().rosen, x.size, *map(_pointer, (x, h, beside, out))), out


def c_descent(x, steps, with_jac):
    """So many steps from x; it leaves the point where it ends."""
    start, x, g = x, x.copy(), np.empty(x.size)
    rate, gtol = ctypes.c_double(RATE), ctypes.c_double(0.0)
    jac = library().rosen_gradient if with_jac else None
    arguments = library().rosen, jac, x.size, _pointer(x), _pointer(g), rate, gtol, steps

    def call():
        x[:] = start
        assert library().descend(*arguments) == steps

    return call, x


def _pointer(array):
    return np.ctypeslib.as_ctypes(array.reshape(-1))  # keeps the array alive


def njit_rosen():
    """The function as numba compiles it; None without numba."""
    try:
        import numba
    except ModuleNotFoundError:
        return None

    @numba.njit
    def rosen(x):
        total = 0.0
        for i in range(x.size - 1):
            a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
            total += 100.0 * a * a + b * b
        return total

    return rosen
