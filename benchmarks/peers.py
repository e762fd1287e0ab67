"""Who computes what, by one signature: p(x, fun). numdiff runs on the backend that NUMDIFF_BACKEND selects."""

from functools import partial

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


try:
    from scipy.differentiate import derivative as _scipy_derivative
except ModuleNotFoundError:  # before SciPy 1.15
    DERIVATIVE = {}
else:
    DERIVATIVE = {"scipy": lambda fun, x: _scipy_derivative(fun, x).df}
