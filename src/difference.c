/* First derivatives by any stencil: forward, backward, central, one-sided, of any order. */
#include "numdiff.h"

#include <math.h>

enum { HAS_NAN = 1, HAS_INF = 2 };

static int nonfinite(const double *values, ptrdiff_t m)
{
    int found = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (!isfinite(values[r])) {
            found |= isnan(values[r]) ? HAS_NAN : HAS_INF;
        }
    }
    return found;
}

int nd_difference(nd_point *point, const nd_stencil *stencil, const ptrdiff_t *index, const double *h, ptrdiff_t begin,
                  ptrdiff_t end, const double *f0, double *fx, int keep, double *df)
{
    const double *x0 = point->x0;
    ptrdiff_t m = point->m;

    for (ptrdiff_t k = begin; k < end; k++) {
        double x = x0[index ? index[k] : k];
        if (x + h[k] == x) {
            return ND_NO_STEP;
        }
    }

    int remarks = ND_OK;
    for (ptrdiff_t k = begin; k < end; k++) {
        ptrdiff_t i = index ? index[k] : k;
        double x = x0[i];
        double *row = df + k * m;
        int in_values = 0;
        for (ptrdiff_t j = 0; j < stencil->size; j++) {
            double offset = stencil->offsets[j], weight = stencil->weights[j];
            const double *value = f0;
            if (offset != 0.0) {
                int status = nd_evaluate(point, i, x + offset * h[k], fx);
                if (status != ND_OK) {
                    return status;
                }
                value = fx;
                fx += keep ? m : 0;
            }
            in_values |= nonfinite(value, m);
            for (ptrdiff_t r = 0; r < m; r++) {
                /* not 0 + ..., which would turn -0 into +0 */
                row[r] = j == 0 ? weight * value[r] : row[r] + weight * value[r];
            }
        }
        double span = (x + stencil->offsets[stencil->size - 1] * h[k]) - (x + stencil->offsets[0] * h[k]);
        for (ptrdiff_t r = 0; r < m; r++) {
            row[r] /= stencil->scale * span;
        }
        in_values |= nonfinite(&span, 1);
        int in_results = nonfinite(row, m);
        if (in_results) {
            int made_here = in_results & ~in_values;
            remarks |= ND_NONFINITE | (made_here & HAS_NAN ? ND_INVALID : 0) | (made_here & HAS_INF ? ND_OVERFLOW : 0);
        }
    }
    return nd_intact(point) == ND_OK ? remarks : ND_WRITTEN;
}
