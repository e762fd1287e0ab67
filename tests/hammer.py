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
    return float((x * x).cumsum()[-1] * x[0] + np.sin(x[-1]))  # in one order, wherever x lies in memory


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


JOBS = [
    lambda x: numdiff.gradient(smooth, x),
    lambda x: numdiff.gradient(_writes, x),
    lambda x: numdiff.gradient(_native, x),
    lambda x: numdiff.gradient(_native_writes, x),
    lambda x: numdiff.gradient(_native, x, workers=2),
    lambda x: numdiff.jacobian(_native, x)[0],
    lambda x: numdiff.gradient_descent(_native, x, maxiter=0).jac,
    lambda x: numdiff.gradient_descent(_native_writes, x, maxiter=0, history=True).jac,
    lambda x: numdiff.gradient_descent(_native, x, jac=_native_gradient, maxiter=0, history=True).jac,
]


def run(threads: int, rounds: int | None = None, seconds: float = 0.0) -> int:
    """The number of gradients compared; AssertionError where one is wrong. So many rounds per thread, or seconds."""
    points = [np.linspace(0.5, 1.5, n) for n in SIZES]
    expected = [numdiff.gradient(smooth, x) for x in points]
    ends = time.monotonic() + seconds
    compared: list[int] = []
    problems: list[BaseException] = []

    def work(number: int) -> None:
        done = 0
        try:
            while not problems and (done < rounds if rounds is not None else time.monotonic() < ends):
                which = (number + done) % len(SIZES)
                x = points[which]
                found = JOBS[(number + done) % len(JOBS)](x)
                np.testing.assert_array_equal(found, expected[which])
                np.testing.assert_array_equal(x, np.linspace(0.5, 1.5, x.size))
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
    print(f"{run(8, seconds=seconds)} gradients in 8 threads on {numdiff.backend}, no wrong number")
