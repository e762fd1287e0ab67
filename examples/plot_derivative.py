"""Plot functions and their derivatives with Matplotlib, and a tangent.

Run it with ``python examples/plot_derivative.py [file.png]``: it opens a window, or saves the picture to the file. It
needs numdiff, NumPy and Matplotlib (``python -m pip install matplotlib``).

The derivatives come from ``numdiff.derivative(f, x)``: one call for all 400 points of a curve, two evaluations of f.
Where f is not defined, the derivative is nan, and Matplotlib draws nothing there.
"""

import sys
from collections.abc import Callable

import numpy as np

import numdiff

X = np.linspace(-6, 6, 400)
AT = 0.25  # where the tangents touch

CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "x³": lambda x: x**3,
    "1 / x": lambda x: 1 / x,
    "√x": np.sqrt,
    "sin x": np.sin,
    "|x|": np.abs,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def tangent(f: Callable[[np.ndarray], np.ndarray], at: float, x: np.ndarray) -> np.ndarray:
    """The line that touches f at one point.

    Examples
    --------
    >>> tangent(lambda x: x**2, 1.0, np.array([0.0, 1.0, 2.0])).round(9) + 0.0
    array([-1.,  1.,  3.])
    """
    return f(np.asarray(at)) + numdiff.derivative(f, at) * (x - at)


def draw(axes: np.ndarray) -> None:
    """A panel for each curve: the function, its derivative, its tangent."""
    for ax, (name, f) in zip(axes.flat, CURVES.items(), strict=True):
        with np.errstate(all="ignore"):  # the square root of negative numbers
            y, slope = f(X), numdiff.derivative(f, X)
        slope[np.abs(slope) > 50] = np.nan  # 1/x² near 0 is off the panel
        y[np.abs(y) > 50] = np.nan
        near = np.abs(X - AT) < 1.5
        ax.plot(X, y, label="f")
        ax.plot(X, slope, "--", label="f′")
        ax.plot(X[near], tangent(f, AT, X[near]), color="0.4", linewidth=1, label=f"tangent at {AT}")
        ax.plot(AT, f(np.asarray(AT)), "o", color="0.4", markersize=4)
        ax.set_xlim(-6, 6)
        ax.set_ylim(-4, 6)
        ax.set_title(name)
        ax.grid(alpha=0.3)
    axes.flat[0].legend(loc="lower right", fontsize=8)


def main() -> None:
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise SystemExit("plot_derivative needs Matplotlib: python -m pip install matplotlib") from None
    path = sys.argv[1] if len(sys.argv) > 1 else None
    if path is not None:
        matplotlib.use("Agg")  # needs no screen
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(11, 6.5), layout="constrained")
    figure.suptitle("Functions and their derivatives by numdiff.derivative")
    draw(axes)
    if path is None:
        plt.show()
    else:
        figure.savefig(path, dpi=100)
        print(f"saved {path}")


if __name__ == "__main__":
    main()
