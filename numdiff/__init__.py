"""Derivatives of functions given as code, by finite differences.

numdiff's own names: gradient, jacobian, grad, jac, value_and_grad; hessian, hess, hessian_diagonal, hvp.
gradcheck, assert_gradient, taylor_test: whether a hand-written gradient is right.
SciPy's names, drop-in: approx_fprime, approx_derivative, check_grad, check_derivative, group_columns.
"""

from importlib.metadata import version as _version

from ._approx import approx_derivative, approx_fprime
from ._backend import backend
from ._check import check_derivative, check_grad
from ._config import show_config
from ._derivative import derivative
from ._derivatives import grad, gradient, jac, jacobian, value_and_grad
from ._directional import jvp
from ._gradcheck import assert_gradient, gradcheck
from ._hessian import hess, hessian, hessian_diagonal, hvp
from ._noise import NoiseEstimate, estimate_noise
from ._report import GradientReport
from ._result import DerivativeResult, Flag
from ._sparse import group_columns
from ._sweep import StepSweep, step_sweep
from ._taylor import TaylorResult, taylor
from ._taylor_test import TaylorTest, taylor_test

__version__ = _version("numdiff")

__all__ = [
    "DerivativeResult",
    "Flag",
    "GradientReport",
    "NoiseEstimate",
    "StepSweep",
    "TaylorResult",
    "TaylorTest",
    "__version__",
    "approx_derivative",
    "approx_fprime",
    "assert_gradient",
    "backend",
    "check_derivative",
    "check_grad",
    "derivative",
    "estimate_noise",
    "grad",
    "gradcheck",
    "gradient",
    "group_columns",
    "hess",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jac",
    "jacobian",
    "jvp",
    "show_config",
    "step_sweep",
    "taylor",
    "taylor_test",
    "value_and_grad",
]
