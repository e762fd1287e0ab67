"""One table: how fast numdiff is on both backends, beside SciPy, statsmodels and the bare calls of fun.

python benchmarks/report.py [--quick]

The contenders of a row take turns, and a ratio is the median of the ratios of all turns: what slows the machine falls
on all of them alike. Times are of the CPU: nothing here waits, and other processes do not count. Results are checked
before they are timed. Each backend runs in a process of its own, with one BLAS thread unless OPENBLAS_NUM_THREADS says
more: on a busy machine, two that wait for each other make L-BFGS-B ten times slower, and its ratios are chance.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter, process_time

import cases
import native
import numpy as np
import sparsity
from scipy import LowLevelCallable

BACKENDS = ("c", "python")
MEASURE = "--measure"  # how this file asks itself for the rows of the one backend that NUMDIFF_BACKEND selects

FASTER = "approx_fprime: how many times faster than scipy.optimize's"
FASTER_THAN_STATSMODELS = "approx_fprime: how many times faster than statsmodels'"
CEILING = "The ceiling: SciPy's time over that of the bare n + 1 calls, which stand for numdiff here"
LIMIT = "The limit: numdiff's time over that of the bare calls"
HESSIAN = "hessian, central from values: how many times faster than"
END_TO_END = "minimize(rosen, method='L-BFGS-B'): how many times faster than with jac=None"
ACCELERATED = "accelerate_scipy: how many times faster than without"
CURVES = "derivative: numdiff's time over that of two evaluations of fun"
CURVES_FASTER = "derivative: how many times faster than scipy.differentiate's"
DESCENT = "gradient_descent: how many times faster than the NumPy loop x = x - lr * jac(x)"
DESCENT_ADDED = "gradient_descent: ns that an iteration adds to the bare calls of jac (the peer)"
DESCENT_PASSES = "gradient_descent: that time over one read and one write of n numbers (np.copyto)"
COLORS = "color_columns: colours over those of SciPy's group_columns"
COLORING = "color_columns: how many times faster than SciPy's group_columns"
SPARSE = "jacobian(sparsity=), tridiagonal: how many times faster than SciPy's approx_derivative"
MEMORY = "Memory: peak beside the result, in units of n doubles"
NATIVE = "Native rosen, central: numdiff's time over that of a C program doing the same"
NATIVE_FASTER = "Native rosen, central: how many times faster than scipy's 3-point with the NumPy rosen"
THREADS = "Native rosen, central: how many times faster in 2 threads than in one, by the clock on the wall"
COLUMNS = "vectorized=True, rosen in NumPy: how many times faster than one point at a time"
POINTS = "points=True, native rosen: numdiff's time over that of a C program doing the same"
AT_MOST = (LIMIT, CURVES, DESCENT_ADDED, DESCENT_PASSES, COLORS, MEMORY, NATIVE, POINTS)  # elsewhere more is better

ALIGNMENT = 64  # bytes: a cache line

# By section, case and n: for both backends, or for C alone where only a loop in C can come that close.
TARGETS = {
    (FASTER, "constant", 2): {"c": 12, "python": 3.5},
    (FASTER, "constant", 10): {"c": 25, "python": 6},
    (FASTER, "constant", 100): {"c": 60, "python": 8},
    (FASTER, "constant", 1000): {"c": 80, "python": 9},
    (FASTER, "x.dot(x)", 10): {"c": 10, "python": 4.5},
    (FASTER, "x.dot(x)", 1000): {"c": 10, "python": 5.5},
    (FASTER, "rosen", 10): {"c": 2.0, "python": 1.6},
    (FASTER, "rosen", 1000): {"c": 1.45, "python": 1.3},
    (LIMIT, "approx_fprime, x.dot(x)", 100): {"c": 1.2},
    (LIMIT, "approx_fprime, rosen", 10): {"c": 1.1},
    (LIMIT, "approx_fprime, rosen", 1000): {"c": 1.05},
    (LIMIT, "gradient, x.dot(x)", 100): {"c": 1.2},
    (LIMIT, "gradient, rosen", 10): {"c": 1.1},
    (LIMIT, "gradient, rosen", 1000): {"c": 1.05},
    (LIMIT, "gradient, x.dot(x), 2000 indices", 100_000): {"c": 1.2},
    (HESSIAN, "rosen, statsmodels' approx_hess3", 50): {"c": 2, "python": 2},
    (HESSIAN, "rosen, numdifftools' Hessian", 50): {"c": 25, "python": 25},
    (LIMIT, "hessian, rosen", 10): {"c": 1.2},
    (LIMIT, "hessian, rosen", 50): {"c": 1.1},
    (END_TO_END, "jac=numdiff.grad(rosen)", 20): {"c": 1.6},
    (ACCELERATED, "minimize, rosen, L-BFGS-B", 20): {"c": 1.35},
    (ACCELERATED, "least_squares, fit of 100 points, trf", 3): {"c": 1.2},
    (CURVES, "x^2", 1_000_000): {"c": 2.5},
    (CURVES, "2x^3 - 3x^2 + 5", 1_000_000): {"c": 1.1},
    (CURVES, "exp(-2x) + 3 sin 3x", 1_000_000): {"c": 1.1},
    (CURVES_FASTER, "x^2", 1_000_000): {"c": 150},
    (CURVES_FASTER, "2x^3 - 3x^2 + 5", 1_000_000): {"c": 8},
    (CURVES_FASTER, "exp(-2x) + 3 sin 3x", 1_000_000): {"c": 30},
    (DESCENT, "jac = a known array", 2): {"c": 3},
    (DESCENT_ADDED, "jac = a known array", 2): {"c": 250},
    (DESCENT_ADDED, "jac = 2x", 2): {"c": 250},
    (DESCENT_PASSES, "jac = a known array", 100_000): {"c": 1},
    **{(COLORS, name, S.shape[1]): {"c": 1, "python": 1} for name, S in sparsity.structures().items()},
    (COLORING, "tridiagonal", 100_000): {"c": 0.5},
    (SPARSE, "forward, coloured in the same call", 20_000): {"c": 2},
    (SPARSE, "forward, colours given", 20_000): {"c": 4},
    (SPARSE, "central, coloured in the same call", 20_000): {"c": 2},
    (SPARSE, "central, colours given", 20_000): {"c": 4},
    (NATIVE, "gradient", 100): {"c": 1.4},
    (NATIVE, "gradient", 1000): {"c": 1.05},
    (NATIVE, "hessian", 100): {"c": 1.1},
    (NATIVE, "gradient_descent", 100): {"c": 1.1},
    (NATIVE, "gradient_descent", 1000): {"c": 1.1},
    (NATIVE, "gradient_descent, jac", 100): {"c": 1.1},
    (NATIVE, "gradient_descent, jac", 1000): {"c": 1.1},
    (NATIVE_FASTER, "gradient", 10): {"c": 60},
    (NATIVE_FASTER, "gradient", 100): {"c": 100},
    (NATIVE_FASTER, "gradient", 1000): {"c": 15},
    (NATIVE_FASTER, "gradient, numba's @njit", 1000): {"c": 12},
    (THREADS, "gradient", 1000): {"c": 1.7},
    (COLUMNS, "gradient", 100): {"c": 8},
    (COLUMNS, "gradient", 1000): {"c": 2.5},
    (POINTS, "gradient at 100,000 points", 3): {"c": 1.2},
    (MEMORY, "approx_fprime, constant", 1_000_000): {"c": 4, "python": 4},
    (MEMORY, "gradient, constant", 1_000_000): {"c": 4, "python": 4},
}


@dataclass
class Row:
    section: str
    case: str
    n: int
    ratio: float
    peer_us: float | None = None
    own_us: float | None = None


@dataclass
class Clock:
    turns: int
    seconds: float  # of one contender's turn, so that reading the clock does not count; 0: one call
    now: Callable[[], float] = process_time

    def race(self, before=lambda name: None, **contenders):
        """Seconds per call by contender and turn; before(name) goes before the turn of that contender, untimed."""
        calls = {name: self._calls(call) for name, call in contenders.items()}
        times = {name: np.empty(self.turns) for name in contenders}
        gc.collect()
        for turn in range(self.turns):
            for name, call in contenders.items():
                before(name)
                times[name][turn] = self._time(call, calls[name])
        return times

    def _calls(self, call):
        if self.seconds == 0.0:
            return 1
        once = min(self._time(call, 1) for _ in range(3))
        return max(1, round(self.seconds / once))

    def _time(self, call, count):
        counter, now = range(count), self.now
        start = now()
        for _ in counter:
            call()
        return (now() - start) / count


def compare(section, case, n, times, peer, own="numdiff"):
    """The row of two contenders of one race; its ratio is above 1 where own is faster, but in AT_MOST."""
    ratios = times[own] / times[peer] if section in AT_MOST else times[peer] / times[own]
    return Row(section, case, n, *(float(np.median(a)) for a in (ratios, 1e6 * times[peer], 1e6 * times[own])))


def approx_fprime_rows(clock, peers):
    for case, n in cases.APPROX_FPRIME:
        x = cases.point(n)
        calls = {"numdiff" if name == peers.NUMDIFF else name: f for name, f in peers.APPROX_FPRIME.items()}
        found = {name: call(x, case.fun) for name, call in calls.items()}
        cases.check_bits(found["numdiff"], found["scipy"])
        for gradient in found.values():
            case.check_gradient(gradient, x)

        contenders = {name: partial(call, x, case.fun) for name, call in calls.items()}
        if case is cases.ROSEN:
            contenders["bare"] = case.bare_calls(x, n + 1)
        times = clock.race(**contenders)
        yield compare(FASTER, case.name, n, times, "scipy")
        if case is cases.ROSEN:
            yield compare(CEILING, case.name, n, times, "scipy", "bare")
        if "statsmodels" in times:
            yield compare(FASTER_THAN_STATSMODELS, case.name, n, times, "statsmodels")


def limit_rows(clock, peers):
    derivatives = {"approx_fprime": peers.numdiff.approx_fprime, "gradient": peers.FORWARD[peers.NUMDIFF]}
    for name, derivative in derivatives.items():
        for case, n in cases.GRADIENT:
            x = cases.point(n)
            case.check_gradient(derivative(x, case.fun), x)
            times = clock.race(numdiff=partial(derivative, x, case.fun), bare=case.bare_calls(x, n + 1))
            yield compare(LIMIT, f"{name}, {case.name}", n, times, "bare")

    yield long_row(clock, peers)


def long_row(clock, peers):
    """Some components at a long point.

    NumPy aligns arrays to 16 bytes, by chance to more, and BLAS is 1.4 times as fast at 32: so the bare calls get a
    point aligned like the one that fun saw from numdiff in the same turn.
    """
    case, n, indices = cases.DOT, cases.LONG, cases.LONG_INDICES
    x, gradient = cases.point(n), peers.numdiff_gradient("forward", indices=indices)
    case.check_gradient(gradient(x, case.fun), x, indices=indices)
    seen = []

    def fun(x):
        if len(seen) < 3:  # the first may be f0's own
            seen.append(address(x) % ALIGNMENT)
        return x.dot(x)

    def numdiff():
        seen.clear()
        gradient(x, fun)

    def bare():
        replace(case, fun=fun).bare_calls(aligned_copy(x, seen[-1]), len(indices) + 1)()

    times = clock.race(numdiff=numdiff, bare=bare)
    return compare(LIMIT, f"gradient, {case.name}, {len(indices)} indices", n, times, "bare")


def address(array):
    return array.__array_interface__["data"][0]


def aligned_copy(x, remainder):
    """A copy of x at an address of that remainder by ALIGNMENT."""
    room = np.empty(x.size + ALIGNMENT // x.itemsize)
    start = (remainder - address(room)) % ALIGNMENT // x.itemsize
    copy = room[start : start + x.size]
    copy[:] = x
    return copy


def hessian_rows(clock, peers):
    """numdiff's turn takes a clock's length, and so does statsmodels'; numdifftools' is one call, and few of those."""
    case, names = cases.ROSEN, {"statsmodels": "approx_hess3", "numdifftools": "Hessian"}
    for n in cases.HESSIAN:
        x = cases.point(n)
        calls = {"numdiff" if name == peers.NUMDIFF else name: f for name, f in peers.HESSIAN.items()}
        for hessian in calls.values():
            cases.check_hessian(hessian(x, case.fun), x)
        contenders = {name: partial(call, x, case.fun) for name, call in calls.items()}
        slow = contenders.pop("numdifftools", None)
        contenders["bare"] = case.bare_calls(x, n * n + n + 1)
        times = clock.race(**contenders)
        yield compare(LIMIT, "hessian, rosen", n, times, "bare")
        if "statsmodels" in times:
            yield compare(HESSIAN, f"rosen, statsmodels' {names['statsmodels']}", n, times, "statsmodels")
        if slow is not None:
            times = Clock(turns=3, seconds=0.0).race(numdiff=contenders["numdiff"], numdifftools=slow)
            yield compare(HESSIAN, f"rosen, numdifftools' {names['numdifftools']}", n, times, "numdifftools")


def minimize_rows(clock, peers):
    start, case = cases.MINIMIZE_START, cases.ROSEN
    gradient, known = peers.numdiff.grad(case.fun, method="forward"), {}

    def recorded(x):
        known[x.tobytes()] = gradient(x)
        return known[x.tobytes()]

    def bare(x):
        case.bare_calls(x, len(x) + 1)()
        key = x.tobytes()
        return known[key] if key in known else recorded(x)  # rounding may have led L-BFGS-B to another point

    peers.minimizer(case.fun, recorded)(start)
    names = {"grad": "jac=numdiff.grad(rosen)", "value_and_grad": "numdiff.value_and_grad(rosen), jac=True"}
    names["bare"] = "the ceiling: jac calls rosen n + 1 times, no more"
    contenders = {
        "scipy": peers.MINIMIZE["scipy"],
        "grad": peers.MINIMIZE[f"{peers.NUMDIFF} grad"],
        "value_and_grad": peers.MINIMIZE[f"{peers.NUMDIFF} value_and_grad"],
        "bare": peers.minimizer(case.fun, bare),
    }
    for minimize in contenders.values():
        cases.check_minimum(minimize(start))
    times = clock.race(**{name: partial(minimize, start) for name, minimize in contenders.items()})
    for name, text in names.items():
        yield compare(END_TO_END, text, len(start), times, "scipy", name)


def accelerated_rows(clock, peers):
    for (name, n), solve in peers.SOLVES.items():
        expected = solve()
        peers.accelerate(True)
        cases.check_same(solve(), expected)
        times = clock.race(lambda contender: peers.accelerate(contender == "numdiff"), numdiff=solve, scipy=solve)
        peers.accelerate(False)
        yield compare(ACCELERATED, name, n, times, "scipy")


def large_rows(clock, peers, n):
    """n components and a fun whose time does not grow with n: what is left is numdiff's own time and memory."""
    case, x = cases.CONSTANT, cases.point(n)
    derivatives = {"approx_fprime": peers.numdiff.approx_fprime, "gradient": peers.FORWARD[peers.NUMDIFF]}
    for name, derivative in derivatives.items():
        gc.collect()
        tracemalloc.start()
        found = derivative(x, case.fun)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        case.check_gradient(found, x)
        yield Row(MEMORY, f"{name}, {case.name}", n, (peak - found.nbytes) / x.nbytes)
        times = clock.race(numdiff=partial(derivative, x, case.fun), bare=case.bare_calls(x, n + 1))
        yield compare(LIMIT, f"{name}, {case.name}", n, times, "bare")


