// Canny's detector in one pass, compiled once per instruction set: gradient, suppression and the runs of hysteresis
// (hysteresis.h) row by row while they are in cache, in bands of rows; then the bands are joined at their seams, and the
// edges written. Between the two passes only the runs of candidates are kept, 16 bytes each.
//
// The result is a function of the pixels alone: each row's classes are, and reachability has no order.
#include "edges.h"
#include "gradient_rows.h"
#include "hysteresis.h"
#include "sobel_rows.h"
#include "strips.h"
#include "suppression.h"
#include "threads.h"
#include "view.h"

#include <limits>
#include <new>

namespace corr2d {
namespace {

// Each band measures two rows of its neighbours again; seams cost next to nothing.
constexpr int64_t kBandRows = 64;

// What a row of the image has: the parts of the gradient, its magnitude, and the greatest magnitude of each block.
template <class P, class M> struct GradientRow {
    P *down, *across;
    M *magnitude, *peaks;
};

// The gradient of a uint8 image as OpenCV's Canny has it. M is the type of magnitudes.
template <int Aperture, class M> class BytesGradient {
public:
    using Magnitude = M;
    using Part = int16_t;

    BytesGradient(const EdgeJob& job, int64_t plane, Carve& carve)
        : columns_(job.columns), rows_(job, plane, carve.take<Sum>(Rows::kRows * Rows::width(job.columns))) {}

    void row(int64_t y, const GradientRow<int16_t, M>& to) {
        rows_.row(y, to.down, to.across);
        for (int64_t first = 0; first < columns_; first += kBlock)
            to.peaks[first / kBlock] = measure(to.down + first, to.across + first, to.magnitude + first);
        std::memset(to.magnitude + columns_, 0, size_t(kBlock) * sizeof(M));
    }

    void keep(int64_t, const GradientRow<int16_t, M>&) const {}

    static void suppress(const Neighbours<M>& m, const GradientRow<int16_t, M>& here, int64_t columns, double low, double high,
                         uint8_t* classes) {
        suppress_row_opencv<M>(m, here.down, here.across, columns, threshold(low), threshold(high), classes);
    }

private:
    using Rows = SobelRows<Aperture>;
    using Sum = typename Rows::Sum;

    static M measure(const int16_t* __restrict down, const int16_t* __restrict across, M* __restrict magnitude) {
        M peak = 0;
        for (int64_t x = 0; x < kBlock; ++x) {
            const M v = M(down[x]), h = M(across[x]);
            M length;
            if constexpr (sizeof(M) == 4) length = v * v + h * h;
            else length = M((v < 0 ? -v : v) + (h < 0 ? -h : h));
            magnitude[x] = length;
            peak = length > peak ? length : peak;
        }
        return peak;
    }

    // No magnitude is negative, and none reaches the greatest value.
    static M threshold(double value) {
        constexpr double most = double(std::numeric_limits<M>::max());
        return M(value < -1 ? -1 : value > most ? most : value);
    }

    const int64_t columns_;
    Rows rows_;
};

// A floating gradient: of an image, or one that is there already.
template <class T, GradientSource Source> class FloatingGradient {
public:
    using Magnitude = T;
    using Part = T;

    FloatingGradient(const EdgeJob& job, int64_t plane, Carve& carve) : job_(job), plane_(plane), rows_(job, plane, carve) {}

    void row(int64_t y, const GradientRow<T, T>& to) {
        if constexpr (Source == GradientSource::image) {
            rows_.row(y, to.down, to.across);
        } else {
            std::memcpy(to.down, job_.down.at<const T>(plane_, y), size_t(job_.columns) * sizeof(T));
            std::memcpy(to.across, job_.across.at<const T>(plane_, y), size_t(job_.columns) * sizeof(T));
        }
        measure_row<T>(to.down, to.across, job_.columns, to.magnitude, to.peaks);
    }

    // Hands a row's parts out to who asked for them.
    void keep(int64_t y, const GradientRow<T, T>& row) const {
        if (Source != GradientSource::image || job_.down.data == nullptr) return;
        std::memcpy(job_.down.at<T>(plane_, y), row.down, size_t(job_.columns) * sizeof(T));
        std::memcpy(job_.across.at<T>(plane_, y), row.across, size_t(job_.columns) * sizeof(T));
    }

    static void suppress(const Neighbours<T>& m, const GradientRow<T, T>& here, int64_t columns, double low, double high,
                         uint8_t* classes) {
        suppress_row<T>(m, here.down, here.across, columns, T(low), T(high), classes);
    }

private:
    struct NoRows {
        NoRows(const EdgeJob&, int64_t, Carve&) {}
    };

    const EdgeJob& job_;
    const int64_t plane_;
    std::conditional_t<Source == GradientSource::image, GradientRows<T>, NoRows> rows_;
};

template <class Gradient> class Tracing {
public:
    Tracing(const EdgeJob& job)
        : job_(job), bands_per_plane_(ceil_divide(job.rows, kBandRows)), count_(job.planes * bands_per_plane_),
          width_(round_up(job.columns, kBlock)) {}
    Tracing(const Tracing&) = delete;
    ~Tracing() { delete[] bands_; }

    int run(int threads, bool (*interrupted)()) {
        if (!job_.classes && (bands_ = new (std::nothrow) EdgeBand[size_t(count_)]) == nullptr) return kOutOfMemory;
        const auto traced = [this](int64_t band, Scratch& scratch) { return trace(band, scratch); };
        const int outcome = run_all(count_, threads, interrupted, traced);
        if (outcome != kDone || job_.classes) return outcome;
        if (!join(bands_, count_, bands_per_plane_)) return kOutOfMemory;
        return run_all(count_, threads, interrupted, [this](int64_t band, Scratch&) { return write(band); });
    }

private:
    using Magnitude = typename Gradient::Magnitude;
    using Part = typename Gradient::Part;
    using Row = GradientRow<Part, Magnitude>;
    static constexpr int64_t kMargin = 64 / int64_t(sizeof(Magnitude));

    const EdgeJob& job_;
    const int64_t bands_per_plane_, count_, width_;
    EdgeBand* bands_ = nullptr;

    // Three consecutive rows: row y is slot y % 3.
    struct Ring {
        Row rows[3];
        uint8_t* classes;
        Row& operator[](int64_t y) { return rows[(y + 3) % 3]; }
    };

    Ring take_ring(Carve& carve) const {
        Ring ring{};
        for (Row& row : ring.rows) {
            Magnitude* const magnitude = carve.take<Magnitude>(kMargin + job_.columns + kBlock);
            row = {carve.take<Part>(width_), carve.take<Part>(width_), magnitude, carve.take<Magnitude>(width_ / kBlock)};
            if (magnitude == nullptr) continue;
            row.magnitude += kMargin;
            row.magnitude[-1] = 0;
            for (int64_t x = job_.columns; x < width_; ++x) row.down[x] = row.across[x] = 0;
        }
        ring.classes = carve.take<uint8_t>(width_);
        return ring;
    }

    int trace(int64_t band, Scratch& scratch) {
        const int64_t plane = band / bands_per_plane_, first = band % bands_per_plane_ * kBandRows;
        const int64_t last = least(first + kBandRows, job_.rows);
        Carve measured(nullptr);
        Gradient(job_, plane, measured);
        take_ring(measured);
        void* const memory = scratch.reserve(measured.bytes());
        if (memory == nullptr) return kOutOfMemory;
        Carve carve(memory);
        Gradient gradient(job_, plane, carve);
        Ring ring = take_ring(carve);
        measure(gradient, ring, first - 1);
        measure(gradient, ring, first);
        for (int64_t y = first; y < last; ++y) {
            measure(gradient, ring, y + 1);
            classify(ring, plane, y);
            gradient.keep(y, ring[y]);
            if (job_.classes) write_classes(ring.classes, job_.out.at<uint8_t>(plane, y), job_.columns);
            else if (!bands_[band].add_row(ring.classes, job_.columns)) return kOutOfMemory;
        }
        if (!job_.classes) bands_[band].settle();
        return kDone;
    }

    void measure(Gradient& gradient, Ring& ring, int64_t y) const {
        if (y >= 0 && y < job_.rows) return gradient.row(y, ring[y]);
        std::memset(ring[y].magnitude, 0, size_t(job_.columns + kBlock) * sizeof(Magnitude));
    }

    void classify(Ring& ring, int64_t plane, int64_t y) const {
        const Neighbours<Magnitude> m{ring[y - 1].magnitude, ring[y].magnitude, ring[y + 1].magnitude, ring[y].peaks};
        Gradient::suppress(m, ring[y], job_.columns, job_.low[plane], job_.high[plane], ring.classes);
        if (job_.allowed.data != nullptr) forbid(job_.allowed.at<const uint8_t>(plane, y), ring.classes, job_.columns);
    }

    static void write_classes(const uint8_t* __restrict classes, uint8_t* __restrict out, int64_t columns) {
        for (int64_t x = 0; x < columns; ++x) out[x] = uint8_t((classes[x] + 1) >> 1);
    }

    static void forbid(const uint8_t* __restrict allowed, uint8_t* __restrict classes, int64_t columns) {
        for (int64_t x = 0; x < columns; ++x) classes[x] = allowed[x] ? classes[x] : 0;
    }

    int write(int64_t band) const {
        const int64_t plane = band / bands_per_plane_, first = band % bands_per_plane_ * kBandRows;
        const int64_t last = least(first + kBandRows, job_.rows);
        for (int64_t y = first; y < last; ++y)
            bands_[band].write_row(y - first, job_.out.at<uint8_t>(plane, y), job_.columns, job_.value);
        return kDone;
    }
};

template <class Gradient> int trace_with(const EdgeJob& job, int threads, bool (*interrupted)()) {
    return Tracing<Gradient>(job).run(threads, interrupted);
}

template <class T> int trace_floating(const EdgeJob& job, int threads, bool (*interrupted)()) {
    return job.source == GradientSource::image
               ? trace_with<FloatingGradient<T, GradientSource::image>>(job, threads, interrupted)
               : trace_with<FloatingGradient<T, GradientSource::parts>>(job, threads, interrupted);
}

template <int Aperture> int trace_bytes(const EdgeJob& job, int threads, bool (*interrupted)()) {
    return job.squared ? trace_with<BytesGradient<Aperture, int32_t>>(job, threads, interrupted)
                       : trace_with<BytesGradient<Aperture, int16_t>>(job, threads, interrupted);
}

}  // namespace

int CORR2D_ENTRY(canny)(const EdgeJob& job, int threads, bool (*interrupted)()) {
    if (job.source != GradientSource::bytes)
        return job.element == Element::f32 ? trace_floating<float>(job, threads, interrupted)
                                           : trace_floating<double>(job, threads, interrupted);
    switch (job.aperture) {
        case 3: return trace_bytes<3>(job, threads, interrupted);
        case 5: return trace_bytes<5>(job, threads, interrupted);
        default: return trace_bytes<7>(job, threads, interrupted);
    }
}

}  // namespace corr2d
