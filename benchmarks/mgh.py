"""Test problems of Moré, Garbow and Hillstrom, ACM Transactions on Mathematical Software 7 (1981), 17-41.

Each is a sum of squares: residuals(x), their Jacobian by columns and the standard start, from the published formulas.
Everything takes float64, longdouble and complex arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class LeastSquares:
    name: str
    residuals: Callable[[Any], Any]
    columns: Callable[[Any], Any]  # (n, m): column j of the Jacobian in row j
    start: tuple[float, ...]

    def fun(self, x):
        r = np.asarray(self.residuals(x))
        return (r * r).sum()

    def gradient(self, x):
        r = np.asarray(self.residuals(x))
        return np.array([2 * (r * column).sum() for column in np.broadcast_arrays(r, *self.columns(x))[1:]])


def _rows(jacobian):
    """A Jacobian by rows, as columns."""

    def columns(x):
        return np.array(jacobian(x)).T

    return columns


def _freudenstein_roth(x):
    a, b = x
    return [-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b]


BEALE = np.array([1.5, 2.25, 2.625])
_123 = np.arange(1, 4)

_TO_10 = np.arange(1, 11)


def _helical_valley(x):
    a, b, c = x
    theta = np.arctan(b / a) / (2 * np.pi) + (0.5 if a.real < 0 else 0.0)
    return [10 * (c - 10 * theta), 10 * (np.sqrt(a * a + b * b) - 1), c]


def _helical_valley_rows(x):
    a, b, _ = x
    square = a * a + b * b
    turn, r = 100 / (2 * np.pi * square), np.sqrt(square)
    return [[turn * b, -turn * a, 10], [10 * a / r, 10 * b / r, 0], [0, 0, 1]]


BARD = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
BARD_U = np.arange(1, 16)
BARD_V = 16 - BARD_U
BARD_W = np.minimum(BARD_U, BARD_V)


def _bard_columns(x):
    factor = BARD_U / (BARD_V * x[1] + BARD_W * x[2]) ** 2
    return [-1, BARD_V * factor, BARD_W * factor]


GAUSSIAN = np.array([0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989])
GAUSSIAN = np.concatenate([GAUSSIAN, GAUSSIAN[-2::-1]])
GAUSSIAN_T = (8 - np.arange(1, 16)) / 2


def _gaussian(x):
    return x[0] * np.exp(-x[1] * (GAUSSIAN_T - x[2]) ** 2 / 2) - GAUSSIAN


def _gaussian_columns(x):
    d = GAUSSIAN_T - x[2]
    bell = np.exp(-x[1] * d**2 / 2)
    return [bell, -x[0] * bell * d**2 / 2, x[0] * bell * x[1] * d]


MEYER = np.array(
    [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
)
MEYER_T = 45 + 5 * np.arange(1, 17)


def _meyer_columns(x):
    t = MEYER_T + x[2]
    growth = np.exp(x[1] / t)
    return [growth, x[0] * growth / t, -x[0] * x[1] * growth / t**2]


BOX_T = np.arange(1, 11) / 10
BOX_C = np.exp(-BOX_T) - np.exp(-10 * BOX_T)


def _box(x):
    return np.exp(-BOX_T * x[0]) - np.exp(-BOX_T * x[1]) - x[2] * BOX_C


def _box_columns(x):
    return [-BOX_T * np.exp(-BOX_T * x[0]), BOX_T * np.exp(-BOX_T * x[1]), -BOX_C]


R5, R10, R90 = 5**0.5, 10**0.5, 90**0.5


def _powell_singular(x):
    a, b, c, d = x
    return [a + 10 * b, R5 * (c - d), (b - 2 * c) ** 2, R10 * (a - d) ** 2]


def _powell_singular_rows(x):
    a, b, c, d = x
    u, v = 2 * (b - 2 * c), 2 * R10 * (a - d)
    return [[1, 10, 0, 0], [0, 0, R5, -R5], [0, u, -2 * u, 0], [v, 0, 0, -v]]


def _wood(x):
    a, b, c, d = x
    return [10 * (b - a * a), 1 - a, R90 * (d - c * c), 1 - c, R10 * (b + d - 2), (b - d) / R10]


def _wood_rows(x):
    a, _, c, _ = x
    return [
        [-20 * a, 10, 0, 0],
        [-1, 0, 0, 0],
        [0, 0, -2 * R90 * c, R90],
        [0, 0, -1, 0],
        [0, R10, 0, R10],
        [0, 1 / x.dtype.type(R10), 0, -1 / x.dtype.type(R10)],  # divided in x's precision, as the residual is
    ]


KOWALIK = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
KOWALIK_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])


def _kowalik_osborne(x):
    u = KOWALIK_U
    return KOWALIK - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])


def _kowalik_osborne_columns(x):
    u = KOWALIK_U
    top, bottom = u * (u + x[1]), u * (u + x[2]) + x[3]
    slope = x[0] * top / bottom**2
    return [-top / bottom, -x[0] * u / bottom, slope * u, slope]


BROWN_DENNIS_T = np.arange(1, 21) / 5
BROWN_DENNIS_E, BROWN_DENNIS_S, BROWN_DENNIS_C = (f(BROWN_DENNIS_T) for f in (np.exp, np.sin, np.cos))


def _brown_dennis_parts(x):
    return x[0] + BROWN_DENNIS_T * x[1] - BROWN_DENNIS_E, x[2] + BROWN_DENNIS_S * x[3] - BROWN_DENNIS_C


def _brown_dennis(x):
    u, v = _brown_dennis_parts(x)
    return u * u + v * v


def _brown_dennis_columns(x):
    u, v = _brown_dennis_parts(x)
    return [2 * u, 2 * u * BROWN_DENNIS_T, 2 * v, 2 * v * BROWN_DENNIS_S]


OSBORNE = np.array(
    [
        *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
        *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
        *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
    ]
)
OSBORNE_T = 10.0 * np.arange(33)


def _osborne(x):
    return OSBORNE - (x[0] + x[1] * np.exp(-OSBORNE_T * x[3]) + x[2] * np.exp(-OSBORNE_T * x[4]))


def _osborne_columns(x):
    first, second = np.exp(-OSBORNE_T * x[3]), np.exp(-OSBORNE_T * x[4])
    return [-1, -first, -second, x[1] * OSBORNE_T * first, x[2] * OSBORNE_T * second]


BIGGS_T = np.arange(1, 14) / 10
BIGGS = np.exp(-BIGGS_T) - 5 * np.exp(-10 * BIGGS_T) + 3 * np.exp(-4 * BIGGS_T)


def _biggs(x):
    e = [np.exp(-BIGGS_T * x[k]) for k in (0, 1, 4)]
    return x[2] * e[0] - x[3] * e[1] + x[5] * e[2] - BIGGS


def _biggs_columns(x):
    t = BIGGS_T
    e = [np.exp(-t * x[k]) for k in (0, 1, 4)]
    return [-t * x[2] * e[0], t * x[3] * e[1], e[0], -e[1], -t * x[5] * e[2], e[2]]


WATSON_N = 6
WATSON_POWERS = (np.arange(1, 30)[:, None] / 29) ** np.arange(WATSON_N)
WATSON_SLOPES = np.hstack([np.zeros((29, 1)), np.arange(1, WATSON_N) * WATSON_POWERS[:, :-1]])


def _watson(x):
    sums = (WATSON_POWERS * x).sum(axis=1)
    body = (WATSON_SLOPES * x).sum(axis=1) - sums * sums - 1
    return np.concatenate([body, [x[0], x[1] - x[0] ** 2 - 1]])


def _watson_rows(x):
    sums = (WATSON_POWERS * x).sum(axis=1)
    tail = np.zeros((2, WATSON_N), x.dtype)
    tail[0, 0] = tail[1, 1] = 1
    tail[1, 0] = -2 * x[0]
    return np.vstack([WATSON_SLOPES - 2 * sums[:, None] * WATSON_POWERS, tail])


def _extended_rosenbrock(x):
    odd, even = x[::2], x[1::2]
    return np.concatenate([10 * (even - odd**2), 1 - odd])


def _extended_rosenbrock_rows(x):
    half = len(x) // 2
    rows, i = np.zeros((2 * half, 2 * half), x.dtype), np.arange(half)
    rows[i, 2 * i], rows[i, 2 * i + 1], rows[half + i, 2 * i] = -20 * x[::2], 10, -1
    return rows


PENALTY = 1e-5**0.5


def _penalty(x):
    return np.concatenate([PENALTY * (x - 1), [(x * x).sum() - 0.25]])


def _penalty_rows(x):
    return np.vstack([PENALTY * np.eye(len(x)), 2 * x])


def _variably_dimensioned(x):
    weighted = (np.arange(1, len(x) + 1) * (x - 1)).sum()
    return np.concatenate([x - 1, [weighted, weighted**2]])


def _variably_dimensioned_rows(x):
    j = np.arange(1, len(x) + 1)
    return np.vstack([np.eye(len(x)), j, 2 * (j * (x - 1)).sum() * j])


def _trigonometric(x):
    n = len(x)
    return n - np.cos(x).sum() + np.arange(1, n + 1) * (1 - np.cos(x)) - np.sin(x)


def _trigonometric_rows(x):
    n = len(x)
    return np.sin(x) + np.diag(np.arange(1, n + 1) * np.sin(x) - np.cos(x))


def _brown_almost_linear(x):
    return np.concatenate([x[:-1] + x.sum() - (len(x) + 1), [x.prod() - 1]])


def _brown_almost_linear_rows(x):
    n = len(x)
    others = [np.delete(x, j).prod() for j in range(n)]
    return np.vstack([(np.eye(n) + 1)[:-1], others])


def _neighbours(x):
    padded = np.concatenate([[0], x, [0]])
    return padded[:-2], padded[2:]


def _grid(n):
    return np.arange(1, n + 1) / (n + 1)


def _discrete_boundary(x):
    below, above = _neighbours(x)
    h = 1 / (len(x) + 1)
    return 2 * x - below - above + h * h * (x + _grid(len(x)) + 1) ** 3 / 2


def _discrete_boundary_rows(x):
    n = len(x)
    h = 1 / (n + 1)
    return np.diag(2 + 1.5 * h * h * (x + _grid(n) + 1) ** 2) - np.eye(n, k=1) - np.eye(n, k=-1)


def _broyden_tridiagonal(x):
    below, above = _neighbours(x)
    return (3 - 2 * x) * x - below - 2 * above + 1


def _broyden_tridiagonal_rows(x):
    n = len(x)
    return np.diag(3 - 4 * x) - 2 * np.eye(n, k=1) - np.eye(n, k=-1)


def _band(n):
    i = np.arange(n)
    distance = i - i[:, None]
    return (distance >= -5) & (distance <= 1) & (distance != 0)


def _broyden_banded(x):
    return x * (2 + 5 * x**2) + 1 - (_band(len(x)) * (x * (1 + x))).sum(axis=1)


def _broyden_banded_rows(x):
    return np.diag(2 + 15 * x**2) - _band(len(x)) * (1 + 2 * x)


def _linear(x):
    return np.concatenate([x, np.zeros(len(x), x.dtype)]) - x.sum() / len(x) - 1


def _linear_rows(x):
    n = len(x)
    return np.vstack([np.eye(n), np.zeros((n, n))]) - 1 / x.dtype.type(n)


PROBLEMS = [
    LeastSquares(
        "Rosenbrock", lambda x: [10 * (x[1] - x[0] ** 2), 1 - x[0]], lambda x: [[-20 * x[0], -1], [10, 0]], (-1.2, 1)
    ),
    LeastSquares(
        "Freudenstein-Roth",
        _freudenstein_roth,
        lambda x: [[1, 1], [10 * x[1] - 3 * x[1] ** 2 - 2, 3 * x[1] ** 2 + 2 * x[1] - 14]],
        (0.5, -2),
    ),
    LeastSquares(
        "Powell badly scaled",
        lambda x: [1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001],
        lambda x: [[1e4 * x[1], -np.exp(-x[0])], [1e4 * x[0], -np.exp(-x[1])]],
        (0, 1),
    ),
    LeastSquares(
        "Brown badly scaled",
        lambda x: [x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2],
        lambda x: [[1, 0, x[1]], [0, 1, x[0]]],
        (1, 1),
    ),
    LeastSquares(
        "Beale",
        lambda x: BEALE - x[0] * (1 - x[1] ** _123),
        lambda x: [x[1] ** _123 - 1, x[0] * _123 * x[1] ** (_123 - 1)],
        (1, 1),
    ),
    LeastSquares(
        "Jennrich-Sampson",
        lambda x: 2 + 2 * _TO_10 - (np.exp(_TO_10 * x[0]) + np.exp(_TO_10 * x[1])),
        lambda x: [-_TO_10 * np.exp(_TO_10 * x[0]), -_TO_10 * np.exp(_TO_10 * x[1])],
        (0.3, 0.4),
    ),
    LeastSquares("helical valley", _helical_valley, _rows(_helical_valley_rows), (-1, 0, 0)),
    LeastSquares("Bard", lambda x: BARD - (x[0] + BARD_U / (BARD_V * x[1] + BARD_W * x[2])), _bard_columns, (1, 1, 1)),
    LeastSquares("Gaussian", _gaussian, _gaussian_columns, (0.4, 1, 0)),
    LeastSquares("Meyer", lambda x: x[0] * np.exp(x[1] / (MEYER_T + x[2])) - MEYER, _meyer_columns, (0.02, 4000, 250)),
    LeastSquares("Box three-dimensional", _box, _box_columns, (0, 10, 20)),
    LeastSquares("Powell singular", _powell_singular, _rows(_powell_singular_rows), (3, -1, 0, 1)),
    LeastSquares("Wood", _wood, _rows(_wood_rows), (-3, -1, -3, -1)),
    LeastSquares("Kowalik-Osborne", _kowalik_osborne, _kowalik_osborne_columns, (0.25, 0.39, 0.415, 0.39)),
    LeastSquares("Brown-Dennis", _brown_dennis, _brown_dennis_columns, (25, 5, -5, -1)),
    LeastSquares("Osborne 1", _osborne, _osborne_columns, (0.5, 1.5, -1, 0.01, 0.02)),
    LeastSquares("Biggs EXP6", _biggs, _biggs_columns, (1, 2, 1, 1, 1, 1)),
    LeastSquares("Watson", _watson, _rows(_watson_rows), (0,) * WATSON_N),
    LeastSquares("extended Rosenbrock", _extended_rosenbrock, _rows(_extended_rosenbrock_rows), (-1.2, 1) * 5),
    LeastSquares("penalty I", _penalty, _rows(_penalty_rows), tuple(range(1, 5))),
    LeastSquares(
        "variably dimensioned", _variably_dimensioned, _rows(_variably_dimensioned_rows), tuple(1 - np.arange(1, 7) / 6)
    ),
    LeastSquares("trigonometric", _trigonometric, _rows(_trigonometric_rows), (0.2,) * 5),
    LeastSquares("Brown almost linear", _brown_almost_linear, _rows(_brown_almost_linear_rows), (0.5,) * 5),
    LeastSquares(
        "discrete boundary value", _discrete_boundary, _rows(_discrete_boundary_rows), tuple(_grid(8) * (_grid(8) - 1))
    ),
    LeastSquares("Broyden tridiagonal", _broyden_tridiagonal, _rows(_broyden_tridiagonal_rows), (-1,) * 8),
    LeastSquares("Broyden banded", _broyden_banded, _rows(_broyden_banded_rows), (-1,) * 10),
    LeastSquares("linear, full rank", _linear, _rows(_linear_rows), (1,) * 6),
]
