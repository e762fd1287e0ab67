"""gradient and jacobian: from the user's arguments down to the kernels and up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from numpy.typing import ArrayLike

from ._compressed import jacobian as sparse_jacobian
from ._differentiate import check_options, derivative_callable, differentiate
from ._engine import MAX_BYTES, refuse
from ._gradient import default_gradient
from ._native import recognise
from ._points import gradients
from ._progress import counted
from ._stops import switch

OPTIONS: Final = (
    "method", "order", "rel_step", "abs_step", "x_scale", "bounds", "indices", "noise", "kwargs", "workers",
    "vectorized", "max_bytes", "progress",
)  # fmt: skip


def gradient(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    order: int | None = None,
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    indices: ArrayLike | None = None,
    noise: float | str | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    workers: Any = None,
    vectorized: bool = False,
    max_bytes: int = MAX_BYTES,
    points: bool = False,
    progress: bool = False,
    unpack: bool = False,
    full_output: bool = False,
) -> Any:
    """The gradient of a function of an array, or of several arrays, that returns one number.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``, or native function
        Gets a float64 array of x0's shape, and may write into it, keep it or return it. Returns a real number: 1.0, a
        NumPy scalar, or an array or list of one element. Native: a scipy.LowLevelCallable, ctypes or cffi pointer,
        numba cfunc or @njit function, called without Python in the loop; see `native`.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The point, real and finite. A list or tuple of plain numbers, nested or not, is an array, as NumPy has it. A
        dict, and a list or tuple with a dict or an ndarray inside (of any shape, () included; NumPy's scalars are
        numbers), is a tree: fun gets the same structure, with float64 arrays in place of the arrays, numbers and lists
        of numbers, and the answer has it too. Trees need optree (the extra "pytree"). For a native fun, no tree.
    method : {"central", "forward", "backward", "richardson", "complex"}
        Also by SciPy's names: "3-point", "2-point", "cs". "richardson" extrapolates central differences at steps it
        chooses for each component, and measures its error. "complex" is for analytic functions that take complex
        arrays; it is checked against a central difference along one direction.
    order : int, optional
        Of accuracy: 2, 4, 6, 8 (central), 1 to 4 (forward, backward), 2 (richardson's base). Default: the lowest.
    rel_step : float or array of x0's shape, optional
        h = rel_step max(|x0|, x_scale). Default: eps^(1/(order+1)), and h rounded to a power of two; eps is that of
        fun's dtype if it is coarser than float64. For "richardson" that of its first and longest steps.
    abs_step : float or array of x0's shape, optional
        h itself, in the units of x0. Not together with rel_step.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller. Give it where variables live on a scale far from 1.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Differences become one-sided near a bound. lb == ub fixes a component: nan.
    f0 : float, optional
        fun(x0), if known; saves one call where it is needed.
    indices : array of int, or mask of x0's shape, optional
        Differentiate by these components of the flat x0 only.
    noise : float or "estimate", optional
        Standard deviation of the values of fun, if it is more than rounding: steps and error bars widen to it.
        "estimate" asks `estimate_noise`, and stays with rounding where that cannot tell.
    args, kwargs : tuple, dict
        Further arguments of fun.
    workers : int, concurrent.futures.Executor, dask.distributed.Client or map-like callable, optional
        Call fun for several components at once; the numbers do not change. An int: so many threads for a native fun
        (-1: one for each core; at most 64, or so many), which run without the GIL, else so many processes, started for
        this call. An Executor (of processes, threads or mpi4py's MPIPoolExecutor), a Client, or a callable like
        map(function, iterable) that returns the results in order: what is sent is fun, x0, and a few chunks of points
        for each worker. fun and args must be such that they can be pickled; with threads, fun is called by several at
        once. An exception of fun in a worker comes back as itself, with notes of the component and the traceback.
    vectorized : bool
        fun takes many points at once: an array of x0's shape with one axis more, its columns, and returns (k,) numbers
        for k of them. One point is a column, too. That no column depends on others is checked for one of each block.
    max_bytes : int
        With vectorized: the most that columns and values of one call take, if one column does not take more. Blocks are
        of 1 MiB, to stay in the cache; where that is less than 64 columns, of up to 4 MiB.
    points : bool
        x0 is (n, k): k points, its columns, for each of which the gradient is wanted. For a fun that is vectorized or
        native, and methods forward, backward and central. Steps and bounds may be of x0's shape.
    progress : bool
        Show a bar of the calls of fun, at most ten times a second. Needs tqdm (the extra "progress").
    unpack : bool
        x0 is a tuple of the arguments of fun, numbers or arrays: fun(*x0, *args, **kwargs). The answer is a tuple.
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead.

    Returns
    -------
    ndarray of x0's shape (a float for a number; of the length of indices), or DerivativeResult
        For a tree x0's structure, of value, error, step and flag alike.

    Raises
    ------
    TypeError
        x0, a step or a bound that is no real number; fun returns None, a bool, text or a complex number; unpack where
        x0 is no tuple or list.
    ImportError
        x0 is a tree, and optree is not installed.
    ValueError
        x0 with nan or inf, or outside the bounds by more than rounding; steps that are not positive, or too small to
        be felt; fun returns more than one number; "complex" where fun is not analytic; an unknown method.

    Notes
    -----
    Calls of fun, for n components: order n (central), order n + 1, or one less with f0 (forward, backward), usually
    6n + 1 to 12n + 1 (richardson; up to about 100 where fun is not smooth), n + 2 (complex; n + 4 where its check
    needs a closer look, as at a minimum). With noise one more, and central 2n to 4n more where steps were too short;
    "estimate" takes 9 to 72. One more where a bound makes a central difference one-sided, or
    where the first value shows a coarser dtype than float64.
    Where fun is not finite at a stencil point the step is shrunk, or one side is taken, or that component is nan; flags
    say so. Order of accuracy: 2, 1, 1; complex steps are exact to rounding. Relative errors for a smooth function of
    size 1: 1e-11, 1e-8, 1e-8, 1e-16. Nocedal and Wright, Numerical Optimization, section 8.1; Squire and Trapp, SIAM
    Review 40 (1998).

    A tree is differentiated by its n numbers as one flat vector: dicts in the order of their sorted keys, arrays in C
    order. indices count in it. Steps, x_scale and bounds may be numbers, flat arrays, or trees of x0's structure.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.gradient(lambda x: x[0] ** 2 * x[1], [3.0, 2.0])
    array([12.,  9.])
    >>> by_q, by_x = numdiff.gradient(lambda q, x: q * (x @ x), (2.0, np.array([3.0, 4.0])), unpack=True)
    >>> float(by_q.round(6)), by_x.round(6)
    (25.0, array([12., 16.]))
    """
    fun = recognise(fun)
    if (
        (order is None and rel_step is None and abs_step is None and x_scale is None and bounds is None)
        and (f0 is None and indices is None and noise is None and kwargs is None)
        and (vectorized is False and points is False and progress is False)
        and not (unpack or full_output)
    ):
        quick, fun = default_gradient(fun, x0, args, method, workers)
        if quick is not None:
            return quick
    if switch("points", points):
        refuse("`points`", f0=f0, indices=indices, noise=noise, workers=workers, progress=progress, unpack=unpack)
        steps = order, rel_step, abs_step, x_scale, bounds
        return gradients(fun, x0, method, *steps, args, kwargs, vectorized, max_bytes, full_output)
    found = differentiate(
        fun, x0, True, method, order, rel_step, abs_step, x_scale, bounds, f0, indices, noise, args, kwargs,
        workers, vectorized, max_bytes, progress, with_error=full_output, unpack=unpack,
    )  # fmt: skip
    return found.gradient(indices, full_output)


def jacobian(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    order: int | None = None,
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    indices: ArrayLike | None = None,
    noise: float | str | None = None,
    sparsity: Any = None,
    check_sparsity: bool = True,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    workers: Any = None,
    vectorized: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: bool = False,
    full_output: bool = False,
) -> Any:
    """The Jacobian of a function of an array that returns m numbers: always (m, n), also for m = 1.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Gets a float64 array of x0's shape. Returns a 1-D array of m real numbers, or one number (m = 1).
    x0 : array_like of any shape, or number
        The point, real and finite; no tree.
    method, order, rel_step, abs_step, x_scale, bounds, indices, noise, args, kwargs, workers, progress, full_output
        As in `gradient`.
    vectorized, max_bytes : bool, int
        As in `gradient`: of k columns fun returns (m, k), or (k,) for m = 1.
    f0 : array_like of shape (m,), optional
        fun(x0), if known.
    sparsity : sparse array or array_like of shape (m, n), or (structure, groups), optional
        Where the Jacobian has entries: the nonzeros. Columns that share no row are differenced together; groups are
        integers from 0 to n - 1, one for each column, as `color_columns` makes them. For methods forward, backward and
        central, without indices, noise and workers. Needs SciPy.
    check_sparsity : bool
        With sparsity: difference fun along a random direction, too, and see whether the Jacobian says the same.

    Returns
    -------
    ndarray of shape (m, n), or DerivativeResult
        n is the number of components of x0, flat in C order (or the length of indices). With sparsity a csr_array, and
        in a DerivativeResult error and flag too, which have the entries of value; step is that of each component.

    Raises
    ------
    TypeError, ValueError
        As `gradient`; ValueError where fun returns more than one dimension, or first m values and then another number;
        where sparsity is seen to miss an entry, or has another shape, or groups do not suit it.

    Notes
    -----
    Calls, accuracy and sources as in `gradient`. With sparsity, c groups take the place of n components: c order + 1
    calls (forward, backward), c order (central; 1 more with full_output), and for the check 1 or (central) 2, three
    times that where fun computes in float32 or steps are far from the default ones. Where fun bends so much that this
    tells nothing, for each direction one or two more for each row in doubt, up to 20 (101 if fun is noisy), and 9c
    where these are more than ten. An entry is missed if along the direction it does not show beside the errors of the
    others: below 1e-5 (forward) or 1e-7 (central) where entries, values and x are of size 1; 0.1 or 0.01 in float32.
    Where fun is not finite in a column, that column is differenced by itself. A. Curtis, M. Powell and J. Reid, J.
    Inst. Math. Appl. 13 (1974) 117-119.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.jacobian(lambda x: [x[0] + 2 * x[1], x[0] * x[1]], [3.0, 2.0])
    array([[1., 2.],
           [2., 3.]])
    >>> numdiff.jacobian(lambda x: x**2, np.arange(4.0), sparsity=np.eye(4)).toarray().diagonal().round(6)
    array([0., 2., 4., 6.])
    """
    if sparsity is not None:
        if indices is not None or noise is not None:
            raise ValueError("`indices` and `noise` cannot be given with `sparsity`")
        refuse("`sparsity`", workers=workers, vectorized=vectorized)
        with counted(fun, progress) as fun:
            return sparse_jacobian(
                fun, x0, sparsity, check_sparsity, method, order, rel_step, abs_step, x_scale, bounds, f0, args, kwargs,
                full_output,
            )  # fmt: skip
    found = differentiate(
        fun, x0, False, method, order, rel_step, abs_step, x_scale, bounds, f0, indices, noise, args, kwargs,
        workers, vectorized, max_bytes, progress, with_error=full_output,
    )  # fmt: skip
    return found.answer(lambda rows: rows.T, full_output)


def grad(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable g(x, *args) that returns the gradient of fun, for ``scipy.optimize.minimize(..., jac=g)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `gradient`.
    **options
        Those of `gradient`, but f0, args and full_output.

    Returns
    -------
    callable ``g(x, *args, **kwargs)``
        x may be a dict, list or tuple of arrays, as in `gradient`; then so is what g returns.

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `gradient`, when g is called.

    Notes
    -----
    Calls of fun in each call of g, and accuracy: as `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> g = numdiff.grad(lambda x, a: a * (x @ x), method="forward")
    >>> g(np.array([1.0, 2.0]), 3.0).round(6)
    array([ 6., 12.])
    """
    return derivative_callable(gradient, fun, options, OPTIONS)


def jac(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable J(x, *args) that returns the Jacobian of fun, for ``least_squares``, ``root`` and the like.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `jacobian`. It is differentiated by its first argument; for ``solve_ivp(f, ...)``, where f(t, y), let
        ``J = numdiff.jac(lambda y, t: f(t, y))`` and pass ``jac=lambda t, y: J(y, t)``.
    **options
        Those of `jacobian`, but f0, args and full_output.

    Returns
    -------
    callable ``J(x, *args, **kwargs)``
        Returns (m, n); a csr_array with sparsity, which is best given with its colours, as they are found but once.

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `jacobian`, when J is called.

    Notes
    -----
    Calls of fun in each call of J, and accuracy: as `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> J = numdiff.jac(lambda x: x * x)
    >>> J(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    return derivative_callable(jacobian, fun, options, (*OPTIONS, "sparsity", "check_sparsity"))


def value_and_grad(fun: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A callable that returns (value, gradient) of fun, for ``scipy.optimize.minimize(..., jac=True)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``
        As in `gradient`.
    **options
        Those of `gradient`, but f0, args and full_output.

    Returns
    -------
    callable ``vg(x, *args, **kwargs)``
        Returns (float, ndarray), or (float, a tree of x's structure).

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `gradient`, when it is called.

    Notes
    -----
    n + 1 calls of fun (forward, backward), of which one is the value; 2n + 1 (central); n + 3 (complex). Accuracy as
    `gradient`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.value_and_grad(lambda x: x @ x)(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    check_options(options, OPTIONS)
    fun = recognise(fun)

    def value_and_gradient(x: ArrayLike, *args: Any, **kwargs: Any) -> tuple[float, Any]:
        merged = {**options, "kwargs": {**(options.get("kwargs") or {}), **kwargs}}
        found = differentiate(fun, x, True, args=args, with_value=True, **merged)
        return found.run.need_f0(), found.gradient(options.get("indices"), False)

    return value_and_gradient
