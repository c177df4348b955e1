// Constant kernels: the sum over the window, times the one weight, plus the bias, at a cost that the kernel hardly moves.
//
// One pass over the image, in runs down strips of columns. Integer totals are exact: a row of column sums takes in the
// row that enters the window and gives up the one that leaves it. Floating totals never see a subtraction, so they do
// not drift and a NaN or infinity reaches exactly the results whose window holds it: rows are summed across
// (window_sums.h), and down the rows by blocks of kh rows, counted from padded row 0 (van Herk 1992; Gil and Werman
// 1993): a window is the end of one block and the beginning of the next, both running sums.
//
// Images of up to 16 bits are totalled in int32 whenever no total can pass 2^31, whatever the sum's type.
//
// Promise: the shape of a sum depends on the kernel's size and the absolute row alone, not on strips, runs, threads or
// instruction set: the same bits everywhere. With u the unit roundoff of the sum's type and W the sum of |pixels| in the
// window, |error| <= (kh + 3 ceil(log4(kw)) + 2) u |weight| W + u |bias|, and 4 u |weight| W + u |bias| for int32 totals;
// integer sums are exact. tests/native/test_box.cc holds both.
#include <cmath>

#include "correlate.h"
#include "narrowing.h"
#include "strips.h"
#include "threads.h"
#include "window_sums.h"

