/* The smallest user of the core: one header, one library, nothing else. */
#include "numdiff.h"

static int cube(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    (void)n, (void)m, (void)context;
    fx[0] = x[0] * x[0] * x[0];
    return 0;
}

int main(void)
{
    const double offsets[] = {-1.0, 1.0}, weights[] = {-1.0, 1.0}, h[] = {0.25}, x0[] = {2.0};
    const nd_stencil central = {2, offsets, weights, 1.0};
    double x[] = {2.0}, fx, df;
    nd_point point = {cube, NULL, 1, 1, x0, x, 0};

    int status = nd_difference(&point, &central, NULL, h, 0, 1, NULL, &fx, 0, &df);
    return !(status == ND_OK && point.calls == 2 && df == 12.0625); /* 3 x^2 + h^2, all exact in binary */
}
