// The register block: R result rows x V vectors, summed over all taps in registers.
//
// Every sum is one chain of fused multiply-adds in the order channel, kernel row, kernel column. The order does not
// depend on R, V, the tile or the instruction set, which is what makes `direct` return the same bits everywhere.
#pragma once
#include <type_traits>

#include "past_caches.h"

namespace corr2d {
namespace {

// In which order, and with which taps, a window is summed.
enum class Order {
    dense,   // tap by tap
    folded,  // taps that mirror each other in a kernel row have one weight: their pixels are added first
    sparse   // as dense, without the taps of weight zero (sweep_nonzero)
};

template <class T> struct Nonzero {
    int64_t channel, row, column;  // column: its offset in an image row
    T weight;
};

// What one block needs to know of the taps it sums over.
template <class T> struct Taps {
    const T* const* rows;      // image rows: [channel][rows_per_channel]
    int64_t rows_per_channel;  // shared: R + height - 1; not shared: R * height
    const int64_t* columns;    // [width] offset of each kernel column in an image row
    const T* weights;          // first weight; channels and kernel rows lie the following steps apart
    int64_t channel_step, row_step;
    int64_t channels, height, width;
    const Nonzero<T>* nonzero;  // sparse: the taps to sum; null where all count
    int64_t nonzero_count;
    bool past_caches;          // the targets begin alike in a cache line, and sums are stored past the caches
    int64_t ahead;             // then: bytes from an image row to the one that takes its place in the next block of rows
};

// One image row, added to the result rows First..Last of the block that see it. `weights` is the kernel row that
// result row First uses; the next result row uses the kernel row before it. Folding halves the multiplications, because
// the added pixels serve all result rows; folding rows instead would not, as each result row pairs other rows.
template <class T, Order O, int R, int V, int First, int Last>
inline __attribute__((always_inline)) void add_row(Vector<T> (&sums)[R][V], const T* row, const int64_t* columns,
                                                   const T* weights, int64_t row_step, int64_t width) {
    const int64_t turn = O == Order::folded ? width / 2 : 0;
    for (int64_t b = 0; b < turn; ++b) {
        const T *pixels = row + columns[b], *mirrored = row + columns[width - 1 - b];
        Vector<T> values[V];
        for (int v = 0; v < V; ++v) values[v] = load(pixels + v * kLanes<T>) + load(mirrored + v * kLanes<T>);
        for (int i = First; i <= Last; ++i) {
            const T weight = weights[b - (i - First) * row_step];
            for (int v = 0; v < V; ++v) sums[i][v] = multiply_add<T>(weight, values[v], sums[i][v]);
        }
    }
    for (int64_t b = turn; b < width - turn; ++b) {
        const T* pixels = row + columns[b];
        Vector<T> values[V];
        for (int v = 0; v < V; ++v) values[v] = load(pixels + v * kLanes<T>);
        for (int i = First; i <= Last; ++i) {
            const T weight = weights[b - (i - First) * row_step];
            for (int v = 0; v < V; ++v) sums[i][v] = multiply_add<T>(weight, values[v], sums[i][v]);
        }
    }
}

// Result rows share image rows: image row r is kernel row r - i of result row i, so each row is loaded once for all R.
// Height is the kernel's height where it is below R, else 0.
template <class T, Order O, int R, int V, int Height, int Row = 0>
inline __attribute__((always_inline)) void add_shared(Vector<T> (&sums)[R][V], const T* const* rows, int64_t x,
                                                      const Taps<T>& taps, const T* weights) {
    if constexpr (Height > 0) {
        if constexpr (Row < R + Height - 1) {
            constexpr int first = Row < Height ? 0 : Row - Height + 1, last = Row < R ? Row : R - 1;
            add_row<T, O, R, V, first, last>(sums, rows[Row] + x, taps.columns, weights + (Row - first) * taps.row_step,
                                          taps.row_step, taps.width);
            add_shared<T, O, R, V, Height, Row + 1>(sums, rows, x, taps, weights);
        }
    } else if constexpr (Row < R - 1) {
        add_row<T, O, R, V, 0, Row>(sums, rows[Row] + x, taps.columns, weights + Row * taps.row_step, taps.row_step, taps.width);
        add_shared<T, O, R, V, 0, Row + 1>(sums, rows, x, taps, weights);
    } else if constexpr (Row == R - 1) {
        for (int64_t r = R - 1; r < taps.height; ++r)
            add_row<T, O, R, V, 0, R - 1>(sums, rows[r] + x, taps.columns, weights + r * taps.row_step, taps.row_step, taps.width);
        add_shared<T, O, R, V, 0, R>(sums, rows + taps.height, x, taps, weights + (taps.height - 1) * taps.row_step);
    } else if constexpr (Row < 2 * R - 1) {
        constexpr int first = Row - R + 1;
        add_row<T, O, R, V, first, R - 1>(sums, rows[Row - R] + x, taps.columns, weights, taps.row_step, taps.width);
        add_shared<T, O, R, V, 0, Row + 1>(sums, rows, x, taps, weights);
    }
}

// Result rows share no image row (a vertical stride that the dilation is no multiple of).
template <class T, int R, int V>
inline __attribute__((always_inline)) void add_separate(Vector<T> (&sums)[R][V], const T* const* rows, int64_t x,
                                                        const Taps<T>& taps, const T* weights) {
    for (int64_t a = 0; a < taps.height; ++a)
        for (int64_t b = 0; b < taps.width; ++b) {
            const T weight = weights[a * taps.row_step + b];
            for (int i = 0; i < R; ++i) {
                const T* pixels = rows[i * taps.height + a] + x + taps.columns[b];
                for (int v = 0; v < V; ++v)
                    sums[i][v] = multiply_add<T>(weight, load(pixels + v * kLanes<T>), sums[i][v]);
            }
        }
}

constexpr int kSeparate = -1;

// `lines`: each vector fills a cache line and is stored past the caches.
template <class T, int R, int V>
inline __attribute__((always_inline)) void store_sums(const Vector<T> (&sums)[R][V], T* const* target, int64_t x, bool lines) {
    if (kFillsLines && lines) {
        for (int i = 0; i < R; ++i)
            for (int v = 0; v < V; ++v) store_line<T>(target[i] + x + v * kLanes<T>, sums[i][v]);
        return;
    }
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) store(target[i] + x + v * kLanes<T>, sums[i][v]);
}

// Asks for the R rows that the next block of rows will be the first to read.
template <class T, int R, int V> inline void fetch_ahead(const Taps<T>& taps, int64_t x) {
    for (int64_t c = 1; c <= taps.channels; ++c)
        for (int i = 1; i <= R; ++i) {
            const auto row = reinterpret_cast<const char*>(taps.rows[c * taps.rows_per_channel - i]);
            for (int v = 0; v < V; ++v) __builtin_prefetch(row + taps.ahead + (x + v * kLanes<T>) * int64_t(sizeof(T)));
        }
}

// One block at column x: sums start from `bias`, or from what `target` holds when `resume`.
template <class T, Order O, int R, int V, int Height>
inline __attribute__((always_inline)) void block(const Taps<T>& taps, T* const* target, int64_t x, T bias, bool resume,
                                                 bool lines) {
    Vector<T> sums[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v)
            sums[i][v] = resume ? load(target[i] + x + v * kLanes<T>) : broadcast(bias);
    for (int64_t c = 0; c < taps.channels; ++c) {
        const T* const* rows = taps.rows + c * taps.rows_per_channel;
        const T* weights = taps.weights + c * taps.channel_step;
        if constexpr (Height == kSeparate) add_separate<T, R, V>(sums, rows, x, taps, weights);
        else add_shared<T, O, R, V, Height>(sums, rows, x, taps, weights);
    }
    store_sums<T, R, V>(sums, target, x, lines);
}

// Registers decide the block: R * V sums, V pixels and one weight must fit in 16 (AVX2) or 32 (AVX-512, NEON); without
// a fused instruction a product needs one more. bench/blocks.py compares the shapes.
// 64-bit integer products are emulated below AVX-512, so blocking would only make the build longer.
template <class T> constexpr int kRows = std::is_same_v<T, int64_t> ? 1 : 4;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kVectors = 4;
#elif defined(__FMA__)
constexpr int kVectors = 3;
#else
constexpr int kVectors = 2;
#endif

template <class T, Order O, int R, int V, int Height>
void sweep_blocks(const Taps<T>& taps, T* const* target, int64_t& x, int64_t count, T bias, bool resume) {
    for (; x + V * kLanes<T> <= count; x += V * kLanes<T>) {
        if (kFillsLines && taps.past_caches) fetch_ahead<T, R, V>(taps, x);
        block<T, O, R, V, Height>(taps, target, x, bias, resume, taps.past_caches);
    }
    if constexpr (V > 1) sweep_blocks<T, O, R, V - 1, Height>(taps, target, x, count, bias, resume);
}

// R whole result rows of `count` columns (at least one vector). What is left over at the right is computed once more in
// a vector that ends at the last column: the same sums, so the same bits; therefore not when resuming, where the caller
// pads `count` to whole vectors.
template <class T, Order O, int R, int Height>
void sweep(const Taps<T>& taps, T* const* target, int64_t count, T bias, bool resume) {
    int64_t x = 0;
    if (taps.past_caches) {
        block<T, O, R, 1, Height>(taps, target, 0, bias, resume, false);
        x = before_line(target[0]);
    }
    sweep_blocks<T, O, R, kVectors, Height>(taps, target, x, count, bias, resume);
    if (x < count) block<T, O, R, 1, Height>(taps, target, count - kLanes<T>, bias, resume, false);
}

// As `block` for the listed taps alone; `spread` is how many row pointers lie between result rows.
template <class T, int R, int V>
inline __attribute__((always_inline)) void block_nonzero(const Taps<T>& taps, const T* const* first, T* const* target, int64_t x,
                                                         T bias, bool resume, int64_t spread, bool lines) {
    Vector<T> sums[R][V];
    for (int i = 0; i < R; ++i)
        for (int v = 0; v < V; ++v) sums[i][v] = resume ? load(target[i] + x + v * kLanes<T>) : broadcast(bias);
    for (int64_t n = 0; n < taps.nonzero_count; ++n) {
        const Nonzero<T>& tap = taps.nonzero[n];
        const T* const* rows = first + tap.channel * taps.rows_per_channel + tap.row;
        for (int i = 0; i < R; ++i) {
            const T* pixels = rows[i * spread] + x + tap.column;
            for (int v = 0; v < V; ++v) sums[i][v] = multiply_add<T>(tap.weight, load(pixels + v * kLanes<T>), sums[i][v]);
        }
    }
    store_sums<T, R, V>(sums, target, x, lines);
}

template <class T, int R, int V>
void sweep_listed(const Taps<T>& taps, const T* const* first, T* const* target, int64_t& x, int64_t count, T bias, bool resume,
                  int64_t spread) {
    for (; x + V * kLanes<T> <= count; x += V * kLanes<T>)
        block_nonzero<T, R, V>(taps, first, target, x, bias, resume, spread, taps.past_caches);
    if constexpr (V > 3) sweep_listed<T, R, V / 2>(taps, first, target, x, count, bias, resume, spread);
}

// As sweep_rows, without the taps of weight zero. Few taps share no image row worth keeping in registers: two rows of twice
// the vectors load half as many pointers as four rows do, and take 0.6 to 0.75 of the time (5 and 17 taps).
template <class T, int R>
void sweep_nonzero(const Taps<T>& taps, T* const* target, int64_t count, T bias, bool resume, bool shared) {
    constexpr int kPair = R < 2 ? R : 2;
    const int64_t spread = shared ? 1 : taps.height;
    int64_t x = 0, first = 0;
    if (taps.past_caches) {
        block_nonzero<T, R, 1>(taps, taps.rows, target, 0, bias, resume, spread, false);
        first = before_line(target[0]);
    }
    for (int i = 0; i < R; i += kPair) {
        x = first;
        sweep_listed<T, kPair, 2 * kVectors>(taps, taps.rows + i * spread, target + i, x, count, bias, resume, spread);
    }
    sweep_listed<T, R, 1>(taps, taps.rows, target, x, count, bias, resume, spread);  // all rows, or sums wait for one another
    if (x < count) block_nonzero<T, R, 1>(taps, taps.rows, target, count - kLanes<T>, bias, resume, spread, false);
}

template <class T, int R, Order O = Order::dense>
void sweep_rows(const Taps<T>& taps, T* const* target, int64_t count, T bias, bool resume, bool shared) {
    if constexpr (R > 1) {
        if (!shared) return sweep<T, O, R, kSeparate>(taps, target, count, bias, resume);
        if (taps.height == 1) return sweep<T, O, R, 1>(taps, target, count, bias, resume);
    }
    if constexpr (R > 2) {
        if (taps.height == 2) return sweep<T, O, R, 2>(taps, target, count, bias, resume);
        if (taps.height == 3) return sweep<T, O, R, 3>(taps, target, count, bias, resume);
    }
    sweep<T, O, R, 0>(taps, target, count, bias, resume);
}

}  // namespace
}  // namespace corr2d
