"""sgd: minibatch stochastic gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _difference
from ._descent import in_place
from ._descent_result import EPOCHS, DescentResult, descent_result
from ._function import describe
from ._kernels_py import DIVERGED, NO_DECREASE, NOT_FINITE, OBSERVER_ENDED, XTOL
from ._kernels_py.descent import FAR
from ._objective import Objective
from ._observer import Observer
from ._stops import count, rate, share, switch, tolerance

Float = NDArray[np.float64]


def sgd(
    fun: Callable[..., Any] | None,
    x0: ArrayLike,
    data: Any,
    *,
    jac: Callable[..., Any] | bool | str | None = None,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    nesterov: bool = False,
    batch_size: int = 32,
    epochs: int = 10,
    rng: Any = None,
    shuffle: bool = True,
    xtol: float = 0.0,
    callback: Callable[..., Any] | None = None,
    history: bool = False,
    overwrite_x: bool = False,
    **derivative_options: Any,
) -> DescentResult:
    """Minibatch stochastic gradient descent: one step for each batch of the data.

    Parameters
    ----------
    fun : callable ``fun(x, *batch)``, or None where jac is given
        The loss of some rows of the data, as a mean, so that the learning rate does not depend on their number.
    x0 : array_like of any shape, or number, or a dict, list or tuple of arrays
        The start, real and finite. A tree, as in `gradient`: x and jac have its structure; history["x"] is flat.
    data : array_like, or tuple of array_likes with equal first axes
        A row for each sample. fun and jac get the same rows of each, as so many arguments.
    jac : callable ``jac(x, *batch)``, True, a method, or None
        As in `gradient_descent`.
    learning_rate, momentum, nesterov
        As in `gradient_descent`.
    batch_size : int, default 32
        Rows in a batch; the last of an epoch has what is left.
    epochs : int, default 10
        Passes over the data.
    rng : None, int, numpy.random.Generator, ...
        What numpy.random.default_rng takes: the same seed, the same numbers.
    shuffle : bool
        A new order of the rows in each epoch. fun and jac always get copies of the rows, and may write into them.
    xtol : float, default 0
        Stop after an epoch in which no step moves a coordinate by more; 0 is off.
    callback : callable, optional
        Called after each epoch, as in `gradient_descent`; nit is the number of epochs done.
    history : bool
        result.history has, for the start and after each epoch, "x", "fun" on all data, and "grad_norm", the norm of the
        mean of the gradients of its batches (for the start that of the first batch, nan without an epoch).
    overwrite_x : bool
        As in `gradient_descent`.
    **derivative_options
        As in `gradient_descent`.

    Returns
    -------
    DescentResult
        nit is the number of epochs, njev that of gradients, fun the loss on all data at x, and jac the gradient of the
        last batch, before its step (nan if there was none). With history or a callback that takes intermediate_result,
        x is the best of the points at the ends of the epochs, else the last one.

    Raises
    ------
    TypeError, ValueError
        A number that is none or out of range; data without rows or of unequal lengths; and as `gradient_descent`.

    Notes
    -----
    One gradient for each batch, epochs * ceil(rows / batch_size) in all. fun is called once at the end, on all data;
    with history or a callback that takes intermediate_result also at the start and after each epoch instead. Numerical
    gradients call fun as `gradient` does.

    success tells that all epochs were done or that xtol was met, and that the loss at the start, if it was seen,
    is not the lowest. Other ends are those of `gradient_descent`; divergence is looked for in each step.
    Robbins and Monro, Annals of Mathematical Statistics 22 (1951) 400-407.

    Examples
    --------
    >>> import numpy as np, numdiff
    >>> t = np.linspace(-1.0, 1.0, 101)
    >>> def loss(x, t, y):
    ...     return np.mean((x[0] + x[1] * t - y) ** 2)
    >>> result = numdiff.sgd(loss, [0.0, 0.0], (t, 3 - 2 * t), epochs=60, rng=0)
    >>> result.x.round(4)
    array([ 3., -2.])
    """
    rule = rate("learning_rate", learning_rate), share("momentum", momentum), switch("nesterov", nesterov)
    batch_size, epochs = count("batch_size", batch_size, 1), count("epochs", epochs, 0)
    xtol, shuffle, overwrite_x = tolerance("xtol", xtol), switch("shuffle", shuffle), switch("overwrite_x", overwrite_x)
    arrays = _rows(data)
    objective = Objective(fun, x0, (), jac, None, derivative_options)
    generator = _generator(rng)
    x = in_place(x0) if overwrite_x else objective.x0.copy()
    observer = Observer(callback, history, objective.restore, epochs)
    run = _Run(objective, arrays, x, rule, xtol)
    try:
        status = run.descend(batch_size, epochs, generator if shuffle else None, observer)
        value = run.value() if math.isnan(run.best) and objective.has_fun else run.best
        more = observer.finish(run.nit, value)
    finally:
        observer.close()
    return descent_result(objective, x, value, run.g, run.nit, run.nfev, run.njev, status, **more)


def _generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`rng` must be what numpy.random.default_rng takes; it is {describe(rng)}") from error


def _rows(data: Any) -> tuple[NDArray[Any], ...]:
    try:
        arrays = tuple(np.asarray(array) for array in (data if isinstance(data, tuple) else (data,)))
    except ValueError:  # ragged
        arrays = ()
    if not arrays or any(array.ndim == 0 for array in arrays):
        raise ValueError(
            f"`data` must be an array with a row for each sample, or a tuple of such; it is {describe(data)}"
        )
    lengths = [len(array) for array in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"`data` must be arrays with equal first axes; they have {', '.join(map(str, lengths))} rows")
    if lengths[0] == 0:
        raise ValueError("`data` must have at least one row; it has none")
    return arrays


class _Run:
    """The loop over epochs and batches; x is moved in place."""

    def __init__(
        self,
        objective: Objective,
        data: tuple[NDArray[Any], ...],
        x: Float,
        rule: tuple[float, float, bool],
        xtol: float,
    ) -> None:
        self.objective, self.data, self.x, self.rule, self.xtol = objective, data, x, rule, xtol
        self.v = np.zeros(x.size) if rule[1] else None
        self.g, self.before = np.full(x.shape, np.nan), x.copy()
        self.nit = self.nfev = self.njev = 0
        self.best = math.nan  # the loss at x, where it is known

    def value(self) -> float:
        """The loss on all data."""
        self.nfev += 1
        return self.objective.alone(self.x.copy(), *(array.copy() for array in self.data))

    def gradient(self, batch: tuple[NDArray[Any], ...]) -> float:
        """The gradient of a batch into g; its norm."""
        objective = self.objective
        self.njev += 1
        self.g.reshape(-1)[:] = objective.gradients(objective.gradient(self.x.copy(), *batch))
        return float(_difference.kernels.gradient_norm(self.g))

    def batches(self, size: int, generator: np.random.Generator | None) -> Iterator[tuple[NDArray[Any], ...]]:
        rows = len(self.data[0])
        order = None if generator is None else generator.permutation(rows)
        for begin in range(0, rows, size):
            part: Any = slice(begin, begin + size) if order is None else order[begin : begin + size]
            yield tuple(array[part] if order is not None else array[part].copy() for array in self.data)

    def descend(self, size: int, epochs: int, generator: np.random.Generator | None, observer: Observer) -> int:
        """Why it ended."""
        seen = observer.function is not None
        valued = observer.needs_values and self.objective.has_fun
        best_x, status, lowered = self.x.copy(), EPOCHS, not valued or epochs == 0
        norm_of = _difference.kernels.gradient_norm
        far, first_norm = FAR * max(norm_of(self.x), 1.0), math.nan

        def observe_start(norm: float) -> None:
            if seen:
                self.best = self.value() if valued else math.nan
                observer(self.x, 0, self.best, norm)

        if epochs == 0:
            observe_start(math.nan)
        for epoch in range(epochs):
            mean, batches, largest = np.zeros(self.x.shape), 0, 0.0
            for batch in self.batches(size, generator):
                norm = self.gradient(batch)
                if self.njev == 1:
                    first_norm = norm
                    observe_start(norm)
                if not math.isfinite(norm):
                    self.x[...] = self.before
                    status = NOT_FINITE
                    break
                if norm > first_norm and self.rule[0] * norm > far:
                    status = DIVERGED
                    break
                _difference.kernels.step(self.x, self.g, self.rule, self.v, self.before)
                if seen:
                    mean += self.g
                    batches += 1
                if self.xtol:
                    largest = max(largest, float(np.abs(self.x - self.before).max()))
            if status != EPOCHS:
                break
            if self.xtol and largest <= self.xtol:
                status = XTOL
            self.nit = epoch + 1
            if seen:
                value = self.value() if valued else math.nan
                ended = observer(self.x, self.nit, value, norm_of(mean / batches))
                if valued and not math.isfinite(value):
                    status = NOT_FINITE
                elif ended and status == EPOCHS:
                    status = OBSERVER_ENDED
                if valued and math.isfinite(value) and not value > self.best:
                    self.best, best_x, lowered = value, self.x.copy(), True
            if status != EPOCHS:
                break
        if valued and math.isfinite(self.best):
            self.x[...] = best_x
        return NO_DECREASE if status in (EPOCHS, XTOL) and not lowered else status
