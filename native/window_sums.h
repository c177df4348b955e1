// Sums over every window of k consecutive values of a row, by additions alone: no difference is ever taken, so nothing
// drifts and a NaN stays in its windows. A window of 4q + r values is four windows of q and one of r < 4, so the cost
// grows with the logarithm of k and the shape of the sum depends on k only.
#pragma once
#include <cstddef>
#include <utility>

#include "simd.h"

namespace corr2d {
namespace {

// sum(k) = (sum(q) + sum(q)) + (sum(q) + sum(q)), then + sum(r), with q = k / 4 and r = k % 4; up to three values are
// added from left to right.
constexpr int64_t kLargestChain = 3;

// Integers wrap: lanes past the last window may hold anything.
template <class T> inline Vector<T> add(Vector<T> a, Vector<T> b) {
    if constexpr (std::is_integral_v<T>) {
        typedef std::make_unsigned_t<T> Wrapping __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
        return Vector<T>(Wrapping(a) + Wrapping(b));
    } else {
        return a + b;
    }
}

template <class T> class WindowSums {
public:
    WindowSums(int64_t taps, int64_t dilation) : taps_(taps), dilation_(dilation) {
        for (int64_t k = taps; k > kLargestChain; k /= 4) levels_[level_count_++] = k;
    }

    // Values of scratch that `each_sum` needs for `count` windows; a row of values must have row_size(count) allocated.
    int64_t row_size(int64_t count) const { return count + (taps_ - 1) * dilation_ + 2 * kLanes<T>; }
    int64_t scratch_size(int64_t count) const { return taps_ > 1 ? 4 * row_size(count) : 0; }

    // Calls take(x, sums of the windows at x, x + 1, ...) for x = 0, one vector, ... below count.
    template <class Take> void each_sum(const T* values, T* scratch, int64_t count, Take take) const {
        if (taps_ == 1) return sweep_chain<1>(values, count, take);
        if (taps_ == 2) return sweep_chain<2>(values, count, take);
        if (taps_ == 3) return sweep_chain<3>(values, count, take);
        const int64_t size = row_size(count), bottom = levels_[level_count_ - 1] / 4;
        const T* small[kLargestChain + 1] = {nullptr, values, scratch, scratch + size};
        lay_chain<2>(values, scratch, count, bottom);
        lay_chain<3>(values, scratch + size, count, bottom);
        const T* source = small[bottom];
        T *target = scratch + 2 * size, *other = scratch + 3 * size;
        for (int level = level_count_ - 1; level > 0; --level) {
            const int64_t k = levels_[level];
            sweep_level(source, small[k % 4], k, count + (taps_ - k) * dilation_,
                        [target](int64_t x, Vector<T> sum) { store(target + x, sum); });
            source = target;
            std::swap(target, other);
        }
        sweep_level(source, small[taps_ % 4], taps_, count, take);
    }

private:
    int64_t taps_, dilation_;
    int64_t levels_[32];  // taps, taps / 4, ... above kLargestChain
    int level_count_ = 0;

    // The sums of N values, where some level needs them.
    template <int N> void lay_chain(const T* values, T* target, int64_t count, int64_t bottom) const {
        bool needed = bottom == N;
        for (int level = 0; level < level_count_; ++level) needed |= levels_[level] % 4 == N;
        if (needed)
            sweep_chain<N>(values, count + (taps_ - N) * dilation_, [target](int64_t x, Vector<T> sum) { store(target + x, sum); });
    }

    template <int N, class Take> void sweep_chain(const T* values, int64_t count, Take take) const {
        for (int64_t x = 0; x < count; x += kLanes<T>) {
            Vector<T> sum = load(values + x);
            for (int n = 1; n < N; ++n) sum = add<T>(sum, load(values + x + n * dilation_));
            take(x, sum);
        }
    }

    template <class Take>
    void sweep_level(const T* source, const T* rest, int64_t k, int64_t count, Take take) const {
        const int64_t step = k / 4 * dilation_;
        const auto four = [source, step](int64_t x) {
            return add<T>(add<T>(load(source + x), load(source + x + step)),
                          add<T>(load(source + x + 2 * step), load(source + x + 3 * step)));
        };
        if (rest == nullptr) {
            for (int64_t x = 0; x < count; x += kLanes<T>) take(x, four(x));
        } else {
            for (int64_t x = 0; x < count; x += kLanes<T>) take(x, add<T>(four(x), load(rest + 4 * step + x)));
        }
    }
};

// Lanes moved up by N, zeros in below.
template <int N, class U, size_t... Lane>
inline U moved_up(U value, std::index_sequence<Lane...>) {
    return __builtin_shufflevector(value, U{}, (int(Lane) < N ? int(sizeof...(Lane)) : int(Lane) - N)...);
}
template <class U, size_t... Lane> inline U last_lane(U value, std::index_sequence<Lane...>) {
    return __builtin_shufflevector(value, value, (void(Lane), int(sizeof...(Lane)) - 1)...);
}

template <int N, class U, class Lanes> inline U running_sum(U value, Lanes lanes) {
    if constexpr (N >= int(sizeof(U) / sizeof(value[0]))) return value;
    else return running_sum<2 * N>(value + moved_up<N>(value, lanes), lanes);
}

// The same windows, `taps` consecutive integers each, by what enters minus what leaves: exact, because integers wrap,
// at a cost that does not depend on taps. `values[-1]` must be readable. Calls take(x, sums) like WindowSums.
template <class T, class Take> void slide_sums(const T* values, int64_t taps, int64_t count, Take take) {
    using U = std::make_unsigned_t<T>;
    typedef U Wrapping __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
    constexpr auto lanes = std::make_index_sequence<size_t(kLanes<T>)>();
    U before = U(values[-1]);
    for (int64_t n = 0; n < taps - 1; ++n) before += U(values[n]);
    Wrapping carry = before - Wrapping{};
    for (int64_t x = 0; x < count; x += kLanes<T>) {
        const Wrapping change = Wrapping(load(values + x + taps - 1)) - Wrapping(load(values + x - 1));
        const Wrapping local = running_sum<1>(change, lanes);
        take(x, Vector<T>(carry + local));
        carry += last_lane(local, lanes);
    }
}

}  // namespace
}  // namespace corr2d
