// Gradients by two short factors, `across` that smooths and `along` that differentiates, in one pass over the image:
//
//     x' = sum over b of along[b]  * (sum over a of across[a] * X[i + a, j + b])
//     y' = sum over b of across[b] * (sum over a of along[a]  * X[i + a, j + b])
//
// and out of these, in one, two or three result channels, scale * |(y', x')|; scale * y', scale * x'; or all three.
//
// Taps that fold go down a block of rows in registers (gradient_folded.h). Others are summed down first, into a row that
// stays in L1 until it is summed across (gradient_taps.h). Rows past the edge come through the index map; columns past it
// are gathered, or filtered one by one, where the index map says.
//
// Promise: every component is one chain of multiply_add over the taps, from zero, of such chains down, or where taps fold
// s * (a + c) + t * b and c - a + 0 * b, across first; so nothing depends on strips, runs or threads, and no tap is
// skipped: a NaN or infinity reaches exactly the results whose window holds it. The magnitude is scale * sqrt(y' * y' +
// x' * x'); where these squares leave the range in which they are precise, double or hypot() forms it, pixel by pixel.
// For 8-bit images all but the last two steps is in exact integers. With u the unit roundoff, a component lies within
// (2 k + 3) u |scale| sum |across||along||X| of the truth. tests/native/test_gradient.cc holds all of it.
#include "correlate.h"
#include "gradient_folded.h"
#include "narrowing.h"
#include "strips.h"
#include "threads.h"

