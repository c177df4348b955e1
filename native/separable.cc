// Kernels that are a sum of few outer products, column by row: kh + kw multiply-adds a pixel and term instead of kh * kw.
//
// One pass over the image: a run goes down a strip of columns; every new image row passes the row filter of each term
// into a ring of the last kh - 1 + R filtered rows, which stays in cache, and R result rows are summed over the ring.
// Rows past the edge come through the index map as in direct.cc; columns past it are gathered for the rim alone.
//
// Promise: every filtered value is one chain of multiply_add over the kw taps, every result one chain that starts at
// the bias and goes over the terms and, in each, the kh taps. Nothing depends on strips, runs or threads, and no tap is
// skipped, so a NaN or infinity reaches exactly the results whose window holds it (tests/native/test_separable.cc).
#include "correlate.h"
#include "filter.h"
#include "narrowing.h"
#include "strips.h"
#include "threads.h"

namespace corr2d {
namespace {

// The ring of one strip: a share of a small L2 cache.
constexpr int64_t kRingBytes = 256 * 1024;
constexpr int64_t kWidestStrip = 1024;

template <class T> class Separable {
public:
    Separable(const Job& job, int threads)
        : job_(job),
          held_(job.rows.taps - 1 + R),
          span_((job.columns.taps - 1) * job.columns.dilation),
          strips_(job, least(kWidestStrip, kRingBytes / (held_ * job.terms * int64_t(sizeof(T)))), kVectors * L, threads),
          pitch_(staggered<T>(strips_.width + L)),
          buffer_(strips_.width + span_ + 2 * L),
          read_(job),
          write_(row_writer<T>(job.out.element, job.out.swapped)),
          direct_image_(plain<T>(job, job.image, 1)),
          direct_out_(plain<T>(job, job.out, 1)) {}

    int run(int threads, bool (*interrupted)()) const {
        return run_all(strips_.tasks(), threads, interrupted, [this](int64_t index, Scratch& scratch) { return strip(index, scratch); });
    }

private:
    static constexpr int64_t L = kLanes<T>;
    static constexpr int R = kRows<T>;

    const Job& job_;
    const int64_t held_;  // rows in a term's ring
    const int64_t span_;
    const Strips strips_;
    const int64_t pitch_, buffer_;  // values in a row of a ring, in a row of gathered pixels
    const Gather<T> read_;
    const Writer<T> write_;
    const bool direct_image_, direct_out_;

    // A strip in work. Its columns [middle, right) see only the image's own columns and are filtered where these lie.
    struct Work {
        Strip strip;
        int64_t middle, right;
        Run left_run, right_run;
        bool in_place;
        T fill, bias;
        const T* weights;
        const T** ring;  // [terms][2 * held]: the rows of a ring twice over, so that any window is consecutive
        T *ring_rows, *pixels, *fill_row, *sums;
    };

    void carve(Work& w, Carve& scratch) const {
        w.ring = scratch.take<const T*>(2 * held_ * job_.terms);
        w.ring_rows = scratch.take<T>(job_.terms * held_ * pitch_);
        w.pixels = scratch.take<T>(2 * R * buffer_);
        w.fill_row = scratch.take<T>(job_.rows.fills ? buffer_ : 0);
        w.sums = scratch.take<T>(R * pitch_);
    }

    int strip(int64_t index, Scratch& scratch) const {
        Work w{};
        if (!carve_scratch(scratch, [&](Carve& pieces) { carve(w, pieces); })) return kOutOfMemory;
        begin(w, index);
        int64_t filtered = 0, done = 0;
        bool finite = true;
        advance<R>(w, filtered, done, finite);
        return finite ? kDone : kNotFinite;
    }

    void begin(Work& w, int64_t index) const {
        w.strip = strips_.locate(index);
        const Strip& s = w.strip;
        const Axis& columns = job_.columns;
        w.middle = clamp(columns.before - s.first_column, 0, s.columns);
        w.right = clamp(columns.before + columns.image - span_ - s.first_column, w.middle, s.columns);
        if (!direct_image_ || w.right - w.middle < L) w.middle = w.right = 0;
        w.left_run = read_.run_from(s.first_column, round_up(most(w.middle, 1), L) + span_, 1);
        w.right_run = read_.run_from(s.first_column + w.right, round_up(most(s.columns - w.right, 1), L) + span_, 1);
        w.in_place = direct_out_ && s.columns >= L;
        w.fill = *static_cast<const T*>(job_.fill);
        w.bias = job_.bias ? static_cast<const T*>(job_.bias)[s.group] : T(0);
        w.weights = static_cast<const T*>(job_.weights) + s.group * job_.terms * (job_.rows.taps + job_.columns.taps);
        for (int64_t t = 0; t < job_.terms; ++t)
            for (int64_t r = 0; r < 2 * held_; ++r) w.ring[2 * t * held_ + r] = w.ring_rows + (t * held_ + r % held_) * pitch_;
        if (job_.rows.fills)
            for (int64_t x = 0; x < buffer_; ++x) w.fill_row[x] = w.fill;
    }

    // Count result rows at a time, as long as there are so many; then one.
    template <int Count> void advance(Work& w, int64_t& filtered, int64_t& done, bool& finite) const {
        for (; done + Count <= w.strip.rows; done += Count) {
            filter_until<R>(w, filtered, done + Count + job_.rows.taps - 1);
            finite &= sum_columns<Count>(w, done);
        }
        if constexpr (Count > 1) advance<1>(w, filtered, done, finite);
    }

    template <int Count> void filter_until(Work& w, int64_t& filtered, int64_t end) const {
        for (; filtered + Count <= end; filtered += Count) filter<Count>(w, filtered);
        if constexpr (Count > 1) filter_until<1>(w, filtered, end);
    }

    // Padded rows m, m + 1, ... of the run into the rings. The left rim goes first: its last vector may reach into the
    // middle, which then overwrites what was too much. The right rim may reach past the strip, where nobody reads.
    template <int Count> void filter(Work& w, int64_t m) const {
        const T *left[Count], *middle[Count], *right[Count];
        for (int i = 0; i < Count; ++i) {
            const char* row = read_.row(w.strip.image, w.strip.first_row + (m + i) * w.strip.row_step);
            left[i] = rim(w, w.pixels + 2 * i * buffer_, row, w.left_run, w.middle);
            right[i] = rim(w, w.pixels + (2 * i + 1) * buffer_, row, w.right_run, w.strip.columns - w.right);
            middle[i] = row ? reinterpret_cast<const T*>(row) + w.strip.first_column + w.middle - job_.columns.before : w.fill_row;
        }
        for (int64_t t = 0; t < job_.terms; ++t) {
            const T* weights = w.weights + t * (job_.rows.taps + job_.columns.taps) + job_.rows.taps;
            filter_piece<Count>(w, left, t, m, 0, round_up(w.middle, L), weights);
            filter_piece<Count>(w, middle, t, m, w.middle, w.right - w.middle, weights);
            filter_piece<Count>(w, right, t, m, w.right, round_up(w.strip.columns - w.right, L), weights);
        }
    }

    const T* rim(const Work& w, T* pixels, const char* row, const Run& run, int64_t count) const {
        if (row == nullptr) return w.fill_row;
        if (count > 0) read_.read(pixels, row, run, 1, w.fill);
        return pixels;
    }

    template <int Count>
    void filter_piece(const Work& w, const T* const* rows, int64_t term, int64_t m, int64_t column, int64_t count,
                      const T* weights) const {
        if (count == 0) return;
        T* targets[Count];
        for (int i = 0; i < Count; ++i) targets[i] = w.ring_rows + (term * held_ + (m + i) % held_) * pitch_ + column;
        filter_rows<T, Count>(rows, targets, count, weights, {job_.columns.taps, job_.columns.dilation});
    }

    template <int Count> bool sum_columns(const Work& w, int64_t n) const {
        T* targets[Count];
        for (int i = 0; i < Count; ++i)
            targets[i] = w.in_place ? reinterpret_cast<T*>(w.strip.out_row(job_, n + i)) : w.sums + i * pitch_;
        const int64_t count = most(w.strip.columns, L);
        const T* const* rows = w.ring + n % held_;
        const ColumnTaps<T> taps = {rows, 2 * held_, w.weights, job_.rows.taps + job_.columns.taps, job_.terms, job_.rows.taps};
        filter_columns<T, Count>(taps, targets, count, w.bias);
        bool finite = true;
        if (!w.in_place)
            for (int i = 0; i < Count; ++i)
                finite &= write_(w.strip.out_row(job_, n + i), job_.out.column, targets[i], w.strip.columns);
        return finite;
    }
};

}  // namespace

int CORR2D_ENTRY(separable)(const Job& job, int threads, bool (*interrupted)()) {
    switch (job.sum) {
        case Element::f32: return Separable<float>(job, threads).run(threads, interrupted);
        case Element::f64: return Separable<double>(job, threads).run(threads, interrupted);
        case Element::i32: return Separable<int32_t>(job, threads).run(threads, interrupted);
        default: return Separable<int64_t>(job, threads).run(threads, interrupted);
    }
}

}  // namespace corr2d
