"""Newton's method in one variable and in two, and what the Hessian says of the point found.

Run it with ``python examples/newton_method.py [file.png]``: it prints a table, and opens a window or saves the picture
to the file. It needs numdiff and Matplotlib (``python -m pip install -e ".[plot]"``).

All Hessians' eigenvalues positive: a minimum; all negative: a maximum; mixed: a saddle. Where the second derivative is
0, as at the bend of the normal density, there is no step, and newton says so.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import numdiff


@dataclass
class Case:
    """A function with its derivatives by hand, and where Newton's method starts."""

    fun: Callable[[Any], Any]
    jac: Callable[[Any], Any]
    hess: Callable[[Any], Any]
    start: Any


def density(x: Any) -> Any:
    """That of the normal distribution; it bends at -1 and 1."""
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def quartic(x: np.ndarray) -> float:
    return x[0] ** 4 + 0.8 * x[1] ** 4 + 4 * x[0] ** 2 + 2 * x[1] ** 2 - x[0] * x[1] - 0.2 * x[0] ** 2 * x[1]


def quartic_gradient(x: np.ndarray) -> list[float]:
    return [
        4 * x[0] ** 3 + 8 * x[0] - x[1] - 0.4 * x[0] * x[1],
        3.2 * x[1] ** 3 + 4 * x[1] - x[0] - 0.2 * x[0] ** 2,
    ]


def quartic_hessian(x: np.ndarray) -> list[list[float]]:
    mixed = -1 - 0.4 * x[0]
    return [[12 * x[0] ** 2 + 8 - 0.4 * x[1], mixed], [mixed, 9.6 * x[1] ** 2 + 4]]


CASES = {
    "e^x - ln x": Case(
        lambda x: np.exp(x) - np.log(x), lambda x: np.exp(x) - 1 / x, lambda x: np.exp(x) + 1 / x**2, 1.75
    ),
    "x²": Case(lambda x: x**2, lambda x: 2 * x, lambda x: 2.0, 1.75),
    "-x²": Case(lambda x: -(x**2), lambda x: -2 * x, lambda x: -2.0, 1.75),
    "normal density": Case(density, lambda x: -x * density(x), lambda x: (x**2 - 1) * density(x), 1.0),
    "2x²+3y²-xy": Case(
        lambda x: 2 * x[0] ** 2 + 3 * x[1] ** 2 - x[0] * x[1],
        lambda x: [4 * x[0] - x[1], 6 * x[1] - x[0]],
        lambda x: [[4.0, -1.0], [-1.0, 6.0]],
        [1.0, 3.0],
    ),
    "x⁴+0.8y⁴+4x²+2y²-xy-0.2x²y": Case(quartic, quartic_gradient, quartic_hessian, [4.0, 4.0]),
    "x²-y²": Case(
        lambda x: x[0] ** 2 - x[1] ** 2,
        lambda x: [2 * x[0], -2 * x[1]],
        lambda x: [[2.0, 0.0], [0.0, -2.0]],
        [1.0, 3.0],
    ),
}


def solve(name: str, given: str = "values") -> Any:
    """Newton's method from fun's values alone, from its gradient ("gradient"), or also from its Hessian ("Hessian").

    Examples
    --------
    >>> solve("x²").nit, solve("x²").kind
    (1, 'minimum')
    """
    case = CASES[name]
    jac = None if given == "values" else case.jac
    hess = case.hess if given == "Hessian" else None
    return numdiff.newton(case.fun, case.start, jac=jac, hess=hess, history=True)


def draw(axes: np.ndarray) -> None:
    case, result = CASES["e^x - ln x"], solve("e^x - ln x")
    numdiff.plot.function(case.fun, 0.05, 2, ax=axes[0])
    axes[0].plot(result.history["x"], result.history["fun"], ".-", color="tab:red")
    axes[0].set_ylim(-10, 10)
    axes[0].set_title("e^x - ln x and the points of Newton's method")
    name = "x⁴+0.8y⁴+4x²+2y²-xy-0.2x²y"
    numdiff.plot.contours(CASES[name].fun, ((-1, 5), (-1, 5)), solve(name), ax=axes[1])
    axes[1].set_title(name)


def main() -> None:
    print(f"{'f':<28} {'steps':>5}  {'kind':<13} {'eigenvalues':<14} x")
    for name in CASES:
        for given in ("values", "gradient", "Hessian"):
            result = solve(name, given)
            eigenvalues = ", ".join(f"{value:.2f}" for value in result.eigenvalues)
            x = ", ".join(f"{value:.6f}" for value in np.atleast_1d(result.x) + 0.0)
            print(f"{name:<28} {result.nit:>5}  {result.kind:<13} {eigenvalues:<14} {x}  from {given}")
        if not result.success:
            print(" " * 28, result.message)

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    draw(axes)
    figure.savefig(sys.argv[1], dpi=80) if len(sys.argv) > 1 else plt.show()


if __name__ == "__main__":
    main()
