"""Functions, and exceptions of theirs, that tests send to workers: other processes must be able to import them.

Those that act only in a worker are given the number of the parent's process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import numdiff

X = np.linspace(-1.0, 1.5, 24)
SHORT = X[:7]


def rosen(x, scale=1.0, *, shift=0.0):
    total = shift
    for i in range(len(x) - 1):
        a, b = x[i + 1] - x[i] * x[i], 1.0 - x[i]
        total += scale * (100.0 * (a * a) + b * b)
    return float(total)


def rosen_gradient(x):
    found = np.zeros(x.size)
    found[:-1] = -400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2.0 * (1.0 - x[:-1])
    found[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    return found


def three(x):
    return np.array([rosen(x), x[0] * x[-1], np.sin(x[2])])


def matrix(x):
    return rosen(x.reshape(-1))


def number(x):
    return float(x**3)


def tree(point):
    return float(point["a"] @ point["a"] * point["b"])


def unpacked(a, b):
    return float(a @ a * b)


def single(x):
    return np.float32(rosen(x))


def logs(x):
    with np.errstate(all="ignore"):
        return float(np.log(x).sum())


def kinks(x):
    return float(np.abs(x).sum())


def rough(x):
    return rosen(x) + 1e-9 * float(np.sin(1e12 * x[0]))


_values = np.empty(2)


def same_buffer(x):
    _values[:] = x[0] * x[1], x[3]
    return _values


def writes(x):
    value = rosen(x)
    x *= -1.0
    return value


def counted(x, path):
    """Adds a byte to the file for every call."""
    with Path(path).open("ab", buffering=0) as file:
        file.write(b".")
    return rosen(x)


def meets(x, parent, folder):
    """Goes on when two workers have come: one alone would never."""
    if os.getpid() != parent:
        here = Path(folder, str(os.getpid()))
        if not here.exists():
            here.touch()
            end = time.monotonic() + 60.0
            while len(list(Path(folder).iterdir())) < 2:
                assert time.monotonic() < end, "the other worker did not come"
    return rosen(x)


def killed_once(x, parent, path):
    """The first worker that comes to x0[5] dies there."""
    if os.getpid() != parent and x[5] != X[5] and not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return rosen(x)


def killed_always(x, parent):
    if os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return rosen(x)


class CannotBeSent(Exception):
    """Cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class CannotBeRead(Exception):
    """Can be pickled, and not be unpickled."""

    def __init__(self, place, value):
        super().__init__(f"{value} at {place}")


class Reduced(Exception):
    """Says itself how it is pickled."""

    def __init__(self, place, value):
        super().__init__(f"{value} at {place}")
        self.place, self.value = place, value

    def __reduce__(self):
        return Reduced, (self.place, self.value)


ERRORS = {
    "LookupError": lambda: LookupError("here", 3),
    "OSError": lambda: FileNotFoundError(2, "no such table", "table.csv"),
    "StopIteration": lambda: StopIteration(4),
    "TypeError": lambda: TypeError("cannot pickle this fruit"),  # not one of the engine's
    "SystemExit": lambda: SystemExit(4),  # Pool.map would wait for ever
    "BrokenPipeError": lambda: BrokenPipeError(32, "mine"),
    "Reduced": lambda: Reduced("there", 4.0),
    "CannotBeSent": lambda: CannotBeSent("deep in fun"),
    "CannotBeRead": lambda: CannotBeRead("there", 4.0),
}


def raises(x, name, *places):
    """An error where one of the components is moved."""
    if any(x.reshape(-1)[place] != X[place] for place in places):
        raise ERRORS[name]()
    return rosen(x.reshape(-1))


def raises_for_the_pair(x):
    if x[1] != X[1] and x[4] != X[4]:
        raise LookupError("here", 3)
    return rosen(x)


def wrong(x, what):
    """No number, where x0[3] is moved."""
    return rosen(x) if x[3] == X[3] else {"text": "one", "two": np.ones(2), "none": None, "complex": 1.0 + 2.0j}[what]


def longer(x):
    return np.ones(2 if x[3] == X[3] else 3)


class Unloadable:
    """A function that can be pickled, and not be unpickled."""

    def __call__(self, x):
        return rosen(x)

    def __reduce__(self):
        return _fail, ()


def _fail():
    raise ValueError("cannot be loaded here")


class Locked:
    """A function that cannot be pickled."""

    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, x):
        return rosen(x)


def gradient(fun=rosen, x0=X, **options):
    return lambda **workers: numdiff.gradient(fun, x0, full_output=True, **options, **workers)


