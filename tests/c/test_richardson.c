/* nd_richardson_next: against exact derivatives, at poles, kinks and noise. */
#include "minunit.h"
#include "numdiff.h"

#include <float.h>

typedef double (*univariate)(double x);

static int calls;

/* All the steps of one component of one value; the sum of the calls of f is left in calls. */
static nd_limit limit_of(univariate f, double x, double noise, int one_sided)
{
    nd_richardson component = {0};
    nd_limit limit = {0};
    const double f0 = f(x);
    component.x = x;
    component.first = 1.0 / 64.0 * fmax(fabs(x), 1.0);
    component.longest = 0.5 * fmax(fabs(x), 1.0);
    component.eps = DBL_EPSILON;
    component.noise = noise;
    component.one_sided = one_sided;
    calls = 1;
    for (double h = component.h[0] = ldexp(1.0, -17); h != 0.0;) {
        /* where one-sided, the first value is not to be read */
        const double values[2] = {one_sided ? MU_NAN : f(x - h), f(x + h)};
        calls += one_sided ? 1 : 2;
        h = nd_richardson_next(&component, &limit, 1, &f0, values);
        CHECK(calls < 100);
        CHECK(fabs(h) <= component.longest);
    }
    return limit;
}

static double wave(double x)
{
    return sin(20.0 * x);
}
static double line(double x)
{
    return 3.0 * x - 2.0;
}
static double kinked(double x)
{
    return fabs(x - 1.0) + 0.5 * x;
}
static double slightly_kinked(double x)
{
    return sin(x) + 1e-3 * fabs(x - 1.0);
}
static double rounded(double x)
{
    return floor(1e5 * exp(x) + 0.5) / 1e5;
}
static double ramp(double x)
{
    return fmax(x - 1.001, 0.0);
}
static double pole(double x)
{
    return 1.0 / (x - 1.001);
}
static double jagged(double x)
{
    return sin(x) + 1e-8 * sin(1e7 * x);
}

static void smooth_functions(void)
{
    nd_limit limit = limit_of(exp, 1.0, 0.0, 0);
    CHECK_NEAR(limit.value, exp(1.0), 1e-12);
    CHECK(fabs(limit.value - exp(1.0)) <= limit.error);
    CHECK(limit.error < 1e-10);
    CHECK(limit.floor <= limit.error);
    CHECK_EQUAL(limit.remarks, 0);
    CHECK(calls <= 13);
    limit = limit_of(log, 1e-3, 0.0, 0); /* the first candidate would reach beyond 0 */
    CHECK_NEAR(limit.value, 1e3, 1e-5);
    CHECK(fabs(limit.value - 1e3) <= limit.error);
}

static void aliasing(void)
{
    /* a step proportional to |x| would be a hundred periods long here */
    const nd_limit limit = limit_of(wave, -506.0, 0.0, 0);
    const double exact = 20.0 * cos(20.0 * -506.0);
    CHECK_NEAR(limit.value, exact, 1e-7);
    CHECK(fabs(limit.value - exact) <= limit.error);
    CHECK_EQUAL(limit.remarks, 0);
}

static void lines_and_one_side(void)
{
    nd_limit limit = limit_of(line, 1.0, 0.0, 0);
    CHECK_NEAR(limit.value, 3.0, 1e-13);
    limit = limit_of(exp, 1.0, 0.0, 1);
    CHECK_NEAR(limit.value, exp(1.0), 1e-8);
    CHECK(fabs(limit.value - exp(1.0)) <= limit.error);
}

static void near_a_pole(void)
{
    const nd_limit limit = limit_of(pole, 1.0, 0.0, 0);
    CHECK_NEAR(limit.value, -1e6, 1e-3);
    CHECK(fabs(limit.value + 1e6) <= limit.error);
    CHECK(fabs(limit.step) < 1e-3);
}

