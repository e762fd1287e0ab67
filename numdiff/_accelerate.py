"""SciPy faster in place: numdiff's functions where SciPy's modules hold their own, and SciPy's put back."""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache, wraps
from importlib import import_module
from types import ModuleType, TracebackType
from typing import Any, Final, TypeVar

from ._approx import approx_derivative, approx_fprime
from ._check import check_derivative, check_grad
from ._sparse import require_scipy
from ._stops import switch

KNOWN: Final = "1.17"  # the SciPy whose places these are, and with whose bits the tests compare

# What takes the place of SciPy's function of that name. Not group_columns: SciPy's is compiled, and faster.
FUNCTIONS: dict[str, Any] = {
    function.__name__: function for function in (approx_derivative, approx_fprime, check_derivative, check_grad)
}

# Every module of SciPy that has bound one of the names of numdiff's drop-ins; a name's own module comes first.
PLACES: Final = {
    "scipy.optimize._numdiff": ("approx_derivative", "check_derivative", "group_columns"),
    "scipy.optimize._optimize": ("approx_fprime", "check_grad", "approx_derivative"),
    "scipy.optimize": ("approx_fprime", "check_grad"),
    "scipy.optimize._differentiable_functions": ("approx_derivative", "group_columns"),
    "scipy.optimize._lsq.least_squares": ("group_columns",),
    "scipy.optimize._root_scalar": ("approx_derivative",),
    "scipy.optimize._slsqp_py": ("approx_derivative",),
    "scipy.integrate._ivp.bdf": ("group_columns",),
    "scipy.integrate._ivp.radau": ("group_columns",),
}

Function = TypeVar("Function", bound=Callable[..., Any])

_lock = threading.Lock()
_on: set[Acceleration] = set()  # those that are not over
_places: list[tuple[ModuleType, str, Any, Any]] = []  # and what SciPy held before the first of them, and holds now


def accelerate_scipy(on: bool = True) -> Acceleration:
    """SciPy's optimisers with numdiff's differences where they would use their own: the same iterates, in less time.

    Parameters
    ----------
    on : bool
        False: end all accelerations, whoever made them, and also those whose result was not kept.

    Returns
    -------
    Acceleration
        It is on from this call. Used as ``with numdiff.accelerate_scipy():`` it is over at the block's end, with
        or without an exception; after a plain call, when its method ``undo()`` is called. As a decorator,
        ``@numdiff.accelerate_scipy()``, it is on while the function runs, in every call.

    Raises
    ------
    TypeError
        on is no bool: the decorator without its parentheses.
    ImportError
        SciPy is not installed (the extra "sparse").
    RuntimeError
        A SciPy other than 1.17, or one whose functions are not where that has them, or are no longer its own. SciPy is
        left as it is.

    Warns
    -----
    RuntimeWarning
        At the end, where somebody else has put a function into one of the places meanwhile: that is left there.

    Notes
    -----
    Reached: what ``minimize`` (BFGS, CG, L-BFGS-B, TNC, SLSQP, trust-constr) and its constraints have no ``jac`` for,
    and ``hess="2-point"`` and the like; ``least_squares``; ``curve_fit`` by "trf" and "dogbox"; ``root_scalar`` by
    Newton's method; ``approx_fprime``, ``check_grad``. Not reached, and as before: what MINPACK differences in C
    (``root`` by "hybr" and "lm", ``leastsq``, ``curve_fit`` by "lm"); products J p and H p that are one evaluation and
    no loop (``root`` by "krylov", Newton-CG without ``hess``); the Jacobians of ``solve_ivp``, which are one call of
    fun for all points at once, with steps that adapt from one Jacobian to the next.

    Iterates, results and evaluation counts are SciPy's bit for bit, but where SciPy's own are wrong: see
    `approx_derivative`. The points of one Jacobian by "3-point" come in another order where some are one-sided, at a
    bound: those last, which only a fun that keeps count of its calls can tell.

    It holds for the whole process, all threads. Several may be on at once, nested or in several threads; SciPy is
    itself again when the last of them is over.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> from scipy.optimize import minimize, rosen
    >>> plain = minimize(rosen, [-1.2, 1.0])
    >>> with numdiff.accelerate_scipy():
    ...     faster = minimize(rosen, [-1.2, 1.0])
    >>> np.array_equal(plain.x, faster.x), plain.nfev == faster.nfev
    (True, True)
    """
    on = switch("on", on)
    require_scipy("accelerate_scipy")
    acceleration = Acceleration()
    if not on:
        _end(None)
        return acceleration
    with _lock:
        if not _on:
            _places[:] = [(module, name, own, FUNCTIONS[name]) for module, name, own in _scipys_own()]
            for module, name, _, ours in _places:
                setattr(module, name, ours)
        _on.add(acceleration)
    return acceleration


def _end(acceleration: Acceleration | None) -> None:
    """End one, or all (None); where that was the last, SciPy is itself again."""
    foreign = []
    with _lock:
        was = bool(_on)
        _on.difference_update(list(_on) if acceleration is None else [acceleration])
        if was and not _on:
            for module, name, own, ours in _places:
                if getattr(module, name, None) is ours:
                    setattr(module, name, own)
                else:
                    foreign.append(f"{module.__name__}.{name}")
            _places.clear()
    if foreign:
        warnings.warn(
            f"accelerate_scipy is over, and leaves in place what somebody else has put at {', '.join(foreign)}",
            RuntimeWarning,
            stacklevel=3,
        )


class Acceleration:
    """An acceleration of SciPy that is on; made by `accelerate_scipy`."""

    def __init__(self) -> None:
        self._entered = False

    def undo(self) -> None:
        """End it; a second call does nothing. SciPy is itself again when all accelerations are over."""
        _end(self)

    def __call__(self, function: Function) -> Function:
        """function with an acceleration of its own in every call; this one is over."""
        self.undo()

        @wraps(function)
        def accelerated(*args: Any, **kwargs: Any) -> Any:
            with accelerate_scipy():
                return function(*args, **kwargs)

        return accelerated  # type: ignore[return-value]

    def __enter__(self) -> Acceleration:
        with _lock:
            if self not in _on or self._entered:
                raise RuntimeError("this acceleration has been used; call numdiff.accelerate_scipy() again")
            self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()


def _scipys_own() -> list[tuple[ModuleType, str, Any]]:
    """(module, name, SciPy's function) of every place; an error where this is not the SciPy that is known."""
    installed = import_module("scipy").__version__
    unknown = f"accelerate_scipy knows SciPy {KNOWN}, not this one, {installed}, which is left as it is"
    if installed.split(".")[:2] != KNOWN.split("."):
        raise RuntimeError(unknown)
    found = []
    functions: dict[str, Any] = {}
    for path, names in PLACES.items():
        try:
            module = import_module(path)
        except ImportError as error:
            raise RuntimeError(f"{unknown}: it has no {path}") from error
        for name in FUNCTIONS.keys() & names:
            here = getattr(module, name, None)
            function = functions.setdefault(name, here)
            if here is not function or getattr(here, "__module__", None) not in PLACES or not _fits(here, name):
                raise RuntimeError(f"{unknown}: {path}.{name} is not SciPy's function, but {here!r}")
            found.append((module, name, here))
    return found


def _fits(function: Any, name: str) -> bool:
    """Whether SciPy's function takes the arguments that numdiff's takes."""
    return callable(function) and _parameters(function) == _parameters(FUNCTIONS[name])


@lru_cache
def _parameters(function: Any) -> list[tuple[str, Any]]:
    return [(parameter.name, parameter.kind) for parameter in inspect.signature(function).parameters.values()]
