// The register block of the integer correlation: four result rows x V vectors, summed over a piece of the kernel.
//
// Image rows come in interleaved pairs (0, 1), (2, 3), ... and the four result rows share them. Result rows 0 and 2 meet
// the kernel's rows in pairs that begin with an even one; for 1 and 3 the pairs begin one row earlier, with a zero.
#pragma once
#include "gather.h"
#include "integer_vectors.h"

namespace corr2d {
namespace {

constexpr int kBlockRows = 4;

// Registers decide: 4 V sums, V pixels and a weight in 16 (x86) or 32 (AVX-512; NEON, whose sums take two each).
#if defined(__AVX512BW__)
constexpr int kBlockVectors = 4;
#else
constexpr int kBlockVectors = 2;
#endif

// A weight pair of each kind for one kernel column.
struct WeightPair {
    uint32_t even, odd;
};

// What one block sums over: pairs of kernel rows, each of `width` columns.
template <class Pairs> struct PairTaps {
    const typename Pairs::Pixel* const* rows;  // [pairs + 1] interleaved image rows
    const WeightPair* weights;                 // kernel row pairs lie row_step apart
    int64_t pairs, width, row_step;
    int64_t column_step;  // pixels of an interleaved row from one kernel column to the next
    int64_t first;        // to the first of them
    uint32_t start;       // what every sum begins with
    uint32_t beyond;      // what 32-bit results lie above 16-bit sums
};

// One interleaved image row, added to the result rows First..Last. `weights` is what result rows 0 and 1 use of it. Width
// is the number of kernel columns where the compiler is to know it, else 0; so is Count, of pairs, below.
template <class Pairs, int V, int Width, int First, int Last>
inline __attribute__((always_inline)) void add_pair(typename Pairs::Sums (&sums)[kBlockRows][V], const typename Pairs::Pixel* row,
                                                    const WeightPair* weights, const PairTaps<Pairs>& taps) {
    const int64_t width = Width > 0 ? Width : taps.width;
    for (int64_t b = 0; b < width; ++b, row += taps.column_step) {
        typename Pairs::Pixels pixels[V];
        for (int v = 0; v < V; ++v) pixels[v] = Pairs::load(row + v * 2 * Pairs::kColumns);
        for (int i = First; i <= Last; ++i) {
            const WeightPair& pair = weights[b - i / 2 * taps.row_step];
            const typename Pairs::Weights both = Pairs::broadcast(i % 2 ? pair.odd : pair.even);
            for (int v = 0; v < V; ++v) Pairs::add(sums[i][v], pixels[v], both);
        }
    }
}

template <class V> inline void store_vector(char* target, V value) { std::memcpy(target, &value, sizeof value); }
template <class V> inline void store_half(char* target, V value) { std::memcpy(target, &value, sizeof value / 2); }

// Two neighbouring vectors of finished sums into results. Sums of words are results, but for `beyond`, which only
// 32-bit results can take.
template <class O> inline __attribute__((always_inline)) void put_two(char* target, Words a, Words b, uint32_t beyond) {
    if constexpr (std::is_same_v<O, uint8_t>) {
        store_vector(target, pack_bytes(a, b));
    } else if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, widen_low(a) + beyond);
        store_vector(target + CORR2D_VECTOR_BYTES, widen_high(a) + beyond);
        store_vector(target + 2 * CORR2D_VECTOR_BYTES, widen_low(b) + beyond);
        store_vector(target + 3 * CORR2D_VECTOR_BYTES, widen_high(b) + beyond);
    } else {
        static_assert(std::is_same_v<O, int16_t>);
        store_vector(target, a);
        store_vector(target + CORR2D_VECTOR_BYTES, b);
    }
}

template <class O> inline __attribute__((always_inline)) void put_one(char* target, Words a, uint32_t beyond) {
    if constexpr (std::is_same_v<O, uint8_t>) {
        store_half(target, pack_bytes(a, a));
    } else if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, widen_low(a) + beyond);
        store_vector(target + CORR2D_VECTOR_BYTES, widen_high(a) + beyond);
    } else {
        store_vector(target, a);
    }
}

