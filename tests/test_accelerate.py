"""accelerate_scipy: SciPy's iterates bit for bit, where it reaches and where not, on and off."""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
import multiprocessing
import pkgutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.sparse
from scipy.optimize import LinearConstraint, NonlinearConstraint, least_squares, minimize, rosen, rosen_der

import numdiff
from numdiff import _accelerate

T = np.linspace(0.0, 4.0, 100)
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + 0.05 * np.cos(7.0 * T)
START = np.array([-1.2, 1.0, 0.9, 1.1, 1.3])
BANDED = scipy.sparse.diags_array([np.ones(29), np.ones(30), np.ones(29)], offsets=[-1, 0, 1])


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def misfit(p):
    return decay(T, *p) - Y


def broyden(x):
    f = (3.0 - 2.0 * x) * x + 1.0
    f[1:] -= x[:-1]
    f[:-1] -= 2.0 * x[1:]
    return f


class Problem:
    """A call of SciPy on a function; run() gives every point that was evaluated, and the result."""

    def __init__(self, fun, solve, reached=True):
        self.fun = fun
        self.solve = solve
        self.reached = reached  # whether SciPy differences where numdiff can take its place

    def run(self):
        points = []

        @functools.wraps(self.fun)
        def recorded(*args):
            points.append([np.array(arg).tobytes() for arg in args])
            return self.fun(*args)

        return points, flat(self.solve(recorded))


def flat(result):
    """A result as comparable parts: arrays as bytes, sparse ones and operators as dense; no times."""
    if isinstance(result, dict):
        return {name: flat(value) for name, value in result.items() if name != "execution_time"}
    if isinstance(result, tuple | list):
        return [flat(part) for part in result]
    if scipy.sparse.issparse(result):
        return type(result).__name__, result.toarray().tobytes()
    if isinstance(result, scipy.sparse.linalg.LinearOperator):  # hess_inv of L-BFGS-B
        return type(result).__name__, result.matmat(np.eye(result.shape[1])).tobytes()
    return result if isinstance(result, str | None) else np.asarray(result).tobytes()


def minimizer(method, start=START, **options):
    return lambda fun: minimize(fun, start, method=method, options={"maxiter": 30}, **options)


RING = NonlinearConstraint(lambda x: [x @ x, x[0] * x[1]], [1.0, -2.0], [6.0, 2.0], jac="2-point")
SPARSE_RING = NonlinearConstraint(
    lambda x: x**2, 0.1, 4.0, jac="3-point", finite_diff_jac_sparsity=scipy.sparse.eye_array(START.size)
)
BOX = [(-2.0, 2.0), (0.5, 1.0), (None, 1.5), (1.1, None), (None, None)]

