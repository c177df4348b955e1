// The image rows that four result rows see, continued past the borders and interleaved in pairs, in a ring: going down
// the image, each pair is laid once, over the pair no longer needed.
#pragma once
#include <cstring>

#include "integer_kernel.h"

namespace corr2d {
namespace {

// Rows may lie at any address.
template <class T> struct Unaligned {
    typedef T type __attribute__((aligned(1), may_alias));
};

constexpr int64_t kInterleaved = 64;  // columns at a time: whole vectors of every instruction set

template <class Pixel, class Source>
inline void interleave_some(Pixel* __restrict target, const char* __restrict upper, const char* __restrict lower, int64_t count) {
    const auto* first = reinterpret_cast<const typename Unaligned<Source>::type*>(upper);
    const auto* second = reinterpret_cast<const typename Unaligned<Source>::type*>(lower);
    for (int64_t n = 0; n < count; ++n) {
        target[2 * n] = Pixel(first[n] - kOffset<Pixel, Source>);
        target[2 * n + 1] = Pixel(second[n] - kOffset<Pixel, Source>);
    }
}

// What is left over at the right is laid with some of its neighbours once more.
template <class Pixel, class Source> void interleave(Pixel* target, const char* upper, const char* lower, int64_t count) {
    if (count < kInterleaved) return interleave_some<Pixel, Source>(target, upper, lower, count);
    for (int64_t n = 0; n < count; n += kInterleaved) {
        const int64_t at = least(n, count - kInterleaved), bytes = at * int64_t(sizeof(Source));
        interleave_some<Pixel, Source>(target + 2 * at, upper + bytes, lower + bytes, kInterleaved);
    }
}

// The columns of the padded image that one tile's windows cover.
template <class Pixel, class Source> class PairRing {
public:
    using Raw = std::conditional_t<sizeof(Source) == 1, uint8_t, uint16_t>;

    static int64_t bytes(int64_t pairs, int64_t width) {
        return round_up(pairs * row_step(width) * int64_t(sizeof(Pixel)), 64) + 2 * raw_bytes(width);
    }

    PairRing(const Job& job, const Gather<Raw>& gather, char* memory, int64_t pairs, const char* plane, int64_t phase, int64_t column,
             int64_t width)
        : job_(job), gather_(gather), plane_(plane), phase_(phase), run_(gather.run_from(column, width, 1)), pairs_(pairs),
          step_(row_step(width)), pixels_(reinterpret_cast<Pixel*>(memory)) {
        for (int64_t k = 0; k < 2; ++k)
            raw_[k] = reinterpret_cast<Raw*>(memory + round_up(pairs * step_ * int64_t(sizeof(Pixel)), 64) + k * raw_bytes(width));
        fill_ = Raw(static_cast<const int32_t*>(job.fill)[0]);
        in_place_ = job.image.column == int64_t(sizeof(Raw)) && !job.image.swapped && run_.first < run_.last;
        own_ = (run_.start + run_.first - job.columns.before) * int64_t(sizeof(Raw));
    }

    const Pixel* row(int64_t pair) const { return pixels_ + pair % pairs_ * step_; }

    // Rows 2 pair and 2 pair + 1 of the phase. Rows past the padded image meet only zero weights or sums nobody wants.
    void lay(int64_t pair) {
        Pixel* target = pixels_ + pair % pairs_ * step_;
        const char* rows[2];
        for (int64_t k = 0; k < 2; ++k)
            rows[k] = gather_.row(plane_, least(phase_ + (2 * pair + k) * job_.rows.dilation, job_.rows.padded - 1));
        if (!in_place_) {
            for (int64_t k = 0; k < 2; ++k) gather_.read(raw_[k], rows[k], run_, 1, fill_);
            return interleave<Pixel, Source>(target, bytes_of(raw_[0]), bytes_of(raw_[1]), run_.count);
        }
        const char* middles[2];
        for (int64_t k = 0; k < 2; ++k) {
            lay_rim(target + k, rows[k], 0, run_.first);
            lay_rim(target + k, rows[k], run_.last, run_.count);
            middles[k] = rows[k] ? rows[k] + own_ : fill_row(raw_[k]);
        }
        interleave<Pixel, Source>(target + 2 * run_.first, middles[0], middles[1], run_.last - run_.first);
    }

private:
    const Job& job_;
    const Gather<Raw>& gather_;
    const char* plane_;
    const int64_t phase_;
    const Run run_;
    const int64_t pairs_, step_;
    Pixel* pixels_;
    Raw* raw_[2];
    Raw fill_;
    bool in_place_;
    int64_t own_;  // from the start of an image row to the run's first own column

    static int64_t row_step(int64_t width) { return round_up(2 * width, 64 / int64_t(sizeof(Pixel))); }
    static int64_t raw_bytes(int64_t width) { return round_up(width * int64_t(sizeof(Raw)), 64); }
    static const char* bytes_of(const Raw* row) { return reinterpret_cast<const char*>(row); }

    // One of the two rows, columns [first, last), through the index map; past the padded image its last column again.
    void lay_rim(Pixel* target, const char* row, int64_t first, int64_t last) const {
        for (int64_t n = first; n < last; ++n) {
            const int64_t source = job_.columns.source[run_.start + least(n, run_.inside - 1)];
            Source value = Source(fill_);
            if (row != nullptr && source >= 0) std::memcpy(&value, row + source * int64_t(sizeof value), sizeof value);
            target[2 * n] = Pixel(value - kOffset<Pixel, Source>);
        }
    }

    const char* fill_row(Raw* row) const {
        for (int64_t n = 0; n < run_.last - run_.first; ++n) row[n] = fill_;
        return bytes_of(row);
    }
};

}  // namespace
}  // namespace corr2d
