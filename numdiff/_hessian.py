"""hessian, hess and hessian_diagonal: second derivatives from the user's arguments down and up again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._bounds import as_bounds
from ._compressed import jacobian as sparse_jacobian
from ._differentiate import Found, derivative_callable, differentiate, method_of, noise_level
from ._engine import MAX_BYTES, engaged, refuse
from ._function import as_gradient, as_point, bind, describe, recognise_gradient
from ._native import Native, recognise
from ._native_hessian import native_hessian
from ._plan import StepOptions
from ._progress import counted
from ._result import DerivativeResult, Flag
from ._second import Second, SecondRun, second_derivatives
from ._sparse_hessian import hessian_from_values
from ._steps import EPS
from ._tree import as_tree
from ._vectorized import columns_of

Float = NDArray[np.float64]


METHODS: Final = ("forward", "central", "richardson")


def hessian(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    *,
    jac: Callable[..., Any] | None = None,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    noise: float | str | None = None,
    sparsity: Any = None,
    check_sparsity: bool = True,
    workers: Any = None,
    vectorized: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: bool = False,
    full_output: bool = False,
) -> Any:
    """The Hessian of a function of an array that returns one number, exactly symmetric.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``, or None where jac is given
        Gets a float64 array of x0's shape, and may write into it, keep it or return it. Returns a real number.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The point, real and finite. A tree, as in `gradient`: fun (and jac) get x0's structure.
    jac : callable ``jac(x, *args, **kwargs)``, optional
        The gradient of fun, of x0's shape (or structure) or flat. The Hessian is then the symmetric part of its
        Jacobian: more accurate, and in 2n calls of jac; fun is not called.
    method : {"central", "forward", "richardson"}
        "richardson" extrapolates central differences at four steps to h = 0. Its steps are long where fun is smooth;
        where they show that it varies fast, shorter ones are looked for, with the diagonal alone, and three are taken.
    rel_step : float or array of x0's shape, optional
        h = rel_step max(|x0|, x_scale). Default: eps^(1/4) for central, eps^(1/3) for forward (with jac eps^(1/3) and
        eps^(1/2)), with h rounded to a power of two; eps is that of fun's dtype if it is coarser than float64. For
        richardson the longest of its steps; default 9.51/64.
    abs_step : float or array of x0's shape, optional
        h itself, in the units of x0. Not together with rel_step.
    x_scale : float or array of x0's shape, default 1
        The size of x where |x0| is smaller. Give it where variables live on a scale far from 1.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Differences become shorter or one-sided near a bound. lb == ub fixes a variable:
        nan in its row and column.
    f0 : float, optional
        fun(x0), if known; saves one call. Not used with jac.
    args, kwargs : tuple, dict
        Further arguments of fun and jac.
    noise : float or "estimate", optional
        The standard deviation of the errors in the values of fun, or with jac in those of jac, where it is more than
        rounding. "estimate" costs the 7-9 calls of `estimate_noise`. Widens the steps to (noise / |f0|)^(1/4)
        max(|x0|, x_scale) or, where that turns out to be far from good, to what the measured curvature asks for
        instead of |f0|; at most to a tenth of max(|x0|, x_scale). With jac as in `jacobian`.
    sparsity : sparse array or array_like of shape (n, n), or (structure, groups), optional
        Where the Hessian has entries: the nonzeros, symmetric. With jac, columns are differenced together by a star
        colouring (`color_columns(S, symmetric=True)`, or groups); from values, only the pairs of the structure are
        differenced, and groups do not matter. For methods forward and central, without noise. Needs SciPy.
    check_sparsity : bool
        With sparsity: difference along a random direction, too, and see whether the Hessian says the same.
    workers, vectorized, max_bytes, progress
        As in `gradient`; not with sparsity. With jac they are about jac: of k columns it returns (n, k).
    full_output : bool
        Return a `DerivativeResult` (value, error, step, nfev, method, flag) instead; step is that of each variable,
        for richardson that from which it goes to longer ones.

    Returns
    -------
    ndarray of shape (n, n), or DerivativeResult
        Rows and columns are the components of x0, flat in C order. A float for a number. For a tree also (n, n), by its
        flat vector: dicts in the order of their sorted keys; step is flat too. With sparsity a csr_array, as
        are error (nan from values) and flag.

    Raises
    ------
    TypeError
        x0, a step or a bound that is no real number; fun or jac is not callable or returns no real number; jac=True.
    ValueError
        x0 with nan or inf, or outside the bounds by more than rounding; steps that are not positive, or too small to be
        felt; noise that is negative; fun returns more than one number; jac another shape; an unknown method;
        sparsity that is seen to miss an entry, is not symmetric, or has another shape.
    ImportError
        x0 is a tree, and optree is not installed.

    Notes
    -----
    With sparsity, for p pairs i < j of it and c groups: 2n + 2p + 1 calls of fun (central), 2n + p + 1 (forward); c + 1
    (forward) or 2c calls of jac, and more for the check as in `jacobian`. From values the check costs 6, or 9 at
    bounds, and 3n, or 30 (s + 2) for n above 40 and s entries in a row, where fun bends so much that it tells nothing.
    Otherwise:
    Calls of fun, for n free variables: n^2 + n + 1 (central), n (n + 1) / 2 + n + 1 (forward), at most 4 (n^2 + n) + 1
    (richardson); one less with f0. Of jac: 2n, n + 1, and for richardson those of `jacobian`. More only where something
    is wrong: where fun is not finite at a point or seems to end near x0 (smaller steps are tried, then one side, then
    nan in that row and column; flags say so), where fun writes into its argument, and up to 4n with noise. A coarser
    dtype costs no call, but one where f0 is given. Where fun varies on a scale below a tenth of max(|x0|, x_scale) or
    so, richardson divides the steps of a variable by 9.51, for two calls each time, and has fewer than four steps left
    to extrapolate from: for one variable two.
    Order of accuracy: 2, 1, and up to 8. Relative errors for a smooth function of size 1: 1e-8, 1e-5, 1e-12; with jac
    1e-11, 1e-8, 1e-13.

    `error` is a bound on the errors of rounding and noise, and for central and forward a guess of that of truncation
    which costs no calls: it supposes that fun varies on the scale of a third of what f, its slope and its curvature
    tell, or of a tenth of max(|x0|, x_scale), not faster; with jac, only the latter. For richardson it is estimated
    from the extrapolation and from the slopes between its points. The flag noisy says where the values scatter or the
    steps do not settle, and the error is then as large as the second derivative may be on the scale of a shorter step;
    kink says where the second derivative jumps, and the error is then half the jump.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 25.3.23-27; Ridders, Advances in Engineering Software 4
    (1982) 75-76.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hessian(lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1], [1.0, 3.0]).round(6)
    array([[ 4., -1.],
           [-1.,  6.]])
    """
    fun = recognise(fun)
    if (
        type(fun) is Native
        and method == "central"
        and (jac is None and rel_step is None and abs_step is None and x_scale is None and bounds is None)
        and (f0 is None and kwargs is None and noise is None and sparsity is None and workers is None)
        and not (args or vectorized or progress or full_output)
    ):
        quick = native_hessian(fun, x0)
        if quick is not None:
            return quick
    tree = as_tree(x0)
    jac = recognise_gradient(jac, x0 if tree is None else tree.x0)
    if tree is not None:
        refuse("a tree as `x0`", vectorized=vectorized)
        check_jac(jac)
        x0, (rel_step, abs_step, x_scale, bounds) = tree.x0, tree.options(rel_step, abs_step, x_scale, bounds)
        fun, jac = (tree.wrap(fun), None) if jac is None else (None, tree.wrap_gradient(jac))
    options = (method, rel_step, abs_step, x_scale, bounds)
    if sparsity is not None:
        refuse("`sparsity`", workers=workers, vectorized=vectorized)
        with counted(fun if jac is None else jac, progress) as called:
            fun, jac = (called, None) if jac is None else (fun, called)
            return _sparse(fun, x0, jac, sparsity, check_sparsity, *options, f0, args, kwargs, noise, full_output)
    engine = workers, vectorized, max_bytes, progress
    if jac is not None:
        found, shape = _from_gradient(jac, x0, *options, args, kwargs, noise, engine, full_output)
    else:
        found, shape = _from_values(fun, x0, *options, f0, args, kwargs, noise, engine, True, full_output)
    return _answer(found, () if shape == () else found.value.shape, shape, full_output)


def hess(fun: Callable[..., Any] | None, **options: Any) -> Callable[..., Any]:
    """A callable H(x, *args) that returns the Hessian of fun, for ``scipy.optimize.minimize(..., hess=H)``.

    Parameters
    ----------
    fun : callable ``fun(x, *args)``, or None where jac is given
        As in `hessian`.
    **options
        Those of `hessian`, but f0, args and full_output.

    Returns
    -------
    callable ``H(x, *args, **kwargs)``
        Returns (n, n).

    Raises
    ------
    TypeError, ValueError
        An unknown option or method at once; the rest as `hessian`, when H is called.

    Notes
    -----
    Calls of fun in each call of H, and accuracy: as `hessian`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> H = numdiff.hess(lambda x, a: a * x[0] * x[1])
    >>> H(np.array([1.0, 2.0]), 3.0).round(6)
    array([[0., 3.],
           [3., 0.]])
    """
    allowed = (
        "jac",
        "method",
        "rel_step",
        "abs_step",
        "x_scale",
        "bounds",
        "noise",
        "sparsity",
        "check_sparsity",
        "kwargs",
        "workers",
        "vectorized",
        "max_bytes",
        "progress",
    )
    return derivative_callable(hessian, fun, options, allowed, METHODS)


def hessian_diagonal(
    fun: Callable[..., Any],
    x0: ArrayLike,
    *,
    method: str = "central",
    rel_step: ArrayLike | None = None,
    abs_step: ArrayLike | None = None,
    x_scale: ArrayLike | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    f0: ArrayLike | None = None,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    noise: float | str | None = None,
    workers: Any = None,
    vectorized: bool = False,
    max_bytes: int = MAX_BYTES,
    progress: bool = False,
    full_output: bool = False,
) -> Any:
    """The diagonal of the Hessian: the second derivative by each component of x0.

    Parameters
    ----------
    x0 : array_like of any shape, or number
        The point, real and finite; no tree.
    fun, method, rel_step, abs_step, x_scale, bounds, f0, args, kwargs, noise, workers, vectorized
        As in `hessian`.
    max_bytes, progress, full_output
        As in `hessian`.

    Returns
    -------
    ndarray of x0's shape (a float for a number), or DerivativeResult

    Raises
    ------
    TypeError, ValueError
        As `hessian`.

    Notes
    -----
    Calls of fun, for n free variables: 2n + 1 (central, forward), 8n + 1 (richardson), one less with f0; more as in
    `hessian`, and where fun varies fast, up to 32n + 1 for richardson, which here is not held to fewer. For central
    and forward the numbers are the diagonal of `hessian` to the bit. Accuracy and source as in `hessian`.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.hessian_diagonal(lambda x: (x**3).sum(), [1.0, 2.0]).round(6)
    array([ 6., 12.])
    """
    options = (method, rel_step, abs_step, x_scale, bounds)
    engine = workers, vectorized, max_bytes, progress
    found, shape = _from_values(fun, x0, *options, f0, args, kwargs, noise, engine, False, full_output)
    return _answer(found, shape, shape, full_output)


def check_jac(jac: Any) -> None:
    if jac is not None and not callable(jac):
        more = ": fun that returns its value and gradient is not taken here" if jac is True else ""
        raise TypeError(f"`jac` must be callable or None; it is {describe(jac)}{more}")


def _from_values(
    fun: Any,
    x0: ArrayLike,
    method: str,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    f0: ArrayLike | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    noise: float | str | None,
    engine: tuple[Any, ...],
    mixed: bool,
    bars: bool,
) -> tuple[Second, tuple[int, ...]]:
    kind = method_of(method, METHODS)
    fun, args = bind(fun, args, kwargs)
    point, moderate = as_point(x0)
    options = StepOptions.of_arguments(rel_step, abs_step, x_scale, point.shape)
    limits = as_bounds(bounds, point, moderate)
    run = SecondRun(fun, args, point, True, f0)
    with engaged(run, *engine):
        if noise is not None:
            run.noise = noise_level(noise, run, limits)
        return second_derivatives(run, kind, options, limits, mixed, bars), point.shape


class GradientCalls:
    """jac with its value as a flat array, or an error that names it."""

    def __init__(self, jac: Callable[..., Any], shape: tuple[int, ...]) -> None:
        self.jac, self.shape = jac, shape

    def __repr__(self) -> str:
        return repr(self.jac)

    def __call__(self, x: Float, *args: Any) -> NDArray[Any]:
        return as_gradient(self.jac(x, *args), self.shape)


class GradientColumns(GradientCalls):
    """The same of a jac that takes columns: its value as an array (n, k)."""

    def __call__(self, x: Float, *args: Any) -> NDArray[Any]:
        value, k = self.jac(x, *args), x.shape[-1]
        size = x.size // k
        if np.shape(value) in ((size, k), (k,) if size == 1 else None):
            return np.reshape(value, (size, k))
        if np.ndim(value) == 1:
            value = np.reshape(value, (1, -1))  # not the gradients, one after another
        return as_gradient(value, (*self.shape, k)).reshape(size, k)


def gradient_calls(jac: Callable[..., Any], shape: tuple[int, ...]) -> Callable[..., Any]:
    """jac as `GradientCalls`, or as what C calls itself."""
    return jac.gradient_at(shape) if isinstance(jac, Native) else GradientCalls(jac, shape)


def _from_gradient(
    jac: Any,
    x0: ArrayLike,
    method: str,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    noise: float | str | None,
    engine: tuple[Any, ...],
    bars: bool,
) -> tuple[Second, tuple[int, ...]]:
    """The symmetric part of the Jacobian of jac."""
    kind = method_of(method, METHODS)
    check_jac(jac)
    bound, args = bind(jac, args, kwargs)
    point, _ = as_point(x0)
    workers, vectorized, max_bytes, progress = engine
    if vectorized is True:
        gradient: Any = GradientColumns(columns_of(bound, max_bytes).fun, point.shape)
    else:
        gradient = gradient_calls(bound, point.shape)
    found = differentiate(
        gradient, x0, False, kind,
        rel_step=rel_step, abs_step=abs_step, x_scale=x_scale, bounds=bounds, noise=noise, args=args, with_error=bars,
        workers=workers, vectorized=vectorized, max_bytes=max_bytes, progress=progress,
    )  # fmt: skip
    return _symmetric(found), point.shape


def _sparse(
    fun: Any,
    x0: ArrayLike,
    jac: Any,
    sparsity: Any,
    check_sparsity: bool,
    method: str,
    rel_step: ArrayLike | None,
    abs_step: ArrayLike | None,
    x_scale: ArrayLike | None,
    bounds: Any,
    f0: ArrayLike | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    noise: float | str | None,
    full_output: bool,
) -> Any:
    if noise is not None:
        raise ValueError("`noise` cannot be given with `sparsity`")
    check_jac(jac)
    fun, args = bind(fun if jac is None else jac, args, kwargs)
    kind, steps = method_of(method, METHODS[:2]), (rel_step, abs_step, x_scale)
    if jac is None:
        return hessian_from_values(fun, args, x0, sparsity, check_sparsity, kind, steps, bounds, f0, full_output)
    gradient = GradientCalls(fun, np.shape(x0))
    return sparse_jacobian(
        gradient, x0, sparsity, check_sparsity, kind, None, *steps, bounds, None, args, None, full_output,
        symmetric=True,
    )  # fmt: skip


def _symmetric(found: Found) -> Second:
    """The symmetric part of a Jacobian, the steps of the variables, the flags of both rows, and error bars."""
    rows, n = found.rows, len(found.rows)
    h = found.steps if found.steps.ndim == 1 else np.diag(found.steps).copy()
    flags = np.zeros((n, n), np.intp) if found.flags is None else found.flags
    error = found.error
    with np.errstate(all="ignore"):
        value = 0.5 * (rows + rows.T)
        # Only a wrong jac, or an error of the differences, is not symmetric.
        if error is not None:
            error = np.maximum(0.5 * (error + error.T), 0.5 * np.abs(rows - rows.T))
    return Second(found.run, found.kind, value, error, h, flags | flags.T)


def _answer(found: Second, shape: tuple[int, ...], x_shape: tuple[int, ...], full_output: bool) -> Any:
    value = found.value.reshape(shape)[()]
    if not full_output:
        return value
    assert found.error is not None
    flags = found.flags.reshape(shape)
    if (found.run.eps or EPS) > EPS:
        flags = flags | Flag.low_precision
    step = found.steps.reshape(x_shape if shape == x_shape else -1)[()]
    return DerivativeResult(value, found.error.reshape(shape)[()], step, found.run.nfev, found.kind, flags[()])
