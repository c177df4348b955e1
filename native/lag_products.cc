// Lag products tap by tap, compiled once per instruction set.
#include "lag_products.h"

#include "correlate.h"
#include "lots.h"

namespace corr2d {
namespace {

template <class T> int run(const Job& job, double* sums, int threads, bool (*interrupted)()) {
    struct Call {
        const Job& job;
        const LagProducts<T> products;
        const Lots lots;
        double* sums;
        int outcome;
    };
    const LagProducts<T> products(job);
    const int64_t values = job.out_channels * job.channels * job.rows.taps * job.columns.taps;
    Call call = {job, products, {job.groups, values, job.planes() * products.bands() * products.tiles_per_band()}, sums, kDone};
    if (!call.lots.ready()) return kOutOfMemory;
    const auto task = [](void* self, int64_t index, Scratch& scratch) {
        Call& c = *static_cast<Call*>(self);
        char* memory = static_cast<char*>(scratch.reserve(c.products.scratch_bytes()));
        if (memory == nullptr) {
            __atomic_fetch_or(&c.outcome, int(kOutOfMemory), __ATOMIC_RELAXED);
            return;
        }
        const Lots::Lot lot = c.lots.lot(index, c.sums);
        for (int64_t tile = lot.first; tile < lot.last; ++tile)
            c.products.add(c.products.locate(tile), lot.sum, 0, c.job.out_channels, 0, c.job.channels, lot.totals, memory);
    };
    const bool completed = run_tasks(call.lots.tasks(), threads, task, &call, interrupted);
    call.lots.add_up(sums);
    return call.outcome | (completed ? 0 : int(kInterrupted));
}

}  // namespace

int CORR2D_ENTRY(lag_products)(const Job& job, double* sums, int threads, bool (*interrupted)()) {
    return job.sum == Element::f32 ? run<float>(job, sums, threads, interrupted) : run<double>(job, sums, threads, interrupted);
}

}  // namespace corr2d
