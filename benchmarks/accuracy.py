"""How accurate numdiff is, and how honest its error estimates are, beside its peers: Markdown tables for docs.

python benchmarks/accuracy.py [--quick] [--method NAME]... [--problem TEXT] [--worst K [--by ORDER]]

Measured on battery.py's functions. Times are of the CPU and include those of fun. What a method raises, and what is not
finite, counts as failed. The words of the tables:

point        one problem at one x; its relative error is max |error_i| / max |g_i|, g the exact gradient
component    one partial derivative; its relative error is |error_i| / |g_i|
floor        in both, |g_i| is at least 1e9 r_i, where r_i = 4 eps |fun(x)| / max(|x_i|, 1) is the rounding error of fun
             over a step as long as x: "<= 1e-9" means |error_i| <= max(1e-9 |g_i|, r_i). "No floor" is without.
within       true error <= estimate, of the finite components (plus one rounding of g)
bar          estimate / max(true error, 4 eps |g_i|), the median
wrong        error above max(1e-3 |g_i|, r_i)
silent       wrong, with an estimate below 1e-3 of the value and no flag
flagged      components with a flag, right or wrong
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from time import process_time
from typing import Any

import battery
import numpy as np
from report import installed
from scipy import differentiate
from scipy.optimize._numdiff import approx_derivative

import numdiff

EPS = np.finfo(np.float64).eps
GOOD, WRONG = 1e-9, 1e-3
FLOOR = 4 * EPS
NUMDIFF = ("central", "forward", "richardson")
JUDGED = "numdiff richardson"
COUNTED = [kind for kind in battery.KINDS if kind not in battery.ASIDE]


class Counted:
    def __init__(self, fun):
        self.fun, self.nfev = fun, 0

    def __call__(self, x):
        self.nfev += 1
        return self.fun(x)


@dataclass(frozen=True)
class Answer:
    value: Any
    error: Any = None  # the estimate
    flag: Any = None
    nfev: int | None = None  # as the method says


@dataclass(frozen=True)
class Case:
    problem: battery.Problem
    x: Any

    @cached_property
    def exact(self):
        return self.problem.grad(self.x)

    @cached_property
    def reach(self):
        return FLOOR * abs(float(self.problem.fun(self.x))) / np.maximum(np.abs(self.x), 1)


@dataclass(frozen=True)
class Result:
    """What a method found at one point; arrays of n, error and flag None where the method has none."""

    case: Case
    value: Any
    error: Any
    flag: Any
    nfev: int
    seconds: float
    raised: str = ""

    @cached_property
    def true_error(self):
        error = np.abs(self.value - self.case.exact)
        return np.where(np.isfinite(error), error, np.inf)

    @property
    def relative(self):
        """The relative error of this point."""
        return _ratio(self.true_error.max(), max(np.abs(self.case.exact).max(), self.case.reach.max() / GOOD))


def _ratio(error, size):
    """error / size, and 0 / 0 = 0."""
    with np.errstate(all="ignore"):
        return np.where(error == 0, 0.0, error / size)


# The methods: fun and x to an Answer
def numdiff_gradient(method, **options):
    def gradient(fun, x):
        found = numdiff.gradient(fun, x, method=method, full_output=True, **options)
        return Answer(found.value, found.error, found.flag, found.nfev)

    return gradient


def scipy_gradient(method):
    return lambda fun, x: Answer(approx_derivative(fun, x, method=method))


def scipy_differentiate(fun, x):
    """One variable at a time; a status other than 0 stands for a flag."""

    def along(i, t):
        points = np.repeat(x[None], t.size, axis=0)
        points[:, i] = t.ravel()
        return np.array([float(fun(point)) for point in points]).reshape(t.shape)

    found = [differentiate.derivative(partial(along, i), x[i]) for i in range(len(x))]
    return Answer(*([getattr(each, name) for each in found] for name in ("df", "error", "status")))


def _statsmodels():
    from statsmodels.tools.numdiff import approx_fprime

    return lambda fun, x: Answer(approx_fprime(x, fun, centered=True))


def _numdifftools():
    import numdifftools

    def gradient(fun, x):
        found = numdifftools.Gradient(fun, full_output=True)(x)
        return Answer(found.estimate, found.error_estimate)

    return gradient


def _jacobi():
    import jacobi

    return lambda fun, x: Answer(*jacobi.jacobi(fun, x))


PEERS = {
    "scipy 2-point": lambda: scipy_gradient("2-point"),
    "scipy 3-point": lambda: scipy_gradient("3-point"),
    "scipy.differentiate": lambda: scipy_differentiate,
    "statsmodels centered": _statsmodels,
    "numdifftools": _numdifftools,
    "jacobi": _jacobi,
}
METHODS = [*(f"numdiff {name}" for name in NUMDIFF), *PEERS]


def method(name) -> Callable[..., Answer]:
    """The method of that name; a LookupError says why there is none."""
    if name in PEERS:
        try:
            return PEERS[name]()
        except ModuleNotFoundError as missing:
            raise LookupError(f"{name} is not installed") from missing
    own = name.removeprefix("numdiff ")
    try:
        numdiff.gradient(lambda x: x[0], [1.0], method=own)
    except ValueError as unknown:
        raise LookupError(f"numdiff has no method {own!r} yet") from unknown
    return numdiff_gradient(own)


@contextmanager
def quiet():
    """No warnings, and nothing that LAPACK writes from C."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, nothing = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        for descriptor, number in zip(kept, (1, 2), strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(nothing)


