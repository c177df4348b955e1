// Gradients by two short factors, `across` that smooths and `along` that differentiates, in one pass over the image:
//
//     x' = sum over b of along[b]  * (sum over a of across[a] * X[i + a, j + b])
//     y' = sum over b of across[b] * (sum over a of along[a]  * X[i + a, j + b])
//
// and out of these, in one, two or three result channels, scale * |(y', x')|; scale * y', scale * x'; or all three.
// A row of both column sums (down the image rows) stays in L1 until it has been summed across. Rows past the edge
// come through the index map; columns past it are filtered one by one where the index map says.
//
// Promise: every column sum and every component is one chain of multiply_add over the taps, from zero, so nothing
// depends on strips, runs or threads, and no tap is skipped: a NaN or infinity reaches exactly the results whose window
// holds it. The magnitude is scale * sqrt(y' * y' + x' * x'); where these squares leave the range in which they are
// precise, double or hypot() forms it, pixel by pixel. For 8-bit images all but the last two steps is in exact integers. With u
// the unit roundoff, a component lies within (2 k + 3) u |scale| sum |across||along||X| of the truth.
// tests/native/test_gradient.cc holds all of it.
#include <cmath>
#include <limits>

#include "correlate.h"
#include "integer_vectors.h"
#include "strips.h"
#include "threads.h"