def curve_rows(clock, clock_of_scipy, peers, n):
    """fun at n points at once: what numdiff adds to its two evaluations are passes over memory."""
    x = cases.grid(n)
    for curve in cases.CURVES:
        own = partial(peers.numdiff.derivative, curve.fun, x)
        curve.check_derivative(own(), x)
        yield compare(CURVES, curve.name, n, clock.race(numdiff=own, bare=partial(curve.two_calls, x)), "bare")
        for name, derivative in peers.DERIVATIVE.items():
            curve.check_derivative(derivative(curve.fun, x), x)
            times = clock_of_scipy.race(numdiff=own, scipy=partial(derivative, curve.fun, x))
            yield compare(CURVES_FASTER, curve.name, n, times, name)


def descent_rows(clock, peers):
    """Times of the rows are of one step; those of numdiff less the bare calls are the median of the turns too."""
    for n, steps in cases.DESCENT.items():
        x, twin = cases.point(n), np.empty(n)
        for case in cases.descents(n):
            cases.check_bits(peers.descent(case, x, steps), case.loop(x, steps))
            times = clock.race(
                numdiff=partial(peers.descent, case, x, steps),
                numpy=partial(case.loop, x, steps),
                bare=case.bare_calls(x, steps),
                copy=partial(cases.repeated, steps, np.copyto, twin, x),
            )
            times = {name: seconds / steps for name, seconds in times.items()}
            yield compare(DESCENT, case.name, n, times, "numpy")
            added = times["numdiff"] - times["bare"]
            row = compare(DESCENT_ADDED, case.name, n, times, "bare")
            yield replace(row, ratio=float(np.median(1e9 * added)))
            if n == max(cases.DESCENT):
                yield compare(DESCENT_PASSES, case.name, n, {**times, "numdiff": added}, "copy")


