"""Fifteen functions of one variable, and their derivatives beside those worked out by hand.

Run it with ``python examples/fifteen_functions.py [file.png]``: it prints a table, and opens a window or saves the
picture to the file. It needs numdiff and Matplotlib (``python -m pip install -e ".[plot]"``).

It also shows where there is no derivative: the two slopes of |x| and ReLU at 0, and that of the square root, which has
no end.
"""

import sys
from collections.abc import Callable

import numpy as np

import numdiff

X = np.linspace(-6, 6, 400)
AT = 0.25  # where the tangents touch
RISE = 1.25  # how far the average rate of change looks

Curve = Callable[[np.ndarray], np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# Each with its derivative.
FUNCTIONS: dict[str, tuple[Curve, Curve]] = {
    "0": (np.zeros_like, np.zeros_like),
    "2x": (lambda x: 2 * x, lambda x: np.full_like(x, 2.0)),
    "x²": (lambda x: x**2, lambda x: 2 * x),
    "x³": (lambda x: x**3, lambda x: 3 * x**2),
    "1 / x": (lambda x: 1 / x, lambda x: -1 / x**2),
    "√x": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "e^x": (np.exp, np.exp),
    "ln x": (np.log, lambda x: np.where(x > 0, 1 / x, np.nan)),
    "log₁₀ x": (np.log10, lambda x: np.where(x > 0, 1 / (x * np.log(10)), np.nan)),
    "sin x": (np.sin, np.cos),
    "cos x": (np.cos, lambda x: -np.sin(x)),
    "|x|": (np.abs, np.sign),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    "ReLU": (lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
}


def largest_error(f: Curve, exact: Curve, x: np.ndarray = X) -> float:
    """The largest error of numdiff.derivative at x, relative where the derivative is above 1.

    Where one of the two is nan and the other is not, that is an error of nan.
    """
    with np.errstate(all="ignore"):
        numeric, by_hand = numdiff.derivative(f, x), exact(x)
    both = ~(np.isnan(numeric) & np.isnan(by_hand))
    return float(np.max(np.abs(numeric - by_hand)[both] / np.maximum(1, np.abs(by_hand[both]))))


def average_rate(f: Curve, at: float = AT, rise: float = RISE) -> float:
    """The slope of the secant from at to at + rise.

    Examples
    --------
    >>> average_rate(lambda x: x**2)
    1.75
    """
    return float((f(np.float64(at + rise)) - f(np.float64(at))) / rise)


def slopes_at_0(f: Curve) -> tuple[float, float]:
    """The slopes to the left and to the right of 0.

    Examples
    --------
    >>> slopes_at_0(np.abs)
    (-1.0, 1.0)
    """
    with np.errstate(all="ignore"):
        left, right = (float(numdiff.derivative(f, 0.0, method=method)) for method in ("backward", "forward"))
    return left, right


def kink_at_0(f: Curve) -> bool:
    """Whether numdiff says that f has a kink at 0; its error bar is then half the difference of the slopes."""
    return bool(numdiff.gradient(f, 0.0, method="richardson", full_output=True).flag & numdiff.Flag.kink)


def root_slopes(steps: list[float]) -> np.ndarray:
    """The slopes of the secants of the square root from 0 to each step: 1 / sqrt(step), without end.

    Examples
    --------
    >>> root_slopes([1e-2, 1e-4, 1e-6]).round(6)
    array([  10.,  100., 1000.])
    """
    return np.array([average_rate(np.sqrt, 0.0, step) for step in steps])


def heads_of_ten(p: np.ndarray) -> np.ndarray:
    """The likelihood of seven heads and three tails; its maximum is at p = 0.7, where the derivative is 0.

    Examples
    --------
    >>> bool(abs(numdiff.derivative(heads_of_ten, 0.7)) < 1e-10)
    True
    """
    return p**7 * (1 - p) ** 3


def draw(axes: np.ndarray) -> None:
    """A panel for each function: with its derivative, and its tangent at AT."""
    for ax, (name, (f, _)) in zip(axes.flat, FUNCTIONS.items(), strict=True):
        numdiff.plot.function(f, -6, 6, tangent=AT, ax=ax)
        ax.set_title(name)
        ax.get_legend().remove()
    axes.flat[0].legend(fontsize=7)


def main() -> None:
    print(f"{'f':<8}  {'error of the derivative':>23}  {f'rate at {AT} over {RISE}':>22}  {f'slope at {AT}':>13}")
    for name, (f, exact) in FUNCTIONS.items():
        slope = float(numdiff.derivative(f, AT))
        print(f"{name:<8}  {largest_error(f, exact):>23.1e}  {average_rate(f):>22.6f}  {slope:>13.6f}")
    print("\nAt 0, to the left and to the right:")
    for name in ("|x|", "ReLU"):
        f = FUNCTIONS[name][0]
        print("  {:<5} {:g} and {:g}".format(name, *slopes_at_0(f)), "(a kink)" if kink_at_0(f) else "")
    print("  √x    no derivative: the slopes of its secants over 0.01, 0.0001, 0.000001 are")
    print("        {:.6g}, {:.6g}, {:.6g}".format(*root_slopes([1e-2, 1e-4, 1e-6])))
    print(f"\nThe derivative of p⁷(1-p)³ at 0.7: {numdiff.derivative(heads_of_ten, 0.7):.1e}")

    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 5, figsize=(15, 8), layout="constrained")
    draw(axes)
    figure.savefig(sys.argv[1], dpi=80) if len(sys.argv) > 1 else plt.show()


if __name__ == "__main__":
    main()
