// The algorithm `sparse`, compiled once per instruction set: kernels with many zero weights, which are skipped.
#include "correlate.h"
#include "tap_sums.h"

namespace corr2d {

int CORR2D_ENTRY(sparse)(const Job& job, int threads, bool (*interrupted)()) {
    if (job.sum == Element::f64) return TapSums<double, Order::sparse>(job, threads).run(interrupted);
    return TapSums<float, Order::sparse>(job, threads).run(interrupted);
}

}  // namespace corr2d
