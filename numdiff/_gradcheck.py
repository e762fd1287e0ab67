"""gradcheck: whether a hand-written gradient is right, who is wrong if not, and whether to believe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from numpy.typing import ArrayLike

from ._check_options import Options
from ._examination import Examination
from ._report import GradientReport

_ROWS: Final = 5  # in the message of assert_gradient


def gradcheck(
    fun: Callable[..., Any],
    jac: Callable[..., Any],
    x0: Any,
    *,
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
    names: Any = None,
    indices: ArrayLike | None = None,
    directions: int | ArrayLike | None = None,
    rng: Any = 0,
    noise: float | str | None = None,
    bounds: tuple[ArrayLike, ArrayLike] | None = None,
    max_nfev: int | None = None,
    strict: bool = False,
    progress: bool | Callable[[int, int], None] | None = None,
) -> GradientReport:
    """Check a hand-written gradient or Jacobian against finite differences.

    Parameters
    ----------
    fun : callable ``fun(x, *args, **kwargs)``
        Returns one number, or a 1-D array of m.
    jac : callable ``jac(x, *args, **kwargs)``
        Its gradient, of x0's shape, or Jacobian, (m, n) or (m, *x0.shape). It may write into its argument and return
        the same array each time.
    x0 : array_like of any shape, number, or dict, list or tuple of arrays
        The point, real and finite. A dict (nested, if need be) is passed on as such, and jac returns one like it.
    args, kwargs : tuple, dict
        Further arguments of both.
    mode : {"auto", "full", "directional"}
        "full": every component. "directional": only random directions; finds that something is wrong, not what.
        "auto": "full" up to 256 components; beyond that directions first, and where one fails, a search that names the
        wrong components.
    rtol : float, default 1e-6
        The relative error that is let pass.
    atol : float, optional
        Takes the place of the error bar in the tolerance, error bar + rtol max(|analytic|, |numerical|).
    names : sequence of str, optional
        Of the components of the flat x0, for the table.
    indices : array of int, or mask of x0's shape, optional
        Check these components of the flat x0 only; always "full", and not with `directions`.
    directions : int or array (k, n), default 3
        How many random directions for each block (each array of a dict); or the directions themselves.
    rng : int or numpy.random.Generator, default 0
        Of the random directions.
    noise : float or "estimate", optional
        Standard deviation of the values of fun, if it is known to be more than rounding. Before anything but "agree" is
        said, it is estimated anyway.
    bounds : (lb, ub), numbers or arrays of x0's shape, optional
        fun is never called outside. Components with lb == ub are not checked.
    max_nfev : int, optional
        The most calls of fun; what is not reached stays "inconclusive".
    strict : bool
        At a kink any value between the two slopes passes as a subgradient; not if strict.
    progress : bool or callable ``progress(done, total)``, optional
        Called after every 64 components (or each direction) and at the end: how many are settled, of how many. That
        takes one more call of fun for each 64. True: a bar by tqdm, extra "progress".

    Returns
    -------
    GradientReport
        True only if the verdict is "agree". ``print`` shows the table.

    Raises
    ------
    TypeError, ValueError
        An argument that is not as above; fun or jac returning anything but real numbers.
    ImportError
        progress=True without tqdm.

    Warns
    -----
    RuntimeWarning
        fun returns different values at one point.

    Notes
    -----
    Calls of fun for a right gradient: n + 3, where forward differences settle it; 2 more for each component that needs
    a central difference, and about 10 more for each that needs Richardson's. By directions: about 10 for each, and the
    search takes 2 log2(n) for each wrong component. jac is called once; a few times more to diagnose a wrong one.

    A component agrees where |analytic - numerical| is within the tolerance and the error bar is below 1 % of its size
    (or of a thousandth of the largest derivative of its block); it disagrees where the best difference to be had,
    Richardson's, is further away than tolerance; else it is inconclusive. The verdict is the same for c fun, and for
    c x where no x is 0. C. Ridders, Advances in Engineering Software 4 (1982) 75-76, for the error bars; J. Moré and
    S. Wild, SIAM J. Sci. Comput. 33 (2011) 1292-1314, for the noise.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> report = numdiff.gradcheck(lambda x: x[0] ** 2 * x[1], lambda x: np.array([x[0] * x[1], x[0] ** 2]), [3.0, 2.0])
    >>> report.verdict, report.wrong, report.diagnosis
    ('disagree', [0], 'analytic is 1/2 times the derivative in the wrong components')
    """
    check = Examination(fun, jac, x0, args, kwargs, bounds, max_nfev)
    x = check.parameters.point
    return check.report(Options(x, mode, rtol, atol, names, indices, directions, rng, noise, strict, progress))


def assert_gradient(fun: Callable[..., Any], jac: Callable[..., Any], x0: Any, **options: Any) -> None:
    """Raise an AssertionError with the top rows of the report unless the gradient is right.

    Parameters
    ----------
    fun, jac, x0, **options
        As in `gradcheck`.

    Returns
    -------
    None

    Raises
    ------
    AssertionError
        The verdict is "disagree" or "inconclusive".
    TypeError, ValueError, ImportError
        As `gradcheck`.

    Notes
    -----
    Calls and accuracy as `gradcheck`. pytest leaves this frame out of its traceback.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> numdiff.assert_gradient(lambda x: np.sin(x).sum(), np.cos, [1.0, 2.0])
    """
    __tracebackhide__ = True
    report = gradcheck(fun, jac, x0, **options)
    if not report:
        raise AssertionError(report.text(_ROWS))
