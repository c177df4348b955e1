// The algorithm `folded`, compiled once per instruction set: kernels that are their own mirror image from left to right
// add two pixels before they multiply.
#include "correlate.h"
#include "tap_sums.h"

namespace corr2d {

int CORR2D_ENTRY(folded)(const Job& job, int threads, bool (*interrupted)()) {
    if (job.sum == Element::f64) return TapSums<double, Order::folded>(job, threads).run(interrupted);
    return TapSums<float, Order::folded>(job, threads).run(interrupted);
}

}  // namespace corr2d
