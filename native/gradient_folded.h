// Gradients by three taps that fold, (s, t, s) and (-1, 0, 1): Prewitt's, Sobel's and Scharr's. A vector of columns goes
// down a block of rows; each image row is filtered across once, and what the next two rows need of it stays in registers.
#pragma once
#include "gradient_taps.h"
#include "integer_vectors.h"

namespace corr2d {
namespace {

// Result rows of a block, whose sums share registers, and the columns of it that are done before the next ones, so that
// rows stay in L1.
constexpr int64_t kBlockRows = 4, kBlockColumns = 512;

// across = (outer, middle, outer), along = (-1, 0, 1).
template <class T> struct Folded {
    T outer, middle, scale;
};

// A vector of one image row, summed across.
template <class T> inline void filter_pixels(const T* row, const Folded<T>& factors, Vector<T>& smooth, Vector<T>& change) {
    const Vector<T> left = load(row), here = load(row + 1), right = load(row + 2);
    smooth = multiply_add<T>(factors.outer, left + right, broadcast(factors.middle) * here);
    change = multiply_add<T>(T(0), here, right - left);
}

// Calls take(n, y', x') for the result rows n of one vector of columns; Height of them, or `height` where that is 0.
template <class T, int Height, class Take>
inline __attribute__((always_inline)) void go_down(const T* const* rows, int64_t height, int64_t at, const Folded<T>& factors,
                                                   Take take) {
    Vector<T> smooth[3], change[3];
    filter_pixels<T>(rows[0] + at, factors, smooth[0], change[0]);
    filter_pixels<T>(rows[1] + at, factors, smooth[1], change[1]);
    for (int64_t n = 0; n < (Height ? Height : height); ++n) {
        filter_pixels<T>(rows[n + 2] + at, factors, smooth[2], change[2]);
        const Vector<T> y = multiply_add<T>(T(0), smooth[1], smooth[2] - smooth[0]);
        const Vector<T> x = multiply_add<T>(factors.outer, change[0] + change[2], broadcast(factors.middle) * change[1]);
        take(n, y, x);
        smooth[0] = smooth[1], smooth[1] = smooth[2];
        change[0] = change[1], change[1] = change[2];
    }
}

// Steps of one vector from column `from` to `to`, at least one; what is left over is done again from the end.
template <int64_t Step, class Take> inline __attribute__((always_inline)) void step_across(int64_t from, int64_t to, Take take) {
    for (; from + Step <= to; from += Step) take(from);
    if (from < to) take(to - Step);
}

// The rows of the next block, where they lie as those of this one do: a hint that wins a tenth of the time, because each
// block begins new streams of reads.
template <int Height> struct NextRows {
    template <class P> explicit NextRows(const P* const* rows) {
        const uintptr_t block = reinterpret_cast<uintptr_t>(rows[Height + 1]) - reinterpret_cast<uintptr_t>(rows[1]);
        for (int n = 0; n < Height; ++n) at[n] = reinterpret_cast<uintptr_t>(rows[n + 2]) + block;
    }
    void fetch(int64_t bytes) const {
        for (int n = 0; n < Height; ++n) __builtin_prefetch(reinterpret_cast<const void*>(at[n] + uintptr_t(bytes)));
    }
    uintptr_t at[Height];
};

template <class T, int Outputs>
__attribute__((noinline)) void measure_again(const T* const* rows, T* const* targets, int64_t height, int64_t from, int64_t to,
                                             const Folded<T>& factors) {
    step_across<kLanes<T>>(from, to, [&](int64_t at) {
        go_down<T, 0>(rows, height, at, factors, [&](int64_t n, Vector<T> y, Vector<T> x) {
            T* const target = targets[(Outputs - 1) * kBlockRows + n] + at;
            for (int lane = 0; lane < kLanes<T>; ++lane)
                target[lane] = careful_length(T(y[lane]), T(x[lane])) * factors.scale;
        });
    });
}

template <class T, int Outputs, int Height>
inline __attribute__((always_inline)) bool sweep_rows(const T* const* all_rows, T* const* all_targets, int64_t from, int64_t to,
                                                      const Folded<T>& factors) {
    typedef BitsOf<T> Mask __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
    const T* rows[Height + 2];
    T* targets[Outputs][Height];
    for (int m = 0; m < Height + 2; ++m) rows[m] = all_rows[m];
    for (int c = 0; c < Outputs; ++c)
        for (int n = 0; n < Height; ++n) targets[c][n] = all_targets[c * kBlockRows + n];
    const Folded<T> held = factors;
    const NextRows<Height> next(rows);
    Mask small{}, large{};
    step_across<kLanes<T>>(from, to, [&](int64_t at) {
        next.fetch(at * int64_t(sizeof(T)));
        go_down<T, Height>(rows, Height, at, held, [&](int64_t n, Vector<T> y, Vector<T> x) {
            const Vector<T> scale = broadcast(held.scale);
            if constexpr (Outputs >= 2) {
                store(targets[0][n] + at, y * scale);
                store(targets[1][n] + at, x * scale);
            }
            if constexpr (Outputs != 2) {
                const Vector<T> squares = y * y + x * x;
                // The bits of a small vector's components; but for the signs they are 0 where the vector is.
                small |= Mask(squares < broadcast(kLeastSquare<T>)) & (__builtin_bit_cast(Mask, y) | __builtin_bit_cast(Mask, x));
                large |= Mask(squares > broadcast(kLargestSquare<T>));
                store(targets[Outputs - 1][n] + at, square_root<T>(squares) * scale);
            }
        });
    });
    bool precise = true;
    constexpr BitsOf<T> magnitude = std::numeric_limits<BitsOf<T>>::max();
    for (int lane = 0; lane < kLanes<T>; ++lane) precise &= (small[lane] & magnitude) == 0 && large[lane] == 0;
    return precise;
}

// Result rows of a block; targets are [outputs][kBlockRows].
template <class T, int Outputs>
__attribute__((noinline)) void sweep_block(const T* const* rows, T* const* targets, int64_t height, int64_t from, int64_t to,
                                           const Folded<T>& factors) {
    bool precise = true;
    if (height == kBlockRows) precise = sweep_rows<T, Outputs, kBlockRows>(rows, targets, from, to, factors);
    else
        for (int64_t n = 0; n < height; ++n) precise &= sweep_rows<T, Outputs, 1>(rows + n, targets + n, from, to, factors);
    if (Outputs != 2 && !precise) measure_again<T, Outputs>(rows, targets, height, from, to, factors);
}

// 8-bit pixels and whole taps that fold: everything up to the components is exact in 16-bit lanes, twice as many a
// vector.
constexpr int64_t kShortLanes = CORR2D_VECTOR_BYTES / 2;
typedef uint8_t ShortBytes __attribute__((vector_size(CORR2D_VECTOR_BYTES / 2)));

// Spelt out for AVX: GCC 12 widens the halves of a vector one by one.
inline Shorts load_bytes(const uint8_t* source) {
#if defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64
    return Shorts(_mm512_maskz_cvtepu8_epi16(0xffffffff, __m256i(load_vector<ShortBytes>(source))));
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    return Shorts(_mm256_cvtepu8_epi16(__m128i(load_vector<ShortBytes>(source))));
#else
    return __builtin_convertvector(load_vector<ShortBytes>(source), Shorts);
#endif
}

inline Vector<float> floats(Doublewords values) { return __builtin_convertvector(Vector<int32_t>(values), Vector<float>); }

// The squares are whole numbers below 2^24, so only their sum is rounded, however it is formed.
inline void add_squares(Words y, Words x, Vector<float>& low, Vector<float>& high) {
#if defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    const __m256i first = _mm256_unpacklo_epi16(__m256i(y), __m256i(x)), second = _mm256_unpackhi_epi16(__m256i(y), __m256i(x));
    const __m256i even = _mm256_madd_epi16(first, first), odd = _mm256_madd_epi16(second, second);
    low = floats(Doublewords(_mm256_permute2x128_si256(even, odd, 0x20)));
    high = floats(Doublewords(_mm256_permute2x128_si256(even, odd, 0x31)));
#else
    const Vector<float> y_low = floats(widen_low(y)), x_low = floats(widen_low(x));
    const Vector<float> y_high = floats(widen_high(y)), x_high = floats(widen_high(x));
    low = y_low * y_low + x_low * x_low;
    high = y_high * y_high + x_high * x_high;
#endif
}

template <int Outputs, class Row> inline void put(Words y, Words x, const Row& targets, int64_t at, Vector<float> scale) {
    constexpr int64_t half = kShortLanes / 2;
    if constexpr (Outputs >= 2) {
        store(targets[0] + at, floats(widen_low(y)) * scale);
        store(targets[0] + at + half, floats(widen_high(y)) * scale);
        store(targets[1] + at, floats(widen_low(x)) * scale);
        store(targets[1] + at + half, floats(widen_high(x)) * scale);
    }
    if constexpr (Outputs != 2) {
        Vector<float> low, high;
        add_squares(y, x, low, high);
        store(targets[Outputs - 1] + at, square_root<float>(low) * scale);
        store(targets[Outputs - 1] + at + half, square_root<float>(high) * scale);
    }
}

inline void filter_bytes(const uint8_t* row, Shorts outer, Shorts middle, Shorts& smooth, Shorts& change) {
    const Shorts left = load_bytes(row), right = load_bytes(row + 2);
    smooth = (left + right) * outer + load_bytes(row + 1) * middle;
    change = right - left;
}

template <int Outputs, int Height>
inline __attribute__((always_inline)) void sweep_byte_rows(const uint8_t* const* all_rows, float* const* all_targets, int64_t from,
                                                           int64_t to, const Folded<float>& factors) {
    const uint8_t* rows[Height + 2];
    float* targets[Height][Outputs];
    for (int m = 0; m < Height + 2; ++m) rows[m] = all_rows[m];
    for (int n = 0; n < Height; ++n)
        for (int c = 0; c < Outputs; ++c) targets[n][c] = all_targets[c * kBlockRows + n];
    const Shorts outer = int16_t(factors.outer) - Shorts{}, middle = int16_t(factors.middle) - Shorts{};
    const Vector<float> scale = broadcast(factors.scale);
    const NextRows<Height> next(rows);
    step_across<kShortLanes>(from, to, [&](int64_t at) {
        next.fetch(at);
        Shorts smooth[3], change[3];
        filter_bytes(rows[0] + at, outer, middle, smooth[0], change[0]);
        filter_bytes(rows[1] + at, outer, middle, smooth[1], change[1]);
        for (int n = 0; n < Height; ++n) {
            filter_bytes(rows[n + 2] + at, outer, middle, smooth[2], change[2]);
            const Words y = Words(smooth[2] - smooth[0]);
            const Words x = Words((change[0] + change[2]) * outer + change[1] * middle);
            put<Outputs>(y, x, targets[n], at, scale);
            smooth[0] = smooth[1], smooth[1] = smooth[2];
            change[0] = change[1], change[1] = change[2];
        }
    });
}

template <int Outputs>
__attribute__((noinline)) void sweep_bytes(const uint8_t* const* rows, float* const* targets, int64_t height, int64_t from,
                                           int64_t to, const Folded<float>& factors) {
    if (height == kBlockRows) return sweep_byte_rows<Outputs, kBlockRows>(rows, targets, from, to, factors);
    for (int64_t n = 0; n < height; ++n) sweep_byte_rows<Outputs, 1>(rows + n, targets + n, from, to, factors);
}

}  // namespace
}  // namespace corr2d
