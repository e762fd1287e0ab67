/* The noise of a function, from the differences of its values on a line. */
#include "numdiff.h"

#include <math.h>

void nd_noise_table(ptrdiff_t m, const double *f, double *work, double *levels, unsigned char *changes)
{
    for (ptrdiff_t i = 0; i <= m; i++) {
        work[i] = f[i];
    }
    double gamma = 1.0; /* (k!)^2 / (2k)! */
    for (ptrdiff_t k = 1; k <= m; k++) {
        ptrdiff_t count = m + 1 - k;
        double sum = 0.0;
        int up = 0, down = 0;
        gamma *= (double)k / (double)(4 * k - 2);
        for (ptrdiff_t i = 0; i < count; i++) {
            double difference = work[i + 1] - work[i];
            work[i] = difference;
            sum += difference * difference;
            up |= difference > 0.0;
            down |= difference < 0.0;
        }
        levels[k - 1] = sqrt(gamma * (sum / (double)count));
        changes[k - 1] = (unsigned char)(up & down);
    }
}
