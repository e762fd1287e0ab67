"""Derivatives of functions given as code, by finite differences.

The public functions: gradient, jacobian, grad, jac, value_and_grad, derivative, jvp; hessian, hess, hessian_diagonal,
hvp; estimate_noise, step_sweep, taylor; gradcheck, assert_gradient, taylor_test;
gradient_descent, sgd, newton.
Native functions, in C or by numba: native, and wherever a fun is taken.
SciPy's names, drop-in: approx_fprime, approx_derivative, check_grad, check_derivative, group_columns; accelerate_scipy
puts them into SciPy's own optimisers.
numdiff.plot draws (Matplotlib, the extra "plot").
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import Any as _Any

from ._accelerate import accelerate_scipy
from ._approx import approx_derivative, approx_fprime
from ._backend import backend
from ._check import check_derivative, check_grad
from ._coloring import color_columns
from ._config import show_config
from ._derivative import derivative
from ._derivatives import grad, gradient, jac, jacobian, value_and_grad
from ._descent import gradient_descent
from ._descent_result import DescentResult
from ._directional import jvp
from ._gradcheck import assert_gradient, gradcheck
from ._hessian import hess, hessian, hessian_diagonal
from ._hvp import hvp
from ._native import native
from ._newton import newton
from ._noise import NoiseEstimate, estimate_noise
from ._progress import progress
from ._report import GradientReport
from ._result import DerivativeResult, Flag
from ._sgd import sgd
from ._sparse import group_columns
from ._sparsity import hessian_sparsity, jacobian_sparsity
from ._sweep import StepSweep, step_sweep
from ._taylor import TaylorResult, taylor
from ._taylor_test import TaylorTest, taylor_test

__version__ = _version("numdiff")

__all__ = [
    "DerivativeResult",
    "DescentResult",
    "Flag",
    "GradientReport",
    "NoiseEstimate",
    "StepSweep",
    "TaylorResult",
    "TaylorTest",
    "__version__",
    "accelerate_scipy",
    "approx_derivative",
    "approx_fprime",
    "assert_gradient",
    "backend",
    "check_derivative",
    "check_grad",
    "color_columns",
    "derivative",
    "estimate_noise",
    "grad",
    "gradcheck",
    "gradient",
    "gradient_descent",
    "group_columns",
    "hess",
    "hessian",
    "hessian_diagonal",
    "hessian_sparsity",
    "hvp",
    "jac",
    "jacobian",
    "jacobian_sparsity",
    "jvp",
    "native",
    "newton",
    "progress",
    "sgd",
    "show_config",
    "step_sweep",
    "taylor",
    "taylor_test",
    "value_and_grad",
]


def __getattr__(name: str) -> _Any:
    if name == "plot":  # imports Matplotlib, so only for those who ask
        return _import_module(".plot", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
