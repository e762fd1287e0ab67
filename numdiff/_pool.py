"""Points beside x0, evaluated by other processes: of our own, of an Executor, of Dask or MPI, or by a map.

They call fun and nothing else: steps, decisions and differences stay here, so that the bits are those of a serial run.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ._function import describe
from ._moves import Moves
from ._vectorized import Columns

Float = NDArray[np.float64]
Chunk = tuple[int, Moves, Float | None]

AT_ONCE: Final = 4  # chunks for each worker, of all the points of a round
_LARGEST: Final = 64  # points of a chunk
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
    errstate: Any = field(default_factory=np.geterr)  # the caller's; a thread or process has another

    def __call__(self, chunk: Chunk) -> Outcome:
        with np.errstate(**self.errstate):
            return self._values(chunk)

    def _values(self, chunk: Chunk) -> Outcome:
        """fun at the moves of a chunk, (k, m), or what it raised; of a vectorised fun the first value may be known."""
        number, moves, first = chunk
        begin, end = 0, len(moves)
        try:
            if isinstance(self.fun, Columns):
                return Outcome(number, *self.fun.values(self.args, self.x0, moves, self.m, first, int))
            found = np.empty((end, self.m))
            for p in range(end):
                begin, end = p, p + 1
                found[p] = self.values(self.fun(moves.point(self.x0, p), *self.args))
            return Outcome(number, found, end)
        except (Exception, SystemExit) as error:  # SystemExit would end a worker, and Pool.map wait for ever
            names = moves.describe(begin, self.x0.shape)
            if end - begin > 1:
                names += f" to {moves.describe(end - 1, self.x0.shape)}"
            return Outcome(number, None, 0, error, f"numdiff: raised by `fun` where {names} was moved, in a worker")


@dataclass
class Outcome:
    """What came of a chunk: the values, or what fun raised and where."""

    number: int
    values: Float | None
    nfev: int = 0
    error: BaseException | None = None
    note: str = ""
    text: str = ""  # the traceback, where it cannot be sent itself

    def get(self) -> Float:
        if self.error is not None:
            for note in (self.note, self.text):  # here, as an exception that says how it is pickled would lose it
                if note:
                    with suppress(Exception):  # of an exception that lets nothing be written to it
                        self.error.add_note(note)
            raise self.error
        assert self.values is not None
        return self.values

    def __getstate__(self) -> dict[str, Any]:
        """What is sent; a RuntimeError in place of an exception that cannot be."""
        error, text = self.error, ""
        if error is not None:
            text = "".join(traceback.format_exception(error)).rstrip()
            if not _can_be_sent(error):
                error = RuntimeError(
                    f"`fun` raised {type(error).__name__}, which cannot be pickled, in a worker:\n{text}"
                )
                text = ""
        return {**vars(self), "error": error, "text": text}


def _can_be_sent(error: BaseException) -> bool:
    """Whether it comes back as itself; cloudpickle, which sends for Dask, also takes what no module has."""
    for sender in (pickle, sys.modules.get("cloudpickle")):
        try:
            if sender is not None and type(pickle.loads(sender.dumps(error))) is type(error):
                return True
        except Exception:  # of any kind: it is the user's code that says how
            continue
    return False


@dataclass
class Packed:
    """A task as bytes: a process that cannot load it says so, and does not end for it."""

    task: bytes
    name: str

    def __call__(self, chunk: Chunk) -> Outcome:
        try:
            task: Task = pickle.loads(self.task)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            return Outcome(chunk[0], None, 0, TypeError(f"`fun` cannot be loaded in a worker: {self.name} ({text})"))
        return task(chunk)


def start_method() -> str | None:
    """How new processes start: None: nobody has chosen."""
    return multiprocessing.get_start_method(allow_none=True)


def process_context() -> Any:
    """How new processes start, where nobody has chosen: not by fork, which can deadlock where there are threads."""
    method: Any = start_method()
    if method is None and os.name == "posix":
        method = "forkserver"  # Python's own choice from 3.14 on
    return multiprocessing.get_context(method)


def forget_start_method(before: str | None) -> None:
    """Leave the choice to others: Python takes a process started by process_context for its own choice of a default."""
    if before is None:
        multiprocessing.set_start_method(None, force=True)


class Pool:
    """The workers: an int of processes, an Executor, or a map."""

    def __init__(self, workers: Any) -> None:
        self.executor: Executor | None = None
        self.own = isinstance(workers, int)
        self.method_before = start_method()
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

    def stop(self) -> None:
        """End our own processes in the middle of what they do."""
        if self.own and self.executor is not None:
            # a name of CPython's own: without it, what they do is waited for
            for process in list((getattr(self.executor, "_processes", None) or {}).values()):
                process.terminate()

    def close(self) -> None:
        if self.own and self.executor is not None:
            self.executor.shutdown(wait=True, cancel_futures=True)
            self.executor = None
            forget_start_method(self.method_before)

    def values(self, task: Task, moves: Moves, first: Float | None, done: Callable[[int], Any]) -> tuple[Float, int]:
        """fun at the moves, (k, m), and how often it was called; done(k) is told of k more."""
        size = max(1, math.ceil(len(moves) / (AT_ONCE * self.number)))
        if not isinstance(task.fun, Columns):
            size = min(size, _LARGEST)
        chunks: list[Chunk]
        chunks = [
            (number, moves.at(slice(begin, begin + size)), None if number else first)
            for number, begin in enumerate(range(0, len(moves), size))
        ]
        found, nfev = np.empty((len(moves), task.m)), 0
        for outcome in self._outcomes(task, chunks):
            values, begin = outcome.get(), outcome.number * size
            found[begin : begin + len(values)] = values
            nfev += outcome.nfev
            done(outcome.nfev)
        return found, nfev

    def _outcomes(self, task: Task, chunks: list[Chunk]) -> Iterator[Outcome]:
        """What came of each chunk, as they come; of several failures only the first in order."""
        sent: Callable[[Chunk], Outcome] = task
        if self.own or _of_processes(self.executor, self.map):
            with _pickling(task):  # here, as an executor can hang where this fails (Python 3.11)
                sent = Packed(pickle.dumps(task), describe(_users(task.fun)))
        if self.map is not None:
            with _pickling(task):
                yield from _in_order(self.map(sent, chunks), len(chunks))
            return
        todo = deque(range(len(chunks)))
        running: dict[Future[Any], int] = {}
        failed: Outcome | None = None
        broken = 0
        try:
            while todo or any(failed is None or number < failed.number for number in running.values()):
                try:
                    while todo and len(running) < _AHEAD * self.number:
                        with _pickling(task):
                            running[self._started(len(chunks)).submit(sent, chunks[todo[0]])] = todo[0]
                        todo.popleft()
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        with _pickling(task):
                            outcome = future.result()
                        del running[future]
                        if outcome.error is None:
                            yield outcome
                        elif failed is None or outcome.number < failed.number:
                            failed = outcome
                            todo = deque(each for each in todo if each < outcome.number)
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
            from concurrent.futures import ProcessPoolExecutor  # here, as it takes a while to import

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


def _in_order(outcomes: Any, count: int) -> Iterator[Outcome]:
    """Those of a map, which must be one for each chunk, in order."""
    number = 0
    if isinstance(outcomes, Iterable):
        for outcome in outcomes:
            if not isinstance(outcome, Outcome) or outcome.number != number:
                break
            number += 1
            yield outcome
        else:
            if number == count:
                return
    raise TypeError(
        "`workers` as a map must be of the form map(function, iterable) and return the results of all items of the "
        f"iterable in their order; it returned {number} of {count}"
    )


def _number_of(executor: Executor) -> int:
    """How many workers an Executor has; MPI's tells it by another name."""
    for name in ("_max_workers", "num_workers"):
        number = getattr(executor, name, None)
        if isinstance(number, int) and number > 0:
            return number
    return os.cpu_count() or 1


def _of_processes(executor: Any, mapper: Any) -> bool:
    """Whether an Executor, or a map by a method of its Pool, is of Python's own processes.

    Both wait for ever, or end, where a task cannot be loaded.
    """
    executors: Any = sys.modules.get("concurrent.futures.process")
    pools: Any = sys.modules.get("multiprocessing.pool")
    if executors is not None and isinstance(executor, executors.ProcessPoolExecutor):
        return True
    pool = getattr(mapper, "__self__", None)
    return pools is not None and isinstance(pool, pools.Pool) and not isinstance(pool, pools.ThreadPool)


def _users(fun: Any) -> Any:
    return fun.fun if isinstance(fun, Columns) else fun


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
        raise TypeError(
            f"`fun` cannot be sent to a worker: {describe(_users(task.fun))}, or `args`, cannot be pickled ({text}). "
            "Define it at the top level of a module, not as a lambda or inside another function, and give it data by "
            "`args`"
        ) from error
