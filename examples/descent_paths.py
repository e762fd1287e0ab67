"""Gradient descent on landscapes: too long steps, three wells, momentum.

Run it with ``python examples/descent_paths.py [file.png]``: it prints where the descents end, and opens a window or
saves the picture to the file; with a name that ends in .gif or .html it saves an animation instead. It needs numdiff
and Matplotlib (``python -m pip install -e ".[plot]"``).

- A sauna, where it is coldest at (4, 4): ten steps at learning rate 0.1 get there; at 0.3 they leap to and fro.
- Three wells, three starts close together, three different minima. Only one of them is the lowest.
- A long valley, where momentum needs far fewer steps.

Each descent is made with the numerical gradient and with that worked out by hand, and the two must agree.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import numdiff

Point = np.ndarray
BOX = ((0, 5), (0, 5))
STARTS = ((1.0, 3.0), (1.2, 3.0), (0.6, 3.0))  # of the three wells
VALLEY = (1.0, 20.0)  # curvature along and across


def paraboloid(x: Point) -> float:
    return x[0] ** 2 + x[1] ** 2


def tangent_plane(f: Callable[[Point], float], at: Point) -> Callable[[Point], float]:
    """The plane that touches f at one point.

    Examples
    --------
    >>> plane = tangent_plane(paraboloid, np.array([2.0, 4.0]))  # 20 + 4 (x - 2) + 8 (y - 4)
    >>> [round(plane(np.array(x)), 6) for x in ([2.0, 4.0], [3.0, 4.0], [2.0, 5.0])]
    [20.0, 24.0, 28.0]
    """
    value, slope = numdiff.value_and_grad(f)(at)
    return lambda x: float(value + slope @ (x - at))


def sauna(x: Point) -> float:
    """The temperature on a floor of 5 by 5."""
    return 50 - x[0] ** 2 * (x[0] - 6) * x[1] ** 2 * (x[1] - 6) / 50


def sauna_gradient(x: Point) -> Point:
    p, q = x**2 * (x - 6)
    slopes = 3 * x**2 - 12 * x
    return -np.array([slopes[0] * q, p * slopes[1]]) / 50


# Each well: its depth, and the rest of depth / (a + b (x - x0)² + b (y - y0)²).
WELLS = ((10, 3, 3, 0.5, 0.5), (2, 1, 2, 3, 1.5), (3, 1, 0.5, 3.5, 4))


def three_wells(x: Point) -> float:
    return 10 - sum(depth / (a + b * (x[0] - x0) ** 2 + b * (x[1] - y0) ** 2) for depth, a, b, x0, y0 in WELLS)


def three_wells_gradient(x: Point) -> Point:
    slope = np.zeros(2)
    for depth, a, b, *centre in WELLS:
        away = x - centre
        slope += depth * 2 * b * away / (a + b * (away @ away)) ** 2
    return slope


def valley(x: Point) -> float:
    return 0.5 * (VALLEY[0] * x[0] ** 2 + VALLEY[1] * x[1] ** 2)


def valley_gradient(x: Point) -> Point:
    return VALLEY * x


def in_the_sauna(learning_rate: float, steps: int, jac: Any = None) -> Any:
    """A descent from (1, 3) of so many steps.

    Examples
    --------
    >>> in_the_sauna(0.1, 10).x.round(2)
    array([4., 4.])
    """
    return numdiff.gradient_descent(
        sauna, np.array([1.0, 3.0]), jac=jac, learning_rate=learning_rate, maxiter=steps, gtol=0.0, history=True
    )


def into_a_well(start: tuple[float, float], jac: Any = None) -> Any:
    """A descent of at most 50 steps, until the norm of the gradient is below 1e-4."""
    return numdiff.gradient_descent(
        three_wells, np.array(start), jac=jac, learning_rate=0.2, maxiter=50, gtol=1e-4, history=True
    )


def along_the_valley(momentum: float, jac: Any = None) -> Any:
    """A descent until no coordinate moves by more than 1e-6, with a share of the last move kept in the next."""
    return numdiff.gradient_descent(
        valley, np.array([-4.0, 1.0]), jac=jac, learning_rate=0.05, momentum=momentum, xtol=1e-6, gtol=0.0, history=True
    )


def descents(by_hand: bool = False) -> dict[str, Any]:
    """All of them, from numerical gradients or from those worked out by hand."""
    found = {
        "sauna, 0.1": in_the_sauna(0.1, 10, sauna_gradient if by_hand else None),
        "sauna, 0.3": in_the_sauna(0.3, 20, sauna_gradient if by_hand else None),
    }
    for start in STARTS:
        found[f"wells, {start}"] = into_a_well(start, three_wells_gradient if by_hand else None)
    for momentum in (0.0, 0.8):
        found[f"valley, momentum {momentum}"] = along_the_valley(momentum, valley_gradient if by_hand else None)
    return found


def draw(axes: np.ndarray, found: dict[str, Any]) -> None:
    """The paths over the contours, in a panel each."""
    for ax, (name, result) in zip(axes.flat, found.items(), strict=False):
        fun, box = {
            "sauna": (sauna, BOX),
            "wells": (three_wells, BOX),
            "valley": (valley, ((-4.5, 1), (-1.5, 1.5))),
        }[name.split(",")[0]]
        numdiff.plot.contours(fun, box, result, ax=ax)
        ax.set_title(f"{name}: {result.nit} steps")


def draw_plane(ax: Any) -> None:
    """The paraboloid and its tangent plane at (2, 4), in three dimensions."""
    at = np.array([2.0, 4.0])
    plane = tangent_plane(paraboloid, at)
    for f, reach, style in ((paraboloid, 5.0, {"alpha": 0.4}), (plane, 2.0, {"color": "tab:orange", "alpha": 0.7})):
        sides = (
            [np.linspace(-5, 5, 30)] * 2 if f is paraboloid else [middle + np.array([-reach, reach]) for middle in at]
        )
        x, y = np.meshgrid(*sides)
        ax.plot_surface(x, y, np.vectorize(lambda a, b, f=f: f(np.array([a, b])))(x, y), **style)
    ax.set_title("tangent plane of x² + y² at (2, 4)")


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else ""
    if path.endswith((".gif", ".html")):
        numdiff.plot.animate(into_a_well(STARTS[2]), three_wells, BOX, file=path)
        return
    found, by_hand = descents(), descents(by_hand=True)
    for name, result in found.items():
        apart = np.abs(result.history["x"] - by_hand[name].history["x"]).max()
        ending = ", ".join(f"{value:.4f}" for value in result.history["x"][-1])
        print(f"{name:<22} {result.nit:>4} steps to ({ending}), value {result.history['fun'][-1]:.4f};", end=" ")
        print(f"by hand at most {apart:.0e} apart")

    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(16, 8), layout="constrained")
    draw_plane(figure.add_subplot(2, 4, 1, projection="3d"))
    draw(np.array([figure.add_subplot(2, 4, k) for k in range(2, 9)]), found)
    figure.savefig(path, dpi=70) if path else plt.show()


if __name__ == "__main__":
    main()
