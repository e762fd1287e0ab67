/* Second derivatives from values: the diagonal, then the mixed ones. Two-sided, one-sided, or one of each. */
#include "point.h"

#include <math.h>

/* Where coordinate x goes for the first (side 0) or second point beside it. */
static double moved(double x, double h, int one_sided, int side)
{
    if (side == 0) {
        return x + h;
    }
    return one_sided ? x + 2.0 * h : x - h;
}

int nd_hessian_diagonal(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                        ptrdiff_t begin, ptrdiff_t end, double f0, double *near, double *diagonal)
{
    for (ptrdiff_t k = begin; k < end; k++) {
        double x = point->x0[index ? index[k] : k];
        if (x + h[k] == x) {
            return ND_NO_STEP;
        }
    }

    int remarks = ND_OK;
    for (ptrdiff_t k = begin; k < end; k++) {
        ptrdiff_t i = index ? index[k] : k;
        double x = point->x0[i];
        double step[2], slope[2];
        for (int side = 0; side < 2; side++) {
            double to = moved(x, h[k], one_sided && one_sided[k], side);
            int status = evaluate(point, i, to, &near[2 * k + side]);
            if (status != ND_OK) {
                return status;
            }
            step[side] = to - x;
            slope[side] = (near[2 * k + side] - f0) / step[side];
        }
        /* A second divided difference: right for any two steps, so also for those that rounding has made unequal,
         * where f+ - 2 f0 + f- would have a part of f' in it. The differences from f0 are exact or nearly so. */
        diagonal[k] = (slope[0] - slope[1]) / (0.5 * (step[0] - step[1]));
        if (!isfinite(diagonal[k])) {
            remarks = ND_NONFINITE;
        }
    }
    return nd_intact(point) == ND_OK ? remarks : ND_WRITTEN;
}

int nd_hessian_mixed(nd_point *point, const ptrdiff_t *index, const double *h, const unsigned char *one_sided,
                     ptrdiff_t count, ptrdiff_t begin, ptrdiff_t end, double f0, const double *near, double *hessian)
{
    int remarks = ND_OK;
    for (ptrdiff_t k = begin; k < end; k++) {
        ptrdiff_t i = index ? index[k] : k;
        double xi = point->x0[i];
        /* The mean of two corners, (+, +) and (-, -), which cancels the odd terms of the error; a one-sided
         * coordinate stays on its side. */
        int i_one_sided = one_sided && one_sided[k];
        double up_i = moved(xi, h[k], i_one_sided, 0), down_i = i_one_sided ? up_i : moved(xi, h[k], 0, 1);
        for (ptrdiff_t l = k + 1; l < count; l++) {
            ptrdiff_t j = index ? index[l] : l;
            double xj = point->x0[j];
            int j_one_sided = one_sided && one_sided[l];
            double up_j = moved(xj, h[l], j_one_sided, 0), down_j = j_one_sided ? up_j : moved(xj, h[l], 0, 1);
            int status = evaluate_pair(point, i, up_i, j, up_j, &hessian[k * count + l]);
            if (status == ND_OK && !(i_one_sided && j_one_sided)) {
                status = evaluate_pair(point, i, down_i, j, down_j, &hessian[l * count + k]);
            }
            if (status != ND_OK) {
                return status;
            }
        }
        /* Only now what is made of them: the next call would wait for the divisions. */
        for (ptrdiff_t l = k + 1; l < count; l++) {
            double xj = point->x0[index ? index[l] : l];
            int j_one_sided = one_sided && one_sided[l], corners = i_one_sided && j_one_sided ? 1 : 2;
            double sum = 0.0;
            for (int corner = 0; corner < corners; corner++) {
                int a = corner && !i_one_sided, b = corner && !j_one_sided;
                double fij = corner == 0 ? hessian[k * count + l] : hessian[l * count + k];
                double to_i = corner == 0 ? up_i : down_i, to_j = moved(xj, h[l], j_one_sided, b);
                /* The change along i at x_j moved, less that at x_j. Neighbours are subtracted first: exact or nearly
                 * so, and what is left is of the size of h f', so the only rounding that counts is in fun's values. */
                double change = (fij - near[2 * l + b]) - (near[2 * k + a] - f0);
                double quotient = change / (to_i - xi) / (to_j - xj);
                sum = corner == 0 ? quotient : sum + quotient;
            }
            double mixed = corners == 1 ? sum : 0.5 * sum;
            hessian[k * count + l] = mixed;
            hessian[l * count + k] = mixed;
            if (!isfinite(mixed)) {
                remarks = ND_NONFINITE;
            }
        }
    }
    return nd_intact(point) == ND_OK ? remarks : ND_WRITTEN;
}