namespace corr2d {
namespace {

// The block of a strip in work: most of a small L2 cache, more where the strip were narrower than twice the kernel.
constexpr int64_t kBlockBytes = 384 * 1024, kLargestBlockBytes = 768 * 1024;
constexpr int64_t kWidestStrip = 1024;

// Up to this many columns, adding them costs less than a running sum.
constexpr int64_t kLongestAddedRow = 8;

// Adds a row of elements to column sums and takes another from them; the other may be missing. Column x is element
// source[x], `fill` where that is -1, or element x where there is no map.
template <class A>
using Exchange = void (*)(A* columns, const char* entering, const char* leaving, const int64_t* source, A fill, int64_t count);

template <class A, class S>
void exchange_run(A* columns, const char* entering, const char* leaving, const int64_t* source, A fill, int64_t count) {
    using U = std::make_unsigned_t<A>;  // wraps
    const S* const in = reinterpret_cast<const S*>(entering);
    const S* const out = reinterpret_cast<const S*>(leaving);
    if (source != nullptr) {
        for (int64_t x = 0; x < count; ++x) {
            const int64_t place = source[x];
            columns[x] = A(U(columns[x]) + (place < 0 ? U(fill) : U(in[place])));
            if (out != nullptr) columns[x] = A(U(columns[x]) - (place < 0 ? U(fill) : U(out[place])));
        }
    } else if (out == nullptr) {
        for (int64_t x = 0; x < count; ++x) columns[x] = A(U(columns[x]) + U(in[x]));
    } else {
        for (int64_t x = 0; x < count; ++x) columns[x] = A(U(columns[x]) + U(in[x]) - U(out[x]));
    }
}

// Two roundings, on every instruction set.
template <class T> inline Vector<T> scaled(Vector<T> total, T weight, T bias) {
    if constexpr (std::is_integral_v<T>) {
        typedef std::make_unsigned_t<T> Wrapping __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
        return Vector<T>(Wrapping(total) * Wrapping(broadcast(weight)) + Wrapping(broadcast(bias)));
    } else {
        return total * broadcast(weight) + broadcast(bias);
    }
}

// T is the sum's type, A that of the totals.
template <class T, class A> class Box {
public:
    Box(const Job& job, int threads)
        : job_(job),
          kh_(job.rows.taps),
          sums_(job.columns.taps, job.columns.dilation),
          strips_(job, widest_strip(job), 4 * L, threads),
          row_size_(staggered<A>(sums_.row_size(strips_.width))),
          width_(staggered<A>(strips_.width)),
          read_(job),
          write_(row_writer<T>(job.out.element, job.out.swapped)),
          direct_out_(plain<T>(job, job.out, 1)),
          exchange_(exchanger(job)) {}

    int run(int threads, bool (*interrupted)()) const {
        return run_all(strips_.tasks(), threads, interrupted, [this](int64_t index, Scratch& scratch) { return strip(index, scratch); });
    }

private:
    static constexpr bool kExact = std::is_integral_v<A>;
    static constexpr int64_t L = kLanes<A>;

    const Job& job_;
    const int64_t kh_;
    const WindowSums<A> sums_;
    const Strips strips_;
    const int64_t row_size_, width_;  // values in a row of padded pixels, in a row of results
    const Gather<A> read_;
    const Writer<T> write_;
    const bool direct_out_;
    const Exchange<A> exchange_;  // null where the image's elements are not consecutive integers

    // A strip reads kw - 1 columns beside its own, so it should be wider than the kernel.
    static int64_t widest_strip(const Job& job) {
        const int64_t span = (job.columns.taps - 1) * job.columns.dilation, row = job.rows.taps * int64_t(sizeof(A));
        if (kExact) return most(kWidestStrip, 4 * span);
        return clamp(2 * span, least(kWidestStrip, kBlockBytes / row), most(kLargestBlockBytes / row, 1));
    }

    static Exchange<A> exchanger(const Job& job) {
        if constexpr (kExact) {
            if (job.image.element == kElementOf<A> && plain<A>(job, job.image, 1)) return exchange_run<A, A>;
            if (job.image.swapped) return nullptr;
            const int64_t step = job.image.column;
            if (job.image.element == Element::u8 && step == 1) return exchange_run<A, uint8_t>;
            if (job.image.element == Element::i8 && step == 1) return exchange_run<A, int8_t>;
            if (step != 2 || !aligned(job, job.image, 1, 2)) return nullptr;
            if (job.image.element == Element::u16) return exchange_run<A, uint16_t>;
            if (job.image.element == Element::i16) return exchange_run<A, int16_t>;
        }
        return nullptr;
    }

    struct Work {
        Strip strip;
        Run run;
        A fill;
        T weight, bias;
        A *entering, *leaving, *scratch;
        A *columns;         // exact: sums down the window's rows
        A *block, *begun;   // not exact: a block's rows, turned to sums of its ends; sums of the next one's beginning
        A *totals;
        T *results, *tail;
    };

    void carve(Work& w, Carve& scratch) const {
        w.entering = scratch.take<A>(row_size_);
        w.leaving = scratch.take<A>(kExact ? row_size_ : 0);
        w.scratch = scratch.take<A>(sums_.scratch_size(strips_.width));
        w.columns = scratch.take<A>(kExact ? L + row_size_ : 0) + L;
        w.block = scratch.take<A>(kExact ? 0 : kh_ * width_);
        w.begun = scratch.take<A>(kExact ? 0 : width_);
        w.totals = scratch.take<A>(kExact && sizeof(T) != sizeof(A) ? width_ : 0);
        w.results = scratch.take<T>(width_);
        w.tail = scratch.take<T>(CORR2D_VECTOR_BYTES / sizeof(T));
    }

    int strip(int64_t index, Scratch& scratch) const {
        Work w{};
        if (!carve_scratch(scratch, [&](Carve& pieces) { carve(w, pieces); })) return kOutOfMemory;
        w.strip = strips_.locate(index);
        w.run = read_.run_from(w.strip.first_column, sums_.row_size(w.strip.columns), 1);
        w.fill = job_.rows.fills || job_.columns.fills ? A(*static_cast<const T*>(job_.fill)) : A(0);
        w.weight = static_cast<const T*>(job_.weights)[w.strip.group];
        w.bias = job_.bias ? static_cast<const T*>(job_.bias)[w.strip.group] : T(0);
        bool finite = true;
        if constexpr (kExact) finite = slide(w);
        else finite = pass_blocks(w);
        return finite ? kDone : kNotFinite;
    }

    // Padded row m of the run; null where it is all fill.
    const char* padded_row(const Work& w, int64_t m) const {
        return read_.row(w.strip.image, w.strip.first_row + m * w.strip.row_step);
    }

    bool slide(const Work& w) const {
        bool finite = true;
        for (int64_t x = -L; x < w.run.count; ++x) w.columns[x] = 0;
        for (int64_t m = 0; m < w.strip.rows + kh_ - 1; ++m) {
            exchange_rows(w, m);
            if (m >= kh_ - 1) finite &= finish_row(w, m - kh_ + 1);
        }
        return finite;
    }

    // Takes padded row m into the column sums and, once the window is full, gives up the one that leaves it.
    void exchange_rows(const Work& w, int64_t m) const {
        const char* const entering = padded_row(w, m);
        const char* const leaving = m < kh_ ? nullptr : padded_row(w, m - kh_);
        if (exchange_ == nullptr || entering == nullptr || (leaving == nullptr && m >= kh_)) {
            read_.read(w.entering, entering, w.run, 1, w.fill);
            if (m >= kh_) read_.read(w.leaving, leaving, w.run, 1, w.fill);
            exchange_run<A, A>(w.columns, reinterpret_cast<const char*>(w.entering),
                               reinterpret_cast<const char*>(m < kh_ ? nullptr : w.leaving), nullptr, w.fill, w.run.inside);
            return;
        }
        const Run& run = w.run;
        const int64_t* const source = job_.columns.source + run.start;
        const int64_t own = (run.start + run.first - job_.columns.before) * job_.image.column;
        exchange_(w.columns, entering, leaving, source, w.fill, run.first);
        exchange_(w.columns + run.first, entering + own, leaving ? leaving + own : nullptr, nullptr, w.fill, run.last - run.first);
        exchange_(w.columns + run.last, entering, leaving, source + run.last, w.fill, run.inside - run.last);
    }

    bool finish_row(const Work& w, int64_t n) const {
        const Target target = target_of(w, n);
        if constexpr (sizeof(T) == sizeof(A)) {
            each_total(w, [&w, target](int64_t x, Vector<A> total) {
                target.put(x, scaled(__builtin_convertvector(total, Vector<T>), w.weight, w.bias));
            });
        } else {
            A* const totals = w.totals;
            each_total(w, [totals](int64_t x, Vector<A> total) { store(totals + x, total); });
            for (int64_t x = 0; x < w.strip.columns; ++x) target.values[x] = T(totals[x]) * w.weight + w.bias;
        }
        return finish(w, target, n);
    }

    template <class Take> void each_total(const Work& w, Take take) const {
        if (job_.columns.dilation == 1 && job_.columns.taps > kLongestAddedRow) slide_sums(w.columns, job_.columns.taps, w.strip.columns, take);
        else sums_.each_sum(w.columns, w.scratch, w.strip.columns, take);
    }

    // Where a result row goes: into the result itself, but for what does not fill a vector, or into scratch.
    struct Target {
        T *values, *tail;
        int64_t whole;
        bool in_place;

        void put(int64_t x, Vector<T> sums) const { store(x < whole ? values + x : tail, sums); }
    };

    Target target_of(const Work& w, int64_t n) const {
        if (direct_out_ && w.strip.columns >= L)
            return {reinterpret_cast<T*>(w.strip.out_row(job_, n)), w.tail, w.strip.columns / L * L, true};
        return {w.results, w.tail, w.strip.columns + L, false};
    }

    bool finish(const Work& w, const Target& target, int64_t n) const {
        if (!target.in_place) return write_(w.strip.out_row(job_, n), job_.out.column, w.results, w.strip.columns);
        if (sizeof(T) == sizeof(A))
            std::memcpy(target.values + target.whole, w.tail, size_t(w.strip.columns - target.whole) * sizeof(T));
        return true;
    }

    // Row m of the run is the place-th of its block. Its results are those of the window that ends with it.
    bool pass_blocks(const Work& w) const {
        bool finite = true;
        const int64_t early = w.strip.place % kh_, end = early + w.strip.rows + kh_ - 1;
        for (int64_t first = 0; first < end; first += kh_) {
            for (int64_t row = most(first, early); row < least(first + kh_, end); ++row) {
                read_.read(w.entering, padded_row(w, row - early), w.run, 1, w.fill);
                finite &= take_row(w, row - first, row - early - kh_ + 1);
            }
            if (end - first > kh_) sum_ends(w, first == 0 ? most(early, 1) : 1);
        }
        return finite;
    }

    // The place-th row of a block; its windows are result row n of the run.
    bool take_row(const Work& w, int64_t place, int64_t n) const {
        A* const kept = w.block + place * width_;
        const A* const ends = place + 1 < kh_ ? kept + width_ : nullptr;
        if (n < 0) {
            each_row_sum(w, place, [kept](int64_t x, Vector<A> row, Vector<A>) { store(kept + x, row); });
            return true;
        }
        const Target target = target_of(w, n);
        const A weight = w.weight, bias = w.bias;
        each_row_sum(w, place, [=](int64_t x, Vector<A> row, Vector<A> begun) {
            const Vector<A> total = ends ? load(ends + x) + begun : begun;
            store(kept + x, row);
            target.put(x, scaled(total, weight, bias));
        });
        return finish(w, target, n);
    }

    // take(x, sums across the row, their sums since the block began).
    template <class Take> void each_row_sum(const Work& w, int64_t place, Take take) const {
        A* const begun = w.begun;
        if (place == 0) {
            sums_.each_sum(w.entering, w.scratch, w.strip.columns, [=](int64_t x, Vector<A> row) {
                store(begun + x, row);
                take(x, row, row);
            });
        } else {
            sums_.each_sum(w.entering, w.scratch, w.strip.columns, [=](int64_t x, Vector<A> row) {
                const Vector<A> sum = load(begun + x) + row;
                store(begun + x, sum);
                take(x, row, sum);
            });
        }
    }

    // Rows from the last one of the block up to `lowest` become sums of all rows from there to the block's end.
    void sum_ends(const Work& w, int64_t lowest) const {
        constexpr int V = 4;
        for (int64_t x = 0; x < round_up(w.strip.columns, L); x += V * L) {
            A* row = w.block + (kh_ - 1) * width_ + x;
            Vector<A> sums[V];
            for (int v = 0; v < V; ++v) sums[v] = load(row + v * L);
            for (int64_t place = kh_ - 2; place >= lowest; --place) {
                row -= width_;
                for (int v = 0; v < V; ++v) {
                    sums[v] += load(row + v * L);
                    store(row + v * L, sums[v]);
                }
            }
        }
    }
};

// The largest magnitude of an element of up to 16 bits; 0 for the others.
inline double largest(Element element) {
    switch (element) {
        case Element::u8: return 255;
        case Element::i8: return 128;
        case Element::u16: return 65535;
        case Element::i16: return 32768;
        default: return 0;
    }
}

// Whether every total is an integer of magnitude below 2^31.
template <class T> bool fits_int32(const Job& job) {
    double pixel = largest(job.image.element);
    if (pixel == 0) return false;
    if (job.rows.fills || job.columns.fills) {
        const double fill = std::fabs(double(*static_cast<const T*>(job.fill)));
        if (!(fill < 0x1p31) || fill != std::floor(fill)) return false;
        pixel = fill > pixel ? fill : pixel;
    }
    return pixel * double(job.rows.taps) * double(job.columns.taps) < 0x1p31;
}

template <class T> int run_floating(const Job& job, int threads, bool (*interrupted)()) {
    if (fits_int32<T>(job)) return Box<T, int32_t>(job, threads).run(threads, interrupted);
    return Box<T, T>(job, threads).run(threads, interrupted);
}

}  // namespace

int CORR2D_ENTRY(box)(const Job& job, int threads, bool (*interrupted)()) {
    switch (job.sum) {
        case Element::f32: return run_floating<float>(job, threads, interrupted);
        case Element::f64: return run_floating<double>(job, threads, interrupted);
        case Element::i32: return Box<int32_t, int32_t>(job, threads).run(threads, interrupted);
        default: return Box<int64_t, int64_t>(job, threads).run(threads, interrupted);
    }
}

}  // namespace corr2d
