// The register block of the integer correlation: four result rows x V vectors, summed over a piece of the kernel.
//
// Image rows come in interleaved pairs (0, 1), (2, 3), ... and the four result rows share them. Result rows 0 and 2 meet
// the kernel's rows in pairs that begin with an even one; for 1 and 3 the pairs begin one row earlier, with a zero.
#pragma once
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

// One interleaved image row, added to the result rows First..Last. `weights` is what result rows 0 and 1 use of it.
template <class Pairs, int V, int First, int Last>
inline __attribute__((always_inline)) void add_pair(typename Pairs::Sums (&sums)[kBlockRows][V], const typename Pairs::Pixel* row,
                                                    const WeightPair* weights, const PairTaps<Pairs>& taps) {
    for (int64_t b = 0; b < taps.width; ++b, row += taps.column_step) {
        typename Pairs::Pixels pixels[V];
        for (int v = 0; v < V; ++v) pixels[v] = Pairs::load(row + v * 2 * Pairs::kColumns);
        for (int i = First; i <= Last; ++i) {
            const WeightPair& pair = weights[b - i / 2 * taps.row_step];
            const typename Pairs::Weights both = Pairs::broadcast(i % 2 ? pair.odd : pair.even);
            for (int v = 0; v < V; ++v) Pairs::add(sums[i][v], pixels[v], both);
        }
    }
}

template <class Pairs, int V>
inline __attribute__((always_inline)) void integer_block(const PairTaps<Pairs>& taps, typename Pairs::Sum* const* targets, int64_t x) {
    typename Pairs::Sums sums[kBlockRows][V];
    for (int i = 0; i < kBlockRows; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = Pairs::start(taps.start);
    const WeightPair* weights = taps.weights;
    const int64_t place = 2 * x + taps.first;
    add_pair<Pairs, V, 0, 1>(sums, taps.rows[0] + place, weights, taps);
    for (int64_t p = 1; p < taps.pairs; ++p) {
        weights += taps.row_step;
        add_pair<Pairs, V, 0, 3>(sums, taps.rows[p] + place, weights, taps);
    }
    add_pair<Pairs, V, 2, 3>(sums, taps.rows[taps.pairs] + place, weights + taps.row_step, taps);
    for (int i = 0; i < kBlockRows; ++i)
        for (int v = 0; v < V; ++v) {
            const auto finished = Pairs::finish(sums[i][v]);
            std::memcpy(targets[i] + x + v * Pairs::kColumns, &finished, sizeof finished);
        }
}

// `count` result columns, at least one vector; what is left over at the right is summed once more in a vector that ends
// at the last column.
template <class Pairs> void integer_sweep(const PairTaps<Pairs>& taps, typename Pairs::Sum* const* targets, int64_t count) {
    constexpr int64_t lanes = Pairs::kColumns;
    int64_t x = 0;
    for (; x + kBlockVectors * lanes <= count; x += kBlockVectors * lanes) integer_block<Pairs, kBlockVectors>(taps, targets, x);
    for (; x + lanes <= count; x += lanes) integer_block<Pairs, 1>(taps, targets, x);
    if (x < count) integer_block<Pairs, 1>(taps, targets, count - lanes);
}

}  // namespace
}  // namespace corr2d
