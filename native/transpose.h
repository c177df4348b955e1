// Turning records so that the next transform runs along the other axis. A square of L x L values is turned in 128-bit
// pieces: a vector is put together from pieces of rows W apart, W = 128 bits / value, so that only squares of W x W within
// pieces are left, and W vectors are alive at a time.
#pragma once
#include "complex.h"

namespace corr2d {
namespace {

template <class T> constexpr int kPiece = 16 / int(sizeof(T));             // values of a piece: W
template <class T> constexpr int kPieces = kLanes<T> / kPiece<T>;          // pieces of a vector

template <class T> struct SixteenBytesOf {
    typedef T type __attribute__((vector_size(16)));
    typedef T unaligned __attribute__((vector_size(16), aligned(alignof(T)), may_alias));
};
template <class T> using SixteenBytes = typename SixteenBytesOf<T>::type;

template <class T> inline __attribute__((always_inline)) SixteenBytes<T> load_piece(const T* source) {
    return SixteenBytes<T>(*reinterpret_cast<const typename SixteenBytesOf<T>::unaligned*>(source));
}

// The pieces at source, source + step, ... as one vector.
template <class T> inline __attribute__((always_inline)) Vector<T> join(const T* source, int64_t step) {
    if constexpr (kPieces<T> == 1) {
        return load(source);
    } else if constexpr (kPieces<T> == 2) {
        const SixteenBytes<T> a = load_piece(source), b = load_piece(source + step);
        if constexpr (kPiece<T> == 4) return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
        else return __builtin_shufflevector(a, b, 0, 1, 2, 3);
    } else {
        const SixteenBytes<T> a = load_piece(source), b = load_piece(source + step);
        const SixteenBytes<T> c = load_piece(source + 2 * step), d = load_piece(source + 3 * step);
        if constexpr (kPiece<T> == 4) {
            const auto low = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
            const auto high = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);
            return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        } else {
            const auto low = __builtin_shufflevector(a, b, 0, 1, 2, 3), high = __builtin_shufflevector(c, d, 0, 1, 2, 3);
            return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
        }
    }
}

// A vector of which every piece is picked from the pieces of a and b in its place: Lane 0..W-1 is a's, W..2W-1 is b's.
template <class T, int... Lane> inline __attribute__((always_inline)) Vector<T> pick_lanes(Vector<T> a, Vector<T> b) {
    constexpr int W = kPiece<T>, L = kLanes<T>;
    if constexpr (L == W) {
        return __builtin_shufflevector(a, b, Lane...);
    } else if constexpr (L == 2 * W) {
        return __builtin_shufflevector(a, b, (Lane < W ? Lane : Lane - W + L)..., (Lane < W ? Lane + W : Lane + L)...);
    } else {
        return __builtin_shufflevector(a, b, (Lane < W ? Lane : Lane - W + L)..., (Lane < W ? Lane + W : Lane + L)...,
                                       (Lane < W ? Lane + 2 * W : Lane + W + L)...,
                                       (Lane < W ? Lane + 3 * W : Lane + 2 * W + L)...);
    }
}

// W x W within every piece.
template <class T> inline __attribute__((always_inline)) void turn(Vector<T> (&v)[kPiece<T>]) {
    if constexpr (kPiece<T> == 4) {
        const Vector<T> a = pick_lanes<T, 0, 4, 1, 5>(v[0], v[1]), b = pick_lanes<T, 2, 6, 3, 7>(v[0], v[1]);
        const Vector<T> c = pick_lanes<T, 0, 4, 1, 5>(v[2], v[3]), d = pick_lanes<T, 2, 6, 3, 7>(v[2], v[3]);
        v[0] = pick_lanes<T, 0, 1, 4, 5>(a, c);
        v[1] = pick_lanes<T, 2, 3, 6, 7>(a, c);
        v[2] = pick_lanes<T, 0, 1, 4, 5>(b, d);
        v[3] = pick_lanes<T, 2, 3, 6, 7>(b, d);
    } else {
        const Vector<T> a = pick_lanes<T, 0, 2>(v[0], v[1]);
        v[1] = pick_lanes<T, 1, 3>(v[0], v[1]);
        v[0] = a;
    }
}

// Where a piece holds four values, the four rows that meet in `turn` are those that the steps over 4 neighbouring
// records take together: then these steps cost no load and no store of their own.
template <class T> constexpr bool kFoursInTurn = kPiece<T> == 4;

// L records, one per row, lanes are columns -> L records, one per column, lanes are rows. Before it (Forward), or on its
// result (not Forward), the step over 4 neighbouring rows.
template <bool Forward, class T> inline __attribute__((always_inline)) void turn_records(T* target, const T* source) {
    constexpr int W = kPiece<T>;
    for (int piece = 0; piece < kPieces<T>; ++piece) {
        Complex<T> a[W];
        for (int i = 0; i < W; ++i) {
            const T* from = source + i * kRecord<T> + piece * W;
            a[i] = {join(from, W * kRecord<T>), join(from + kLanes<T>, W * kRecord<T>)};
        }
        if constexpr (Forward && kFoursInTurn<T>) small_transform<false>(a);
        Vector<T> re[W], im[W];
        for (int i = 0; i < W; ++i) re[i] = a[i].re;
        turn<T>(re);
        for (int i = 0; i < W; ++i) im[i] = a[i].im;
        turn<T>(im);
        for (int i = 0; i < W; ++i) a[i] = {re[i], im[i]};
        if constexpr (!Forward && kFoursInTurn<T>) small_transform<true>(a);
        for (int i = 0; i < W; ++i) store_record(target + (piece * W + i) * kRecord<T>, a[i]);
    }
}

}  // namespace
}  // namespace corr2d
