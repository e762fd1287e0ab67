"""SciPy's checks of a hand-written gradient: check_grad and check_derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._approx import EPSILON, approx_derivative, approx_fprime
from ._function import recognise_gradient
from ._native import recognise
from ._sparse import is_sparse, require_scipy

_NO_BOUNDS = (-np.inf, np.inf)


def check_grad(
    func: Callable[..., Any],
    grad: Callable[..., Any],
    x0: ArrayLike,
    *args: Any,
    epsilon: ArrayLike | None = EPSILON,
    direction: str = "all",
    rng: Any = None,
    seed: Any = None,
) -> np.float64:
    """The 2-norm of the difference between a gradient and forward differences, SciPy's name.

    Parameters
    ----------
    func, grad : callable ``func(x, *args)``, ``grad(x, *args)``
        The function and its gradient (or its Jacobian, shape (m, n)).
    x0 : array_like, shape (n,)
        The point.
    *args : further arguments of both. All that is positional after x0 goes there.
    epsilon : float or array_like, default 1.49e-8
        Absolute steps, as in `approx_fprime`.
    direction : {"all", "random"}
        Compare every component, or one derivative along a random vector (2 evaluations instead of n + 1).
    rng : None, int, or numpy.random.Generator
        For "random": what ``numpy.random.default_rng`` takes; None draws from NumPy's global generator.
    seed : None, int, Generator or RandomState
        The older name; an int seeds ``numpy.random.RandomState``, a stream of its own.

    Returns
    -------
    numpy.float64
        An absolute error: compare it with the size of the gradient.

    Raises
    ------
    ValueError
        Unknown direction; "random" with a vector function; a gradient of another shape than the differences.
    TypeError
        Both rng and seed.

    Notes
    -----
    The same number as SciPy's, except that shapes which do not fit are an error here and are broadcast there.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> bool(numdiff.check_grad(lambda x: x @ x, lambda x: 2 * x, [1.5, -1.5]) < 1e-6)
    True
    """
    if rng is not None and seed is not None:
        raise TypeError(
            "check_grad() got multiple values for argument now known as `rng`. Specify one of `rng` or `seed`."
        )
    func, grad = recognise(func), recognise_gradient(grad, x0, "grad")
    x0 = np.asarray(x0)
    if direction == "all":
        analytic = grad(x0.copy(), *args)
        numeric = approx_fprime(x0, func, epsilon, *args)
    elif direction == "random":
        gradient = np.asanyarray(grad(x0.copy(), *args))
        if gradient.ndim > 1:
            raise ValueError("'random' can only be used with scalar valued func")
        v = _generator(rng, seed).standard_normal(size=x0.shape)
        if gradient.shape != v.shape:
            raise ValueError(f"`grad` returned an array of shape {gradient.shape} where {v.shape} is due")
        analytic = np.dot(gradient, v)
        numeric = approx_fprime(np.zeros(1), lambda w: func(x0 + w * v, *args), epsilon)
        if numeric.shape != (1,):
            raise ValueError("'random' can only be used with scalar valued func")
    else:
        raise ValueError(f"{direction} is not a valid string for ``direction`` argument")
    shape = np.shape(analytic)
    if shape != numeric.shape and not (numeric.size == 1 and shape == ()):
        raise ValueError(f"`grad` returned an array of shape {shape} where {numeric.shape} is due")
    return np.sqrt(np.sum(np.abs((analytic - numeric) ** 2)))  # type: ignore[no-any-return]


def check_derivative(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x0: ArrayLike,
    bounds: tuple[ArrayLike, ArrayLike] = _NO_BOUNDS,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> np.float64:
    """The largest error of a Jacobian against central differences, relative above 1, absolute below; SciPy's name.

    Parameters
    ----------
    fun, jac : callable ``fun(x, *args, **kwargs)``, ``jac(x, *args, **kwargs)``
        The function and its Jacobian, dense or sparse.
    x0, bounds, args, kwargs
        As in `approx_derivative`.

    Returns
    -------
    numpy.float64
        About 1e-6 or less for a right Jacobian of a function of size 1. A sparse jac is compared at its own nonzeros.

    Raises
    ------
    ValueError, ImportError
        As `approx_derivative`; ValueError where the shape of jac is not that of the differences.

    Notes
    -----
    2n + 1 evaluations, or by groups of columns where jac is sparse.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> bool(numdiff.check_derivative(lambda x: x**3, lambda x: np.diag(3 * x**2), [1.0, 2.0]) < 1e-9)
    True
    """
    kwargs = kwargs or {}
    tested = recognise(jac, "jac")(np.array(x0), *args, **kwargs)
    sparsity = tested if is_sparse(tested) else None
    numeric = approx_derivative(fun, x0, bounds=bounds, sparsity=sparsity, args=args, kwargs=kwargs)
    if sparsity is not None:
        csr_array = require_scipy("a sparse Jacobian").csr_array
        difference = csr_array(tested) - csr_array(numeric)
        rows, cols = difference.nonzero()
        if rows.size == 0:  # all entries agree exactly
            return np.float64(0.0)
        there = np.asarray(csr_array(numeric)[rows, cols]).reshape(-1)
        error = np.abs(np.asarray(difference[rows, cols]).reshape(-1))
        return np.max(error / np.maximum(1, np.abs(there)))  # type: ignore[no-any-return]
    fits = np.shape(tested) in (numeric.shape, (1, *numeric.shape)) or np.size(tested) == numeric.size == 1
    if not fits:  # broadcasting would compare other entries
        raise ValueError(f"`jac` returned an array of shape {np.shape(tested)} where {numeric.shape} is due")
    return np.max(np.abs(tested - numeric) / np.maximum(1, np.abs(numeric)))  # type: ignore[no-any-return]


def _generator(rng: Any, seed: Any) -> Any:
    """The source of random numbers, by SciPy's two conventions."""
    if rng is not None:
        return np.random.default_rng(rng)
    if seed is None:
        return np.random.mtrand._rand
    if isinstance(seed, np.random.Generator | np.random.RandomState):
        return seed
    return np.random.RandomState(seed)