def sparse_rows(clock, peers):
    """Both get their own colours where colours are given; with the check of the structure, and without it."""
    color, group, derivative = peers.numdiff.color_columns, sparsity.group_columns, sparsity.approx_derivative
    for name, S in sparsity.structures().items():
        yield Row(COLORS, name, S.shape[1], float((color(S).max() + 1) / (group(S).max() + 1)))
    S = sparsity.tridiagonal(100_000)
    assert color(S).max() + 1 == 3
    yield compare(
        COLORING, "tridiagonal", 100_000, clock.race(numdiff=partial(color, S), scipy=partial(group, S)), "scipy"
    )

    n = 20_000
    x, S = np.linspace(-1, 1, n), sparsity.tridiagonal(n)
    rows = S.tocsr()
    for method, scipys in (("forward", "2-point"), ("central", "3-point")):
        for case, own, theirs in (
            ("coloured in the same call", S, S),
            ("colours given", (S, color(S)), (S, group(S))),
            ("colours given, structure by rows", (rows, color(S)), (rows, group(S))),
        ):
            jacobian = partial(peers.numdiff.jacobian, sparsity.broyden, x, method=method, sparsity=own)
            contenders = {
                "scipy": partial(derivative, sparsity.broyden, x, method=scipys, sparsity=theirs),
                "numdiff": jacobian,
                "unchecked": partial(jacobian, check_sparsity=False),
            }
            for contender in contenders.values():
                sparsity.check(contender(), x)
            times = clock.race(**contenders)
            yield compare(SPARSE, f"{method}, {case}", n, times, "scipy")
            yield compare(SPARSE, f"{method}, {case}, check_sparsity=False", n, times, "scipy", "unchecked")