def measure(gradient, cases):
    """The results of a method at all cases."""
    with quiet():
        gradient(lambda x: float(x @ x), np.ones(2))  # what is slow only once
        return [_measure(gradient, case) for case in cases]


def _measure(gradient, case):
    fun, x, n = Counted(case.problem.fun), case.x.copy(), case.problem.n
    start = process_time()
    try:
        answer, raised = gradient(fun, x), ""
    except Exception as error:
        answer, raised = Answer(np.full(n, np.nan)), f"{type(error).__name__}: {error}"
    seconds = process_time() - start
    if answer.nfev not in (None, fun.nfev):
        raised = "no exception, but its nfev is not the number of calls"
    value = np.asarray(answer.value, np.float64).reshape(n)
    error, flag = (None if a is None else np.asarray(a).reshape(n) for a in (answer.error, answer.flag))
    return Result(case, value, error, flag, fun.nfev, seconds, raised)


class Components:
    """All components of some results, as flat arrays."""

    def __init__(self, results):
        def flat(read):
            return np.concatenate([np.asarray(read(result), np.float64) for result in results])

        self.exact = flat(lambda r: r.case.exact)
        self.reach = flat(lambda r: r.case.reach)
        self.value = flat(lambda r: r.value)
        self.true_error = flat(lambda r: r.true_error)
        self.estimated = all(r.error is not None or r.raised for r in results)
        self.error = flat(lambda r: np.full(len(r.value), np.nan) if r.error is None else r.error)
        self.flag = flat(lambda r: np.zeros(len(r.value)) if r.flag is None else r.flag)

    @property
    def relative(self):
        return _ratio(self.true_error, np.maximum(np.abs(self.exact), self.reach / GOOD))

    @property
    def strictly_relative(self):
        return _ratio(self.true_error, np.abs(self.exact))

    @property
    def failed(self):
        return ~np.isfinite(self.value)

    def share_within(self, factor):
        rounding = EPS * np.abs(self.exact)
        return np.mean((self.true_error <= factor * self.error + rounding)[~self.failed])

    @property
    def bar(self):
        with np.errstate(all="ignore"):
            bars = self.error / np.maximum(self.true_error, FLOOR * np.abs(self.exact))
        bars = bars[~self.failed & ~np.isnan(bars)]
        return np.median(bars) if bars.size else np.nan

    @property
    def wrong(self):
        return (self.true_error > np.maximum(WRONG * np.abs(self.exact), self.reach)) & ~self.failed

    @property
    def silent(self):
        small = self.error <= WRONG * np.maximum(np.abs(self.value), np.abs(self.exact))
        return self.wrong & small & (self.flag == 0)


# The tables
def table(header, rows):
    """A Markdown table: the first column to the left, numbers to the right."""
    rows = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def line(row):
        cells = (c.rjust(w) if k else c.ljust(w) for k, (c, w) in enumerate(zip(row, widths, strict=True)))
        return f"| {' | '.join(cells)} |"

    rule = "|".join("-" * (w + 1) + (":" if k else "-") for k, w in enumerate(widths))
    return "\n".join([line(rows[0]), f"|{rule}|", *map(line, rows[1:])])


def percent(share):
    return f"{100 * share:.1f} %"


def short(number):
    return f"{number:.2g}" if np.isfinite(number) else "failed"


