"""Derivatives of functions given as code, by finite differences.

numdiff's own names: gradient, jacobian, grad, jac, value_and_grad; hessian, hess, hessian_diagonal, hvp;
gradient_descent, sgd, newton.
SciPy's names, drop-in: approx_fprime, approx_derivative, check_grad, check_derivative, group_columns.
numdiff.plot draws (Matplotlib, the extra "plot").
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import Any as _Any

from ._approx import approx_derivative, approx_fprime
from ._backend import backend
from ._check import check_derivative, check_grad
from ._config import show_config
from ._derivative import derivative
from ._derivatives import grad, gradient, jac, jacobian, value_and_grad
from ._descent import gradient_descent
from ._descent_result import DescentResult
from ._directional import jvp
from ._hessian import hess, hessian, hessian_diagonal
from ._hvp import hvp
from ._newton import newton
from ._noise import NoiseEstimate, estimate_noise
from ._progress import progress
from ._result import DerivativeResult, Flag
from ._sgd import sgd
from ._sparse import group_columns
from ._sweep import StepSweep, step_sweep
from ._taylor import TaylorResult, taylor

__version__ = _version("numdiff")

__all__ = [
    "DerivativeResult",
    "DescentResult",
    "Flag",
    "NoiseEstimate",
    "StepSweep",
    "TaylorResult",
    "__version__",
    "approx_derivative",
    "approx_fprime",
    "backend",
    "check_derivative",
    "check_grad",
    "derivative",
    "estimate_noise",
    "grad",
    "gradient",
    "gradient_descent",
    "group_columns",
    "hess",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jac",
    "jacobian",
    "jvp",
    "newton",
    "progress",
    "sgd",
    "show_config",
    "step_sweep",
    "taylor",
    "value_and_grad",
]


def __getattr__(name: str) -> _Any:
    if name == "plot":  # imports Matplotlib, so only for those who ask
        return _import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
