// Images that no cache holds: results are written past the caches, and rows are fetched before their turn.
//
// A cache line that is written in part is read from memory first; one that a single store fills need not be. Only AVX-512
// has such stores: in the register block, which writes rows in turns, lines that two stores of AVX2 filled took three
// times as long.
#pragma once
#include "gather.h"

namespace corr2d {
namespace {

constexpr int64_t kLine = 64;
constexpr bool kFillsLines = CORR2D_VECTOR_BYTES == kLine;
// A result of fewer bytes may still be at hand when it is read. On a Zen 4 with 32 MiB of L3, whose images were as large,
// 8 MiB lost 0.05 to 0.25 of a 3x3 sum's time, 9 won or lost 0.05, 13 and more won 0.1 to 0.28 (bench/blocks.py repeats
// the largest). Virtual machines do not tell what their share of a cache is, so this is no question to the system.
constexpr int64_t kResultBytes = 12 << 20;

// Whether results, which are plain values of type T, are to be written past the caches.
template <class T> inline bool passes_caches(const Job& job) {
    if (!kFillsLines || job.out.row % kLine != 0) return false;
    const int64_t channels = job.planes() * job.groups * job.out_channels;
    return channels * job.rows.result * job.columns.result * int64_t(sizeof(T)) >= kResultBytes;
}

// How many values lie before the first whole line of `target`.
template <class T> inline int64_t before_line(const T* target) {
    return int64_t(-reinterpret_cast<uintptr_t>(target) % kLine / sizeof(T));
}

// Store past the caches; `target` begins a line.
template <class T> inline void store_line(T* target, Vector<T> value) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    _mm512_stream_si512(reinterpret_cast<__m512i*>(target), __m512i(value));
#else
    store(target, value);
#endif
}

// Orders what was stored past the caches before what other threads are told next.
inline void end_lines() {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    _mm_sfence();
#endif
}

}  // namespace
}  // namespace corr2d
