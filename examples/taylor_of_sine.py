"""The Taylor polynomials of the sine at 0, of orders 1, 3, ..., 25.

Run it with ``python examples/taylor_of_sine.py [file.png]``: it prints how far each is right, and opens a window or
saves the picture to the file. It needs numdiff and Matplotlib (``python -m pip install -e ".[plot]"``).
"""

import sys
from typing import Any

import numpy as np

import numdiff

ORDERS = range(1, 26, 2)
X = np.linspace(-10, 10, 1001)


def polynomials(orders: range = ORDERS, x: np.ndarray = X) -> dict[int, np.ndarray]:
    """The values of each polynomial at x; all come from one set of coefficients.

    Examples
    --------
    >>> bool(abs(polynomials(range(1, 8, 2), np.array([0.5]))[7][0] - np.sin(0.5)) < 1e-8)
    True
    """
    coefficients = numdiff.taylor(np.sin, 0.0, max(orders))
    return {order: np.polynomial.polynomial.polyval(x, coefficients[: order + 1]) for order in orders}


def reach(values: np.ndarray, x: np.ndarray = X, tolerance: float = 0.01) -> float:
    """How far from 0 the values are those of the sine."""
    wrong = np.abs(x[np.abs(values - np.sin(x)) > tolerance])
    return float(wrong.min()) if wrong.size else float(np.abs(x).max())


def draw(ax: Any) -> None:
    colours = iter(np.linspace(0.15, 0.95, len(ORDERS)))
    for order, values in polynomials().items():
        ax.plot(X, values, color=(0.9, 0.3, 0.1, next(colours)), linewidth=1, label=str(order))
    ax.plot(X, np.sin(X), "k", linewidth=2, label="sin x")
    ax.set_xlim(-10, 10)
    ax.set_ylim(-3, 3)
    ax.legend(title="order", ncols=2, fontsize=8, loc="upper right")
    ax.set_title("Taylor polynomials of the sine")


def main() -> None:
    for order, values in polynomials().items():
        print(f"order {order:>2}: within 0.01 of sin x up to |x| = {reach(values):.2f}")

    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
    draw(ax)
    figure.savefig(sys.argv[1], dpi=80) if len(sys.argv) > 1 else plt.show()


if __name__ == "__main__":
    main()
