"""Where fun is called for many points at once: in blocks of columns, by other processes, with a progress bar."""

from __future__ import annotations

import os
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._difference import Run
from ._function import describe
from ._moves import Moves
from ._native import Native
from ._pool import AT_ONCE, Pool, Task
from ._progress import Evaluations
from ._ranges import in_threads
from ._stops import switch
from ._vectorized import Columns, columns_of

Float = NDArray[np.float64]

MAX_BYTES: Final = 1 << 26
MOST_VALUES: Final = 1 << 20  # held at once


class Engine:
    """Calls fun at many points for the kernels, which then are given the values."""

    def __init__(self, fun: Any, pool: Pool | None, bar: Evaluations | None) -> None:
        self.fun, self.pool, self.bar = fun, pool, bar

    def values(self, run: Run, moves: Moves, first: Any) -> tuple[Float, int]:
        """fun at the moves, (k, m), and how often it was called; first: its value at the first of them, if known."""
        assert run.m is not None
        known = None if first is None else np.reshape(first, -1)
        done = int if self.bar is None else self.bar.done
        columns = self.fun if isinstance(self.fun, Columns) else None
        if columns is not None and self.pool is None:
            return columns.values(run.args, run.x0, moves, run.m, known, done)
        assert self.pool is not None
        task = Task(self.fun, run.args, run.values, run.m, run.x0)
        if columns is not None or known is None:
            return self.pool.values(task, moves, known, done)
        rest, nfev = self.pool.values(task, moves.at(slice(1, None)), None, done)
        return np.concatenate([known[None], rest]), nfev

    def most(self, numbers: int) -> int:
        """For how many coordinates, of so many numbers each, the values are held at once."""
        at_least = 1 if self.pool is None else AT_ONCE * self.pool.number
        return max(at_least, MOST_VALUES // numbers)


_ALONE: Final = nullcontext()


def engaged(run: Run, workers: Any, vectorized: Any, max_bytes: Any, progress: Any) -> AbstractContextManager[None]:
    """Let run call its function as these arguments say, in here."""
    if workers is None and vectorized is False and progress is False:
        return _ALONE
    return _Engaged(run, workers, switch("vectorized", vectorized), max_bytes, switch("progress", progress))


class _Engaged:
    """For as long as it is entered."""

    def __init__(self, run: Run, workers: Any, vectorized: bool, max_bytes: Any, progress: bool) -> None:
        if vectorized:
            run.fun = columns_of(run.fun, max_bytes)
        run.workers, self.pool = as_workers(workers, run.fun)
        self.bar = Evaluations() if progress else None
        if self.pool is not None or vectorized:
            run.engine = Engine(run.fun, self.pool, self.bar)
        if self.bar is not None:
            run.bar, run.fun = self.bar, self.bar.counting(run.fun)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self.pool is not None:
            if kind is not None:
                self.pool.stop()
            self.pool.close()
        if self.bar is not None:
            self.bar.close()


def as_workers(workers: Any, fun: Any) -> tuple[Any, Pool | None]:
    """`workers` as threads (None, a number above 1, or an Executor) and as what calls fun elsewhere."""
    if workers is None:
        return None, None
    threads = in_threads(fun) and not isinstance(fun, Columns)
    if isinstance(workers, int | np.integer) and not isinstance(workers, bool):
        workers = int(workers)
        if workers == 0 or workers < -1:
            raise ValueError(f"`workers` must be -1 or at least 1; it is {workers}")
        workers = (os.cpu_count() or 1) if workers == -1 else workers
        if workers == 1:
            return None, None
        return (workers, None) if threads else (None, Pool(workers))
    if isinstance(workers, ThreadPoolExecutor) and threads:
        return workers, None
    engine = isinstance(workers, Executor) or callable(workers) or hasattr(workers, "get_executor")
    if isinstance(workers, bool) or not engine:
        raise TypeError(
            "`workers` must be a number, -1 for one on each core, a concurrent.futures Executor, a dask Client or a "
            f"map-like callable; it is {describe(workers)}"
        )
    if isinstance(fun, Native):
        raise TypeError("`workers` must be threads for a native `fun`: a number, or a ThreadPoolExecutor")
    return None, Pool(workers)


def refuse(beside: str, **options: Any) -> None:
    """An error where one of these asks for something, beside what it cannot be had with."""
    for name, value in options.items():
        unset = (
            value is None
            or value is False
            or (name == "workers" and isinstance(value, int | np.integer) and value == 1)
        )
        if not unset:
            raise ValueError(f"`{name}` cannot be given with {beside}; it is {describe(value)}")