def native_rows(clock, peers):
    """rosen in C and by numba; the peers have SciPy's rosen, in NumPy."""
    numdiff, times = peers.numdiff, range(native.TIMES)
    rosen, njit = native.library(), native.njit_rosen()
    if rosen is None:
        return
    rosen = LowLevelCallable(rosen.rosen)
    for n in cases.NATIVE:
        x = cases.point(n)
        scipy = partial(peers.CENTRAL["scipy"], x, cases.ROSEN.fun)
        calls = {"gradient": rosen} | ({"gradient, numba's @njit": njit} if njit is not None else {})
        for name, fun in calls.items():
            cases.ROSEN.check_gradient(numdiff.gradient(fun, x), x, central=True)
            own = partial(numdiff.gradient, fun, x)
            times_of = clock.race(numdiff=own, scipy=scipy)
            yield compare(NATIVE_FASTER, name, n, times_of, "scipy")
        in_c, gradient = native.c_gradients(x)
        in_c()
        cases.ROSEN.check_gradient(gradient, x, central=True)

        def as_often(x=x):
            for _ in times:
                numdiff.gradient(rosen, x)

        yield compare(NATIVE, "gradient", n, clock.race(numdiff=as_often, c=in_c), "c")
    n = 100
    x = cases.point(n)
    in_c, hessian = native.c_hessian(x)
    in_c()
    for found in (hessian, numdiff.hessian(rosen, x)):
        cases.check_hessian(found, x)
    yield compare(NATIVE, "hessian", n, clock.race(numdiff=partial(numdiff.hessian, rosen, x), c=in_c), "c")
    if numdiff.backend == "c":  # through ctypes it takes minutes
        yield from native_descent_rows(clock, numdiff)

    x = cases.point(cases.NATIVE[-1])
    cases.check_bits(numdiff.gradient(rosen, x, workers=2), numdiff.gradient(rosen, x))
    on_the_wall = Clock(clock.turns, clock.seconds, perf_counter)
    two, one = partial(numdiff.gradient, rosen, x, workers=2), partial(numdiff.gradient, rosen, x)
    yield compare(THREADS, "gradient", x.size, on_the_wall.race(numdiff=two, one=one), "one")


