/* What forward differences say of derivatives that are to be checked. */
#include "numdiff.h"

#include <float.h>
#include <math.h>

static double largest(const double *values, ptrdiff_t size, double so_far)
{
    for (ptrdiff_t k = 0; k < size; k++) {
        double value = fabs(values[k]);
        so_far = value > so_far ? value : so_far;
    }
    return so_far;
}

static int in_float32(double value)
{
    return fabs(value) <= (double)FLT_MAX && (double)(float)value == value;
}

/* Whether all values have no more digits than float32 has, and some differ from f0. */
static int short_values(ptrdiff_t count, ptrdiff_t m, const double *f0, const double *values)
{
    int differ = 0;
    for (ptrdiff_t r = 0; r < m; r++) {
        if (!in_float32(f0[r])) {
            return 0;
        }
    }
    for (ptrdiff_t k = 0; k < count * m; k++) {
        if (!in_float32(values[k])) {
            return 0;
        }
        differ |= values[k] != f0[k % m];
    }
    return differ;
}

int nd_settle(ptrdiff_t count, ptrdiff_t m, const double *a, const double *rows, const double *h, const double *part,
              const double *f0, const double *values, const double *back, double eps, double rtol,
              unsigned char *doubtful, double *size)
{
    int said = 0;
    *size = largest(values, count * m, largest(f0, m, 0.0));
    double rounding = ND_ROUNDING * eps * *size;
    double fine = ND_SETTLING * (rtol > ND_FINEST ? rtol : ND_FINEST);
    for (ptrdiff_t k = 0; k < count; k++) {
        double bar = rounding / h[k];
        doubtful[k] = 0;
        for (ptrdiff_t r = 0; r < m; r++) {
            double row = rows[k * m + r], steep = fabs(row);
            int settled = fabs(a[k * m + r] - row) <= rtol * steep + bar;
            settled &= bar <= fine * steep; /* with more, an error of that size would pass */
            doubtful[k] |= (unsigned char)!settled;
        }
        said |= doubtful[k] ? ND_DOUBTFUL : 0;
    }
    double n = (double)count, share = 1e-7 * n > 1e-6 ? 1e-7 * n : 1e-6;
    for (ptrdiff_t r = 0; r < m; r++) {
        double change = 0.0, reach = 0.0;
        for (ptrdiff_t k = 0; k < count; k++) {
            double row = rows[k * m + r];
            change += part[k] * row;
            reach += part[k] * fabs(row);
        }
        double apart = fabs(back[r] - (f0[r] - change));
        said |= apart <= share * reach + 2.0 * rounding * sqrt(n) ? 0 : ND_BENT;
    }
    return said | (short_values(count, m, f0, values) ? ND_SHORT : 0);
}
