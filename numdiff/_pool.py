"""Points beside x0, evaluated by other processes: of our own, of an Executor, of Dask or MPI, or by a map.

They call fun and nothing else: steps, decisions and differences stay here, so that the bits are those of a serial run.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._function import describe
from ._moves import Moves
from ._vectorized import Columns

Float = NDArray[np.float64]

_CHUNKS: Final = 4  # for each worker, of all the points of a round
_AHEAD: Final = 2  # chunks for each worker that are sent at once
_ATTEMPTS: Final = 3  # with new processes, where one was killed


@dataclass
class Task:
    """fun around x0, to be sent to where it is called."""

    fun: Callable[..., Any]
    args: tuple[Any, ...]
    values: Callable[[Any], Any]
    m: int
    x0: Float

    def __call__(self, chunk: tuple[Moves, Float | None]) -> Float | Failure:
        """fun at the moves of a chunk, (k, m), or what it raised; of a vectorised fun the first value may be known."""
        moves, first = chunk
        begin, end = 0, len(moves)
        try:
            if isinstance(self.fun, Columns):
                return self.fun.values(self.args, self.x0, moves, self.m, first, int)
            found = np.empty((end, self.m))
            for p in range(end):
                begin, end = p, p + 1
                found[p] = self.values(self.fun(moves.point(self.x0, p), *self.args))
            return found
        except Exception as error:
            names = moves.describe(begin, self.x0.shape)
            if end - begin > 1:
                names += f" to {moves.describe(end - 1, self.x0.shape)}"
            error.add_note(f"numdiff: raised by `fun` where {names} was moved, in a worker")
            return Failure.of(error)


@dataclass
class Failure:
    """What fun raised, or if it cannot be pickled its text."""

    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Failure:
        try:
            again = pickle.loads(pickle.dumps(error))
            if type(again) is type(error):
                return cls(error)
        except Exception:
            pass
        text = "".join(traceback.format_exception(error))
        return cls(RuntimeError(f"`fun` raised {type(error).__name__} in a worker, which cannot be pickled:\n{text}"))


def process_context() -> Any:
    """How new processes start, where nobody has chosen: not by fork, which can deadlock where there are threads."""
    method: Any = multiprocessing.get_start_method(allow_none=True)
    if method is None and os.name == "posix":
        method = "forkserver"  # Python's own choice from 3.14 on
    return multiprocessing.get_context(method)


class Pool:
    """The workers: an int of processes, an Executor, or a map."""

    def __init__(self, workers: Any) -> None:
        self.executor: Executor | None = None
        self.own = isinstance(workers, int)
        self.map: Any = None
        if self.own:
            self.number = workers
        elif isinstance(workers, Executor):
            self.executor = workers
            self.number = _number_of(workers)
        elif hasattr(workers, "get_executor"):  # dask.distributed.Client
            self.executor = workers.get_executor(pure=False)
            self.number = max(1, sum(workers.nthreads().values()))
        else:
            self.map = workers
            self.number = os.cpu_count() or 1

    def close(self) -> None:
        if self.own and self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
            self.executor = None

    def values(self, task: Task, moves: Moves, first: Float | None, done: Callable[[int], Any]) -> Float:
        """fun at the moves, (k, m); done(k) is told of k more."""
        size = max(1, math.ceil(len(moves) / (_CHUNKS * self.number)))
        chunks: list[tuple[Moves, Float | None]]
        chunks = [(moves.at(slice(begin, begin + size)), None) for begin in range(0, len(moves), size)]
        if chunks:
            chunks[0] = (chunks[0][0], first)
        found = np.empty((len(moves), task.m))
        for number, outcome in self._outcomes(task, chunks):
            if isinstance(outcome, Failure):
                raise outcome.error
            begin = number * size
            found[begin : begin + len(outcome)] = outcome
            done(len(outcome))
        return found

    def _outcomes(self, task: Task, chunks: list[tuple[Moves, Float | None]]) -> Iterator[tuple[int, Any]]:
        """The number of each chunk and what came of it, as they come; of several failures only the first in order."""
        if self.map is not None:
            with _pickling(task):
                yield from enumerate(self.map(task, chunks))
            return
        todo = deque(range(len(chunks)))
        running: dict[Future[Any], int] = {}
        failed: tuple[int, Any] | None = None
        broken = 0
        try:
            while todo or running:
                try:
                    while todo and len(running) < _AHEAD * self.number:
                        with _pickling(task):
                            running[self._started(len(chunks)).submit(task, chunks[todo[0]])] = todo[0]
                        todo.popleft()
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        with _pickling(task):
                            outcome = future.result()
                        number = running.pop(future)
                        if not isinstance(outcome, Failure):
                            yield number, outcome
                        elif failed is None or number < failed[0]:
                            failed = number, outcome
                            todo = deque(each for each in todo if each < number)
                except BrokenExecutor as error:
                    broken += 1
                    if not self.own or broken == _ATTEMPTS:
                        raise self._broken(error) from error
                    todo.extendleft(sorted(running.values(), reverse=True))
                    running.clear()
                    self.close()
        finally:
            for future in running:
                future.cancel()
        if failed is not None:
            yield failed

    def _started(self, most: int) -> Executor:
        if self.executor is None:
            self.executor = ProcessPoolExecutor(min(self.number, most), process_context())
        return self.executor

    def _broken(self, error: BaseException) -> Exception:
        if not self.own:
            error.add_note("numdiff: a worker of the Executor given as `workers` has ended; it must be made anew")
            return error  # type: ignore[return-value]
        return RuntimeError(
            f"worker processes ended abruptly {_ATTEMPTS} times in calls of `fun`. They cannot even begin where a "
            'script has no `if __name__ == "__main__":`, or where fun is defined in no file'
        )


def _number_of(executor: Executor) -> int:
    """How many workers an Executor has; MPI's tells it by another name."""
    for name in ("_max_workers", "num_workers"):
        number = getattr(executor, name, None)
        if isinstance(number, int) and number > 0:
            return number
    return os.cpu_count() or 1


@contextmanager
def _pickling(task: Task) -> Iterator[None]:
    """An error that names fun, where an engine cannot send it; what fun raises does not come this way."""
    try:
        yield
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        text = str(error)
        if not isinstance(error, pickle.PicklingError) and not any(
            word in text.lower() for word in ("pickle", "seriali")
        ):
            raise
        fun = task.fun.fun if isinstance(task.fun, Columns) else task.fun
        raise TypeError(
            f"`fun` cannot be sent to a worker: {describe(fun)}, or `args`, cannot be pickled ({text}). Define it at "
            "the top level of a module, not as a lambda or inside another function, and give it data by `args`"
        ) from error
