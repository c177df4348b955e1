// OpenCV's Sobel derivatives of a uint8 image for Canny, row by row: apertures 3, 5 and 7, the outermost pixel repeated
// past the edges, sums exact; those of aperture 7 are divided by 16 and rounded half to even, to fit 16 bits.
#pragma once
#include "edges.h"
#include "gather.h"

namespace corr2d {
namespace {

template <int Aperture> struct SobelTaps;
template <> struct SobelTaps<3> {
    static constexpr int smooth[] = {1, 2, 1}, difference[] = {-1, 0, 1};
};
template <> struct SobelTaps<5> {
    static constexpr int smooth[] = {1, 4, 6, 4, 1}, difference[] = {-1, -2, 0, 2, 1};
};
template <> struct SobelTaps<7> {
    static constexpr int smooth[] = {1, 6, 15, 20, 15, 6, 1}, difference[] = {-1, -4, -5, 0, 5, 4, 1};
};

template <int Aperture> class SobelRows {
public:
    // Sums of up to 3 or 5 taps on each axis fit 16 bits, those of 7 do not.
    using Sum = std::conditional_t<Aperture == 7, int32_t, int16_t>;
    static constexpr int kReach = Aperture / 2;
    static constexpr int64_t kMargin = 64 / int64_t(sizeof(Sum));  // before a row of sums, more than kReach

    // Room for `kRows` rows of `width(columns)` sums.
    static constexpr int kRows = 2;
    static int64_t width(int64_t columns) { return 2 * kMargin + round_up(columns, kMargin); }

    // Null memory is measured by who hands it out, and never used.
    SobelRows(const EdgeJob& job, int64_t plane, Sum* memory)
        : job_(job), plane_(plane), smooth_(memory == nullptr ? nullptr : memory + kMargin),
          difference_(memory == nullptr ? nullptr : memory + width(job.columns) + kMargin) {}

    void row(int64_t y, int16_t* __restrict down, int16_t* __restrict across) {
        const uint8_t* rows[Aperture];
        for (int k = 0; k < Aperture; ++k)
            rows[k] = job_.image.at<const uint8_t>(plane_, clamp(y + k - kReach, 0, job_.rows - 1));
        const int64_t columns = job_.columns;
        sum_columns(rows, columns, smooth_, difference_);
        for (int k = 1; k <= kReach; ++k) {
            smooth_[-k] = smooth_[0];
            difference_[-k] = difference_[0];
            smooth_[columns - 1 + k] = smooth_[columns - 1];
            difference_[columns - 1 + k] = difference_[columns - 1];
        }
        sum_rows(smooth_, difference_, columns, down, across);
    }

private:
    using Taps = SobelTaps<Aperture>;

    static void sum_columns(const uint8_t* const* rows, int64_t columns, Sum* __restrict smooth, Sum* __restrict difference) {
        const uint8_t* row[Aperture];
        for (int k = 0; k < Aperture; ++k) row[k] = rows[k];
        for (int64_t x = 0; x < columns; ++x) {
            Sum s = 0, d = 0;
#pragma GCC unroll 7
            for (int k = 0; k < Aperture; ++k) {
                s = Sum(s + Taps::smooth[k] * row[k][x]);
                d = Sum(d + Taps::difference[k] * row[k][x]);
            }
            smooth[x] = s;
            difference[x] = d;
        }
    }

    static void sum_rows(const Sum* __restrict smooth, const Sum* __restrict difference, int64_t columns,
                         int16_t* __restrict down, int16_t* __restrict across) {
        for (int64_t x = 0; x < columns; ++x) {
            Sum y = 0, z = 0;
#pragma GCC unroll 7
            for (int k = 0; k < Aperture; ++k) {
                y = Sum(y + Taps::smooth[k] * difference[x + k - kReach]);
                z = Sum(z + Taps::difference[k] * smooth[x + k - kReach]);
            }
            down[x] = narrowed(y);
            across[x] = narrowed(z);
        }
    }

    static int16_t narrowed(Sum sum) {
        if constexpr (Aperture == 7) return int16_t((sum + 7 + ((sum >> 4) & 1)) >> 4);
        else return sum;
    }

    const EdgeJob& job_;
    const int64_t plane_;
    Sum *const smooth_, *const difference_;
};

}  // namespace
}  // namespace corr2d
