/* The derivative of a function of one variable at many points: what is done to the arrays between its calls.
 *
 * Memory sets the pace, so steps are worked out again in every pass rather than stored. */
#include "numdiff.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Vectors of four where the processor has them: with two, arithmetic would set the pace. The loader chooses. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) &&     \
    !defined(__SANITIZE_ADDRESS__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

enum { BLOCK = 512 };

static inline int64_t bits(double value)
{
    int64_t found;
    memcpy(&found, &value, sizeof found);
    return found;
}

/* steps() in _steps.py: relative max(|x|, x_scale), rounded to the nearest power of two. */
static inline double step(double x, double relative, double x_scale)
{
    double h = fabs(x);
    h = (h > x_scale ? h : x_scale) * relative;
    int64_t rounded = (bits(h) + (INT64_C(1) << 51)) & ~((INT64_C(1) << 52) - 1);
    memcpy(&h, &rounded, sizeof h);
    return h;
}

FOR_EACH_PROCESSOR
static int64_t move(ptrdiff_t n, const double *restrict x, double relative, double x_scale, double offset,
                    double *restrict out)
{
    const int64_t large = bits(1e300);
    int64_t found = 0; /* negative where some |x| is above: nan and inf are */
    for (ptrdiff_t i = 0; i < n; i++) {
        found |= large - bits(fabs(x[i]));
        out[i] = x[i] + offset * step(x[i], relative, x_scale);
    }
    return found;
}

int nd_move(ptrdiff_t n, const double *x, double relative, double x_scale, double offset, double *out)
{
    return move(n, x, relative, x_scale, offset, out) < 0 ? ND_OVERFLOW : ND_OK;
}

/* Negative where some |quotient| is above steepest: nan and inf are. */
static inline int64_t divide(ptrdiff_t n, const double *restrict x, double relative, double x_scale, double from,
                             double to, double scale, int64_t steepest, const double *restrict left,
                             const double *restrict right, double *restrict out)
{
    int64_t steep = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        double h = step(x[i], relative, x_scale);
        out[i] = (right[i] - left[i]) / (scale * ((x[i] + to * h) - (x[i] + from * h)));
        steep |= steepest - bits(fabs(out[i]));
    }
    return steep;
}

FOR_EACH_PROCESSOR
static int64_t quotients(ptrdiff_t n, const double *x, double relative, double x_scale, const double *offsets,
                         double scale, int64_t steepest, const double *left, const double *right, double *out)
{
    if (offsets[0] == -1.0 && offsets[1] == 1.0 && scale == 1.0) { /* the usual one, with no products in it */
        return divide(n, x, relative, x_scale, -1.0, 1.0, 1.0, steepest, left, right, out);
    }
    return divide(n, x, relative, x_scale, offsets[0], offsets[1], scale, steepest, left, right, out);
}

/* Negative where a quotient is not finite, or above steepest and suspect; only those of the signs count. */
typedef struct remarkable {
    int64_t nonfinite, suspect;
} remarkable;

FOR_EACH_PROCESSOR
static remarkable look(ptrdiff_t n, const double *restrict x, double relative, double x_scale, int64_t steepest,
                       const double *restrict left, const double *restrict right, const double *restrict quotient)
{
    const int64_t inf = bits(INFINITY);
    remarkable all = {0, 0};
    for (ptrdiff_t i = 0; i < n; i++) {
        int64_t size = bits(fabs(quotient[i]));
        int64_t opposite = bits(left[i]) ^ bits(right[i]);
        int64_t near = bits(fabs(x[i])) - bits(ND_NEAR * step(x[i], relative, x_scale));
        all.nonfinite |= inf - 1 - size;
        all.suspect |= (steepest - size) & (opposite | near) & (size - inf);
    }
    return all;
}

int nd_quotient(ptrdiff_t n, const double *x, double relative, double x_scale, const double *offsets, double scale,
                double steepest, const double *left, const double *right, double *out)
{
    double block[BLOCK]; /* as out may be left or right, which are read once more where something is remarkable */
    int remarks = ND_OK;
    for (ptrdiff_t i = 0; i < n; i += BLOCK) {
        ptrdiff_t size = n - i < BLOCK ? n - i : BLOCK;
        const double *xs = x + i, *a = left + i, *b = right + i;
        if (quotients(size, xs, relative, x_scale, offsets, scale, bits(steepest), a, b, block) < 0) {
            remarkable which = look(size, xs, relative, x_scale, bits(steepest), a, b, block);
            remarks |= which.nonfinite < 0 ? ND_NONFINITE : ND_OK;
            remarks |= which.suspect < 0 ? ND_SUSPECT : ND_OK;
        }
        memcpy(out + i, block, (size_t)size * sizeof *block);
    }
    return remarks;
}
