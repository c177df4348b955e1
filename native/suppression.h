// Non-maximum suppression, row by row: a pixel stays if the gradient's magnitude is greatest there among its neighbours
// across the edge. The rows lie in scratch that may be read, and classes written, up to a multiple of kBlock.
#pragma once
#include <cstring>

#include "gather.h"
#include "hysteresis.h"
#include "simd.h"

namespace corr2d {
namespace {

// Blocks of this many pixels without any that passes `low` are passed over: most of a photograph.
constexpr int64_t kBlock = 64;
static_assert(kBlock == kClassUnit);

// Three rows of magnitudes: element -1 and those from `columns` on are 0, and so are rows outside the image.
// peaks[b] is the greatest magnitude of block b of the row `here`.
template <class M> struct Neighbours {
    const M *above, *here, *below, *peaks;
};

template <class T> using Lanes = Vector<BitsOf<T>>;
template <class T> inline Vector<T> absolute(Vector<T> value) {
    return Vector<T>(Lanes<T>(value) & ~Lanes<T>(broadcast(T(-0.0)) - Vector<T>{}));
}

// The length of a gradient of two parts, at magnitude[x], and its peaks. A part that is not finite counts as none.
// a sqrt(1 + (b / a)^2) with a >= b overflows and underflows only where the result does.
template <class T>
__attribute__((noinline)) void measure_row(const T* down, const T* across, int64_t columns, T* magnitude, T* peaks) {
    constexpr int64_t L = kLanes<T>;
    const Vector<T> one = broadcast(T(1)), none{};
    for (int64_t first = 0; first < columns; first += kBlock) {
        Vector<T> peak{};
        for (int64_t x = first; x < first + kBlock; x += L) {
            const Vector<T> vertical = load(down + x), horizontal = load(across + x);
            const Vector<T> y = absolute<T>(vertical), z = absolute<T>(horizontal);
            const Vector<T> greater = y > z ? y : z, smaller = y > z ? z : y;
            const Vector<T> ratio = smaller / greater;
            const Vector<T> length = greater * square_root<T>(one + ratio * ratio);
            const Vector<T> defect = (vertical - vertical) + (horizontal - horizontal);
            const Lanes<T> sound = (greater > none) & (defect == none);
            const Vector<T> value = sound ? length : none;
            store(magnitude + x, value);
            peak = value > peak ? value : peak;
        }
        T most = 0;
        for (int lane = 0; lane < L; ++lane) most = peak[lane] > most ? peak[lane] : most;
        peaks[first / kBlock] = most;  // what lies past the row's end only costs time
    }
    std::memset(magnitude + columns, 0, size_t(kBlock) * sizeof(T));
}

// By how much more than another a magnitude must be to be greater: the rounding of smoothed 8-bit pixels stays below.
// Without it rounding would choose among equal neighbours, and find maxima on even slopes.
template <class T> constexpr T kGreater = sizeof(T) == 4 ? T(1 + 0x1p-17f) : T(1 + 0x1p-40);

// Magnitudes between neighbours are interpolated linearly where the gradient's line crosses the square of the eight
// neighbours. Of two equal neighbours the one further right, or further down, gives way.
template <class T>
__attribute__((noinline)) void suppress_row(Neighbours<T> m, const T* down, const T* across, int64_t columns, T low, T high,
                                            uint8_t* classes) {
    constexpr int64_t L = kLanes<T>;
    typedef uint8_t Bytes __attribute__((vector_size(L)));
    const Vector<T> one = broadcast(T(1)), none{}, lows = broadcast(low), highs = broadcast(high);
    const Vector<T> greater = broadcast(kGreater<T>);
    for (int64_t first = 0; first < columns; first += kBlock) {
        if (!(m.peaks[first / kBlock] >= low)) {
            std::memset(classes + first, 0, size_t(kBlock));
            continue;
        }
        for (int64_t x = first; x < first + kBlock; x += L) {
            const Vector<T> vertical = load(down + x), horizontal = load(across + x);
            const Vector<T> y = absolute<T>(vertical), z = absolute<T>(horizontal);
            const Lanes<T> lies = z >= y;                                // the gradient points rather along the row
            const Lanes<T> falls = (vertical < none) == (horizontal < none);  // from the upper left to the lower right
            const Vector<T> share = (lies ? y : z) / (lies ? z : y);     // NaN without a gradient, where there is no magnitude
            const Vector<T> rest = one - share;
            const Vector<T> upper_left = load(m.above + x - 1), upper_right = load(m.above + x + 1);
            const Vector<T> lower_left = load(m.below + x - 1), lower_right = load(m.below + x + 1);
            const Vector<T> before_corner = falls ? upper_left : lies ? lower_left : upper_right;
            const Vector<T> after_corner = falls ? lower_right : lies ? upper_right : lower_left;
            const Vector<T> before_side = lies ? load(m.here + x - 1) : load(m.above + x);
            const Vector<T> after_side = lies ? load(m.here + x + 1) : load(m.below + x);
            const Vector<T> before = before_side * rest + before_corner * share;
            const Vector<T> after = after_side * rest + after_corner * share;
            const Vector<T> magnitude = load(m.here + x);
            const Lanes<T> greatest = (magnitude > before * greater) & (magnitude * greater >= after);
            const Lanes<T> stays = greatest & (magnitude >= lows) & (magnitude > none);
            const Lanes<T> strong = magnitude >= highs;
            const Lanes<T> value = stays & ((strong & (kStrong - kCandidate)) + kCandidate);
            const Bytes narrow = __builtin_convertvector(value, Bytes);
            std::memcpy(classes + x, &narrow, size_t(L));
        }
    }
}

// tan(22.5 degrees) in 16 fractional bits, twice what OpenCV rounds to 15: products of it and whole numbers then compare
// as theirs do, because ay 2^15 < ax tan 2^15 is ay <= floor(ax tan) for every ax from 1 to 2^15 - 1.
constexpr int32_t kTangent = 2 * 13573;

// OpenCV's rule: three sectors, no interpolation; ties go to the left and upper pixel along an axis, to none along a
// diagonal. M is int16_t for sums of absolute values, int32_t for sums of squares. A plain loop, which compilers make
// vectors of.
template <class M>
__attribute__((noinline)) void suppress_row_opencv(Neighbours<M> m, const int16_t* __restrict down,
                                                   const int16_t* __restrict across, int64_t columns, M low, M high,
                                                   uint8_t* __restrict classes) {
    for (int64_t first = 0; first < columns; first += kBlock) {
        if (m.peaks[first / kBlock] <= low) {
            std::memset(classes + first, 0, size_t(kBlock));
            continue;
        }
        const M* __restrict above = m.above + first;
        const M* __restrict here = m.here + first;
        const M* __restrict below = m.below + first;
        const int16_t* __restrict vertical_parts = down + first;
        const int16_t* __restrict horizontal_parts = across + first;
        uint8_t* __restrict target = classes + first;
        for (int64_t x = 0; x < kBlock; ++x) {
            const M vertical = M(vertical_parts[x]), horizontal = M(horizontal_parts[x]);
            const M y = M(vertical < 0 ? -vertical : vertical), z = M(horizontal < 0 ? -horizontal : horizontal);
            const M slope = M((int32_t(z) * kTangent) >> 16);
            const bool lies = (y <= slope) & (z > 0), stands = y > M(slope + 2 * z);
            const bool falls = M(vertical ^ horizontal) >= 0;
            const M left = here[x - 1], right = here[x + 1], up = above[x], under = below[x];
            const M upper_left = above[x - 1], upper_right = above[x + 1], lower_left = below[x - 1], lower_right = below[x + 1];
            const M before = lies ? left : stands ? up : falls ? upper_left : upper_right;
            const M after = lies ? right : stands ? under : falls ? lower_right : lower_left;
            const M magnitude = here[x];
            const M tie = M((lies | stands) ? 1 : 0);
            const bool stays = (magnitude > before) & (M(magnitude + tie) > after) & (magnitude > low);
            target[x] = uint8_t(stays ? (magnitude > high ? kStrong : kCandidate) : 0);
        }
    }
}

}  // namespace
}  // namespace corr2d