PROBLEMS = {
    "BFGS": Problem(rosen, minimizer("BFGS")),
    "CG": Problem(rosen, minimizer("CG")),
    "L-BFGS-B": Problem(rosen, minimizer("L-BFGS-B")),
    "L-BFGS-B, bounds": Problem(rosen, minimizer("L-BFGS-B", bounds=BOX)),
    "L-BFGS-B, 3-point, bounds": Problem(rosen, minimizer("L-BFGS-B", jac="3-point", bounds=BOX)),
    "L-BFGS-B, cs": Problem(rosen, minimizer("L-BFGS-B", jac="cs")),
    "TNC": Problem(rosen, lambda fun: minimize(fun, START, method="TNC", bounds=BOX, options={"maxfun": 90})),
    "SLSQP": Problem(rosen, minimizer("SLSQP")),
    "SLSQP, constraint": Problem(
        rosen, minimizer("SLSQP", bounds=BOX, constraints={"type": "ineq", "fun": lambda x: 5.0 - x @ x})
    ),
    "Newton-CG": Problem(rosen, minimizer("Newton-CG", jac=rosen_der), reached=False),  # products
    "Newton-CG, hess": Problem(rosen, minimizer("Newton-CG", jac=rosen_der, hess="3-point")),
    "trust-krylov": Problem(rosen, minimizer("trust-krylov", jac=rosen_der, hess="2-point")),
    "trust-constr": Problem(rosen, minimizer("trust-constr")),
    "trust-constr, constraints": Problem(
        rosen, minimizer("trust-constr", constraints=[RING, LinearConstraint(np.ones((1, 5)), -1, 9)])
    ),
    "trust-constr, sparse": Problem(rosen, minimizer("trust-constr", constraints=SPARSE_RING, bounds=BOX)),
    "trust-constr, hess": Problem(rosen, minimizer("trust-constr", jac=rosen_der, hess="cs")),
    "COBYQA": Problem(rosen, minimizer("COBYQA"), reached=False),
    "COBYLA": Problem(rosen, minimizer("COBYLA"), reached=False),
    "sparsity": Problem(broyden, lambda fun: least_squares(fun, -np.ones(30), jac_sparsity=BANDED)),
    "sparsity, dogbox": Problem(
        broyden, lambda fun: least_squares(fun, -np.ones(30), "3-point", method="dogbox", jac_sparsity=BANDED)
    ),
    "sparsity, bounds": Problem(
        broyden, lambda fun: least_squares(fun, -np.ones(30), bounds=(-1.0, 0.5), jac_sparsity=BANDED)
    ),
    "curve_fit": Problem(
        decay, lambda fun: scipy.optimize.curve_fit(fun, T, Y, [1.0, 1.0, 0.0], bounds=(0.0, 9.0), full_output=True)
    ),
    "curve_fit, dogbox": Problem(
        decay, lambda fun: scipy.optimize.curve_fit(fun, T, Y, [1.0, 1.0, 0.0], method="dogbox")
    ),
    # MINPACK differences in C
    "curve_fit, lm": Problem(decay, lambda fun: scipy.optimize.curve_fit(fun, T, Y, [1.0, 1.0, 0.0]), reached=False),
    "leastsq": Problem(misfit, lambda fun: scipy.optimize.leastsq(fun, [1.0, 1.0, 0.0]), reached=False),
    "hybr": Problem(broyden, lambda fun: scipy.optimize.root(fun, -np.ones(9)), reached=False),
    "root, lm": Problem(broyden, lambda fun: scipy.optimize.root(fun, -np.ones(9), method="lm"), reached=False),
    # one evaluation for a product, no loop
    "krylov": Problem(broyden, lambda fun: scipy.optimize.root(fun, -np.ones(9), method="krylov"), reached=False),
    "newton": Problem(lambda x: x**3 - 2.0, lambda fun: scipy.optimize.root_scalar(fun, x0=1.0, method="newton")),
    "approx_fprime": Problem(rosen, lambda fun: scipy.optimize.approx_fprime(START, fun)),
    "check_grad": Problem(rosen, lambda fun: scipy.optimize.check_grad(fun, rosen_der, START)),
}
for _method in ("trf", "dogbox", "lm"):
    for _jac in ("2-point", "3-point", "cs"):
        PROBLEMS[f"{_method}, {_jac}"] = Problem(
            misfit, functools.partial(least_squares, x0=[1.0, 1.0, 0.0], jac=_jac, method=_method)
        )
for _method in ("trf", "dogbox"):
    PROBLEMS[f"{_method}, bounds"] = Problem(
        misfit,
        functools.partial(least_squares, x0=[1.0, 1.0, 0.0], jac="3-point", method=_method, bounds=(0.0, 2.0)),
    )
# all points of a Jacobian in one call, with steps that adapt: no loop, and no function that numdiff has
for _method in ("Radau", "BDF"):
    for _sparsity in (None, BANDED):
        PROBLEMS[f"{_method}, {'dense' if _sparsity is None else 'sparse'}"] = Problem(
            lambda t, y: -broyden(y) * 20.0,
            functools.partial(
                scipy.integrate.solve_ivp,
                t_span=(0.0, 1.0),
                y0=np.linspace(0.0, 1.0, 30),
                method=_method,
                jac_sparsity=_sparsity,
            ),
            reached=False,
        )


