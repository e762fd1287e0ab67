"""Greedy colourings of the columns of a sparse structure, twin of src/coloring.c."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LARGEST_FIRST: Final = 0
SMALLEST_LAST: Final = 1

Integers = NDArray[np.intp]


def order_columns(
    column_begin: Integers, rows: Integers, row_begin: Integers, columns: Integers, kind: int, out: Integers
) -> None:
    """The columns in the order asked for, into out (n,): nd_order_columns."""
    beside = _neighbours(column_begin, rows, row_begin, columns)
    n = len(beside)
    key = [len(found) for found in beside]
    buckets: list[dict[int, None]] = [{} for _ in range(n)]  # what is put in last is taken first
    for j in reversed(range(n)):
        buckets[key[j]][j] = None
    if kind == LARGEST_FIRST:
        out[:] = [j for bucket in reversed(buckets) for j in reversed(bucket)]
        return
    least, order = 0, []
    for _ in range(n):
        while not buckets[least]:
            least += 1
        j, _ = buckets[least].popitem()
        key[j] = -1
        order.append(j)
        for column in beside[j]:
            if key[column] >= 0:
                del buckets[key[column]][column]
                key[column] -= 1
                buckets[key[column]][column] = None
                least = min(least, key[column])
    out[:] = order[::-1]


def color_columns(
    column_begin: Integers,
    rows: Integers,
    row_begin: Integers,
    columns: Integers,
    order: Any,
    saturated: bool,
    colors: Integers,
) -> int:
    """The colours of the columns, into colors (n,), and their number: nd_color_columns, nd_color_saturated."""
    n = len(colors)
    found = [-1] * n
    sequence = range(n) if order is None else order.tolist()
    if saturated:
        beside = _neighbours(column_begin, rows, row_begin, columns)
        masks = [0] * n
        ranks = [0] * n
        for rank, j in enumerate(sequence):
            ranks[j] = rank
        heap = [(0, ranks[j], j) for j in sequence]  # a heap already
        while heap:
            fewer, _, j = heappop(heap)
            if found[j] >= 0 or -fewer != masks[j].bit_count():
                continue  # an entry from before
            color = found[j] = _least({found[column] for column in beside[j]})
            bit = 1 << color if color < 64 else 0
            for column in beside[j]:
                if found[column] < 0 and bit & ~masks[column]:
                    masks[column] |= bit
                    heappush(heap, (-masks[column].bit_count(), ranks[column], column))
    else:
        rows_of, columns_of = _lists(column_begin, rows), _lists(row_begin, columns)
        for j in sequence:
            found[j] = _least({found[column] for row in rows_of[j] for column in columns_of[row]})
    colors[:] = found
    return max(found, default=-1) + 1


def color_star(row_begin: Integers, columns: Integers, order: Any, colors: Integers) -> int:
    """The colours of the columns of a symmetric structure, into colors (n,), and their number: nd_color_star."""
    beside = [[w for w in ws if w != v] for v, ws in enumerate(_lists(row_begin, columns))]
    found = [-1] * len(beside)
    for v in range(len(beside)) if order is None else order.tolist():
        forbidden = set()
        for w in beside[v]:
            forbidden.add(found[w])
            for x in beside[w]:
                if x == v or found[x] < 0:
                    continue
                if found[w] < 0 or any(y != w and found[y] == found[w] for y in beside[x]):
                    forbidden.add(found[x])
        found[v] = _least(forbidden)
    colors[:] = found
    return max(found, default=-1) + 1


def _neighbours(column_begin: Integers, rows: Integers, row_begin: Integers, columns: Integers) -> list[list[int]]:
    """The columns that share a row with each column, in the order found."""
    columns_of = _lists(row_begin, columns)
    beside = []
    for j, rows_of_j in enumerate(_lists(column_begin, rows)):
        found = dict.fromkeys(column for row in rows_of_j for column in columns_of[row])
        found.pop(j, None)
        beside.append(list(found))
    return beside


def _lists(begin: Integers, members: Integers) -> list[list[int]]:
    cuts, flat = begin.tolist(), members.tolist()
    return [flat[a:b] for a, b in pairwise(cuts)]


def _least(forbidden: set[int]) -> int:
    color = 0
    while color in forbidden:
        color += 1
    return color
