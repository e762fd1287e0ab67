"""From which time of one call of fun on do workers pay? The break-even time of every engine, by the table it prints.

    python benchmarks/scale.py        (extras dask and mpi, and an mpiexec, for their rows)

The gradient at 20 variables, 40 calls of a fun that costs a known time of the processor: ten microseconds to a tenth
of a second. A figure is the time of a serial run by that of the engine, here with two workers; above 1 it pays. All
but the first row are of workers made beforehand.
"""

from __future__ import annotations

import ctypes
import json
import math
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from native import compiled

import numdiff

WORKERS = 2
X = np.linspace(-1.0, 1.5, 20)
TIMES = [round(10 ** (k / 2 - 5), 7) for k in range(9)]  # seconds in one call: 10 us to 100 ms
LEAST = 0.2  # seconds for one figure, at the least two runs where they are shorter
CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")


def busy(x, seconds):
    """The sum of squares, after so much time of the processor, not of the clock: two on one core take twice as long."""
    end = time.thread_time() + seconds
    total = 0.0
    for value in x.tolist():
        total += value * value
    while time.thread_time() < end:
        pass
    return total


def native_busy():
    """busy in C, and a function that sets its seconds; None where there is no compiler."""
    library = compiled("busy")
    if library is None:
        return None
    library.busy.restype = ctypes.c_double
    library.busy.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_double)]
    return numdiff.native(library.busy), ctypes.c_double.in_dll(library, "seconds")


def python_gradient(seconds, workers=None):
    return numdiff.gradient(busy, X, args=(seconds,), workers=workers)


def timed(gradient, seconds, workers=None):
    """The shortest time of a gradient."""
    best, end = math.inf, time.perf_counter() + LEAST
    while best == math.inf or time.perf_counter() < end:
        begin = time.perf_counter()
        found = gradient(seconds, workers)
        best = min(best, time.perf_counter() - begin)
    np.testing.assert_allclose(found, 2.0 * X, atol=1e-8)
    return best


def times_of(workers, gradient=python_gradient):
    gradient(TIMES[0], workers)  # the workers begin, and import
    return [timed(gradient, seconds, workers) for seconds in TIMES]


@contextmanager
def dask_client():
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def mpi_times():
    """Those of an MPI pool: this script again, under mpiexec. None where there is none."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        return None
    settings = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    command = [mpiexec, "-n", str(WORKERS + 1), sys.executable, "-m", "mpi4py.futures", __file__, "mpi"]
    done = subprocess.run(command, env={**os.environ, **settings}, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def under_mpi():
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        print(json.dumps(times_of(pool)))


def rows():
    """(engine, its times, the serial ones), one after another."""
    serial = times_of(None)
    yield "serial", serial, serial
    yield "processes made for the call", times_of(WORKERS), serial
    with ProcessPoolExecutor(WORKERS, CONTEXT) as pool:
        yield "ProcessPoolExecutor", times_of(pool), serial
    with CONTEXT.Pool(WORKERS) as pool:
        yield "multiprocessing.Pool.map", times_of(pool.map), serial
    try:
        with dask_client() as client:
            yield "Dask client", times_of(client), serial
    except ImportError as error:
        print(f"no Dask: {error}", file=sys.stderr)
    found = mpi_times()
    if found is None:
        print("no MPI: no mpiexec", file=sys.stderr)
    else:
        yield "MPIPoolExecutor", found, serial
    made = native_busy()
    if made is None:
        print("no native function: no C compiler", file=sys.stderr)
        return
    fun, seconds = made

    def gradient(each, workers=None):
        seconds.value = each
        return numdiff.gradient(fun, X, workers=workers)

    serial = times_of(None, gradient)
    yield "threads, native function", times_of(WORKERS, gradient), serial


def break_even(ratios):
    """The seconds at which the last crossing of 1 lies, by a line through the logarithms; None: it never pays."""
    if ratios[-1] <= 1.0:
        return None
    for k in range(len(TIMES) - 2, -1, -1):
        if ratios[k] <= 1.0:
            low, high = math.log(ratios[k]), math.log(ratios[k + 1])
            return TIMES[k] * (TIMES[k + 1] / TIMES[k]) ** (-low / (high - low))
    return 0.0


def shown(seconds):
    if seconds is None:
        return "never"
    if seconds < TIMES[0]:
        return f"below {shown(TIMES[0])}"
    rounded = float(f"{seconds:.2g}")
    return f"{rounded * 1e3:g} ms" if rounded >= 1e-3 else f"{rounded * 1e6:g} us"


def main():
    print(
        f"{os.cpu_count()} cores, {WORKERS} workers; Python {platform.python_version()}, numdiff on {numdiff.backend}\n"
    )
    heads = ["one call takes", *map(shown, TIMES), "pays from"]
    print("| " + " | ".join(heads) + " |\n|---|" + "---:|" * (len(heads) - 1))
    for name, times, serial in rows():
        ratios = [one / other for one, other in zip(serial, times, strict=True)]
        if name == "serial":
            cells = [shown(each) for each in times]
            end = ""
        else:
            cells, end = [f"{ratio:.2f}" for ratio in ratios], shown(break_even(ratios))
        print("| " + " | ".join([name, *cells, end]) + " |", flush=True)


if __name__ == "__main__":
    under_mpi() if sys.argv[1:] == ["mpi"] else main()
