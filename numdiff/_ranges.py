"""Ranges of coordinates, worked on by several threads at once; the bits do not depend on how they are cut."""

from __future__ import annotations

import _thread
import os
import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Event
from typing import Any, Final

from ._native import Native, StoppedError

_SHARE: Final = 2  # a piece is that part of what each thread would have to do of the rest
_LEAST: Final = 4  # and not less than that part of what each has to do of all


def in_threads(fun: Any) -> bool:
    """Whether several threads can call fun at once: a native one, or any where there is no GIL."""
    return isinstance(fun, Native) or not getattr(sys, "_is_gil_enabled", lambda: True)()


def in_ranges(workers: Any, fun: Any, count: int, work: Callable[[Any, int, int], tuple[int, int]]) -> tuple[int, int]:
    """What work(fun, begin, end) says, (status, calls), over all of range(count) in pieces: (status, calls) of all.

    This thread works as well, so that an Executor that is busy delays nothing.
    """
    number = (os.cpu_count() or 1) if isinstance(workers, Executor) else workers
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

    helpers = min(number, len(pieces)) - 1
    waits: list[Callable[[], Any]]
    if isinstance(workers, Executor):
        futures = [workers.submit(drain) for _ in range(helpers)]
        waits = [partial(_finish, future) for future in futures]
    else:
        waits = [_start(drain) for _ in range(helpers)]
    try:
        drain()
        for wait in waits:
            wait()
    except BaseException:  # Ctrl-C, here
        stop.set()
        for wait in waits:
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


def _start(work: Callable[[], None]) -> Callable[[], None]:
    """Run work in a new thread; returns what waits for its end. threading.Thread would wait for its beginning."""
    running = _thread.allocate_lock()
    running.acquire()

    def run() -> None:
        try:
            work()
        finally:
            running.release()

    def wait() -> None:
        with running:
            pass

    _thread.start_new_thread(run, ())
    return wait


def _finish(future: Future[None]) -> None:
    """Nothing is left to do for one that has not begun."""
    if not future.cancel():
        future.result()