HEADER = [
    "",
    "points ≤ 1e-9",
    "components",
    "no floor",
    "median",
    "95 %",
    "worst",
    "evals/var",
    "µs/var",
    "within",
    "within 10x",
    "bar",
    "wrong",
    "silent",
    "flagged",
    "failed",
]


def accuracy_row(name, results):
    c = Components(results)
    relative = np.array([r.relative for r in results])
    finite = relative[np.isfinite(relative)]
    estimates = ["", "", "", ""]
    if c.estimated:
        estimates = [percent(c.share_within(1)), percent(c.share_within(10)), f"{c.bar:.2g}", c.silent.sum()]
    return [
        name,
        percent(np.mean(relative <= GOOD)),
        percent(np.mean(c.relative <= GOOD)),
        percent(np.mean(c.strictly_relative <= GOOD)),
        short(np.median(relative)),
        short(np.sort(relative)[int(np.ceil(0.95 * len(relative))) - 1]),
        short(finite.max(initial=0.0)),
        f"{np.median([r.nfev / len(r.value) for r in results]):.3g}",
        f"{1e6 * np.median([r.seconds / len(r.value) for r in results]):.0f}",
        *estimates[:3],
        c.wrong.sum(),
        estimates[3],
        "" if results[0].flag is None else np.count_nonzero(c.flag),
        c.failed.sum(),
    ]


def of_kinds(results, kinds):
    return [r for r in results if r.case.problem.kind in kinds]


def kind_table(found):
    """By kind, the share of points with a relative error of at most 1e-9."""
    rows = []
    for kind in COUNTED:
        columns = [of_kinds(results, [kind]) for results in found.values()]
        if columns[0]:
            shares = (percent(np.mean([r.relative <= GOOD for r in results])) for results in columns)
            rows.append([f"{kind}, {len(columns[0])} points", *shares])
    return table(["points ≤ 1e-9", *found], rows)


def aside_table(found):
    """float32 and noise: the relative error over the points, and the estimates."""
    rows = []
    levels = [("float32", 0.0), *(("noisy", sigma) for sigma in (1e-6, 1e-10))]
    for kind, sigma in levels:
        for name, results in found.items():
            chosen = [r for r in of_kinds(results, [kind]) if r.case.problem.noise == sigma]
            if chosen:
                c, relative = Components(chosen), np.array([r.relative for r in chosen])
                quantiles = (short(q) for q in (np.median(relative), relative.max()))
                within = [percent(c.share_within(k)) for k in (1, 10)] if c.estimated else ["", ""]
                shares = [percent(np.mean(relative <= WRONG)), *quantiles, *within]
                rows.append([f"{kind} {sigma:g}" if sigma else kind, name, *shares])
    return table(["", "method", "points ≤ 1e-3", "median", "worst", "within", "within 10x"], rows)


def nonsmooth_table(found):
    """At kinks and jumps: how many components carry a flag, or are nan."""
    rows = []
    for name, results in found.items():
        chosen = of_kinds(results, ["nonsmooth"])
        if chosen:
            c = Components(chosen)
            rows.append([name, len(c.flag), np.sum(c.flag != 0), np.sum(c.failed & (c.flag == 0))])
    return table(["at a kink or jump", "components", "flagged", "nan, no flag"], rows)


# Single problem points, for tuning
ORDERS = {
    "error": lambda r: r.relative,
    "ratio": lambda r: np.inf if r.error is None else np.nanmax(_ratio(r.true_error, np.asarray(r.error))),
    "bar": lambda r: (
        0.0 if r.error is None else np.nanmax(_ratio(r.error, np.maximum(r.true_error, FLOOR * np.abs(r.case.exact))))
    ),
    "nfev": lambda r: r.nfev / len(r.value),
}


def listed(results, silent_only=False):
    """One line for each component that matters most in its point."""
    rows = []
    for r in results:
        c = Components([r])
        worst = np.nanargmax(c.silent if silent_only else np.nan_to_num(c.relative, posinf=np.inf))
        error = np.nan if r.error is None else r.error[worst]
        x = np.array2string(r.case.x, precision=17, separator=", ", threshold=20, max_line_width=1000)
        flag = "" if r.flag is None else int(r.flag[worst])
        numbers = [f"{a:.3g}" for a in (r.relative, r.true_error[worst], error)]
        values = [f"{a:.17g}" for a in (r.case.exact[worst], r.value[worst])]
        rows.append([r.case.problem.name, r.case.problem.kind, x, worst, *values, *numbers, flag, r.nfev, r.raised])
    header = ["problem", "kind", "x", "i", "exact", "value", "rel", "error", "estimate", "flag", "nfev", "raised"]
    return table(header, rows)