@pytest.fixture
def calls(monkeypatch):
    """Names of numdiff's functions that SciPy has called, in order."""
    made = []

    def noted(name, function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            made.append(name)
            return function(*args, **kwargs)

        return wrapper

    for name, function in _accelerate.FUNCTIONS.items():
        monkeypatch.setitem(_accelerate.FUNCTIONS, name, noted(name, function))
    return made


def held():
    """What SciPy holds in every place."""
    return {
        (path, name): getattr(importlib.import_module(path), name)
        for path, names in _accelerate.PLACES.items()
        for name in names
    }


SCIPYS = held()


def is_on():
    here = held()
    off = all(here[place] is SCIPYS[place] for place in here)
    on = all(here[place] is _accelerate.FUNCTIONS.get(place[1], SCIPYS[place]) for place in here)
    assert on != off  # never a mixture
    return on


@pytest.fixture(autouse=True)
def _scipy_is_itself_before_and_after():
    assert not is_on()
    yield
    assert not is_on()


@pytest.mark.filterwarnings("ignore:delta_grad == 0.0:UserWarning")
@pytest.mark.filterwarnings("ignore:Singular Jacobian matrix:UserWarning")
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_points_and_results_to_the_bit(name, calls):
    problem = PROBLEMS[name]
    points, result = problem.run()
    assert not calls
    with numdiff.accelerate_scipy():
        assert is_on()
        ours, our_result = problem.run()
    assert sorted(ours) == sorted(points)  # one Jacobian's one-sided differences come last, not in turn
    assert our_result == result
    assert len(points) > 3
    assert bool(calls) == problem.reached


@pytest.mark.parametrize("workers", [map, builtins.map, lambda fun, xs: list(map(fun, xs))])
def test_workers_that_are_maps(workers, calls):
    def run():
        return flat(minimize(rosen, START, method="L-BFGS-B", options={"workers": workers, "maxiter": 9}))

    plain = run()
    with numdiff.accelerate_scipy():
        assert run() == plain
    assert calls


def test_workers_that_are_processes(calls):
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        plain = flat(least_squares(broyden, -np.ones(5), workers=pool.map))
        with numdiff.accelerate_scipy():
            assert flat(least_squares(broyden, -np.ones(5), workers=pool.map)) == plain
    assert calls


def test_least_squares_reaches_the_kernels(monkeypatch):
    # least_squares passes SciPy's wrapper around map: no reason to go one mapped point at a time
    from numdiff import _mapped

    def never(*args):
        raise AssertionError("one mapped point at a time")

    monkeypatch.setattr(_mapped, "difference", never)
    with numdiff.accelerate_scipy():
        assert least_squares(misfit, [1.0, 1.0, 0.0]).success


def test_every_place_is_known():
    """The places are all that hold one of the functions, in all of scipy.optimize and scipy.integrate."""
    for package in (scipy.optimize, scipy.integrate):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if ".tests" not in module.name:
                importlib.import_module(module.name)
    functions = {id(function): name for (_, name), function in SCIPYS.items()}
    found = {
        (path, name)
        for path, module in list(sys.modules.items())
        if path.startswith("scipy.") and ".tests" not in path and inspect.ismodule(module)
        for name, value in vars(module).items()
        if id(value) in functions
    }
    assert found == set(SCIPYS)


def test_plain_call_and_its_undo():
    acceleration = numdiff.accelerate_scipy()
    assert is_on()
    acceleration.undo()
    assert not is_on()
    other = numdiff.accelerate_scipy()
    acceleration.undo()  # a second time: nothing
    assert is_on()
    other.undo()


@pytest.mark.parametrize("first", [0, 1])
def test_the_undo_of_one_leaves_the_other_on(first):
    accelerations = [numdiff.accelerate_scipy(), numdiff.accelerate_scipy()]
    accelerations.pop(first).undo()
    assert is_on()
    accelerations.pop().undo()


def test_nested():
    with numdiff.accelerate_scipy():
        with numdiff.accelerate_scipy() as inner:
            inner.undo()
            assert is_on()
        assert is_on()


def test_used_once():
    with numdiff.accelerate_scipy() as acceleration, pytest.raises(RuntimeError, match="accelerate_scipy.. again"):
        acceleration.__enter__()
    with pytest.raises(RuntimeError, match="accelerate_scipy.. again"), acceleration:
        pass


def test_one_whose_result_was_dropped_can_be_ended():
    numdiff.accelerate_scipy()
    with numdiff.accelerate_scipy() as other:
        numdiff.accelerate_scipy(False)
        assert not is_on()
        with numdiff.accelerate_scipy():
            other.undo()  # was ended: nothing
            assert is_on()
    assert not is_on()
    numdiff.accelerate_scipy(False)  # nothing is on
    assert not is_on()
    with pytest.raises(RuntimeError, match="accelerate_scipy.. again"), numdiff.accelerate_scipy(False):
        pass


def test_as_a_decorator():
    @numdiff.accelerate_scipy()
    def solve(start, depth):
        """Mine."""
        assert is_on()
        if depth:
            solve(start, depth - 1)
            assert is_on()
        return minimize(rosen, start, method="BFGS", options={"maxiter": 3})

    assert not is_on()
    assert (solve.__name__, solve.__doc__) == ("solve", "Mine.")
    for _ in range(2):
        assert flat(solve(START, depth=1)) == flat(minimize(rosen, START, method="BFGS", options={"maxiter": 3}))
        assert not is_on()
    with pytest.raises(TypeError, match="`on` must be True or False"):
        numdiff.accelerate_scipy(solve)


def by_undo():
    return numdiff.accelerate_scipy().undo


def by_block():
    block = numdiff.accelerate_scipy().__enter__()
    return lambda: block.__exit__(None, None, None)


def by_false():
    numdiff.accelerate_scipy()
    return lambda: numdiff.accelerate_scipy(False)


@pytest.mark.parametrize("way", [by_undo, by_block, by_false])
def test_what_somebody_else_has_put_there_meanwhile_stays(way, monkeypatch):
    name = "scipy.optimize._slsqp_py.approx_derivative"
    place = tuple(name.rsplit(".", 1))
    end = way()
    monkeypatch.setattr(name, rosen)
    with pytest.warns(RuntimeWarning, match=f"leaves in place what somebody else has put at {name}$"):
        end()
    here = held()
    assert here[place] is rosen
    assert all(here[other] is SCIPYS[other] for other in here if other != place)
    with pytest.raises(RuntimeError, match="approx_derivative is not SciPy's function"):
        numdiff.accelerate_scipy()
    monkeypatch.undo()
    setattr(sys.modules[place[0]], place[1], SCIPYS[place])


def test_a_float32_start_whose_steps_would_be_lost():
    # SciPy's epsilon, 1.5e-8, is lost at float32 points: a gradient of 0, "terminated successfully" at the start
    start = np.array([-1.2, 1.0, 0.9, 1.1, 1.3], np.float32)
    assert minimize(rosen, start, method="BFGS").nit == 0
    with numdiff.accelerate_scipy():
        found = minimize(rosen, start, method="BFGS")
    assert found.nit > 5
    assert found.fun < 0.15 * rosen(start)


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, Stop])
def test_exceptions_pass_and_scipy_is_itself_again(error):
    def fun(x):
        raise error

    with pytest.raises(error), numdiff.accelerate_scipy():
        minimize(fun, START)


