/* Richardson's extrapolation: arithmetic over rows of differences. Calls no function. */
#include "numdiff.h"

#include <math.h>

void nd_extrapolate(ptrdiff_t count, ptrdiff_t m, ptrdiff_t *levels, double *zs, double *table, double *bars,
                    const double *z, const double *d, const double *bar, double *value, double *error, double *floor)
{
    for (ptrdiff_t k = 0; k < count; k++) {
        ptrdiff_t level = levels[k];
        double *z_old = zs + k * ND_LEVELS;
        for (ptrdiff_t r = 0; r < m; r++) {
            double *t = table + k * ND_LEVELS * m + r, *b = bars + k * ND_LEVELS * m + r;
            double *best = value + k * m + r, *least = error + k * m + r, *rounding = floor + k * m + r;
            double t_old = t[0], b_old = b[0]; /* of the row before, one column to the left */
            double t_new = d[k * m + r], b_new = bar[k * m + r];
            double before = 0.0; /* the correction made in the column before */
            t[0] = t_new;
            b[0] = b_new;
            for (ptrdiff_t j = 1; j <= level; j++) {
                double factor = z_old[j - 1] / z[k] - 1.0;
                double t_next = t_new + (t_new - t_old) / factor;
                double b_next = b_new + (b_new + b_old) / fabs(factor);
                double correction = fabs(t_next - t_new);
                double change = fabs(t_next - t_old);
                double estimate = change > correction ? change : correction;
                /* Where the corrections shrink fast, the next one is as much smaller again. */
                double shrinks = ND_CAUTION * (correction / before);
                if (shrinks < 1.0) {
                    estimate *= shrinks > ND_LEAST ? shrinks : ND_LEAST;
                }
                if (estimate + b_next < *least) {
                    *best = t_next;
                    *least = estimate + b_next;
                    *rounding = b_next;
                }
                t_old = t[j * m];
                b_old = b[j * m];
                t[j * m] = t_new = t_next;
                b[j * m] = b_new = b_next;
                before = correction;
            }
        }
        for (ptrdiff_t j = level; j > 0; j--) {
            z_old[j] = z_old[j - 1];
        }
        z_old[0] = z[k];
        levels[k] = level + 1;
    }
}
