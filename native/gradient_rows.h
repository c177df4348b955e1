// The gradient of a floating image by two short factors, row by row, for Canny: chains of multiply_add over the taps, as
// a call of the operator has, each row used while it is in cache, and written only on demand.
#pragma once
#include "edges.h"
#include "gather.h"
#include "simd.h"
#include "strips.h"

namespace corr2d {
namespace {

// The taps and rows of a window. Copied where their number is known, so that they stay in registers.
template <class T, int Taps> struct Held {
    Held(const T* across_taps, const T* along_taps, const T* const* window, int64_t) {
        for (int k = 0; k < Taps; ++k) across[k] = across_taps[k], along[k] = along_taps[k], rows[k] = window[k];
    }
    static constexpr int64_t taps = Taps;
    T across[Taps], along[Taps];
    const T* rows[Taps];
};
template <class T> struct Held<T, 0> {
    Held(const T* across_taps, const T* along_taps, const T* const* window, int64_t count)
        : taps(count), across(across_taps), along(along_taps), rows(window) {}
    const int64_t taps;
    const T *const across, *const along;
    const T* const* const rows;
};

template <class T> class GradientRows {
public:
    GradientRows(const EdgeJob& job, int64_t plane, Carve& carve)
        : job_(job), plane_(plane), across_(static_cast<const T*>(job.factors)), along_(across_ + job.taps),
          scale_(along_[job.taps]), reach_(job.taps / 2), margin_(round_up(reach_, kLanes<T>)) {
        const int64_t width = 2 * margin_ + round_up(job.columns, kLanes<T>);
        T* const smooth = carve.take<T>(width);
        T* const change = carve.take<T>(width);
        rows_ = carve.take<const T*>(job.taps);
        fill_row_ = carve.take<T>(job.columns);
        if (smooth == nullptr) return;
        smooth_ = smooth + margin_;
        change_ = change + margin_;
        for (int64_t x = 0; x < job.columns; ++x) fill_row_[x] = T(job.fill);
    }

    // Writes up to a multiple of a vector's lanes.
    void row(int64_t y, T* down, T* across) {
        switch (job_.taps) {
            case 3: return row_of<3>(y, down, across);
            case 5: return row_of<5>(y, down, across);
            default: return row_of<0>(y, down, across);
        }
    }

private:
    static constexpr int64_t L = kLanes<T>;

    template <int Taps> __attribute__((noinline)) void row_of(int64_t y, T* down, T* across) {
        const int64_t columns = job_.columns;
        for (int64_t a = 0; a < job_.taps; ++a) {
            const int64_t source = job_.row_map[y + a];
            rows_[a] = source < 0 ? fill_row_ : job_.image.at<const T>(plane_, source);
        }
        const Held<T, Taps> held(across_, along_, rows_, job_.taps);
        T *const smooth = smooth_, *const change = change_;
        const auto filter_down = [&](int64_t x, auto pixels) {
            Vector<T> smoothed{}, changed{};
            for (int64_t a = 0; a < held.taps; ++a) {
                const Vector<T> values = pixels(a);
                smoothed = multiply_add<T>(held.across[a], values, smoothed);
                changed = multiply_add<T>(held.along[a], values, changed);
            }
            store(smooth + x, smoothed);
            store(change + x, changed);
        };
        int64_t x = 0;
        for (; x + L <= columns; x += L) filter_down(x, [&](int64_t a) { return load(held.rows[a] + x); });
        if (x < columns) {
            filter_down(x, [&](int64_t a) {
                Vector<T> rest{};
                for (int64_t n = x; n < columns; ++n) rest[n - x] = held.rows[a][n];
                return rest;
            });
        }
        continue_rows(job_.taps);
        const Vector<T> scale = broadcast(scale_);
        const int64_t reach = Taps ? Taps / 2 : reach_;
        for (x = 0; x < columns; x += L) {
            Vector<T> vertical{}, horizontal{};
            for (int64_t b = 0; b < held.taps; ++b) {
                vertical = multiply_add<T>(held.across[b], load(change + x + b - reach), vertical);
                horizontal = multiply_add<T>(held.along[b], load(smooth + x + b - reach), horizontal);
            }
            store(down + x, vertical * scale);
            store(across + x, horizontal * scale);
        }
    }

    // Past the edges columns come through the index map; those of the fill value are filtered down as pixels are.
    void continue_rows(int64_t taps) {
        Vector<T> filled_smooth{}, filled_change{};
        for (int64_t a = 0; a < taps; ++a) {
            filled_smooth = multiply_add<T>(across_[a], broadcast(T(job_.fill)), filled_smooth);
            filled_change = multiply_add<T>(along_[a], broadcast(T(job_.fill)), filled_change);
        }
        const auto set = [&](int64_t place) {
            const int64_t source = job_.column_map[place + reach_];
            smooth_[place] = source < 0 ? filled_smooth[0] : smooth_[source];
            change_[place] = source < 0 ? filled_change[0] : change_[source];
        };
        for (int64_t n = 1; n <= reach_; ++n) {
            set(-n);
            set(job_.columns - 1 + n);
        }
    }

    const EdgeJob& job_;
    const int64_t plane_;
    const T *const across_, *const along_;
    const T scale_;
    const int64_t reach_, margin_;
    T *smooth_ = nullptr, *change_ = nullptr, *fill_row_ = nullptr;
    const T** rows_ = nullptr;
};

}  // namespace
}  // namespace corr2d