template <class O> inline Words pack_sums(Doublewords a, Doublewords b) {
    return std::is_same_v<O, uint16_t> ? pack_unsigned(a, b) : pack_signed(a, b);
}

template <class O> inline __attribute__((always_inline)) void put_two(char* target, Doublewords a, Doublewords b, uint32_t beyond) {
    if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, a);
        store_vector(target + CORR2D_VECTOR_BYTES, b);
    } else if constexpr (sizeof(O) == 2) {
        store_vector(target, pack_sums<O>(a, b));
    } else {
        put_one<O>(target, pack_signed(a, b), beyond);
    }
}

template <class O> inline __attribute__((always_inline)) void put_one(char* target, Doublewords a, uint32_t) {
    if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, a);
    } else if constexpr (sizeof(O) == 2) {
        store_half(target, pack_sums<O>(a, a));
    } else {
        const Words narrow = pack_signed(a, a);
        const Bytes packed = pack_bytes(narrow, narrow);
        std::memcpy(target, &packed, sizeof packed / 4);
    }
}

template <class Pairs, class O, int V, int Count, int Width>
inline __attribute__((always_inline)) void integer_block(const PairTaps<Pairs>& taps, char* const* targets, int64_t x) {
    typename Pairs::Sums sums[kBlockRows][V];
    for (int i = 0; i < kBlockRows; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = Pairs::start(taps.start);
    const WeightPair* weights = taps.weights;
    const int64_t place = 2 * x + taps.first, count = Count > 0 ? Count : taps.pairs;
    add_pair<Pairs, V, Width, 0, 1>(sums, taps.rows[0] + place, weights, taps);
    for (int64_t p = 1; p < count; ++p) {
        weights += taps.row_step;
        add_pair<Pairs, V, Width, 0, 3>(sums, taps.rows[p] + place, weights, taps);
    }
    add_pair<Pairs, V, Width, 2, 3>(sums, taps.rows[count] + place, weights + taps.row_step, taps);
    for (int i = 0; i < kBlockRows; ++i) {
        char* const target = targets[i] + x * int64_t(sizeof(O));
        if constexpr (V == 1) put_one<O>(target, Pairs::finish(sums[i][0]), taps.beyond);
        else
            for (int v = 0; v < V; v += 2)
                put_two<O>(target + v * Pairs::kColumns * int64_t(sizeof(O)), Pairs::finish(sums[i][v]), Pairs::finish(sums[i][v + 1]),
                           taps.beyond);
    }
}

template <class Pairs, class O, int Count, int Width>
void sweep_shape(const PairTaps<Pairs>& taps, char* const* targets, int64_t count) {
    constexpr int64_t lanes = Pairs::kColumns;
    int64_t x = 0;
    for (; x + kBlockVectors * lanes <= count; x += kBlockVectors * lanes)
        integer_block<Pairs, O, kBlockVectors, Count, Width>(taps, targets, x);
    for (; x + lanes <= count; x += lanes) integer_block<Pairs, O, 1, Count, Width>(taps, targets, x);
    if (x < count) integer_block<Pairs, O, 1, Count, Width>(taps, targets, count - lanes);
}

// `count` result columns, at least one vector; what is left over at the right is summed once more in a vector that ends
// at the last column. Loops over 3x3 taps would be over before they get going; unrolling 5x5 spills registers.
template <class Pairs, class O> void integer_sweep(const PairTaps<Pairs>& taps, char* const* targets, int64_t count) {
    if (taps.pairs == 2 && taps.width == 3) return sweep_shape<Pairs, O, 2, 3>(taps, targets, count);
    sweep_shape<Pairs, O, 0, 0>(taps, targets, count);
}

}  // namespace
}  // namespace corr2d