# The targets
def target_rows(found):
    """Rows of (what, found, to reach, peers today)."""
    if JUDGED in found:
        results = of_kinds(found[JUDGED], COUNTED)
        c = Components(results)
        yield "richardson, points ≤ 1e-9", percent(np.mean([r.relative <= GOOD for r in results])), "≥ 99 %", "98.9 %"
        evaluations = np.median([r.nfev / len(r.value) for r in results])
        yield "its evaluations per variable, median", f"{evaluations:.3g}", "≤ 10", "12"
        if c.estimated:
            yield "true error within the estimate", percent(c.share_within(1)), "≥ 97 %", "94 %"
            yield "within 10 x the estimate", f"{100 * c.share_within(10):.2f} %", "≥ 99.7 %", ""
            yield "estimate / max(true error, 4 eps value), median", f"{c.bar:.3g}", "≤ 100", ""
            yield "silently wrong by more than 1e-3", c.silent.sum(), "0", "jacobi 8 of 480"
    yield from hessian_rows()
    yield from noise_rows()
    yield float32_row()


def hessian_rows():
    """Rosenbrock's Hessian: the largest error over the largest element, at a usual point and at the worst of ten."""
    from scipy.optimize import rosen, rosen_hess

    def error(hessian, fun, x):
        exact = rosen_hess(x)
        fun.nfev = 0
        with quiet():
            return np.abs(hessian(fun, x) - exact).max() / np.abs(exact).max()

    contenders: list[tuple[str, int, Any, str, str]] = [
        ("central", 10, partial(_hessian, "central"), "≤ 3e-8, 111 evaluations", "statsmodels 1e-8, 220"),
        ("statsmodels approx_hess3", 10, _statsmodels_hessian, "", ""),
        ("richardson", 30, partial(_hessian, "richardson"), "≤ 1e-12, ≤ 3721", "numdifftools, 27001"),
        ("numdifftools", 30, _numdifftools_hessian, "", ""),
    ]
    for name, n, hessian, target, peer in contenders:
        what, fun = f"Rosenbrock Hessian, n = {n}, {name}", Counted(rosen)
        usual = np.tile([1.3, 0.7, 0.8, 1.9, 1.2], n // 5)
        random = np.random.default_rng(n).uniform(-1.5, 1.5, (10, n))
        try:
            first, worst = error(hessian, fun, usual), max(error(hessian, fun, x) for x in random)
        except (AttributeError, ModuleNotFoundError, ValueError) as reason:
            yield what, f"not available: {reason}", target, peer
        else:
            yield what, f"{first:.2g} (worst of ten {worst:.2g}), {fun.nfev} evaluations", target, peer


def _hessian(method, fun, x):
    return numdiff.hessian(fun, x, method=method)


def _statsmodels_hessian(fun, x):
    from statsmodels.tools.numdiff import approx_hess3

    return approx_hess3(x, fun)


def _numdifftools_hessian(fun, x):
    import numdifftools

    return numdifftools.Hessian(fun)(x)


def noise_rows(sigma=1e-6, seeds=60):
    """sum exp with noise: the RMS error over the seeds, beside that of the best h for all of them in hindsight."""
    x, exact = np.array([0.3, 0.7]), np.exp([0.3, 0.7])
    funs = [battery.noisy(lambda x: np.exp(x).sum(), sigma, seed) for seed in range(seeds)]

    def rms(gradients):
        return float(np.sqrt(np.mean([((g - exact) / exact.max()) ** 2 for g in gradients])))

    by_step = {h: rms([numdiff.gradient(fun, x, abs_step=h) for fun in funs]) for h in 10 ** np.arange(-4, 0.1, 0.125)}
    best = min(by_step, key=by_step.__getitem__)
    yield "noise 1e-6, central at the best fixed h", f"{by_step[best]:.2g} at h = {best:.2g}", "", ""
    for level in (sigma, "estimate"):
        what = f"noise 1e-6, central with noise={level!r}"
        try:
            found = [numdiff.gradient(fun, x, noise=level, full_output=True) for fun in funs]
        except TypeError as reason:
            yield what, f"not available: {reason}", "≤ 5 x that", "numdifftools 7e-6"
            continue
        error = rms([r.value for r in found])
        within = ""
        if found[0].error is not None:
            within = f", within {percent(np.mean([np.abs(r.value - exact) <= r.error for r in found]))}"
        yield what, f"{error:.2g}: {error / by_step[best]:.2f} x that{within}", "≤ 5 x that", "numdifftools 7e-6"


def float32_row():
    """sum exp in float32: the largest relative error of 30 points, and how many error bars cover it."""
    errors, covered = [], []
    for x in np.random.default_rng(0).uniform(-1, 1, (30, 2)):
        found = numdiff.gradient(lambda x: np.exp(x.astype(np.float32)).sum(), x, full_output=True)
        error = np.abs(found.value - np.exp(x))
        errors.append(error.max() / np.exp(x).max())
        if found.error is not None:
            covered.append(error <= found.error)
    bars = f"covered {percent(np.mean(covered))}" if covered else "no error bars yet"
    return "float32 fun, central", f"{max(errors):.2g}, {bars}", "≤ 1e-3, covered", "approx_fprime: zeros"


def chosen_cases(quick, text):
    """Points with a spread in quick: the nasty ones come last."""
    for problem in battery.PROBLEMS:
        if text in problem.name or text == problem.kind:
            yield from (Case(problem, x) for x in problem.points[:: -4 if quick else 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the points")
    parser.add_argument("--method", action="append", choices=METHODS, metavar="NAME", help=f"of {', '.join(METHODS)}")
    parser.add_argument("--problem", default="", metavar="TEXT", help="only problems with this in the name, or a kind")
    parser.add_argument(
        "--worst", type=int, default=0, metavar="K", help="list the K worst points of each of numdiff's"
    )
    parser.add_argument("--by", choices=ORDERS, default="error", help="what makes them worst (default: error)")
    options = parser.parse_args()

    with np.errstate(all="ignore"):
        cases = list(chosen_cases(options.quick, options.problem))
        for case in cases:
            case.exact, case.reach  # noqa: B018 - computed here, for the clock not to see it
    if not cases:
        parser.error(f"no problem has {options.problem!r} in its name")

    versions = ", ".join(
        installed(name) for name in ("numdiff", "numpy", "scipy", "statsmodels", "numdifftools", "jacobi")
    )
    print(
        f"{platform.platform()}, Python {platform.python_version()}, {versions}; numdiff's backend: {numdiff.backend}\n"
    )
    found = {}
    for name in options.method or METHODS:
        try:
            found[name] = measure(method(name), cases)
        except LookupError as reason:
            print(f"Left out: {reason}.\n")
    if not found:
        sys.exit("no method left")

    counted = [name for name in found if of_kinds(found[name], COUNTED)]
    if counted:
        sizes = of_kinds(found[counted[0]], COUNTED)
        problems = len({r.case.problem.name for r in sizes})
        print(f"All problems: {problems}, at {len(sizes)} points, {sum(len(r.value) for r in sizes)} components\n")
        print(table(HEADER, [accuracy_row(name, of_kinds(found[name], COUNTED)) for name in counted]), end="\n\n")
        print(kind_table(found), end="\n\n")
    if of_kinds(next(iter(found.values())), ["float32", "noisy"]):
        print(aside_table(found), end="\n\n")
    if of_kinds(next(iter(found.values())), ["nonsmooth"]):
        print(nonsmooth_table(found), end="\n\n")
    if not options.problem:
        print(table(["target", "found", "to reach", "best peer"], target_rows(found)), end="\n\n")
    for name, results in found.items():
        details(name, results, options)


def details(name, results, options):
    raised = Counter(r.raised.partition("\n")[0] for r in results if r.raised)
    for message, count in raised.most_common(5):
        print(f"{name} raised {count} x {message}")
    if name in PEERS:
        return
    results = of_kinds(results, [kind for kind in battery.KINDS if kind != "nonsmooth"] if options.problem else COUNTED)
    silent = [r for r in results if Components([r]).silent.any()]
    if silent:
        print(f"\n{name}, silently wrong:\n\n{listed(silent[:20], silent_only=True)}")
    if options.worst and results:
        worst = sorted(results, key=ORDERS[options.by], reverse=True)[: options.worst]
        print(f"\n{name}, worst by {options.by}:\n\n{listed(worst)}")


if __name__ == "__main__":
    main()
