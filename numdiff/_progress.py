"""A progress bar for long work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._extra import missing
from ._stops import switch


def _tqdm(what: str) -> Any:
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise missing(what, "tqdm", "progress") from error
    return tqdm


class Evaluations:
    """A bar of the calls of fun behind a derivative: those done, and of those that are known to be needed."""

    def __init__(self) -> None:
        # Of calls that take a second each, every one is shown; of fast ones, ten a second.
        self.bar = _tqdm("`progress`")(
            total=0, mininterval=Progress.interval, miniters=1, unit=" calls", desc="numdiff"
        )

    def expect(self, calls: int) -> None:
        self.bar.total += calls

    def done(self, calls: int) -> None:
        self.bar.total = max(self.bar.total, self.bar.n + calls)
        self.bar.update(calls)

    def counting(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        """fun, with each of its calls counted."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            value = fun(*args, **kwargs)
            self.done(1)
            return value

        return counted

    def close(self) -> None:
        self.bar.close()


class counted:
    """A context in which fun, if progress is True and it can be called, is fun with a bar of its calls."""

    def __init__(self, fun: Any, progress: Any) -> None:
        self.fun = fun
        self.bar = Evaluations() if switch("progress", progress) and callable(fun) else None

    def __enter__(self) -> Any:
        return self.fun if self.bar is None else self.bar.counting(self.fun)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.bar is not None:
            self.bar.close()


class Progress:
    """A callback that shows a bar; made by `progress`."""

    interval = 0.1  # seconds between two looks

    def __init__(self, options: dict[str, Any]) -> None:
        self.make = _tqdm("numdiff.progress")
        self.options = {"mininterval": self.interval, **options}
        self.bar: Any = None

    def start(self, total: int | None) -> None:
        """A new bar, of so many iterations."""
        self.close()
        self.bar = self.make(**{"total": total, **self.options})

    def show(self, x: Any, nit: int, fun: float, norm: float) -> bool:
        """Tells that nit iterations are done."""
        if self.bar is None:
            self.start(None)
        numbers = {"fun": fun, "grad_norm": norm}
        text = {name: f"{number:.4g}" for name, number in numbers.items() if number == number}
        self.bar.set_postfix(text, refresh=False)
        self.bar.update(nit - self.bar.n)
        return False

    def __call__(self, intermediate_result: Any) -> None:
        """For other loops that call back, SciPy's too."""
        done = intermediate_result.get("nit", 1 if self.bar is None else self.bar.n + 1)
        self.show(None, done, intermediate_result.fun, intermediate_result.get("grad_norm", float("nan")))

    def finish(self, nit: int, fun: float) -> None:
        self.show(None, nit, fun, float("nan"))
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


def progress(**options: Any) -> Progress:
    """A callback that shows a progress bar, for the descents and for SciPy's optimisers.

    Parameters
    ----------
    **options
        Those of ``tqdm.tqdm``, as ``desc="training"`` or ``disable=True``.

    Returns
    -------
    Progress
        Give it as `callback`. A new bar is drawn in each run.

    Raises
    ------
    ImportError
        tqdm is not installed (the extra "progress").

    Notes
    -----
    No calls of fun. The descents look at the clock in every iteration and at the bar ten times a second: 30 ns for each
    iteration on the compiled backend. The bar shows fun only where it is evaluated anyway.

    Examples
    --------
    >>> import numdiff
    >>> bar = numdiff.progress(disable=True)
    >>> numdiff.gradient_descent(lambda x: x @ x, [1.0], jac=lambda x: 2 * x, callback=bar).success
    True
    """
    return Progress(options)
