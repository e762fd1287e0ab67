/* One evaluation near x0: move one coordinate or two, call, restore, look for foreign writes.
 *
 * Every kernel calls the function here; in line, as a cheap function is called so often that each nanosecond counts. */
#ifndef NUMDIFF_POINT_H
#define NUMDIFF_POINT_H

#include "numdiff.h"

#include <string.h>

/* A foreign value where `expected` should be; a nan expected matches anything, as nan != nan. */
static inline int differs(double found, double expected)
{
    return found != expected && expected == expected;
}

static inline int intact(const nd_point *point, ptrdiff_t begin, ptrdiff_t end)
{
    size_t size = (size_t)(end - begin) * sizeof(double);
    return memcmp(point->x + begin, point->x0 + begin, size) == 0;
}

/* All of x after calls 0 and 1, then one block of ND_BLOCK after another. */
static inline int intact_after(const nd_point *point, ptrdiff_t call)
{
    ptrdiff_t n = point->n;
    ptrdiff_t blocks = (n + ND_BLOCK - 1) / ND_BLOCK;
    if (call < 2 || blocks == 1) {
        return intact(point, 0, n);
    }
    ptrdiff_t begin = call % blocks * ND_BLOCK;
    return intact(point, begin, begin + ND_BLOCK < n ? begin + ND_BLOCK : n);
}

/* nd_evaluate_pair. */
static inline int evaluate_pair(nd_point *point, ptrdiff_t i, double xi, ptrdiff_t j, double xj, double *fx)
{
    double x0i = point->x0[i], x0j = point->x0[j];
    int written = differs(point->x[i], x0i) || differs(point->x[j], x0j);
    if (written) {
        return ND_WRITTEN;
    }
    point->x[i] = xi;
    point->x[j] = xj;
    int status = point->function(point->n, point->x, point->m, fx, point->context);
    ptrdiff_t call = point->calls++;
    written = differs(point->x[i], xi) || differs(point->x[j], xj); /* before restoring, which would heal it */
    point->x[i] = x0i;
    point->x[j] = x0j;
    if (status != ND_OK) {
        return status;
    }
    return written || !intact_after(point, call) ? ND_WRITTEN : ND_OK;
}

/* nd_evaluate. */
static inline int evaluate(nd_point *point, ptrdiff_t i, double xi, double *fx)
{
    return evaluate_pair(point, i, xi, i, xi, fx);
}

#endif
