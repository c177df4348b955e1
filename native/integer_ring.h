// The image rows that four result rows see, continued past the borders and interleaved in pairs, in a ring: going down
// the image, each pair is laid once, over the pair no longer needed.
#pragma once
#include "integer_kernel.h"

namespace corr2d {
namespace {

// Rows may lie at any address.
template <class T> struct Unaligned {
    typedef T type __attribute__((aligned(1), may_alias));
};

template <class Pixel, class Source>
void interleave(Pixel* __restrict target, const char* upper, const char* lower, int64_t count) {
    const auto* first = reinterpret_cast<const typename Unaligned<Source>::type*>(upper);
    const auto* second = reinterpret_cast<const typename Unaligned<Source>::type*>(lower);
    for (int64_t n = 0; n < count; ++n) {
        target[2 * n] = Pixel(first[n] - kOffset<Pixel, Source>);
        target[2 * n + 1] = Pixel(second[n] - kOffset<Pixel, Source>);
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
        raw_[0] = memory + round_up(pairs * step_ * int64_t(sizeof(Pixel)), 64);
        raw_[1] = raw_[0] + raw_bytes(width);
        fill_ = Raw(static_cast<const int32_t*>(job.fill)[0]);
        in_place_ = job.image.column == int64_t(sizeof(Raw)) && !job.image.swapped && run_.first < run_.last;
    }

    const Pixel* row(int64_t pair) const { return pixels_ + pair % pairs_ * step_; }

    // Rows 2 pair and 2 pair + 1 of the phase. Rows past the padded image meet only zero weights or sums nobody wants.
    void lay(int64_t pair) {
        Pixel* target = pixels_ + pair % pairs_ * step_;
        const char* middle[2];
        for (int64_t k = 0; k < 2; ++k)
            middle[k] = read(raw_[k], least(phase_ + (2 * pair + k) * job_.rows.dilation, job_.rows.padded - 1));
        const int64_t first = in_place_ ? run_.first : 0, last = in_place_ ? run_.last : run_.count;
        const int64_t right = last * int64_t(sizeof(Raw));
        interleave<Pixel, Source>(target, raw_[0], raw_[1], first);
        interleave<Pixel, Source>(target + 2 * first, middle[0], middle[1], last - first);
        interleave<Pixel, Source>(target + 2 * last, raw_[0] + right, raw_[1] + right, run_.count - last);
    }

private:
    const Job& job_;
    const Gather<Raw>& gather_;
    const char* plane_;
    const int64_t phase_;
    const Run run_;
    const int64_t pairs_, step_;
    Pixel* pixels_;
    char* raw_[2];
    Raw fill_;
    bool in_place_;

    static int64_t row_step(int64_t width) { return round_up(2 * width, 64 / int64_t(sizeof(Pixel))); }
    static int64_t raw_bytes(int64_t width) { return round_up(width * int64_t(sizeof(Raw)), 64); }

    // Reads what cannot be had in place, and says where the middle is.
    const char* read(char* raw, int64_t y) const {
        Raw* target = reinterpret_cast<Raw*>(raw);
        const char* row = gather_.row(plane_, y);
        if (!in_place_ || row == nullptr) {
            gather_.read(target, row, run_, 1, fill_);
            return raw + (in_place_ ? run_.first * int64_t(sizeof(Raw)) : 0);
        }
        const Run left = {run_.start, run_.first, run_.first, run_.first, run_.first};
        const Run right = {run_.start + run_.last, 0, 0, run_.inside - run_.last, run_.count - run_.last};
        if (left.count > 0) gather_.read(target, row, left, 1, fill_);
        if (right.count > 0) gather_.read(target + run_.last, row, right, 1, fill_);
        return row + (run_.start + run_.first - job_.columns.before) * int64_t(sizeof(Raw));
    }
};

}  // namespace
}  // namespace corr2d
