// How large floating values are, by their bits (IEEE 754): exponents, powers of two, the greatest of many.
#pragma once
#include "gather.h"
#include "simd.h"

namespace corr2d {
namespace {

template <class T> struct Format {
    using Bits = BitsOf<T>;
    static constexpr int kMantissa = sizeof(T) == 4 ? 23 : 52, kBias = sizeof(T) == 4 ? 127 : 1023;
    static constexpr Bits kMagnitude = Bits(~Bits(0)) ^ (Bits(1) << (8 * int(sizeof(T)) - 1));
    static constexpr Bits kInfinity = Bits(2 * kBias + 1) << kMantissa;

    static T power_of_two(int exponent) { return __builtin_bit_cast(T, Bits(Bits(exponent + kBias) << kMantissa)); }
    // The exponent of a magnitude's leading bit; subnormals count as the least normal number, and the greatest are
    // one too low, so that both the power and its inverse are normal numbers.
    static int exponent(Bits magnitude) {
        return int(clamp(int64_t(magnitude >> kMantissa) - kBias, 1 - kBias, kBias - 1));
    }
};

// The greatest magnitude of many values, as bits: NaN is above infinity, infinity above every number.
template <class T> struct Greatest {
    using Bits = BitsOf<T>;
    Vector<Bits> bits = {};

    inline __attribute__((always_inline)) void add(Vector<T> value) {
        const Vector<Bits> magnitude = Vector<Bits>(value) & (Vector<Bits>{} + Format<T>::kMagnitude);
        bits = magnitude > bits ? magnitude : bits;
    }
    void add(const T* values, int64_t count) {
        int64_t n = 0;
        for (; n + kLanes<T> <= count; n += kLanes<T>) add(load(values + n));
        T rest[kLanes<T>] = {};
        for (int64_t k = 0; n < count; ++n, ++k) rest[k] = values[n];
        add(load(rest));
    }
    Bits value() const {
        Bits greatest = 0;
        for (int lane = 0; lane < kLanes<T>; ++lane) greatest = bits[lane] > greatest ? bits[lane] : greatest;
        return greatest;
    }
};

}  // namespace
}  // namespace corr2d
