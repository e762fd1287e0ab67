/* The Rosenbrock function as a native function, and a C program's way to differentiate it: what numdiff is measured by.
 *
 * report.py compiles this with the local compiler. Sums have four parts, as one alone waits for each addition. */
#include <math.h>

double rosen(int n, double *x)
{
    double sum[4] = {0.0, 0.0, 0.0, 0.0};
    int i = 0;
    for (; i + 4 < n; i += 4) {
        for (int k = 0; k < 4; k++) {
            double a = x[i + k + 1] - x[i + k] * x[i + k], b = 1.0 - x[i + k];
            sum[k] += 100.0 * a * a + b * b;
        }
    }
    for (; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        sum[0] += 100.0 * a * a + b * b;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Its gradient, as a native function of n values. */
int rosen_gradient(int n, double *x, int m, double *g, void *data)
{
    (void)m, (void)data;
    double left = 0.0; /* what the term before has for x[i] */
    for (int i = 0; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        g[i] = left - 400.0 * x[i] * a - 2.0 * b;
        left = 200.0 * a;
    }
    g[n - 1] = left;
    return 0;
}

static double step(double x, double relative)
{
    double h = relative * fmax(fabs(x), 1.0);
    int exponent;
    double significand = frexp(h, &exponent);
    return ldexp(1.0, significand < 0.75 ? exponent - 1 : exponent);
}

/* Central differences: x is moved and restored. */
static void gradient(double (*fun)(int, double *), int n, double *x, double *out)
{
    double relative = cbrt(0x1p-52);
    for (int i = 0; i < n; i++) {
        double xi = x[i], h = step(xi, relative), up = xi + h, down = xi - h;
        x[i] = up;
        double right = fun(n, x);
        x[i] = down;
        double left = fun(n, x);
        x[i] = xi;
        out[i] = (right - left) / (up - down);
    }
}

/* The same over and over. */
void gradients(double (*fun)(int, double *), int n, double *x, double *out, int times)
{
    for (int t = 0; t < times; t++) {
        gradient(fun, n, x, out);
    }
}

/* Gradient descent from x, until the norm of the gradient is below gtol or no number; the number of steps. By jac, or where
 * that is NULL by central differences of fun. g has room for n. */
int descend(double (*fun)(int, double *), int (*jac)(int, double *, int, double *, void *), int n, double *x, double *g,
            double rate, double gtol, int maxiter)
{
    for (int nit = 0;; nit++) {
        if (jac) {
            if (jac(n, x, n, g, 0)) {
                return -1;
            }
        } else {
            gradient(fun, n, x, g);
        }
        double sum[4] = {0.0, 0.0, 0.0, 0.0};
        int i = 0;
        for (; i + 4 <= n; i += 4) {
            for (int k = 0; k < 4; k++) {
                sum[k] += g[i + k] * g[i + k];
            }
        }
        for (; i < n; i++) {
            sum[0] += g[i] * g[i];
        }
        double norm = sqrt((sum[0] + sum[1]) + (sum[2] + sum[3]));
        if (!(norm >= gtol) || isinf(norm) || nit == maxiter) {
            return nit;
        }
        for (i = 0; i < n; i++) {
            x[i] -= rate * g[i];
        }
    }
}

/* The gradients at k points, the columns of an array (n, k). x has room for n. */
void gradients_at(double (*fun)(int, double *), int n, int k, double *columns, double *x, double *out)
{
    double relative = cbrt(0x1p-52);
    for (int p = 0; p < k; p++) {
        for (int i = 0; i < n; i++) {
            x[i] = columns[i * k + p];
        }
        for (int i = 0; i < n; i++) {
            double xi = x[i], h = step(xi, relative), up = xi + h, down = xi - h;
            x[i] = up;
            double right = fun(n, x);
            x[i] = down;
            double left = fun(n, x);
            x[i] = xi;
            out[i * k + p] = (right - left) / (up - down);
        }
    }
}

/* The Hessian from values at n^2 + n + 1 points. h has room for n, beside for 2n. */
void hessian(double (*fun)(int, double *), int n, double *x, double *h, double *beside, double *out)
{
    double relative = sqrt(sqrt(0x1p-52)), f0 = fun(n, x);
    for (int i = 0; i < n; i++) {
        double xi = x[i];
        h[i] = step(xi, relative);
        for (int side = 0; side < 2; side++) {
            x[i] = side ? xi - h[i] : xi + h[i];
            beside[2 * i + side] = fun(n, x);
        }
        x[i] = xi;
        out[i * n + i] = (beside[2 * i] - 2.0 * f0 + beside[2 * i + 1]) / (h[i] * h[i]);
    }
    for (int i = 0; i < n; i++) {
        double xi = x[i];
        for (int j = i + 1; j < n; j++) {
            double xj = x[j];
            x[i] = xi + h[i];
            x[j] = xj + h[j];
            double up = fun(n, x);
            x[i] = xi - h[i];
            x[j] = xj - h[j];
            double down = fun(n, x);
            x[i] = xi;
            x[j] = xj;
            double sum = up - beside[2 * i] - beside[2 * j] + 2.0 * f0 - beside[2 * i + 1] - beside[2 * j + 1] + down;
            out[i * n + j] = out[j * n + i] = 0.5 * sum / (h[i] * h[j]);
        }
    }
}
