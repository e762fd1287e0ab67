"""Who computes what, by one signature: p(x, fun). numdiff runs on the backend that NUMDIFF_BACKEND selects."""

from functools import partial

import cases
import scipy.optimize
from scipy.optimize._numdiff import approx_derivative

import numdiff

try:
    from statsmodels.tools import numdiff as statsmodels
except ModuleNotFoundError:
    statsmodels = None

try:
    import numdifftools
except ModuleNotFoundError:
    numdifftools = None

NUMDIFF = f"numdiff-{numdiff.backend}"


def numdiff_gradient(method, **options):
    def gradient(x, fun):
        return numdiff.gradient(fun, x, method=method, **options)

    return gradient


def scipy_gradient(method):
    def gradient(x, fun):
        return approx_derivative(fun, x, method=method)

    return gradient


APPROX_FPRIME = {NUMDIFF: numdiff.approx_fprime, "scipy": scipy.optimize.approx_fprime}
FORWARD = {NUMDIFF: numdiff_gradient("forward"), "scipy": scipy_gradient("2-point")}
CENTRAL = {NUMDIFF: numdiff_gradient("central"), "scipy": scipy_gradient("3-point")}
if statsmodels is not None:
    APPROX_FPRIME["statsmodels"] = FORWARD["statsmodels"] = statsmodels.approx_fprime
    CENTRAL["statsmodels"] = partial(statsmodels.approx_fprime, centered=True)


def descent(case, x, steps):
    return numdiff.gradient_descent(None, x, jac=case.jac, learning_rate=case.rate, maxiter=steps, gtol=0).x


DESCENT = {NUMDIFF: descent, "numpy": lambda case, x, steps: case.loop(x, steps)}

HESSIAN = {NUMDIFF: lambda x, fun: numdiff.hessian(fun, x)}
if statsmodels is not None:
    HESSIAN["statsmodels"] = statsmodels.approx_hess3
if numdifftools is not None:
    HESSIAN["numdifftools"] = lambda x, fun: numdifftools.Hessian(fun)(x)


def minimizer(fun, jac):
    # jac=None counts each call of a difference; maxfun must not end it before the other.
    return partial(scipy.optimize.minimize, fun, method="L-BFGS-B", jac=jac, options={"maxfun": 1_000_000})


MINIMIZE = {
    f"{NUMDIFF} grad": minimizer(scipy.optimize.rosen, numdiff.grad(scipy.optimize.rosen, method="forward")),
    f"{NUMDIFF} value_and_grad": minimizer(numdiff.value_and_grad(scipy.optimize.rosen, method="forward"), True),
    "scipy": minimizer(scipy.optimize.rosen, None),
}

# Calls of SciPy that difference, by name and n.
SOLVES = {
    (f"minimize, rosen, {method}", len(cases.MINIMIZE_START)): partial(
        scipy.optimize.minimize, scipy.optimize.rosen, cases.MINIMIZE_START, method=method, options=options
    )
    for method, options in (("L-BFGS-B", {"maxfun": 1_000_000}), ("BFGS", {"maxiter": 20}), ("SLSQP", {"maxiter": 20}))
} | {
    (f"least_squares, fit of 100 points, {method}", len(cases.FIT_START)): partial(
        scipy.optimize.least_squares, cases.misfit, cases.FIT_START, method=method
    )
    for method in ("trf", "dogbox", "lm")
}


_accelerations = []


def accelerate(on):
    """accelerate_scipy, on or off from now on."""
    if on and not _accelerations:
        _accelerations.append(numdiff.accelerate_scipy())
    elif not on and _accelerations:
        _accelerations.pop().undo()


try:
    from scipy.differentiate import derivative as _scipy_derivative
except ModuleNotFoundError:  # before SciPy 1.15
    DERIVATIVE = {}
else:
    DERIVATIVE = {"scipy": lambda fun, x: _scipy_derivative(fun, x).df}
