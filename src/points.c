/* One function at many points: the columns of an array. */
#include "native.h"
#include "point.h"

#include <math.h>

static void take_column(ptrdiff_t n, ptrdiff_t count, const double *columns, ptrdiff_t k, double *x)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        x[i] = columns[i * count + k];
    }
}

/* Whether x is not what it was before the call, x0, which is finite; as in nd_evaluate, if x is long. */
static inline int written(const nd_point *point, const double *x, const double *x0)
{
    ptrdiff_t n = point->n;
    if (n > ND_BLOCK) {
        return !intact_after(point, point->calls - 1);
    }
    int found = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        found |= x[i] != x0[i];
    }
    return found;
}

static inline int call(nd_point *point, double *fx)
{
    int status = point->function == nd_call_native ? call_native(point->n, point->x, 1, fx, point->context)
                                                   : point->function(point->n, point->x, 1, fx, point->context);
    point->calls++;
    return status;
}

int nd_gradients(nd_point *point, ptrdiff_t count, const double *columns, double relative, double x_scale, double *x0,
                 double *gradients)
{
    ptrdiff_t n = point->n;
    double *x = point->x;
    /* The points x + h take the place of the results. */
    if (nd_move(n * count, columns, relative, x_scale, 1.0, gradients) != ND_OK) {
        return ND_OVERFLOW;
    }
    int remarks = ND_OK;
    for (ptrdiff_t k = 0; k < count; k++) {
        take_column(n, count, columns, k, x0);
        take_column(n, count, columns, k, x);
        for (ptrdiff_t i = 0; i < n; i++) {
            double *result = gradients + i * count + k;
            double xi = x0[i], h = *result - xi, ends[2], values[2];
            for (int side = 0; side < 2; side++) {
                ends[side] = side == 0 ? xi - h : xi + h;
                x[i] = ends[side];
                int status = call(point, values + side);
                if (status != ND_OK) {
                    return status;
                }
                int moved = x[i] != ends[side];
                x[i] = xi;
                if (moved || written(point, x, x0)) {
                    return ND_WRITTEN;
                }
            }
            *result = (values[1] - values[0]) / (ends[1] - ends[0]);
            if (!isfinite(*result)) {
                remarks = ND_NONFINITE;
            }
        }
    }
    return remarks;
}

int nd_columns(nd_point *point, ptrdiff_t count, const double *columns, double *fx)
{
    for (ptrdiff_t k = 0; k < count; k++) {
        take_column(point->n, count, columns, k, point->x);
        int status = call(point, fx + k);
        if (status != ND_OK) {
            return status;
        }
    }
    return ND_OK;
}