def column_rows(clock, numdiff):
    for n in cases.COLUMNS:
        x = cases.point(n)
        names = {"gradient": numdiff.gradient} | ({"hessian": numdiff.hessian} if n <= max(cases.HESSIAN) else {})
        for name, derivative in names.items():
            columns = partial(derivative, cases.ROSEN.fun, x, vectorized=True)
            one = partial(derivative, cases.ROSEN.fun, x)
            if name == "gradient":
                cases.ROSEN.check_gradient(columns(), x, central=True)
            else:
                cases.check_hessian(columns(), x)
            yield compare(COLUMNS, name, n, clock.race(numdiff=columns, one=one), "one")


def point_rows(clock, numdiff):
    """Many gradients of a few components; for C alone, through ctypes it takes a minute."""
    if native.library() is None or numdiff.backend != "c":
        return
    n, k = 3, 100_000
    points = np.random.default_rng(0).uniform(-2.0, 2.0, (n, k))
    in_c, gradients = native.c_gradients_at(points)
    in_c()
    rosen = LowLevelCallable(native.library().rosen)
    own = partial(numdiff.gradient, rosen, points, points=True)
    cases.check_bits(own(), gradients)
    yield compare(POINTS, "gradient at 100,000 points", n, clock.race(numdiff=own, c=in_c), "c")


