"""Ctrl-C in a Python function behind a C pointer, where what the handler of the signal raises is lost."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # as signal, without its enumerations, which take ten times as long
from typing import Any


class Interrupts:
    """Notes, from begin() to end(), what the handler of SIGINT raises, and raises it again in check() and end().

    ctypes and cffi print an exception of such a function and return 0, as if that were its value. The user's handler is
    called as ever, and is the handler again at the end. Only the main thread calls handlers, and only there is it set.
    """

    __slots__ = ("_handler", "_raised")

    def begin(self) -> None:
        self._raised: BaseException | None = None
        self._handler: Any = _signal.getsignal(_signal.SIGINT)
        if callable(self._handler):
            try:
                _signal.signal(_signal.SIGINT, self)
            except ValueError:  # not the main thread
                self._handler = None

    def __call__(self, number: int, frame: Any) -> None:
        try:
            self._handler(number, frame)
        except BaseException as error:
            self._raised = error
            raise

    def check(self) -> None:
        if self._raised is not None:
            raise self._raised

    def end(self) -> None:
        if _signal.getsignal(_signal.SIGINT) is self:  # fun may have set its own
            try:
                _signal.signal(_signal.SIGINT, self._handler)
            except BaseException:  # of a signal that came just now: nothing was set
                _signal.signal(_signal.SIGINT, self._handler)
                raise
        self.check()