def jacobian(fun=three, x0=X, **options):
    return lambda **workers: numdiff.jacobian(fun, x0, full_output=True, **options, **workers)


def hessian(fun=rosen, x0=SHORT, **options):
    return lambda **workers: numdiff.hessian(fun, x0, full_output=True, **options, **workers)


def hessian_diagonal(fun=rosen, x0=SHORT, **options):
    return lambda **workers: numdiff.hessian_diagonal(fun, x0, full_output=True, **options, **workers)


# Calls to make with and without workers=; all have full_output.
CALLS = {
    "central": gradient(),
    "forward": gradient(method="forward"),
    "backward, order 3": gradient(method="backward", order=3),
    "order 8": gradient(order=8),
    "richardson": gradient(method="richardson"),
    "richardson of noise": gradient(rough, method="richardson"),
    "bounds": gradient(bounds=(X - 1e-7, X + 1.0)),
    "at a bound": gradient(bounds=(X, X + 1.0)),
    "fixed": gradient(bounds=(np.where(X > 0, X, -2.0), np.where(X > 0, X, 2.0))),
    "indices": gradient(indices=[5, 0, -1]),
    "no indices": gradient(indices=[]),
    "f0": gradient(method="forward", f0=rosen(X)),
    "noise": gradient(noise=1e-9),
    "noise, estimated": gradient(rough, noise="estimate"),
    "rel_step": gradient(rel_step=1e-4),
    "abs_step, x_scale": gradient(abs_step=np.full(24, 1e-5), x_scale=2.0),
    "args, kwargs": gradient(args=(2.0,), kwargs={"shift": 1.0}),
    "two axes": gradient(matrix, X.reshape(4, 6), bounds=(np.full((4, 6), -1.0), np.full((4, 6), 2.0))),
    "one number": gradient(number, 2.0),
    "two variables": gradient(x0=X[:2]),
    "tree": gradient(tree, {"a": X, "b": 2.0}),
    "unpack": gradient(unpacked, (X, 2.0), unpack=True),
    "float32": gradient(single),
    "float32, forward": gradient(single, method="forward"),
    "domain": gradient(logs, X[10:] ** 2 * 1e-9 + 1e-12),
    "beyond the domain": gradient(logs, np.array([0.5, 0.0, 2.0, -1.0])),
    "kinks": gradient(kinks, np.array([0.0, 1.0, -1.0, 1e-9]), method="richardson"),
    "jacobian": jacobian(),
    "jacobian, forward": jacobian(method="forward"),
    "jacobian, richardson": jacobian(method="richardson"),
    "jacobian, indices": jacobian(indices=[3, 1]),
    "jacobian, same buffer": jacobian(same_buffer),
    "hessian": hessian(),
    "hessian, forward": hessian(method="forward"),
    "hessian, richardson": hessian(method="richardson"),
    "hessian, bounds": hessian(bounds=(SHORT, SHORT + 1.0)),
    "hessian, f0": hessian(f0=rosen(SHORT)),
    "hessian, x_scale": hessian(x_scale=3.0),
    "hessian, float32": hessian(single),
    "hessian, domain": hessian(logs, np.array([1e-9, 0.5, 2.0])),
    "hessian, two axes": hessian(matrix, X[:6].reshape(2, 3)),
    "hessian of jac": hessian(None, jac=rosen_gradient),
    "hessian of jac, richardson": hessian(None, jac=rosen_gradient, method="richardson"),
    "hessian_diagonal": hessian_diagonal(),
    "hessian_diagonal, forward": hessian_diagonal(method="forward"),
    "hessian_diagonal, richardson": hessian_diagonal(method="richardson"),
}


def flat(found):
    return (
        [found] if not isinstance(found, dict | tuple) else list(found.values() if isinstance(found, dict) else found)
    )


def assert_same(found, expected):
    """The same bits, counts and flags."""
    for name in ("value", "error", "step", "flag"):
        for one, other in zip(flat(getattr(found, name)), flat(getattr(expected, name)), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert found.method == expected.method
    assert found.nfev == expected.nfev


def noted(error, *words):
    """Whether one note has all the words."""
    return any(all(word in note for word in words) for note in getattr(error, "__notes__", []))


def naps(x):
    """Half a minute for all but the first point."""
    end = time.monotonic() + (30.0 if x[0] == 1.0 else 0.0)
    while time.monotonic() < end:
        pass
    return 1.0


def deep(x):
    if x[3] != X[3]:
        raise ValueError("deep")
    return rosen(x)


@dataclass(frozen=True)
class Frozen(Exception):
    number: int


def frozen(x):
    if x[3] != X[3]:
        raise Frozen(3)
    return rosen(x)
