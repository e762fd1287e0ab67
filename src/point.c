/* The functions of point.h for others, and the look at all of x. */
#include "point.h"

int nd_intact(const nd_point *point)
{
    return intact(point, 0, point->n) ? ND_OK : ND_WRITTEN;
}

int nd_evaluate_pair(nd_point *point, ptrdiff_t i, double xi, ptrdiff_t j, double xj, double *fx)
{
    return evaluate_pair(point, i, xi, j, xj, fx);
}

int nd_evaluate(nd_point *point, ptrdiff_t i, double xi, double *fx)
{
    return evaluate(point, i, xi, fx);
}
