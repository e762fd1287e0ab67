"""Right and wrong gradients, judged by numdiff.gradcheck, scipy.optimize.check_grad and autograd.test_util.

    python benchmarks/gradcheck.py [--quick]

A case is a function, a gradient and a point, right or wrong, and if wrong of a kind. check_grad is asked with the
threshold that is usual, 1e-6; autograd.test_util compares along one random direction with its own 1e-6. Exits with 1 if
numdiff gives a wrong verdict, or names the kind in less than 90 % of the cases that have one.
"""

# ruff: noqa: E501, NPY002
from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import check_grad, rosen, rosen_der

import numdiff

try:
    from autograd import numpy as anp
    from autograd.test_util import check_vjp  # noqa: F401  (there?)

    AUTOGRAD = True
except ImportError:
    anp = None
    AUTOGRAD = False

THRESHOLD = 1e-6


@dataclass(frozen=True)
class Case:
    name: str
    fun: Callable[[Any], Any]
    jac: Callable[[Any], Any]
    x0: Any
    kinds: tuple[str, ...] = ()  # what numdiff may call it; empty: the gradient is right
    verdict: str = ""  # what is due; default: agree or disagree by kinds

    @property
    def due(self) -> str:
        return self.verdict or ("disagree" if self.kinds else "agree")


def softmax_loss(n_classes: int = 10, n_features: int = 3073, n_images: int = 16, seed: int = 0) -> Any:
    """Cross-entropy of a linear classifier with an L2 term: 30,730 parameters; (fun, grad, W)."""
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 1, (n_features, n_images))
    images[-1] = 1.0
    labels = rng.integers(0, n_classes, n_images)
    one_hot = np.eye(n_classes)[:, labels]
    reg = 1e-2

    def probabilities(w: Any) -> Any:
        scores = w.reshape(n_classes, n_features) @ images
        scores = scores - scores.max(axis=0)
        exp = np.exp(scores)
        return exp / exp.sum(axis=0)

    def fun(w: Any) -> float:
        return float(-np.log((probabilities(w) * one_hot).sum(axis=0)).mean() + 0.5 * reg * (w @ w))

    def grad(w: Any) -> Any:
        return ((probabilities(w) - one_hot) @ images.T / n_images).reshape(-1) + reg * w

    return fun, grad, 0.01 * rng.standard_normal(n_classes * n_features)


def logistic(seed: int = 0, n: int = 12) -> Any:
    """Logistic regression with an L2 term: (fun, grad of the data term, grad, w)."""
    rng = np.random.default_rng(seed)
    data, labels = rng.standard_normal((40, n)), rng.integers(0, 2, 40)

    def fun(w: Any) -> float:
        z = data @ w
        return float(np.mean(np.logaddexp(0, z) - labels * z) + 0.05 * (w @ w))

    def data_term(w: Any) -> Any:
        return data.T @ (1 / (1 + np.exp(-data @ w)) - labels) / 40

    return fun, data_term, lambda w: data_term(w) + 0.1 * w, rng.standard_normal(n)


