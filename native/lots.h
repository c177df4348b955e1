// How sums over all tiles are shared out: lots of tiles, each with sums of its own, that are added in order at the end. What
// a lot holds depends on the call alone, so the bits do not depend on the threads.
#pragma once
#include <cstring>
#include <new>

#include "gather.h"
#include "threads.h"

namespace corr2d {
namespace {

class Lots {
public:
    // `sums` sets of `values` sums, each over `units` units of work.
    Lots(int64_t sums, int64_t values, int64_t units) : sums_(sums), values_(values), units_(units) {
        const int64_t affordable = most(1, kBytes / most(1, sums * values * int64_t(sizeof(double))));
        lots_ = clamp(ceil_divide(kMost, most(1, sums)), 1, most(1, least(units, affordable)));
        if (lots_ > 1) partial_ = new (std::nothrow) double[size_t(sums * lots_ * values)]();
    }
    ~Lots() { delete[] partial_; }
    Lots(const Lots&) = delete;

    bool ready() const { return lots_ == 1 || partial_ != nullptr; }
    int64_t tasks() const { return sums_ * lots_; }

    struct Lot {
        int64_t sum, first, last;  // units [first, last) of which sum
        double* totals;
    };
    Lot lot(int64_t task, double* sums) const {
        const int64_t sum = task / lots_, n = task % lots_;
        return {sum, n * units_ / lots_, (n + 1) * units_ / lots_, lots_ == 1 ? sums + sum * values_ : partial_ + task * values_};
    }

    void add_up(double* sums) const {
        if (lots_ == 1) return;
        for (int64_t task = 0; task < tasks(); ++task)
            for (int64_t n = 0; n < values_; ++n) sums[task / lots_ * values_ + n] += partial_[task * values_ + n];
    }

private:
    static constexpr int64_t kMost = 64;  // lots in all, enough for as many threads
    static constexpr int64_t kBytes = 4 * 1024 * 1024;

    int64_t sums_, values_, units_, lots_;
    double* partial_ = nullptr;
};

}  // namespace
}  // namespace corr2d
