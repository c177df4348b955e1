// Reading pixels where a window leaves the image, or where they are not of the sum's type: a row of the continued
// image, through the index maps, into consecutive values.
#pragma once
#include "simd.h"
#include "view.h"

namespace corr2d {
namespace {

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t unit) { return ceil_divide(a, unit) * unit; }
inline int64_t clamp(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }
inline int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

// Whether every value of `view` lies on a multiple of `unit` bytes.
inline bool aligned(const Job& job, const View& view, int parts, int64_t unit) {
    int64_t steps = reinterpret_cast<intptr_t>(view.data) | view.row | view.channel;
    if (parts > 1) steps |= view.part;
    for (int d = 0; d < job.batch_dimensions; ++d) steps |= view.batch[d];
    return steps % unit == 0;
}

// Whether a row of `view` is consecutive, aligned values of type T in the machine's byte order.
template <class T> inline bool plain(const Job& job, const View& view, int parts) {
    return view.element == kElementOf<T> && !view.swapped && view.column == int64_t(sizeof(T)) &&
           aligned(job, view, parts, sizeof(T));
}

// Padded columns start, start + stride, ...: [first, last) of them are the image's own, those from `inside` on lie
// past the padded image. These only fill up the last vector, with the last column again; no sum of theirs is written.
struct Run {
    int64_t start, first, last, inside, count;
};

template <class T> class Gather {
public:
    explicit Gather(const Job& job)
        : job_(job), read_(reader<T>(job.image.element, job.image.swapped)), plain_(plain<T>(job, job.image, job.image_parts)) {}

    // The run of `count` columns from padded column `start` on, `stride` apart.
    Run run_from(int64_t start, int64_t count, int64_t stride) const {
        const Axis& columns = job_.columns;
        const int64_t inside = clamp(ceil_divide(columns.padded - start, stride), 1, count);
        const int64_t first = clamp(ceil_divide(most(columns.before - start, 0), stride), 0, inside);
        const int64_t end = most(columns.before + columns.image - start, 0);
        return {start, first, clamp(ceil_divide(end, stride), first, inside), inside, count};
    }

    // The image row that lies at padded row `y` of a plane (channel applied); null where it is all fill.
    const char* row(const char* plane, int64_t y) const {
        const int64_t source = job_.rows.source[y];
        return source < 0 ? nullptr : plane + source * job_.image.row;
    }

    // The image's own columns are read in one go, the rims through the index map.
    void read(T* target, const char* row, const Run& run, int64_t stride, T fill) const {
        if (row == nullptr) {
            for (int64_t n = 0; n < run.count; ++n) target[n] = fill;
            return;
        }
        read_rim(target, row, run, stride, 0, run.first, fill);
        if (run.last > run.first) {
            const char* own = row + (run.start + run.first * stride - job_.columns.before) * job_.image.column;
            const int64_t count = run.last - run.first;
            if (plain_ && stride == 1) std::memcpy(target + run.first, own, size_t(count) * sizeof(T));
            else read_(target + run.first, own, stride * job_.image.column, count);
        }
        read_rim(target, row, run, stride, run.last, run.inside, fill);
        for (int64_t n = run.inside; n < run.count; ++n) target[n] = target[run.inside - 1];
    }

private:
    void read_rim(T* target, const char* row, const Run& run, int64_t stride, int64_t from, int64_t to, T fill) const {
        for (int64_t n = from; n < to; ++n) {
            const int64_t source = job_.columns.source[run.start + n * stride];
            if (source < 0) target[n] = fill;
            else if (plain_) std::memcpy(target + n, row + source * int64_t(sizeof(T)), sizeof(T));
            else read_(target + n, row + source * job_.image.column, 0, 1);
        }
    }

    const Job& job_;
    const Reader<T> read_;
    const bool plain_;
};

}  // namespace
}  // namespace corr2d