def native_descent_rows(clock, numdiff):
    """The same steps in both; with a gradient in C, and by differences."""
    rosen, gradient = (LowLevelCallable(fun) for fun in (native.library().rosen, native.library().rosen_gradient))
    for n, steps in cases.NATIVE_DESCENT.items():
        x = cases.point(n)
        for name, jac, times in (("gradient_descent", None, 1), ("gradient_descent, jac", gradient, 100)):
            options = {"jac": jac, "learning_rate": native.RATE, "gtol": 0.0, "maxiter": times * steps}
            in_c, end = native.c_descent(x, times * steps, jac is not None)
            in_c()
            np.testing.assert_allclose(numdiff.gradient_descent(rosen, x, **options).x, end, rtol=1e-6)
            own = partial(numdiff.gradient_descent, rosen, x, **options)
            yield compare(NATIVE, name, n, clock.race(numdiff=own, c=in_c), "c")


def measure(quick):
    """The rows of this process's backend."""
    import peers  # here, for the parent must run where one of the backends does not load

    clock = Clock(turns=9, seconds=1e-3) if quick else Clock(turns=25, seconds=5e-3)
    gc.disable()
    rows = [
        *approx_fprime_rows(clock, peers),
        *limit_rows(clock, peers),
        *hessian_rows(clock, peers),
        *minimize_rows(clock, peers),
        *descent_rows(clock, peers),
        *accelerated_rows(clock, peers),
        *sparse_rows(clock, peers),
        *native_rows(clock, peers),
        *column_rows(clock, peers.numdiff),
        *point_rows(clock, peers.numdiff),
    ]
    size = 100_000 if quick else 1_000_000
    rows += curve_rows(Clock(turns=25, seconds=0.0), Clock(turns=3, seconds=0.0), peers, size)
    return rows + list(large_rows(Clock(turns=9, seconds=0.0), peers, size))