def altered(grad: Callable[[Any], Any], change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def jac(x: Any) -> Any:
        g = np.array(grad(x), float)
        replaced = change(g)
        return g if replaced is None else replaced

    return jac


def times(index: Any, factor: float) -> Callable[[Any], None]:
    def change(g: Any) -> None:
        g.reshape(-1)[index] *= factor

    return change


def cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    x10 = rng.uniform(0.5, 2.0, 10)
    wave = lambda x: float(np.sum(np.sin(x) * x) + x[0] * x[-1])  # noqa: E731

    def wave_grad(x: Any) -> Any:
        g = np.sin(x) + x * np.cos(x)
        g[0] += x[-1]
        g[-1] += x[0]
        return g

    # --- right ---
    yield Case("x @ x at (3, 2)", lambda x: float(x @ x), lambda x: 2 * x, np.array([3.0, 2.0]))
    yield Case("Rosenbrock, n = 10", rosen, rosen_der, x10)
    yield Case("Rosenbrock at its minimum", rosen, rosen_der, np.ones(5))
    for c in (1e-12, 1e-6, 1e6, 1e12):
        yield Case(f"{c:g} times a wave", lambda x, c=c: c * wave(x), lambda x, c=c: c * wave_grad(x), x10)
        yield Case(f"a wave of x over {c:g}", lambda x, c=c: wave(x / c), lambda x, c=c: wave_grad(x / c) / c, c * x10)
    fun, data_term, grad, w = logistic()
    yield Case("logistic regression", fun, grad, w)
    soft, soft_grad, big = softmax_loss()
    yield Case("softmax, n = 30,730", soft, soft_grad, big)
    yield Case("a wave, n = 1000", wave, wave_grad, rng.uniform(0.5, 2, 1000))
    wave32 = lambda x: np.float32(np.sum(np.sin(np.float32(x)) * np.float32(x)))  # noqa: E731
    yield Case("float32", wave32, lambda x: np.sin(x) + x * np.cos(x), x10)
    hidden = lambda x: float(wave32(x))  # noqa: E731
    yield Case("float32 inside, float64 outside", hidden, lambda x: np.sin(x) + x * np.cos(x), x10)

    def noisy(x: Any, size: float = 1e-8) -> float:
        return float(wave(x) + size * np.sin(1e9 * np.sum(x * np.arange(1, 1 + x.size))))

    yield Case("noise of 1e-8", noisy, wave_grad, x10)
    yield Case("noise of 1e-10", lambda x: noisy(x, 1e-10), wave_grad, x10)
    yield Case("|x| at 0, subgradient 0.3", lambda x: float(np.abs(x).sum()), lambda x: np.where(x == 0, 0.3, np.sign(x)),
               np.array([0.0, 1.0, -2.0]))  # fmt: skip
    yield Case(
        "ReLU at 0", lambda x: float(np.maximum(x, 0).sum()), lambda x: (x > 0) * 1.0, np.array([0.0, 1.0, -2.0])
    )
    yield Case(
        "max with a tie", lambda x: float(x.max()), lambda x: np.eye(3)[int(x.argmax())], np.array([1.0, 1.0, 0.5])
    )
    yield Case("clip near its end", lambda x: float((np.clip(x, 0, 1) ** 2).sum()), lambda x: 2 * x * (x < 1),
               np.array([1 - 1e-9, 0.5, 2.0]))  # fmt: skip
    yield Case("tanh(20 x)", lambda x: float(np.tanh(20 * x).sum()), lambda x: 20 / np.cosh(20 * x) ** 2,
               np.array([0.01, -0.03, 0.1]))  # fmt: skip
    yield Case("exp(sin 3x)", lambda x: float(np.exp(np.sin(3 * x)).sum()), lambda x: 3 * np.cos(3 * x) * np.exp(np.sin(3 * x)),
               np.array([0.3, 2.0, -1.0]))  # fmt: skip
    yield Case("large, a gradient of 1e9", lambda x: float(1e9 * np.exp(x).sum()), lambda x: 1e9 * np.exp(x), x10)
    yield Case("a constant", lambda x: 5.0, np.zeros_like, np.ones(3))
    yield Case("log at 1e-9", lambda x: float(np.log(x).sum()), lambda x: 1 / x, np.array([1e-9, 1.0]))
    yield Case("scales of x from 1e-9 to 1e9", lambda x: float(np.sum((x / wide - 0.5) ** 2)), lambda x: 2 * (x / wide - 0.5) / wide,
               (wide := 10.0 ** np.arange(-9, 10, 3)) * 1.3)  # fmt: skip
    yield Case(
        "1e-17 where 0 is right",
        lambda x: float(x[0] ** 2),
        lambda x: np.array([2 * x[0], 1e-17]),
        np.array([1.0, 2.0]),
    )
    m = rng.standard_normal((4, 3))
    yield Case(
        "Jacobian (4, 3)", lambda x: np.sin(m @ x), lambda x: np.cos(m @ x)[:, None] * m, np.array([0.3, 0.1, 2.0])
    )
    yield Case("two blocks, of 1 and 1e-6", lambda p: float(np.sum(p["w"] ** 2) + 1e-6 * np.sum(np.sin(p["b"]))),
               lambda p: {"w": 2 * p["w"], "b": 1e-6 * np.cos(p["b"])},
               {"w": rng.uniform(1, 2, (20, 20)), "b": rng.uniform(1, 2, 50)})  # fmt: skip

    # --- wrong ---
    yield Case("sign, f of 1e-9", lambda x: 1e-9 * float(x @ x), lambda x: -2e-9 * x, np.array([3.0, 2.0]), ("sign",))
    yield Case("sign of one in ten", wave, altered(wave_grad, times(3, -1)), x10, ("sign",))
    yield Case("sign, n = 30,730", soft, lambda w: -soft_grad(w), big, ("sign",))
    for factor, text in ((2.0, "2"), (0.5, "1/2"), (10.0, "n"), (0.1, "1/n"), (1.01, "1.01")):
        yield Case(f"factor {text}", wave, lambda x, c=factor: c * wave_grad(x), x10, ("factor",))
    yield Case("factor 2, f of 1e-12", lambda x: 1e-12 * wave(x), lambda x: 2e-12 * wave_grad(x), x10, ("factor",))
    yield Case("factor 2, f of 1e12", lambda x: 1e12 * wave(x), lambda x: 2e12 * wave_grad(x), x10, ("factor",))
    yield Case("factor 1/n, n = 30,730", soft, lambda w: soft_grad(w) / w.size, big, ("factor",))
    square = rng.standard_normal((4, 4))
    yield Case("transposed Jacobian", lambda x: np.sin(square @ x), lambda x: (np.cos(square @ x)[:, None] * square).T,
               rng.uniform(0, 1, 4), ("transposed",))  # fmt: skip
    yield Case("transposed Jacobian (3, 4)", lambda x: np.sin(m @ x), lambda x: (np.cos(m @ x)[:, None] * m).T,
               np.array([0.3, 0.1, 2.0]), ("transposed",))  # fmt: skip
    yield Case("gradient of X, transposed", lambda x: float(np.sum(np.sin(x) * square)), lambda x: (np.cos(x) * square).T,
               rng.uniform(0, 1, (4, 4)), ("transposed",))  # fmt: skip
    yield Case("shifted by one", wave, lambda x: np.roll(wave_grad(x), 1), x10, ("shifted",))
    yield Case("shifted by one, n = 30,730", soft, lambda w: np.roll(soft_grad(w), 1), big, ("shifted",))
    yield Case("reversed", wave, lambda x: wave_grad(x)[::-1], x10, ("permuted",))
    yield Case("permuted", wave, lambda x: wave_grad(x)[[3, 1, 4, 0, 5, 9, 2, 6, 8, 7]], x10, ("permuted",))
    yield Case("two exchanged", wave, lambda x: wave_grad(x)[[0, 1, 7, 3, 4, 5, 6, 2, 8, 9]], x10, ("permuted",))
    s = lambda w: -np.sin(np.pi * (w @ w)) + np.log(w @ w)  # noqa: E731
    yield Case("summed, shape ()", s, lambda w: np.pi * np.sum(2 * w) * (-np.cos(np.pi * (w @ w))) + np.sum(2 * w) / (w @ w),
               np.array([0.5, 0.5]), ("summed",))  # fmt: skip
    yield Case("summed, in every component", wave, lambda x: np.full(10, wave_grad(x).sum()), x10, ("summed",))
    yield Case("regulariser forgotten", fun, data_term, w, ("missing",))
    yield Case("regulariser forgotten, n = 30,730", soft, lambda w: soft_grad(w) - 1e-2 * w, big, ("missing",))
    pair = lambda p: float(np.sum(np.sin(p["w"])) + np.sum(p["b"] ** 2))  # noqa: E731
    point = {"w": rng.uniform(0, 1, (3, 4)), "b": rng.uniform(1, 2, 4)}
    yield Case("block b missing", pair, lambda p: {"w": np.cos(p["w"]), "b": 0 * p["b"]}, point, ("missing",))
    yield Case("block b twice", pair, lambda p: {"w": np.cos(p["w"]), "b": 4 * p["b"]}, point, ("factor",))
    many = {"w": rng.uniform(0, 1, (100, 40)), "b": rng.uniform(1, 2, 40)}
    small = lambda p: float(np.sum(np.sin(p["w"])) + 1e-6 * np.sum(p["b"] ** 2))  # noqa: E731
    yield Case(
        "a small block beside a large one",
        small,
        lambda p: {"w": np.cos(p["w"]), "b": 2.02e-6 * p["b"]},
        many,
        ("factor",),
    )
    yield Case("stale: a fixed point", wave, lambda x: wave_grad(x10 + 0.1), x10, ("stale",))
    yield Case("stale: x + 0.1", wave, lambda x: wave_grad(x + 0.1), x10, ("stale",))
    yield Case("stale: x rounded", wave, lambda x: wave_grad(np.round(x, 1)), x10, ("stale",))
    for size in (2, 10, 100, 1000):
        x = rng.uniform(0.5, 2, size)
        yield Case(f"1 % in one of {size}", wave, altered(wave_grad, times(size // 2, 1.01)), x, ("isolated", "factor"))
    yield Case("1e-4 in one of 10", wave, altered(wave_grad, times(4, 1.0001)), x10, ("isolated", "factor"))
    yield Case("one of 30,730", soft, altered(soft_grad, times(12345, 1.5)), big, ("isolated", "factor"))
    yield Case(
        "five of 30,730",
        soft,
        altered(soft_grad, times([5, 777, 15000, 20000, 30729], 3.0)),
        big,
        ("isolated", "factor"),
    )
    yield Case("0 of one in ten", wave, altered(wave_grad, times(4, 0.0)), x10, ("missing",))
    yield Case("float32, 5 % off", wave32, lambda x: 1.05 * (np.sin(x) + x * np.cos(x)), x10, ("factor",))
    yield Case("float32 inside, factor 2", hidden, lambda x: 2 * (np.sin(x) + x * np.cos(x)), x10, ("factor",))
    yield Case("noise 1e-8, 1 % in one", noisy, altered(wave_grad, times(4, 1.01)), x10, ("isolated", "factor"))
    yield Case("noise 1e-8, sign", noisy, lambda x: -wave_grad(x), x10, ("sign",))
    yield Case("|x| at 0, slope 2", lambda x: float(np.abs(x).sum()), lambda x: np.where(x == 0, 2.0, np.sign(x)),
               np.array([0.0, 1.0, -2.0]), ("kink",))  # fmt: skip
    yield Case("ReLU, wrong side", lambda x: float(np.maximum(x, 0).sum()), lambda x: (x < 0) * 1.0, np.array([0.5, 1.0, -2.0]),
               ("permuted", "shifted", "isolated"))  # fmt: skip
    yield Case("f of 1e-12 at x of 1e-12", lambda x: 1e-12 * wave(x * 1e12), altered(lambda x: wave_grad(x * 1e12), times(2, 1.01)),
               1e-12 * x10, ("isolated", "factor"))  # fmt: skip
    yield Case("f of 1e12 at x of 1e12", lambda x: 1e12 * wave(x / 1e12), altered(lambda x: wave_grad(x / 1e12), times(2, 1.01)),
               1e12 * x10, ("isolated", "factor"))  # fmt: skip
    yield Case("nan in one", wave, altered(wave_grad, times(2, np.nan)), x10, ("nonfinite",))
    yield Case("wrong shape", wave, lambda x: wave_grad(x)[:9], x10, ("shape",))
    yield Case("all 0", wave, np.zeros_like, x10, ("missing",))

    # --- nobody can tell ---
    yield Case("1e10 + 1e-9 sin x, sign", lambda x: float(1e10 + 1e-9 * np.sin(x).sum()), lambda x: -1e-9 * np.cos(x), x10,
               verdict="inconclusive")  # fmt: skip


class Counter:
    def __init__(self, fun: Any) -> None:
        self.fun, self.calls = fun, 0

    def __call__(self, x: Any) -> Any:
        self.calls += 1
        return self.fun(x)


def by_scipy(case: Case, quick: bool) -> tuple[str, int, float]:
    """Verdict by the usual threshold, calls, seconds; what it cannot take is "-"."""
    if isinstance(case.x0, dict) or (quick and case.x0.size > 2000):
        return "-", 0, 0.0
    fun, begin = Counter(case.fun), time.perf_counter()
    try:
        error = check_grad(fun, case.jac, case.x0)
    except ValueError as said:
        return f"ValueError: {str(said)[:20]}", fun.calls, time.perf_counter() - begin
    return ("agree" if error < THRESHOLD else "disagree"), fun.calls, time.perf_counter() - begin


def by_autograd(case: Case) -> tuple[str, int, float]:
    """autograd.test_util's own comparison, of a function given as a primitive with this gradient."""
    if not AUTOGRAD or isinstance(case.x0, dict):
        return "-", 0, 0.0
    from autograd.extend import defvjp, primitive
    from autograd.test_util import check_vjp

    fun = Counter(case.fun)
    wrapped = primitive(lambda x: fun(x))

    def vjp(ans: Any, x: Any) -> Any:
        j = np.asarray(case.jac(x))
        return lambda g: g * j if np.ndim(ans) == 0 else g @ j

    defvjp(wrapped, vjp)
    np.random.seed(0)
    begin = time.perf_counter()
    try:
        check_vjp(wrapped, case.x0)
        said = "agree"
    except AssertionError:
        said = "disagree"
    except Exception as error:
        said = type(error).__name__
    return said, fun.calls, time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave check_grad out where n is large")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    right = {"numdiff": 0, "check_grad": 0, "autograd": 0}
    asked = dict(right)
    wrong_verdicts, diagnosed, with_kind = [], 0, 0
    print(
        f"{'case':<36} {'due':<13} {'numdiff':<13} {'kind':<11} {'nfev':>6} {'ms':>8}   {'check_grad':<22} {'nfev':>6} {'ms':>8}   autograd"
    )
    for case in cases():
        fun, begin = Counter(case.fun), time.perf_counter()
        report = numdiff.gradcheck(fun, case.jac, case.x0)
        seconds = time.perf_counter() - begin
        if fun.calls != report.nfev:
            wrong_verdicts.append(f"{case.name}: {report.nfev} calls reported, {fun.calls} made")
        if report.verdict != case.due:
            wrong_verdicts.append(f"{case.name}: {report.verdict}")
        if case.kinds:
            with_kind += 1
            diagnosed += report.kind in case.kinds
        theirs, others = by_scipy(case, quick), by_autograd(case)
        for name, said in (("numdiff", report.verdict), ("check_grad", theirs[0]), ("autograd", others[0])):
            if said != "-" and case.due != "inconclusive":
                asked[name] += 1
                right[name] += said == case.due
        kind = (report.kind or "?") if case.kinds else ""
        mark = " " if not case.kinds or report.kind in case.kinds else "!"
        print(
            f"{case.name:<36} {case.due:<13} {report.verdict:<13} {kind:<10}{mark} {report.nfev:>6} {1e3 * seconds:>8.2f}   "
            f"{theirs[0]:<22} {theirs[1]:>6} {1e3 * theirs[2]:>8.2f}   {others[0]}"
        )
    print()
    for name in right:
        if asked[name]:
            print(f"{name}: {right[name]} of {asked[name]} verdicts right")
    print(f"numdiff: {diagnosed} of {with_kind} diagnosed by kind")
    for text in wrong_verdicts:
        print("WRONG", text)
    return int(bool(wrong_verdicts) or diagnosed < 0.9 * with_kind)


if __name__ == "__main__":
    sys.exit(main())
