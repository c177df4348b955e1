// The algorithm `direct`, compiled once per instruction set (CORR2D_SET names the copy): every tap in its turn.
#include "correlate.h"
#include "correlation.h"

namespace corr2d {

int CORR2D_ENTRY(correlate)(const Job& job, int threads, bool (*interrupted)()) {
    switch (job.sum) {
        case Element::f32: return Correlation<float, Order::dense>(job, threads).run(interrupted);
        case Element::f64: return Correlation<double, Order::dense>(job, threads).run(interrupted);
        case Element::i32: return Correlation<int32_t, Order::dense>(job, threads).run(interrupted);
        default: return Correlation<int64_t, Order::dense>(job, threads).run(interrupted);
    }
}

}  // namespace corr2d
