// What a gradient is made of: components by any number of taps, summed down the image rows and then across, and their
// length where its squares are precise and where they are not.
#pragma once
#include <cmath>
#include <limits>

#include "elements.h"
#include "simd.h"

namespace corr2d {
namespace {

// multiply_add of one value, with the same bits.
template <class T> inline T add_product(T weight, T value, T sum) {
#if defined(__FMA__) || defined(__aarch64__)
    return sizeof(T) == 4 ? T(__builtin_fmaf(float(weight), float(value), float(sum)))
                          : T(__builtin_fma(double(weight), double(value), double(sum)));
#else
    return weight * value + sum;
#endif
}

// Squares lose digits below, where the lesser one may have become subnormal, and are infinite above.
template <class T> constexpr T kLeastSquare = sizeof(T) == 4 ? T(0x1p-100f) : T(0x1p-960);
template <class T> constexpr T kLargestSquare = std::numeric_limits<T>::max();

template <class T> T careful_length(T y, T x) {
    const T squares = y * y + x * x;
    const bool small = squares < kLeastSquare<T> && (y != 0 || x != 0);
    if (!small && !(squares > kLargestSquare<T>)) return std::sqrt(squares);
    return sizeof(T) == 4 ? T(std::sqrt(double(y) * double(y) + double(x) * double(x))) : T(std::hypot(y, x));
}

template <class T> struct Factors {
    const T *across, *along;
    int64_t taps;
    T scale;
};

// The pixels' own columns, summed down.
template <class T>
__attribute__((noinline)) void filter_down(const T* const* rows, T* smooth, T* change, int64_t count, const Factors<T>& factors) {
    constexpr int64_t L = kLanes<T>;
    const auto step = [&](int64_t x) {
        Vector<T> smoothed = broadcast(T(0)), changed = broadcast(T(0));
        for (int64_t a = 0; a < factors.taps; ++a) {
            const Vector<T> pixels = load(rows[a] + x);
            smoothed = multiply_add<T>(factors.across[a], pixels, smoothed);
            changed = multiply_add<T>(factors.along[a], pixels, changed);
        }
        store(smooth + x, smoothed);
        store(change + x, changed);
    };
    int64_t x = 0;
    for (; x + L <= count; x += L) step(x);
    if (x < count && count >= L) step(count - L);
    if (count >= L) return;
    for (; x < count; ++x) {
        T smoothed = 0, changed = 0;
        for (int64_t a = 0; a < factors.taps; ++a) {
            smoothed = add_product(factors.across[a], rows[a][x], smoothed);
            changed = add_product(factors.along[a], rows[a][x], changed);
        }
        smooth[x] = smoothed;
        change[x] = changed;
    }
}

// The sums filtered across; targets hold the magnitude, or y and x, or all three. `count` is padded to whole steps by
// the caller or at least one step long, where the last step is then done again from the end.
template <class T, int Outputs>
__attribute__((noinline)) void filter_across(const T* smooth, const T* change, T* const* results, int64_t count,
                                             const Factors<T>& factors) {
    typedef BitsOf<T> Mask __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
    T* targets[Outputs];
    for (int c = 0; c < Outputs; ++c) targets[c] = results[c];
    constexpr int64_t L = kLanes<T>;
    const Vector<T> scale = broadcast(factors.scale), zero{};
    Mask imprecise{};
    const auto components = [&](int64_t at, Vector<T>& y, Vector<T>& x) {
        y = x = broadcast(T(0));
        for (int64_t b = 0; b < factors.taps; ++b) {
            y = multiply_add<T>(factors.across[b], load(change + at + b), y);
            x = multiply_add<T>(factors.along[b], load(smooth + at + b), x);
        }
    };
    const auto step = [&](int64_t at) {
        Vector<T> y, x;
        components(at, y, x);
        if constexpr (Outputs >= 2) {
            store(targets[0] + at, y * scale);
            store(targets[1] + at, x * scale);
        }
        if constexpr (Outputs != 2) {
            const Vector<T> squares = y * y + x * x;
            const Mask small = Mask(squares < broadcast(kLeastSquare<T>)) & (Mask(y != zero) | Mask(x != zero));
            imprecise |= small | Mask(squares > broadcast(kLargestSquare<T>));
            store(targets[Outputs - 1] + at, square_root<T>(squares) * scale);
        }
    };
    int64_t at = 0;
    for (; at + L <= count; at += L) step(at);
    if (at < count) step(count - L);
    bool careful = false;
    for (int lane = 0; lane < L; ++lane) careful |= imprecise[lane] != 0;
    if (Outputs == 2 || !careful) return;
    for (at = 0; at < count; at += L) {
        if (at + L > count) at = count - L;
        Vector<T> y, x;
        components(at, y, x);
        for (int lane = 0; lane < L; ++lane)
            targets[Outputs - 1][at + lane] = careful_length(T(y[lane]), T(x[lane])) * factors.scale;
    }
}

}  // namespace
}  // namespace corr2d
