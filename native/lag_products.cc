// Lag products tap by tap, compiled once per instruction set.
#include "lag_products.h"

#include "correlate.h"
#include "lots.h"

namespace corr2d {
namespace {

template <class T> int run(const Job& job, double* sums, int threads, bool (*interrupted)()) {
    const LagProducts<T> products(job);
    const int64_t values = job.out_channels * job.channels * job.rows.taps * job.columns.taps;
    const Lots lots(job.groups, values, job.planes() * products.bands() * products.tiles_per_band());
    if (!lots.ready()) return kOutOfMemory;
    const auto task = [&](int64_t index, Scratch& scratch) -> int {
        char* memory = static_cast<char*>(scratch.reserve(products.scratch_bytes()));
        if (memory == nullptr) return kOutOfMemory;
        const Lots::Lot lot = lots.lot(index, sums);
        for (int64_t tile = lot.first; tile < lot.last; ++tile)
            products.add(products.locate(tile), lot.sum, 0, job.out_channels, 0, job.channels, lot.totals, memory);
        return kDone;
    };
    const int outcome = run_all(lots.tasks(), threads, interrupted, task);
    lots.add_up(sums);
    return outcome;
}

}  // namespace

int CORR2D_ENTRY(lag_products)(const Job& job, double* sums, int threads, bool (*interrupted)()) {
    return job.sum == Element::f32 ? run<float>(job, sums, threads, interrupted) : run<double>(job, sums, threads, interrupted);
}

}  // namespace corr2d
