/* nd_order_columns, nd_color_columns, nd_color_saturated, nd_color_star: paths, grids, arrows, and what they promise. */
#include "minunit.h"
#include "numdiff.h"

enum { MOST = 400, SIDE = 20 };

static ptrdiff_t begin[MOST + 1], columns[5 * MOST], order[MOST], colors[MOST], work[7 * MOST];
static uint64_t beside[MOST];
static nd_structure s;

/* Five-point grid of SIDE x SIDE, or of 1 x n a tridiagonal structure: symmetric, so that rows are columns. */
static void grid(ptrdiff_t k, ptrdiff_t l)
{
    ptrdiff_t e = 0;
    for (ptrdiff_t j = 0; j < k * l; j++) {
        ptrdiff_t r = j / l, c = j % l;
        begin[j] = e;
        if (r > 0)
            columns[e++] = j - l;
        if (c > 0)
            columns[e++] = j - 1;
        columns[e++] = j;
        if (c < l - 1)
            columns[e++] = j + 1;
        if (r < k - 1)
            columns[e++] = j + l;
    }
    begin[k * l] = e;
    s = (nd_structure){k * l, begin, columns, begin, columns};
}

static void arrow(ptrdiff_t n)
{
    ptrdiff_t e = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        begin[j] = e;
        for (ptrdiff_t i = 0; i < (j == 0 ? n : 1); i++) {
            columns[e++] = i;
        }
        if (j > 0)
            columns[e++] = j;
    }
    begin[n] = e;
    s = (nd_structure){n, begin, columns, begin, columns};
}

/* Entries that share their row with another of the same colour. */
static int clashes(void)
{
    int found = 0;
    for (ptrdiff_t i = 0; i < s.n; i++) {
        for (ptrdiff_t d = begin[i]; d < begin[i + 1]; d++) {
            for (ptrdiff_t e = begin[i]; e < d; e++) {
                found += colors[columns[d]] == colors[columns[e]];
            }
        }
    }
    return found;
}

static int is_permutation(void)
{
    int seen[MOST] = {0}, good = 1;
    for (ptrdiff_t j = 0; j < s.n; j++) {
        good &= order[j] >= 0 && order[j] < s.n && !seen[order[j]]++;
    }
    return good;
}

static void bands_and_grids(void)
{
    grid(1, 50);
    CHECK_EQUAL(nd_color_columns(&s, NULL, colors, work), 3);
    CHECK_EQUAL(clashes(), 0);
    CHECK_EQUAL(nd_color_saturated(&s, NULL, colors, beside, work), 3);
    grid(SIDE, SIDE);
    for (int kind = ND_LARGEST_FIRST; kind <= ND_SMALLEST_LAST; kind++) {
        nd_order_columns(&s, kind, order, work);
        CHECK_EQUAL(is_permutation(), 1);
        CHECK_EQUAL(nd_color_columns(&s, order, colors, work) <= 9, 1);
        CHECK_EQUAL(clashes(), 0);
    }
    nd_order_columns(&s, ND_LARGEST_FIRST, order, work);
    CHECK_EQUAL(nd_color_saturated(&s, order, colors, beside, work), 5);
    CHECK_EQUAL(clashes(), 0);
}

static void stars(void)
{
    arrow(30);
    CHECK_EQUAL(nd_color_star(&s, NULL, colors, work), 2);
    CHECK_EQUAL(colors[0] == colors[1], 0);
    grid(1, 50);
    CHECK_EQUAL(nd_color_star(&s, NULL, colors, work), 3);
    for (ptrdiff_t j = 0; j + 3 < s.n; j++) { /* no path of four has two colours */
        CHECK_EQUAL(colors[j] == colors[j + 2] && colors[j + 1] == colors[j + 3], 0);
        CHECK_EQUAL(colors[j] == colors[j + 1], 0);
    }
}

static void nothing_and_all(void)
{
    ptrdiff_t none[3] = {0, 0, 0};
    s = (nd_structure){2, none, columns, none, columns};
    CHECK_EQUAL(nd_color_columns(&s, NULL, colors, work), 1);
    CHECK_EQUAL(colors[0] + colors[1], 0);
    nd_order_columns(&s, ND_SMALLEST_LAST, order, work);
    CHECK_EQUAL(is_permutation(), 1);
    s = (nd_structure){0, none, columns, none, columns};
    CHECK_EQUAL(nd_color_columns(&s, NULL, colors, work), 0);
    CHECK_EQUAL(nd_color_star(&s, NULL, colors, work), 0);
    CHECK_EQUAL(nd_color_saturated(&s, NULL, colors, beside, work), 0);
    nd_order_columns(&s, ND_LARGEST_FIRST, order, work);

    ptrdiff_t ends[] = {0, 70}, each[71], zeros[70] = {0}; /* one full row: more colours than the masks have bits */
    for (ptrdiff_t j = 0; j < 70; j++) {
        each[j] = columns[j] = j;
    }
    each[70] = 70;
    s = (nd_structure){70, each, zeros, ends, columns};
    CHECK_EQUAL(nd_color_saturated(&s, NULL, colors, beside, work), 70);
    CHECK_EQUAL(nd_color_columns(&s, NULL, colors, work), 70);
}

int main(void)
{
    RUN(bands_and_grids);
    RUN(stars);
    RUN(nothing_and_all);
    return mu_report();
}