def measure_in_subprocess(backend, quick):
    """The rows by section, case and n; none where the backend does not load or a check fails: stderr tells."""
    command = [sys.executable, __file__, MEASURE, *(["--quick"] if quick else [])]
    environment = {"OPENBLAS_NUM_THREADS": "1", **os.environ, "NUMDIFF_BACKEND": backend}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {}
    rows = [Row(**fields) for fields in json.loads(done.stdout)]
    return {(row.section, row.case, row.n): row for row in rows}


def table(found):
    """The lines of the table; found: the rows of each backend."""
    keys = list(dict.fromkeys(key for rows in found.values() for key in rows))
    sections = (
        FASTER,
        FASTER_THAN_STATSMODELS,
        CEILING,
        LIMIT,
        HESSIAN,
        END_TO_END,
        ACCELERATED,
        CURVES,
        CURVES_FASTER,
        DESCENT,
        DESCENT_ADDED,
        DESCENT_PASSES,
        COLORS,
        COLORING,
        SPARSE,
        MEMORY,
        NATIVE,
        NATIVE_FASTER,
        THREADS,
        COLUMNS,
        POINTS,
    )
    width = max((len(case) for _, case, _ in keys), default=0) + 2
    names = "".join(f" | {backend:<44}" for backend in BACKENDS)
    columns = f" | {'peer µs':>11}{'numdiff µs':>12}{'ratio':>8}{'target':>8}{'ok':>5}" * len(BACKENDS)
    yield f"{'':<{width}}{'':>8}{names}"
    yield f"{'case':<{width}}{'n':>8}{columns}"
    for section in sections:
        of_section = [key for key in keys if key[0] == section]
        if of_section:
            yield f"\n{section}"
        for key in of_section:
            cells = (cell(found[backend].get(key), TARGETS.get(key, {}).get(backend)) for backend in BACKENDS)
            yield f"{key[1]:<{width}}{key[2]:>8}" + "".join(f" | {text}" for text in cells)


def cell(row, target):
    if row is None:
        return " " * 44
    times = ("" if us is None else f"{us:.1f}" for us in (row.peer_us, row.own_us))
    peer_us, own_us = times
    limit = "" if target is None else f"{target:g}"
    ok = {None: "", True: "yes", False: "NO"}[reached(row, target)]
    return f"{peer_us:>11}{own_us:>12}{row.ratio:>8.2f}{limit:>8}{ok:>5}"


def reached(row, target):
    if target is None:
        return None
    return row.ratio <= target if row.section in AT_MOST else row.ratio >= target


def installed(name):
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"no {name}: its rows are left out"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer turns, and 100,000 for 1,000,000: a rough picture")
    parser.add_argument(MEASURE, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps([asdict(row) for row in measure(options.quick)]))
        return

    found = {backend: measure_in_subprocess(backend, options.quick) for backend in BACKENDS}
    versions = ", ".join(
        installed(name) for name in ("numdiff", "numpy", "scipy", "statsmodels", "numdifftools", "numba")
    )
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}")
    states = (f"{backend} {'ran' if rows else 'FAILED, see above'}" for backend, rows in found.items())
    print(f"backends: {', '.join(states)}\n")
    print(*(line.rstrip() for line in table(found)), sep="\n")
    judged = [
        reached(row, TARGETS[key][backend])
        for backend, rows in found.items()
        for key, row in rows.items()
        if backend in TARGETS.get(key, {})
    ]
    print(f"\n{sum(judged)} of {len(judged)} targets reached. Ratios are medians over the turns; so are times.")
    if not all(found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
