"""The noise table, twin of src/noise.c."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import NDArray


def noise_table(values: NDArray[np.float64]) -> tuple[list[float], list[bool]]:
    """The noise level of each order of difference, and whether these differences change sign: nd_noise_table.

    values are m + 1 finite float64 at equally spaced points; both lists have m entries.
    """
    differences = values.tolist()
    levels, changes = [], []
    gamma = 1.0  # (k!)^2 / (2k)!
    for k in range(1, len(differences)):
        gamma *= k / (4 * k - 2)
        differences = [right - left for left, right in pairwise(differences)]
        total = 0.0
        for difference in differences:
            total += difference * difference
        levels.append(sqrt(gamma * (total / len(differences))))
        changes.append(min(differences) < 0.0 < max(differences))
    return levels, changes
