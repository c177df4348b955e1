// The algorithm `sparse`, compiled once per instruction set: kernels with many zero weights, which are skipped.
#include "correlate.h"
#include "correlation.h"

namespace corr2d {

int CORR2D_ENTRY(sparse)(const Job& job, int threads, bool (*interrupted)()) {
    if (job.sum == Element::f64) return Correlation<double, Order::sparse>(job, threads).run(interrupted);
    return Correlation<float, Order::sparse>(job, threads).run(interrupted);
}

}  // namespace corr2d
