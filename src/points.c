/* One function at many points: the columns of an array. */
#include "numdiff.h"

#include <string.h>

static void take_column(ptrdiff_t n, ptrdiff_t count, const double *columns, ptrdiff_t k, double *x)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        x[i] = columns[i * count + k];
    }
}

int nd_gradients(nd_point *point, const nd_stencil *stencil, ptrdiff_t count, const double *columns, double relative,
                 double x_scale, double *x0, double *work, double *gradients)
{
    ptrdiff_t n = point->n;
    double *h = work, *df = work + n, fx;
    int remarks = ND_OK;
    for (ptrdiff_t k = 0; k < count; k++) {
        take_column(n, count, columns, k, x0);
        memcpy(point->x, x0, (size_t)n * sizeof *x0);
        nd_move(n, x0, relative, x_scale, 1.0, h);
        for (ptrdiff_t i = 0; i < n; i++) {
            h[i] -= x0[i];
        }
        int status = nd_difference(point, stencil, NULL, h, 0, n, NULL, &fx, 0, df);
        if (status < 0) {
            return status;
        }
        remarks |= status;
        for (ptrdiff_t i = 0; i < n; i++) {
            gradients[i * count + k] = df[i];
        }
    }
    return remarks;
}

int nd_columns(nd_point *point, ptrdiff_t count, const double *columns, double *fx)
{
    for (ptrdiff_t k = 0; k < count; k++) {
        take_column(point->n, count, columns, k, point->x);
        int status = point->function(point->n, point->x, 1, fx + k, point->context);
        if (status != ND_OK) {
            return status;
        }
        point->calls++;
    }
    return ND_OK;
}
