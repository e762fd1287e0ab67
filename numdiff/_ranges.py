"""Ranges of coordinates, worked on by several threads at once; the bits do not depend on how they are cut."""

from __future__ import annotations

import _thread
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Event
from typing import Any, Final

from ._native import Native, StoppedError

_MOST: Final = 64  # threads, or as many as there are cores: more would only wait for them
_SHARE: Final = 2  # a piece is that part of what each thread would have to do of the rest
_LEAST: Final = 4  # and not less than that part of what each has to do of all


def in_threads(fun: Any) -> bool:
    """Whether several threads can call fun at once: a native one, or any where there is no GIL."""
    return isinstance(fun, Native) or not getattr(sys, "_is_gil_enabled", lambda: True)()


def in_ranges(workers: Any, fun: Any, count: int, work: Callable[[Any, int, int], tuple[int, int]]) -> tuple[int, int]:
    """What work(fun, begin, end) says, (status, calls), over all of range(count) in pieces: (status, calls) of all.

    This thread works as well, so that an Executor that is busy delays nothing.
    """
    cores = os.cpu_count() or 1
    number = cores if isinstance(workers, Executor) else min(workers, max(_MOST, cores))
    pieces = _cut(count, number)
    stop = Event()
    if isinstance(fun, Native):
        fun = fun.in_range(stop.is_set)
    found: list[tuple[int, int]] = []
    errors: list[tuple[int, BaseException]] = []

    def drain() -> None:
        while not stop.is_set():
            try:
                begin, end = pieces.popleft()
            except IndexError:
                return
            try:
                found.append(work(fun, begin, end))
            except StoppedError:
                return
            except BaseException as error:
                stop.set()
                errors.append((begin, error))

    at_work: list[Any] = []  # a lock of each other thread, which holds it to the end
    futures: list[Future[None]] = []

    def help_out() -> None:
        running = _thread.allocate_lock()
        running.acquire()
        at_work.append(running)  # before it looks whether there is work: who is not in here will find none
        try:
            drain()
        finally:
            running.release()

    def wait() -> None:
        for future in futures:
            future.cancel()  # where the Executor has not begun
        for running in at_work:
            with running:
                pass

    try:
        for _ in range(min(number, len(pieces)) - 1):
            if isinstance(workers, Executor):
                futures.append(workers.submit(help_out))
            else:
                _thread.start_new_thread(help_out, ())  # threading.Thread would wait for its beginning
        drain()
        wait()
    except BaseException:  # Ctrl-C, or a thread that cannot be started
        stop.set()
        wait()
        raise
    if errors:
        raise min(errors, key=lambda each: each[0])[1]
    statuses = [status for status, _ in found]
    status = min(statuses, default=0)
    if status >= 0:
        for each in statuses:
            status |= each
    return status, sum(calls for _, calls in found)


def _cut(count: int, number: int) -> deque[tuple[int, int]]:
    """Ranges for so many threads: long ones at first, and then shorter, so that all end at about the same time.

    Polychronopoulos and Kuck, IEEE Transactions on Computers 36 (1987) 1425-1439.
    """
    pieces: deque[tuple[int, int]] = deque()
    least, begin = -(-count // (_LEAST * number)), 0
    while begin < count:
        end = min(count, begin + max(least, -(-(count - begin) // (_SHARE * number))))
        pieces.append((begin, end))
        begin = end
    return pieces
