// The two halves of a separable kernel, R rows x V vectors at a time in registers: across image rows, and down the rows
// that the first half has left.
//
// A filtered value is one chain of multiply_add over the taps from left to right, started at zero. A result is one chain
// that starts at the bias and goes over the terms and, in each, down the taps. Neither depends on R and V.
#pragma once
#include "block.h"

namespace corr2d {
namespace {

struct RowTaps {
    int64_t width, dilation;
};

template <class T, int R, int V>
inline __attribute__((always_inline)) void filter_block(const T* const* rows, T* const* targets, int64_t x, const T* weights,
                                                        const RowTaps& taps) {
    Vector<T> sums[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = broadcast(T(0));
    for (int64_t b = 0, place = x; b < taps.width; ++b, place += taps.dilation)
        for (int i = 0; i < R; ++i)
            for (int v = 0; v < V; ++v)
                sums[i][v] = multiply_add<T>(weights[b], load(rows[i] + place + v * kLanes<T>), sums[i][v]);
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) store(targets[i] + x + v * kLanes<T>, sums[i][v]);
}

// R rows of `count` columns (at least one vector). What is left over at the right is computed once more in a vector that
// ends at the last column: the same sums, so the same bits. Not inlined, here and below: the registers are all taken.
template <class T, int R>
__attribute__((noinline)) void filter_rows(const T* const* rows, T* const* targets, int64_t count, const T* weights,
                                           const RowTaps& taps) {
    int64_t x = 0;
    for (; x + kVectors * kLanes<T> <= count; x += kVectors * kLanes<T>)
        filter_block<T, R, kVectors>(rows, targets, x, weights, taps);
    for (; x + kLanes<T> <= count; x += kLanes<T>) filter_block<T, R, 1>(rows, targets, x, weights, taps);
    if (x < count) filter_block<T, R, 1>(rows, targets, count - kLanes<T>, weights, taps);
}

template <class T> struct ColumnTaps {
    const T* const* rows;  // [terms][rows_per_term]
    int64_t rows_per_term;
    const T* weights;  // of the first term; those of the next lie weight_step on
    int64_t weight_step, terms, height;
};

// One filtered row, added to the result rows First..Last, which see it through weights[0], weights[-1], ...
template <class T, int R, int V, int First, int Last>
inline __attribute__((always_inline)) void add_filtered(Vector<T> (&sums)[R][V], const T* row, const T* weights) {
    Vector<T> values[V];
    for (int v = 0; v < V; ++v) values[v] = load(row + v * kLanes<T>);
    for (int i = First; i <= Last; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = multiply_add<T>(weights[First - i], values[v], sums[i][v]);
}

// The first R - 1 rows reach only the upper result rows ...
template <class T, int R, int V, int Row = 0>
inline __attribute__((always_inline)) void add_first(Vector<T> (&sums)[R][V], const T* const* rows, int64_t x, const T* weights) {
    if constexpr (Row < R - 1) {
        add_filtered<T, R, V, 0, Row>(sums, rows[Row] + x, weights + Row);
        add_first<T, R, V, Row + 1>(sums, rows, x, weights);
    }
}

// ... and the last R - 1, from `rows` on, only the lower ones.
template <class T, int R, int V, int First = 1>
inline __attribute__((always_inline)) void add_last(Vector<T> (&sums)[R][V], const T* const* rows, int64_t x, const T* weights) {
    if constexpr (First < R) {
        add_filtered<T, R, V, First, R - 1>(sums, rows[First - 1] + x, weights);
        add_last<T, R, V, First + 1>(sums, rows, x, weights);
    }
}

// Each row is loaded once for all R result rows where the kernel is no lower than the block.
template <class T, int R, int V, bool Shared>
inline __attribute__((always_inline)) void column_block(const ColumnTaps<T>& taps, T* const* targets, int64_t x, T bias) {
    Vector<T> sums[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = broadcast(bias);
    for (int64_t t = 0; t < taps.terms; ++t) {
        const T* const* rows = taps.rows + t * taps.rows_per_term;
        const T* weights = taps.weights + t * taps.weight_step;
        if constexpr (Shared) {
            add_first<T, R, V>(sums, rows, x, weights);
            for (int64_t r = R - 1; r < taps.height; ++r) add_filtered<T, R, V, 0, R - 1>(sums, rows[r] + x, weights + r);
            add_last<T, R, V>(sums, rows + taps.height, x, weights + taps.height - 1);
        } else {
            for (int64_t a = 0; a < taps.height; ++a)
                for (int i = 0; i < R; ++i)
                    for (int v = 0; v < V; ++v)
                        sums[i][v] = multiply_add<T>(weights[a], load(rows[i + a] + x + v * kLanes<T>), sums[i][v]);
        }
    }
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) store(targets[i] + x + v * kLanes<T>, sums[i][v]);
}

template <class T, int R, bool Shared>
__attribute__((noinline)) void sum_blocks(const ColumnTaps<T>& taps, T* const* targets, int64_t count, T bias) {
    int64_t x = 0;
    for (; x + kVectors * kLanes<T> <= count; x += kVectors * kLanes<T>)
        column_block<T, R, kVectors, Shared>(taps, targets, x, bias);
    for (; x + kLanes<T> <= count; x += kLanes<T>) column_block<T, R, 1, Shared>(taps, targets, x, bias);
    if (x < count) column_block<T, R, 1, Shared>(taps, targets, count - kLanes<T>, bias);
}

// R result rows of `count` columns (at least one vector).
template <class T, int R>
void filter_columns(const ColumnTaps<T>& taps, T* const* targets, int64_t count, T bias) {
    if (taps.height < R) sum_blocks<T, R, false>(taps, targets, count, bias);
    else sum_blocks<T, R, true>(taps, targets, count, bias);
}

}  // namespace
}  // namespace corr2d