namespace corr2d {
namespace {

// Image rows, column sums and a result row of this many columns share L1 and, for the image rows, L2.
constexpr int64_t kWidestStrip = 2048;

template <class T> inline Vector<T> square_root(Vector<T> value) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    // Masks of ones, because GCC 12 warns of its own header where there are none.
    if constexpr (sizeof(T) == 4) return _mm512_maskz_sqrt_ps(0xffff, value);
    else return _mm512_maskz_sqrt_pd(0xff, value);
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return _mm256_sqrt_ps(value);
    else return _mm256_sqrt_pd(value);
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    if constexpr (sizeof(T) == 4) return vsqrtq_f32(value);
    else return vsqrtq_f64(value);
#else
    for (int lane = 0; lane < kLanes<T>; ++lane) value[lane] = std::sqrt(value[lane]);
    return value;
#endif
}

// multiply_add of one value, with the same bits.
template <class T> inline T add_product(T weight, T value, T sum) {
#if defined(__FMA__) || defined(__aarch64__)
    return sizeof(T) == 4 ? T(__builtin_fmaf(float(weight), float(value), float(sum)))
                          : T(__builtin_fma(double(weight), double(value), double(sum)));
#else
    return weight * value + sum;
#endif
}

// Squares lose digits below, where the lesser one may have become subnormal, and are infinite above.
template <class T> constexpr T kLeastSquare = sizeof(T) == 4 ? T(0x1p-100f) : T(0x1p-960);
template <class T> constexpr T kLargestSquare = std::numeric_limits<T>::max();

template <class T> T careful_length(T y, T x) {
    const T squares = y * y + x * x;
    const bool small = squares < kLeastSquare<T> && (y != 0 || x != 0);
    if (!small && !(squares > kLargestSquare<T>)) return std::sqrt(squares);
    return sizeof(T) == 4 ? T(std::sqrt(double(y) * double(y) + double(x) * double(x))) : T(std::hypot(y, x));
}

template <class T> struct Factors {
    const T *across, *along;
    int64_t taps;
    T scale;
};

// The taps of a sweep. Where their number is known they are copied, so that they stay in registers.
template <class T, int Taps> struct Held {
    explicit Held(const Factors<T>& factors) {
        for (int a = 0; a < Taps; ++a) across[a] = factors.across[a], along[a] = factors.along[a];
    }
    static constexpr int64_t taps = Taps;
    T across[Taps], along[Taps];
};
template <class T> struct Held<T, 0> {
    explicit Held(const Factors<T>& factors) : taps(factors.taps), across(factors.across), along(factors.along) {}
    const int64_t taps;
    const T *const across, *const along;
};

// The same for the rows of a window.
template <class P, int Taps> struct HeldRows {
    explicit HeldRows(const P* const* rows) {
        for (int a = 0; a < Taps; ++a) at[a] = rows[a];
    }
    const P* operator[](int64_t a) const { return at[a]; }
    const P* at[Taps];
};
template <class P> struct HeldRows<P, 0> {
    explicit HeldRows(const P* const* rows) : at(rows) {}
    const P* operator[](int64_t a) const { return at[a]; }
    const P* const* const at;
};

// The pixels' own columns, filtered down. Pixels and sums are of type T; Taps is 0 where the number is not known.
template <class T, int Taps>
__attribute__((noinline)) void filter_down(const T* const* window, T* smooth, T* change, int64_t count, const Factors<T>& factors) {
    const Held<T, Taps> held(factors);
    const HeldRows<T, Taps> rows(window);
    constexpr int64_t L = kLanes<T>;
    const auto step = [&](int64_t x) {
        Vector<T> smoothed = broadcast(T(0)), changed = broadcast(T(0));
        for (int64_t a = 0; a < held.taps; ++a) {
            const Vector<T> pixels = load(rows[a] + x);
            smoothed = multiply_add<T>(held.across[a], pixels, smoothed);
            changed = multiply_add<T>(held.along[a], pixels, changed);
        }
        store(smooth + x, smoothed);
        store(change + x, changed);
    };
    int64_t x = 0;
    for (; x + L <= count; x += L) step(x);
    if (x < count && count >= L) step(count - L);
    if (count >= L) return;
    for (; x < count; ++x) {
        T smoothed = 0, changed = 0;
        for (int64_t a = 0; a < held.taps; ++a) {
            smoothed = add_product(held.across[a], rows[a][x], smoothed);
            changed = add_product(held.along[a], rows[a][x], changed);
        }
        smooth[x] = smoothed;
        change[x] = changed;
    }
}

// The sums filtered across; targets hold the magnitude, or y and x, or all three. `count` is padded to whole steps by
// the caller or at least one step long, where the last step is then done again from the end.
template <class T, int Taps, int Outputs>
__attribute__((noinline)) void filter_across(const T* smooth, const T* change, T* const* results, int64_t count,
                                             const Factors<T>& factors) {
    typedef BitsOf<T> Mask __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
    const Held<T, Taps> held(factors);
    T* targets[Outputs];
    for (int c = 0; c < Outputs; ++c) targets[c] = results[c];
    constexpr int64_t L = kLanes<T>;
    const Vector<T> scale = broadcast(factors.scale), zero{};
    Mask imprecise{};
    const auto components = [&](int64_t at, Vector<T>& y, Vector<T>& x) {
        y = x = broadcast(T(0));
        for (int64_t b = 0; b < held.taps; ++b) {
            y = multiply_add<T>(held.across[b], load(change + at + b), y);
            x = multiply_add<T>(held.along[b], load(smooth + at + b), x);
        }
    };
    const auto step = [&](int64_t at) {
        Vector<T> y, x;
        components(at, y, x);
        if constexpr (Outputs >= 2) {
            store(targets[0] + at, y * scale);
            store(targets[1] + at, x * scale);
        }
        if constexpr (Outputs != 2) {
            const Vector<T> squares = y * y + x * x;
            const Mask small = Mask(squares < broadcast(kLeastSquare<T>)) & (Mask(y != zero) | Mask(x != zero));
            imprecise |= small | Mask(squares > broadcast(kLargestSquare<T>));
            store(targets[Outputs - 1] + at, square_root<T>(squares) * scale);
        }
    };
    int64_t at = 0;
    for (; at + L <= count; at += L) step(at);
    if (at < count) step(count - L);
    bool careful = false;
    for (int lane = 0; lane < L; ++lane) careful |= imprecise[lane] != 0;
    if (Outputs == 2 || !careful) return;
    for (at = 0; at < count; at += L) {
        if (at + L > count) at = count - L;
        Vector<T> y, x;
        components(at, y, x);
        for (int lane = 0; lane < L; ++lane)
            targets[Outputs - 1][at + lane] = careful_length(T(y[lane]), T(x[lane])) * factors.scale;
    }
}

// 8-bit pixels, three taps, along = (-1, 0, 1) and whole, even `across`: everything up to the components is exact in
// 16-bit lanes, twice as many a vector.
constexpr int64_t kShortLanes = CORR2D_VECTOR_BYTES / 2;
typedef uint8_t ShortBytes __attribute__((vector_size(CORR2D_VECTOR_BYTES / 2)));

// Spelt out for AVX: GCC 12 widens the halves of a vector one by one.
inline Shorts load_bytes(const uint8_t* source) {
#if defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64
    return Shorts(_mm512_maskz_cvtepu8_epi16(0xffffffff, __m256i(load_vector<ShortBytes>(source))));
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    return Shorts(_mm256_cvtepu8_epi16(__m128i(load_vector<ShortBytes>(source))));
#else
    return __builtin_convertvector(load_vector<ShortBytes>(source), Shorts);
#endif
}

inline Shorts load_shorts(const int16_t* source) { return load_vector<Shorts>(source); }

inline Vector<float> floats(Doublewords values) { return __builtin_convertvector(Vector<int32_t>(values), Vector<float>); }

struct ShortFactors {
    int16_t outer, middle;  // across = (outer, middle, outer)
    float scale;
};

__attribute__((noinline)) void filter_bytes_down(const uint8_t* const* window, int16_t* smooth, int16_t* change, int64_t count,
                                                 const ShortFactors& factors) {
    const HeldRows<uint8_t, 3> rows(window);
    const Shorts outer = factors.outer - Shorts{}, middle = factors.middle - Shorts{};
    const auto step = [&](int64_t x) {
        const Shorts upper = load_bytes(rows[0] + x);
        const Shorts here = load_bytes(rows[1] + x);
        const Shorts lower = load_bytes(rows[2] + x);
        const Shorts smoothed = (upper + lower) * outer + here * middle, changed = lower - upper;
        std::memcpy(smooth + x, &smoothed, sizeof smoothed);
        std::memcpy(change + x, &changed, sizeof changed);
    };
    int64_t x = 0;
    for (; x + kShortLanes <= count; x += kShortLanes) step(x);
    if (x < count && count >= kShortLanes) step(count - kShortLanes);
    if (count >= kShortLanes) return;
    for (; x < count; ++x) {
        smooth[x] = int16_t((rows[0][x] + rows[2][x]) * factors.outer + rows[1][x] * factors.middle);
        change[x] = int16_t(rows[2][x] - rows[0][x]);
    }
}

template <int Outputs>
inline void put(Vector<float> y, Vector<float> x, float* const* targets, int64_t at, Vector<float> scale) {
    if constexpr (Outputs >= 2) {
        store(targets[0] + at, y * scale);
        store(targets[1] + at, x * scale);
    }
    // The squares are whole numbers below 2^24, so only their sum is rounded.
    if constexpr (Outputs != 2) store(targets[Outputs - 1] + at, square_root<float>(y * y + x * x) * scale);
}

template <int Outputs>
__attribute__((noinline)) void filter_bytes_across(const int16_t* smooth, const int16_t* change, float* const* results,
                                                   int64_t count, const ShortFactors& factors) {
    float* targets[Outputs];
    for (int c = 0; c < Outputs; ++c) targets[c] = results[c];
    const Shorts outer = factors.outer - Shorts{}, middle = factors.middle - Shorts{};
    const Vector<float> scale = broadcast(factors.scale);
    const auto step = [&](int64_t at) {
        const int16_t *changes = change + at, *sums = smooth + at;
        const Words y = Words((load_shorts(changes) + load_shorts(changes + 2)) * outer + load_shorts(changes + 1) * middle);
        const Words x = Words(load_shorts(sums + 2) - load_shorts(sums));
        put<Outputs>(floats(widen_low(y)), floats(widen_low(x)), targets, at, scale);
        put<Outputs>(floats(widen_high(y)), floats(widen_high(x)), targets, at + kShortLanes / 2, scale);
    };
    int64_t at = 0;
    for (; at + kShortLanes <= count; at += kShortLanes) step(at);
    if (at < count) step(count - kShortLanes);
}

// P is a pixel as it lies in memory (or in gathered rows), A what column sums are kept in, T what results are.
template <class T, class P, class A> class Gradient {
public:
    Gradient(const Job& job, int threads)
        : job_(job),
          taps_(job.rows.taps),
          outputs_(job.out_channels),
          strips_(job, kWidestStrip, kStep, threads),
          pitch_(staggered<A>(strips_.width + taps_ + kStep)),
          read_(job),
          write_(writer<T>(job.out.element, job.out.swapped)),
          direct_image_(kBytes || plain<T>(job, job.image, 1)),
          direct_out_(plain<T>(job, job.out, 1)) {
        const T* weights = static_cast<const T*>(job.weights);
        factors_ = {weights, weights + taps_, taps_, weights[2 * taps_]};
        if (kBytes) short_factors_ = {int16_t(weights[0]), int16_t(weights[1]), float(factors_.scale)};
    }

    int run(int threads, bool (*interrupted)()) {
        const auto task = [](void* self, int64_t index, Scratch& scratch) {
            static_cast<Gradient*>(self)->run_strip(index, scratch);
        };
        const bool completed = run_tasks(strips_.tasks(), threads, task, this, interrupted);
        return __atomic_load_n(&outcome_, __ATOMIC_RELAXED) | (completed ? 0 : int(kInterrupted));
    }

private:
    static constexpr bool kBytes = sizeof(P) < sizeof(A);
    static constexpr int64_t kStep = kBytes ? kShortLanes : kLanes<T>;

    const Job& job_;
    const int64_t taps_, outputs_;
    const Strips strips_;
    const int64_t pitch_;  // values in a row of scratch
    const Gather<T> read_;
    const Writer<T> write_;
    const bool direct_image_, direct_out_;
    Factors<T> factors_;
    ShortFactors short_factors_;
    int outcome_ = kDone;

    // A strip in work. Padded columns are counted from its first one; [first, last) of them are the image's own and are
    // filtered where they lie. Where pixels are gathered all columns are, and `ring` holds the last rows.
    struct Work {
        Strip strip;
        int64_t padded, first, last;
        Run run;
        P fill;
        const P** rows;   // [taps]: the image's own columns of the window's rows
        P* fill_row;
        T* ring;          // [taps][pitch]
        A *smooth, *change;
        T* results;       // [outputs][pitch]
    };

    void carve(Work& w, Carve& scratch) const {
        w.rows = scratch.take<const P*>(taps_);
        w.fill_row = scratch.take<P>(job_.rows.fills ? pitch_ : 0);
        w.ring = scratch.take<T>(direct_image_ ? 0 : taps_ * pitch_);
        w.smooth = scratch.take<A>(pitch_);
        w.change = scratch.take<A>(pitch_);
        w.results = scratch.take<T>(outputs_ * pitch_);
    }

    void run_strip(int64_t index, Scratch& scratch) {
        Work w{};
        Carve measure(nullptr);
        carve(w, measure);
        void* memory = scratch.reserve(measure.bytes());
        if (memory == nullptr) {
            __atomic_fetch_or(&outcome_, int(kOutOfMemory), __ATOMIC_RELAXED);
            return;
        }
        Carve pieces(memory);
        carve(w, pieces);
        begin(w, index);
        bool finite = true;
        for (int64_t n = 0; n < w.strip.rows; ++n) {
            filter_columns(w, n);
            finite &= filter_row(w, n);
        }
        if (!finite) __atomic_fetch_or(&outcome_, int(kNotFinite), __ATOMIC_RELAXED);
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
        for (int64_t x = 0; x < pitch_; ++x) w.smooth[x] = w.change[x] = A(0);
    }

    const char* image_row(const Work& w, int64_t n) const { return read_.row(w.strip.image, w.strip.first_row + n); }

    // Result row n sees the padded rows n, n + 1, ... of the run.
    void filter_columns(Work& w, int64_t n) const {
        if constexpr (!kBytes) {
            if (!direct_image_) {
                for (int64_t m = n ? n + taps_ - 1 : 0; m < n + taps_; ++m)
                    read_.read(w.ring + m % taps_ * pitch_, image_row(w, m), w.run, 1, w.fill);
                for (int64_t a = 0; a < taps_; ++a) w.rows[a] = w.ring + (n + a) % taps_ * pitch_;
                return filter_own(w);
            }
        }
        const int64_t own = w.strip.first_column + w.first - job_.columns.before;
        for (int64_t a = 0; a < taps_; ++a) {
            const char* row = image_row(w, n + a);
            w.rows[a] = row ? reinterpret_cast<const P*>(row) + own : w.fill_row;
        }
        filter_own(w);
        filter_rim(w, n, 0, w.first);
        filter_rim(w, n, w.last, w.padded);
    }

    void filter_own(const Work& w) const {
        A *const smooth = w.smooth + w.first, *const change = w.change + w.first;
        const int64_t count = w.last - w.first;
        if constexpr (kBytes) filter_bytes_down(w.rows, smooth, change, count, short_factors_);
        else if (taps_ == 3) filter_down<T, 3>(w.rows, smooth, change, count, factors_);
        else filter_down<T, 0>(w.rows, smooth, change, count, factors_);
    }

    // Columns past the image's edges, one by one.
    void filter_rim(const Work& w, int64_t n, int64_t from, int64_t to) const {
        for (int64_t p = from; p < to; ++p) {
            const int64_t source = job_.columns.source[w.strip.first_column + p];
            T smoothed = 0, changed = 0;
            for (int64_t a = 0; a < taps_; ++a) {
                const char* row = image_row(w, n + a);
                P pixel = w.fill;
                if (row != nullptr && source >= 0) std::memcpy(&pixel, row + source * int64_t(sizeof(P)), sizeof(P));
                smoothed = add_product(factors_.across[a], T(pixel), smoothed);
                changed = add_product(factors_.along[a], T(pixel), changed);
            }
            w.smooth[p] = A(smoothed);
            w.change[p] = A(changed);
        }
    }

    bool filter_row(const Work& w, int64_t n) const {
        const bool in_place = direct_out_ && w.strip.columns >= kStep;
        T* targets[3];
        for (int64_t c = 0; c < outputs_; ++c)
            targets[c] = in_place ? reinterpret_cast<T*>(w.strip.out_row(job_, n) + c * job_.out.channel) : w.results + c * pitch_;
        const int64_t count = in_place ? w.strip.columns : round_up(w.strip.columns, kStep);
        if (outputs_ == 1) filter_across_all<1>(w, targets, count);
        else if (outputs_ == 2) filter_across_all<2>(w, targets, count);
        else filter_across_all<3>(w, targets, count);
        bool finite = true;
        if (!in_place)
            for (int64_t c = 0; c < outputs_; ++c)
                finite &= write_(w.strip.out_row(job_, n) + c * job_.out.channel, job_.out.column, targets[c], w.strip.columns);
        return finite;
    }

    template <int Outputs> void filter_across_all(const Work& w, T* const* targets, int64_t count) const {
        if constexpr (kBytes) filter_bytes_across<Outputs>(w.smooth, w.change, targets, count, short_factors_);
        else if (taps_ == 3) filter_across<T, 3, Outputs>(w.smooth, w.change, targets, count, factors_);
        else filter_across<T, 0, Outputs>(w.smooth, w.change, targets, count, factors_);
    }
};

// Whether 16-bit lanes hold every sum: |y'| and |x'| are at most 255 times the sum of `across`, their squares below 2^24.
bool suits_bytes(const Job& job) {
    const Axis &rows = job.rows, &columns = job.columns;
    const float* weights = static_cast<const float*>(job.weights);
    if (job.image.element != Element::u8 || job.image.column != 1 || rows.taps != 3) return false;
    if (weights[0] != weights[2] || weights[3] != -1 || weights[4] != 0 || weights[5] != 1) return false;
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
    if (job.sum == Element::f64) return Gradient<double, double, double>(job, threads).run(threads, interrupted);
    if (suits_bytes(job)) return Gradient<float, uint8_t, int16_t>(job, threads).run(threads, interrupted);
    return Gradient<float, float, float>(job, threads).run(threads, interrupted);
}

}  // namespace corr2d
