// The algorithm `direct`, compiled once per instruction set (CORR2D_SET names the copy): every tap in its turn.
#include "correlate.h"
#include "tap_sums.h"

namespace corr2d {

int CORR2D_ENTRY(direct)(const Job& job, int threads, bool (*interrupted)()) {
    switch (job.sum) {
        case Element::f32: return TapSums<float, Order::dense>(job, threads).run(interrupted);
        case Element::f64: return TapSums<double, Order::dense>(job, threads).run(interrupted);
        case Element::i32: return TapSums<int32_t, Order::dense>(job, threads).run(interrupted);
        default: return TapSums<int64_t, Order::dense>(job, threads).run(interrupted);
    }
}

}  // namespace corr2d