def test_threads():
    """Eight threads go in and out; inside it is on, and whoever leaves does not switch the others off."""
    together = threading.Barrier(8)

    def work(number):
        together.wait()
        for _ in range(20):
            with numdiff.accelerate_scipy():
                assert is_on()
                result = minimize(rosen, START[:2], method="BFGS", options={"maxiter": 2})
                assert is_on()
            acceleration = numdiff.accelerate_scipy()
            assert is_on()
            acceleration.undo()
        return result.x.tobytes()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(work, range(8)))
    assert found == {minimize(rosen, START[:2], method="BFGS", options={"maxiter": 2}).x.tobytes()}


@pytest.mark.parametrize("version", ["1.16.3", "1.18.0", "2.0.0.dev0", "1.170.0"])
def test_another_scipy(version, monkeypatch):
    monkeypatch.setattr(scipy, "__version__", version)
    with pytest.raises(RuntimeError, match=f"knows SciPy 1.17, not this one, {version}"):
        numdiff.accelerate_scipy()


@pytest.mark.parametrize("name", ["1.17.0", "1.17.1", "1.17.0rc1"])
def test_a_known_scipy(name, monkeypatch):
    monkeypatch.setattr(scipy, "__version__", name)
    numdiff.accelerate_scipy().undo()


def refused(monkeypatch, message):
    with monkeypatch.context() as layout:
        yield layout
        with pytest.raises(RuntimeError, match=message):
            numdiff.accelerate_scipy()
        here = held_if_there()
    assert not any(function in _accelerate.FUNCTIONS.values() for function in here)


def held_if_there():
    modules = [sys.modules.get(path) for path in _accelerate.PLACES]
    return [getattr(module, name, None) for module in modules for name in _accelerate.FUNCTIONS]


LAST = "scipy.optimize._slsqp_py"


def test_another_layout_a_name_is_missing(monkeypatch):
    for layout in refused(monkeypatch, "_slsqp_py.approx_derivative is not SciPy's function, but None"):
        layout.delattr(f"{LAST}.approx_derivative")


def test_another_layout_a_module_is_missing(monkeypatch):
    for layout in refused(monkeypatch, f"it has no {LAST}"):
        layout.setitem(sys.modules, LAST, None)


@pytest.mark.parametrize("function", [rosen, lambda *args, **kwargs: None, 3])
def test_another_layout_a_function_of_somebody_else(monkeypatch, function):
    for layout in refused(monkeypatch, "_slsqp_py.approx_derivative is not SciPy's function, but "):
        layout.setattr(f"{LAST}.approx_derivative", function)


def test_another_layout_another_signature(monkeypatch):
    def approx_fprime(xk, f, epsilon, *args, tolerance=None):
        pass

    approx_fprime.__module__ = "scipy.optimize._optimize"
    for layout in refused(monkeypatch, "approx_fprime is not SciPy's function, but "):
        for path in ("scipy.optimize", "scipy.optimize._optimize"):
            layout.setattr(f"{path}.approx_fprime", approx_fprime)


def test_without_scipy(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match='accelerate_scipy needs SciPy.*extra "sparse"'):
        numdiff.accelerate_scipy()


def test_importing_numdiff_does_not_import_scipy():
    code = "import sys, numdiff; sys.exit(any(name.partition('.')[0] == 'scipy' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
