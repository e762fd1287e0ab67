/* The entries of a sparse Jacobian, from differences along groups of its columns. */
#include "numdiff.h"

#include <math.h>

ptrdiff_t nd_entries_alone(const nd_structure *s, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t *last,
                           unsigned char *alone)
{
    ptrdiff_t shared = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
            last[groups[s->columns[d]]] = -1;
        }
        for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
            ptrdiff_t *other = &last[groups[s->columns[d]]];
            alone[d] = *other < 0;
            if (*other >= 0) {
                shared += 1 + alone[*other];
                alone[*other] = 0;
            }
            *other = d;
        }
    }
    return shared;
}

int nd_entries(const nd_structure *s, ptrdiff_t m, const ptrdiff_t *groups, ptrdiff_t begin, ptrdiff_t end,
               const nd_stencil *stencil, const unsigned char *chosen, const double *x, const double *h,
               const double *f0, const double *values, double *entries)
{
    ptrdiff_t size = stencil->size, calls = size - (stencil->offsets[0] == 0.0);
    double first = stencil->offsets[0], last = stencil->offsets[size - 1];
    int remarks = ND_OK;
    for (ptrdiff_t i = 0; i < m; i++) {
        for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
            ptrdiff_t column = s->columns[d], group = groups[column];
            if (group < begin || group >= end || (chosen && !chosen[column])) {
                continue;
            }
            const double *value = values + (group - begin) * calls * m + i;
            double sum = 0.0;
            for (ptrdiff_t j = 0; j < size; j++) {
                double term;
                if (stencil->offsets[j] == 0.0) {
                    term = stencil->weights[j] * f0[i];
                } else {
                    term = stencil->weights[j] * *value;
                    value += m;
                }
                sum = j == 0 ? term : sum + term;
            }
            double span = (x[column] + last * h[column]) - (x[column] + first * h[column]);
            entries[d] = sum / (stencil->scale * span);
            if (!isfinite(entries[d])) {
                remarks = ND_NONFINITE;
            }
        }
    }
    return remarks;
}

void nd_along(const nd_structure *s, ptrdiff_t m, const double *entries, const double *step, const double *x,
              double *sums)
{
    for (ptrdiff_t i = 0; i < m; i++) {
        double change = 0.0, size = 0.0, rounding = 0.0;
        for (ptrdiff_t d = s->row_begin[i]; d < s->row_begin[i + 1]; d++) {
            if (!isfinite(entries[d])) {
                continue;
            }
            double term = entries[d] * step[s->columns[d]];
            change += term;
            size += fabs(term);
            rounding += fabs(entries[d] * x[s->columns[d]]);
        }
        sums[i] = change;
        sums[m + i] = size;
        sums[2 * m + i] = rounding;
    }
}
