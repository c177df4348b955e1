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
};

// What a result is made of: one sum, or the sums of several pieces and `base`, added up in 32 bits.
template <class Pairs> struct PairSum {
    const PairTaps<Pairs>* pieces;
    int64_t count;
    bool added;
    uint32_t base;
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

// 16-bit results of 16-bit sums: unsigned ones lose what is below zero.
template <class O> inline Words pack_halves(Words a) {
    if constexpr (std::is_same_v<O, int16_t>) return a;
    else return Words(Shorts(a) > Shorts{}) & a;
}

// Two neighbouring vectors of finished sums into results.
template <class O> inline __attribute__((always_inline)) void put_two(char* target, Words a, Words b) {
    if constexpr (std::is_same_v<O, uint8_t>) {
        store_vector(target, pack_bytes(a, b));
    } else if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, widen_low(a));
        store_vector(target + CORR2D_VECTOR_BYTES, widen_high(a));
        store_vector(target + 2 * CORR2D_VECTOR_BYTES, widen_low(b));
        store_vector(target + 3 * CORR2D_VECTOR_BYTES, widen_high(b));
    } else {
        store_vector(target, pack_halves<O>(a));
        store_vector(target + CORR2D_VECTOR_BYTES, pack_halves<O>(b));
    }
}

template <class O> inline __attribute__((always_inline)) void put_one(char* target, Words a) {
    if constexpr (std::is_same_v<O, uint8_t>) {
        store_half(target, pack_bytes(a, a));
    } else if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, widen_low(a));
        store_vector(target + CORR2D_VECTOR_BYTES, widen_high(a));
    } else {
        store_vector(target, pack_halves<O>(a));
    }
}

template <class O> inline Words pack_sums(Doublewords a, Doublewords b) {
    return std::is_same_v<O, uint16_t> ? pack_unsigned(a, b) : pack_signed(a, b);
}

template <class O> inline __attribute__((always_inline)) void put_two(char* target, Doublewords a, Doublewords b) {
    if constexpr (std::is_same_v<O, int32_t>) {
        store_vector(target, a);
        store_vector(target + CORR2D_VECTOR_BYTES, b);
    } else if constexpr (sizeof(O) == 2) {
        store_vector(target, pack_sums<O>(a, b));
    } else {
        put_one<O>(target, pack_signed(a, b));
    }
}

template <class O> inline __attribute__((always_inline)) void put_one(char* target, Doublewords a) {
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

template <class Pairs, int V, int Count, int Width>
inline __attribute__((always_inline)) void sum_taps(typename Pairs::Sums (&sums)[kBlockRows][V], const PairTaps<Pairs>& taps, int64_t x) {
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
}

// A block whose results are one sum each.
template <class Pairs, class O, int V, int Count, int Width>
inline __attribute__((always_inline)) void single_block(const PairSum<Pairs>& sum, char* const* targets, int64_t x) {
    typename Pairs::Sums sums[kBlockRows][V];
    sum_taps<Pairs, V, Count, Width>(sums, sum.pieces[0], x);
    for (int i = 0; i < kBlockRows; ++i) {
        char* const target = targets[i] + x * int64_t(sizeof(O));
        if constexpr (V == 1) put_one<O>(target, Pairs::finish(sums[i][0]));
        else
            for (int v = 0; v < V; v += 2)
                put_two<O>(target + v * Pairs::kColumns * int64_t(sizeof(O)), Pairs::finish(sums[i][v]), Pairs::finish(sums[i][v + 1]));
    }
}

// A block whose results are several 16-bit sums each.
template <class O, int V>
inline __attribute__((always_inline)) void added_block(const PairSum<BytePairs>& sum, char* const* targets, int64_t x) {
    Doublewords totals[kBlockRows][2 * V];
    for (auto& row : totals)
        for (auto& total : row) total = sum.base - Doublewords{};
    for (int64_t n = 0; n < sum.count; ++n) {
        BytePairs::Sums sums[kBlockRows][V];
        sum_taps<BytePairs, V, 0, 0>(sums, sum.pieces[n], x);
        for (int i = 0; i < kBlockRows; ++i)
            for (int v = 0; v < V; ++v) {
                const Words finished = BytePairs::finish(sums[i][v]);
                totals[i][2 * v] += widen_low(finished);
                totals[i][2 * v + 1] += widen_high(finished);
            }
    }
    for (int i = 0; i < kBlockRows; ++i)
        for (int v = 0; v < V; ++v)
            put_two<O>(targets[i] + (x + v * BytePairs::kColumns) * int64_t(sizeof(O)), totals[i][2 * v], totals[i][2 * v + 1]);
}

constexpr int kAdded = -1;  // for Count

template <class Pairs, class O, int V, int Count, int Width>
inline __attribute__((always_inline)) void integer_block(const PairSum<Pairs>& sum, char* const* targets, int64_t x) {
    if constexpr (Count == kAdded) added_block<O, V>(sum, targets, x);
    else single_block<Pairs, O, V, Count, Width>(sum, targets, x);
}

template <class Pairs, class O, int Count, int Width>
void sweep_shape(const PairSum<Pairs>& sum, char* const* targets, int64_t columns) {
    constexpr int64_t lanes = Pairs::kColumns;
    int64_t x = 0;
    for (; x + kBlockVectors * lanes <= columns; x += kBlockVectors * lanes)
        integer_block<Pairs, O, kBlockVectors, Count, Width>(sum, targets, x);
    for (; x + lanes <= columns; x += lanes) integer_block<Pairs, O, 1, Count, Width>(sum, targets, x);
    if (x < columns) integer_block<Pairs, O, 1, Count, Width>(sum, targets, columns - lanes);
}

// Four result rows of at least one vector of columns; what is left over at the right is summed once more in a vector that
// ends at the last column. Loops over 3x3 taps would be over before they get going; unrolling 5x5 spills registers.
template <class Pairs, class O> void integer_sweep(const PairSum<Pairs>& sum, char* const* targets, int64_t columns) {
    if constexpr (std::is_same_v<Pairs, BytePairs>)
        if (sum.added) return sweep_shape<Pairs, O, kAdded, 0>(sum, targets, columns);
    if (sum.pieces[0].pairs == 2 && sum.pieces[0].width == 3) return sweep_shape<Pairs, O, 2, 3>(sum, targets, columns);
    sweep_shape<Pairs, O, 0, 0>(sum, targets, columns);
}

}  // namespace
}  // namespace corr2d
