/* One call of a native function, in line: for a loop over cheap ones. */
#ifndef NUMDIFF_NATIVE_H
#define NUMDIFF_NATIVE_H

#include "numdiff.h"

#include <string.h>

/* Reads the clock, before a call; says how many calls until it is read again, and watches if it is time to. */
int look_native(nd_native *native, ptrdiff_t n, const double *x);

/* nd_call_native. */
static inline int call_native(ptrdiff_t n, const double *x, ptrdiff_t m, double *fx, void *context)
{
    nd_native *native = context;
    if (--native->left < 0) {
        if (look_native(native, n, x) != ND_OK) {
            return ND_STOPPED;
        }
        if (native->first) {
            memcpy(fx, native->first, (size_t)m * sizeof *fx);
            native->first = NULL;
            return ND_OK;
        }
    }
    if (native->number) {
        *fx = native->number((int)n, (double *)x);
        return ND_OK;
    }
    if (native->number_with_data) {
        *fx = native->number_with_data((int)n, (double *)x, native->data);
        return ND_OK;
    }
    memset(fx, 0xff, (size_t)m * sizeof *fx); /* all nan: what it does not fill must be no number */
    int status = native->numbers((int)n, (double *)x, (int)m, fx, native->data);
    if (status != 0) {
        native->watch(n, x, status, native->context);
        return ND_STOPPED;
    }
    return ND_OK;
}

#endif
