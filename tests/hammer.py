"""Many threads differentiate native and Python functions at once, and every number is compared with its bits.

python tests/hammer.py [SECONDS]
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time

import numpy as np

import numdiff

SIZES = (1, 3, 65, 200)
DOUBLES = ctypes.POINTER(ctypes.c_double)
NUMBER = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int, DOUBLES)


def smooth(x):
    return float((x * x).cumsum()[-1] * x[0] + x[-1] * x[-1] * x[-1])  # in one order, wherever x lies in memory


def _writes(x):
    value = smooth(x)
    x *= -1.0
    return value


_native = numdiff.native(NUMBER(lambda n, x: smooth(np.ctypeslib.as_array(x, (n,)))))
_native_writes = numdiff.native(NUMBER(lambda n, x: _writes(np.ctypeslib.as_array(x, (n,)))))


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, DOUBLES, ctypes.c_int, DOUBLES, ctypes.c_void_p)
def _native_gradient(n, x, m, g, data):
    np.ctypeslib.as_array(g, (m,))[:] = numdiff.gradient(smooth, np.ctypeslib.as_array(x, (n,)))
    return 0


try:
    import numba
except ImportError:
    COMPILED = []
else:

    @numba.njit
    def _compiled(x):
        total = 0.0
        for xi in x:
            total += xi * xi
        return total * x[0] + x[-1] * x[-1] * x[-1]

    COMPILED = [
        lambda x: numdiff.gradient(_compiled, x),
        lambda x: numdiff.gradient(_compiled, x, workers=2),
        lambda x: numdiff.jacobian(_compiled, x)[0],
    ]


def chain(x):
    return x * x * np.roll(x, 1)  # each value of two variables


def _sparse(x):
    near = np.eye(x.size, dtype=bool) | np.roll(np.eye(x.size, dtype=bool), -1, axis=1)
    return numdiff.jacobian(chain, x, sparsity=near).toarray()


GRADIENTS = [
    lambda x: numdiff.gradient(smooth, x),
    lambda x: numdiff.gradient(_writes, x),
    lambda x: numdiff.gradient(_native, x),
    lambda x: numdiff.gradient(_native_writes, x),
    lambda x: numdiff.gradient(_native, x, workers=2),
    lambda x: numdiff.jacobian(_native, x)[0],
    lambda x: numdiff.gradient_descent(_native, x, maxiter=0).jac,
    lambda x: numdiff.gradient_descent(_native_writes, x, maxiter=0, history=True).jac,
    lambda x: numdiff.gradient_descent(_native, x, jac=_native_gradient, maxiter=0, history=True).jac,
    *COMPILED,
]
HESSIANS = [
    lambda x: numdiff.hessian(_native, x),
    lambda x: numdiff.hessian(_native_writes, x),
    lambda x: numdiff.hessian(_native, x, workers=2),
    *([lambda x: numdiff.hessian(_compiled, x)] if COMPILED else []),
]
JOBS = [
    *((lambda x: numdiff.gradient(smooth, x), job, SIZES) for job in GRADIENTS),
    *((lambda x: numdiff.hessian(smooth, x), job, SIZES[:2]) for job in HESSIANS),
    (lambda x: numdiff.jacobian(chain, x), _sparse, SIZES[:3]),
]  # what is right, by Python functions alone; a job; its sizes


def run(threads: int, rounds: int | None = None, seconds: float = 0.0) -> int:
    """The number of answers compared; AssertionError where one is wrong. So many rounds per thread, or seconds."""
    points = {n: np.linspace(0.5, 1.5, n) for n in SIZES}
    tasks = [(job, n, plain(points[n])) for plain, job, sizes in JOBS for n in sizes]
    ends = time.monotonic() + seconds
    compared: list[int] = []
    problems: list[BaseException] = []

    def work(number: int) -> None:
        done = 0
        try:
            while not problems and (done < rounds if rounds is not None else time.monotonic() < ends):
                job, n, expected = tasks[(7 * number + done) % len(tasks)]
                np.testing.assert_array_equal(job(points[n]), expected)
                np.testing.assert_array_equal(points[n], np.linspace(0.5, 1.5, n))
                done += 1
        except BaseException as problem:
            problems.append(problem)
        compared.append(done)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if problems:
        raise problems[0]
    return sum(compared)


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"{run(8, seconds=seconds)} answers in 8 threads on {numdiff.backend}, no wrong number")