static void kinks_are_told(void)
{
    const nd_limit limit = limit_of(kinked, 1.0, 0.0, 0);
    CHECK(limit.remarks & ND_KINK);
    CHECK_NEAR(limit.value, 0.5, 1e-9);
    CHECK(limit.error >= 0.99); /* half the difference of the slopes -1/2 and 3/2 */
}

static void weak_kinks_are_told(void)
{
    const nd_limit limit = limit_of(slightly_kinked, 1.0, 0.0, 0);
    CHECK_EQUAL(limit.remarks, ND_KINK);
    CHECK(fabs(limit.error - 1e-3) < 1e-5);
}

static void few_digits_are_noise(void)
{
    nd_limit limit = limit_of(rounded, 0.3, 0.0, 0);
    CHECK(limit.remarks & ND_NOISY);
    CHECK_NEAR(limit.value, exp(0.3), 0.02);
    CHECK(fabs(limit.value - exp(0.3)) <= limit.error);
    limit = limit_of(ramp, 1.0, 0.0, 0); /* constant, but not far from x */
    CHECK_EQUAL(limit.value, 0.0);
    CHECK_EQUAL(limit.remarks, 0);
}

static void an_infinite_slope_widens_the_bar(void)
{
    const nd_limit limit = limit_of(cbrt, 0.0, 0.0, 0);
    CHECK(limit.remarks & ND_NOISY);
    CHECK(limit.error > 1e8);
}

static void noise_widens_the_bar(void)
{
    const double exact = cos(1.0);
    nd_limit limit = limit_of(jagged, 1.0, 1e-8, 0);
    CHECK(fabs(limit.value - exact) <= limit.error);
    CHECK(limit.error < 1e-3);
    CHECK(limit.error > 1e-9);
}

static void two_values_at_once(void)
{
    /* the bits of a value alone where both ask for the same steps */
    nd_richardson component = {0};
    nd_limit limits[2] = {0};
    const double x = 1.0, f0[] = {exp(x), exp(x)};
    component.x = x;
    component.first = 1.0 / 64.0;
    component.longest = 0.5;
    component.eps = DBL_EPSILON;
    for (double h = component.h[0] = ldexp(1.0, -17); h != 0.0;) {
        const double values[4] = {exp(x - h), exp(x - h), exp(x + h), exp(x + h)};
        h = nd_richardson_next(&component, limits, 2, f0, values);
    }
    const nd_limit alone = limit_of(exp, x, 0.0, 0);
    CHECK_BITS(&limits[0].value, &alone.value, 1);
    CHECK_BITS(&limits[1].value, &alone.value, 1);
    CHECK_BITS(&limits[1].error, &alone.error, 1);
}

static void a_value_that_is_no_number(void)
{
    nd_richardson component = {0};
    nd_limit limits[2] = {0};
    const double x = 1.0, f0[] = {MU_NAN, exp(x)};
    component.x = x;
    component.first = 1.0 / 64.0;
    component.longest = 0.5;
    component.eps = DBL_EPSILON;
    for (double h = component.h[0] = ldexp(1.0, -17); h != 0.0;) {
        const double values[4] = {MU_NAN, exp(x - h), MU_NAN, exp(x + h)};
        h = nd_richardson_next(&component, limits, 2, f0, values);
    }
    CHECK(isnan(limits[0].value));
    CHECK_EQUAL(limits[0].error, MU_INF);
    CHECK_NEAR(limits[1].value, exp(x), 1e-12);
}

int main(void)
{
    RUN(smooth_functions);
    RUN(aliasing);
    RUN(lines_and_one_side);
    RUN(near_a_pole);
    RUN(kinks_are_told);
    RUN(weak_kinks_are_told);
    RUN(few_digits_are_noise);
    RUN(an_infinite_slope_widens_the_bar);
    RUN(noise_widens_the_bar);
    RUN(two_values_at_once);
    RUN(a_value_that_is_no_number);
    return mu_report();
}