namespace corr2d {
namespace {

// Image rows, column sums and a result row of this many columns share L1 and, for the image rows, L2.
constexpr int64_t kWidestStrip = 2048;

// Whether there are three taps that can be folded, as those of Prewitt, Sobel and Scharr.
template <class T> bool folds(const Job& job) {
    const T* weights = static_cast<const T*>(job.weights);
    return job.rows.taps == 3 && weights[0] == weights[2] && weights[3] == -1 && weights[4] == 0 && weights[5] == 1;
}

// P is a pixel as it lies in memory (or in gathered rows), T what results are.
template <class T, class P> class Gradient {
public:
    Gradient(const Job& job, int threads)
        : job_(job),
          taps_(job.rows.taps),
          folds_(folds<T>(job)),
          held_(folds_ ? kBlockRows + 2 : taps_),
          outputs_(job.out_channels),
          strips_(job, kWidestStrip, kStep, threads),
          pitch_(staggered<T>(strips_.width + taps_ + kStep)),
          read_(job),
          write_(row_writer<T>(job.out.element, job.out.swapped)),
          direct_image_(kBytes || plain<T>(job, job.image, 1)),
          direct_out_(plain<T>(job, job.out, 1)) {
        const T* weights = static_cast<const T*>(job.weights);
        factors_ = {weights, weights + taps_, taps_, weights[2 * taps_]};
        if (folds_) folded_ = {weights[0], weights[1], factors_.scale};
    }

    int run(int threads, bool (*interrupted)()) const {
        return run_all(strips_.tasks(), threads, interrupted, [this](int64_t index, Scratch& scratch) { return strip(index, scratch); });
    }

private:
    static constexpr bool kBytes = sizeof(P) < sizeof(T);
    static constexpr int64_t kStep = kBytes ? kShortLanes : kLanes<T>;

    const Job& job_;
    const int64_t taps_;
    const bool folds_;
    const int64_t held_;  // image rows that are in work at one time
    const int64_t outputs_;
    const Strips strips_;
    const int64_t pitch_;  // values in a row of scratch
    const Gather<T> read_;
    const Writer<T> write_;
    const bool direct_image_, direct_out_;
    Factors<T> factors_;
    Folded<T> folded_{};

    // A strip in work. Padded columns are counted from its first one; [first, last) of them are the image's own and are
    // filtered where they lie. Where pixels are gathered all columns are, and `ring` holds the last rows.
    struct Work {
        Strip strip;
        int64_t padded, first, last, gathered;
        Run run;
        P fill;
        const P** rows;  // [held]: padded rows of the window or block, such that [0] is padded column 0
        P* fill_row;
        T* ring;         // [held][pitch]
        P* rim;          // [held][2 * kStep]
        T** rim_targets; // [outputs][kBlockRows]
        T *smooth, *change;
        T** targets;     // [outputs][kBlockRows]
        T* results;      // [outputs][kBlockRows][pitch]
    };

    void carve(Work& w, Carve& scratch) const {
        const int64_t result_rows = outputs_ * kBlockRows;
        w.rows = scratch.take<const P*>(held_);
        w.targets = scratch.take<T*>(result_rows);
        w.rim_targets = scratch.take<T*>(result_rows);
        w.fill_row = scratch.take<P>(job_.rows.fills ? pitch_ : 0);
        w.ring = scratch.take<T>(direct_image_ ? 0 : held_ * pitch_);
        w.rim = scratch.take<P>(held_ * (kStep + most(kStep, taps_)));
        w.smooth = scratch.take<T>(folds_ ? 0 : pitch_);
        w.change = scratch.take<T>(folds_ ? 0 : pitch_);
        w.results = scratch.take<T>(result_rows * pitch_);
    }

    int strip(int64_t index, Scratch& scratch) const {
        Work w{};
        if (!carve_scratch(scratch, [&](Carve& pieces) { carve(w, pieces); })) return kOutOfMemory;
        begin(w, index);
        bool finite = true;
        const int64_t height = folds_ ? kBlockRows : 1;
        for (int64_t n = 0; n < w.strip.rows; n += height) {
            const int64_t rows = least(height, w.strip.rows - n);
            find_rows(w, n, rows);
            const bool in_place = find_targets(w, n, rows);
            if (folds_) filter_block(w, n, rows);
            else filter_row(w, n);
            if (!in_place) finite &= write_rows(w, n, rows);
        }
        return finite ? kDone : kNotFinite;
    }

    void begin(Work& w, int64_t index) const {
        w.strip = strips_.locate(index);
        const Axis& columns = job_.columns;
        w.padded = w.strip.columns + taps_ - 1;
        w.first = direct_image_ ? clamp(columns.before - w.strip.first_column, 0, w.padded) : 0;
        w.last = direct_image_ ? clamp(columns.before + columns.image - w.strip.first_column, w.first, w.padded) : w.padded;
        w.run = read_.run_from(w.strip.first_column, w.padded, 1);
        w.fill = P(*static_cast<const T*>(job_.fill));
        if (job_.rows.fills)
            for (int64_t x = 0; x < pitch_; ++x) w.fill_row[x] = w.fill;
        // What lies past the strip is summed into results that nobody reads; it should not be slow to sum.
        if (!direct_image_)
            for (int64_t x = 0; x < held_ * pitch_; ++x) w.ring[x] = T(0);
        for (int64_t x = 0; x < held_ * (kStep + most(kStep, taps_)); ++x) w.rim[x] = P(0);
        for (int64_t x = 0; !folds_ && x < pitch_; ++x) w.smooth[x] = w.change[x] = T(0);
        for (int64_t c = 0; c < outputs_ * kBlockRows; ++c) w.rim_targets[c] = w.results + c * pitch_;
    }

    const char* image_row(const Work& w, int64_t n) const { return read_.row(w.strip.image, w.strip.first_row + n); }

    // `rows` result rows from n on see the padded rows n, ..., n + rows + taps - 2 of the run.
    void find_rows(Work& w, int64_t n, int64_t rows) const {
        const int64_t end = n + rows + taps_ - 1;
        if constexpr (!kBytes) {
            if (!direct_image_) {
                for (; w.gathered < end; ++w.gathered)
                    read_.read(w.ring + w.gathered % held_ * pitch_, image_row(w, w.gathered), w.run, 1, w.fill);
                for (int64_t m = n; m < end; ++m) w.rows[m - n] = w.ring + m % held_ * pitch_;
                return;
            }
        }
        const int64_t own = w.strip.first_column - job_.columns.before;
        for (int64_t m = n; m < end; ++m) {
            const char* row = image_row(w, m);
            w.rows[m - n] = row ? reinterpret_cast<const P*>(row) + own : w.fill_row;
        }
    }

    // Results go where they belong, or into scratch first.
    bool find_targets(Work& w, int64_t n, int64_t rows) const {
        const bool in_place = direct_out_ && w.strip.columns >= kStep;
        for (int64_t c = 0; c < outputs_; ++c)
            for (int64_t r = 0; r < rows; ++r) {
                T*& target = w.targets[c * kBlockRows + r];
                target = in_place ? reinterpret_cast<T*>(w.strip.out_row(job_, n + r) + c * job_.out.channel)
                                  : w.results + (c * kBlockRows + r) * pitch_;
            }
        return in_place;
    }

    bool write_rows(const Work& w, int64_t n, int64_t rows) const {
        bool finite = true;
        for (int64_t c = 0; c < outputs_; ++c)
            for (int64_t r = 0; r < rows; ++r)
                finite &= write_(w.strip.out_row(job_, n + r) + c * job_.out.channel, job_.out.column,
                                 w.targets[c * kBlockRows + r], w.strip.columns);
        return finite;
    }

    // The rim goes by the index map, what lies between by pointer.
    void filter_block(const Work& w, int64_t n, int64_t rows) const {
        const int64_t columns = w.strip.columns;
        if (!direct_image_) return sweep(w.rows, w.targets, rows, 0, most(columns, kStep));
        int64_t left = least(w.first, columns), right = most(w.last - 2, left);
        if (right - left < kStep) left = right = columns;
        for (int64_t from = left; from < right;) {
            // No chunk is narrower than a step.
            const int64_t to = right - from < kBlockColumns + kStep ? right : from + kBlockColumns;
            sweep(w.rows, w.targets, rows, from, to);
            from = to;
        }
        filter_rim(w, n, rows, 0, left);
        filter_rim(w, n, rows, right, columns);
    }

    void filter_rim(const Work& w, int64_t n, int64_t rows, int64_t from, int64_t to) const {
        const int64_t* const source = job_.columns.source + w.strip.first_column;
        const P* pixels[kBlockRows + 2];
        for (; from < to; from += kStep) {
            const int64_t count = least(kStep, to - from);
            for (int64_t m = 0; m < rows + 2; ++m) {
                P* const target = w.rim + m * 2 * kStep;
                const char* const row = image_row(w, n + m);
                for (int64_t p = 0; p < count + 2; ++p) {
                    const int64_t place = source[from + p];
                    target[p] = row != nullptr && place >= 0 ? reinterpret_cast<const P*>(row)[place] : w.fill;
                }
                pixels[m] = target;
            }
            T beside[3 * kBlockRows * kStep];
            T* targets[3 * kBlockRows];
            for (int64_t c = 0; c < outputs_ * kBlockRows; ++c) targets[c] = beside + c * kStep;
            sweep(pixels, targets, rows, 0, kStep);
            for (int64_t c = 0; c < outputs_; ++c)
                for (int64_t r = 0; r < rows; ++r)
                    for (int64_t p = 0; p < count; ++p) w.targets[c * kBlockRows + r][from + p] = targets[c * kBlockRows + r][p];
        }
    }

    void sweep(const P* const* rows, T* const* targets, int64_t height, int64_t from, int64_t to) const {
        if (outputs_ == 1) sweep_as<1>(rows, targets, height, from, to);
        else if (outputs_ == 2) sweep_as<2>(rows, targets, height, from, to);
        else sweep_as<3>(rows, targets, height, from, to);
    }

    template <int Outputs>
    void sweep_as(const P* const* rows, T* const* targets, int64_t height, int64_t from, int64_t to) const {
        if constexpr (kBytes) sweep_bytes<Outputs>(rows, targets, height, from, to, folded_);
        else sweep_block<T, Outputs>(rows, targets, height, from, to, folded_);
    }

    // Any number of taps: down, then across.
    void filter_row(const Work& w, int64_t n) const {
        if constexpr (!kBytes) {
            for (int64_t a = 0; a < taps_; ++a) w.rows[a] = w.rows[a] == w.fill_row ? w.fill_row : w.rows[a] + w.first;
            filter_down<T>(w.rows, w.smooth + w.first, w.change + w.first, w.last - w.first, factors_);
            sum_rim(w, n, 0, w.first);
            sum_rim(w, n, w.last, w.padded);
            T* targets[3];
            for (int64_t c = 0; c < outputs_; ++c) targets[c] = w.targets[c * kBlockRows];
            const bool in_place = direct_out_ && w.strip.columns >= kStep;
            const int64_t count = in_place ? w.strip.columns : round_up(w.strip.columns, kStep);
            if (outputs_ == 1) filter_across<T, 1>(w.smooth, w.change, targets, count, factors_);
            else if (outputs_ == 2) filter_across<T, 2>(w.smooth, w.change, targets, count, factors_);
            else filter_across<T, 3>(w.smooth, w.change, targets, count, factors_);
        }
    }

    // Columns past the image's edges, one by one.
    void sum_rim(const Work& w, int64_t n, int64_t from, int64_t to) const {
        for (int64_t p = from; p < to; ++p) {
            const int64_t source = job_.columns.source[w.strip.first_column + p];
            T smoothed = 0, changed = 0;
            for (int64_t a = 0; a < taps_; ++a) {
                const char* row = image_row(w, n + a);
                T pixel = T(w.fill);
                if (row != nullptr && source >= 0) pixel = reinterpret_cast<const T*>(row)[source];
                smoothed = add_product(factors_.across[a], pixel, smoothed);
                changed = add_product(factors_.along[a], pixel, changed);
            }
            w.smooth[p] = smoothed;
            w.change[p] = changed;
        }
    }
};

// Whether 16-bit lanes hold every sum: |y'| and |x'| are at most 255 times the sum of `across`, their squares below 2^24.
bool suits_bytes(const Job& job) {
    const Axis &rows = job.rows, &columns = job.columns;
    const float* weights = static_cast<const float*>(job.weights);
    if (job.image.element != Element::u8 || job.image.column != 1 || !folds<float>(job)) return false;
    float total = 0;
    for (int a = 0; a < 3; ++a) {
        if (weights[a] != std::floor(weights[a]) || weights[a] < 0) return false;
        total += weights[a];
    }
    if (!(total <= 16)) return false;
    const float fill = *static_cast<const float*>(job.fill);
    return !(rows.fills || columns.fills) || (fill >= 0 && fill <= 255 && fill == std::floor(fill));
}

}  // namespace

int CORR2D_ENTRY(gradient)(const Job& job, int threads, bool (*interrupted)()) {
    if (job.sum == Element::f64) return Gradient<double, double>(job, threads).run(threads, interrupted);
    if (suits_bytes(job)) return Gradient<float, uint8_t>(job, threads).run(threads, interrupted);
    return Gradient<float, float>(job, threads).run(threads, interrupted);
}

}  // namespace corr2d
