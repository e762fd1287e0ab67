/* The least that makes a C test. A check that fails says where and goes on; main returns mu_report(). */
#ifndef MINUNIT_H
#define MINUNIT_H

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* as doubles: math.h has them as floats */
#define MU_NAN ((double)NAN)
#define MU_INF ((double)INFINITY)

static int mu_checks, mu_failures;

/* Both numbers are printed, as a bare "not equal" in a loop over call numbers would say nothing. */
static inline void mu_check(const char *where, int line, const char *text, int good, double found, double expected)
{
    mu_checks++;
    if (!good) {
        mu_failures++;
        printf("  %s:%d: %s: found %.17g, expected %.17g\n", where, line, text, found, expected);
    }
}

static inline void mu_near(const char *where, int line, const char *text, double found, double expected, double by)
{
    mu_check(where, line, text, found == expected || fabs(found - expected) <= by, found, expected);
}

static inline void mu_bits(const char *where, int line, const char *text, const double *found, const double *expected,
                           ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        mu_check(where, line, text, memcmp(found + i, expected + i, sizeof *found) == 0, found[i], expected[i]);
    }
}

#define CHECK(condition) mu_check(__func__, __LINE__, #condition, (condition) != 0, 0, 1)
#define CHECK_EQUAL(found, expected) mu_near(__func__, __LINE__, #found, (double)(found), (double)(expected), 0.0)
#define CHECK_NEAR(found, expected, by) mu_near(__func__, __LINE__, #found, found, expected, by)
/* n doubles, to the bit: -0 is not 0, and a nan is itself */
#define CHECK_BITS(found, expected, n) mu_bits(__func__, __LINE__, #found, found, expected, n)

#define RUN(test)                                                                                                      \
    do {                                                                                                               \
        int failures_before = mu_failures;                                                                             \
        test();                                                                                                        \
        printf("%s %s\n", mu_failures == failures_before ? "ok    " : "FAILED", #test);                                \
    } while (0)

static inline int mu_report(void)
{
    printf("%d checks, %d failed\n", mu_checks, mu_failures);
    return mu_failures != 0 || mu_checks == 0;
}

#endif
