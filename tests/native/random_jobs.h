// What the tests of the core draw at random: arrays in any layout, axes with any border; and whole calls with one channel
// per sum and stride 1, for the algorithms that take no others.
#pragma once
#include <cstring>
#include <random>
#include <vector>

#include "correlate.h"

namespace corr2d::testing {

inline constexpr unsigned char kSentinel = 0xa5;
inline constexpr int64_t kSizes[kElements] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};

inline std::mt19937_64 generator(20240611);

inline int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }

inline bool never() { return false; }

// An array with random steps: padded, reversed or interleaved axes, so that an algorithm that assumes any layout fails.
struct Storage {
    std::vector<unsigned char> bytes;

    void lay_out(View& view, const Job& job, Element element, int64_t channels, int64_t rows, int64_t columns, int parts = 1) {
        view.element = element;
        view.swapped = pick(0, 5) == 0;
        const int64_t size = kSizes[int(element)], pixel = size * parts;
        const bool contiguous = pick(0, 1);
        const bool interleaved = !contiguous && pick(0, 1);  // channels next to each other, as in photographs
        view.part = size;
        view.column = interleaved ? channels * pixel : pixel + (contiguous ? 0 : pick(0, 1) * pixel);
        view.row = columns * view.column + (contiguous ? 0 : pick(0, 3) * pixel);
        view.channel = interleaved ? pixel : rows * view.row;
        int64_t total = interleaved ? rows * view.row : channels * view.channel;
        for (int d = 0; d < job.batch_dimensions; ++d) {
            view.batch[d] = total;
            total *= job.batch_shape[d];
        }
        const int64_t offset = contiguous || pick(0, 3) ? 0 : 1;  // an odd address now and then
        bytes.assign(size_t(total + offset), kSentinel);
        view.data = reinterpret_cast<char*>(bytes.data()) + offset;
        if (!contiguous && pick(0, 3) == 0) {
            view.data += (rows - 1) * view.row;
            view.row = -view.row;
        }
        if (!contiguous && !interleaved && pick(0, 3) == 0) {
            view.data += (columns - 1) * view.column;
            view.column = -view.column;
        }
    }

    // Any bytes in narrow elements, numbers below 1000 in wide ones.
    void fill_small_numbers(const View& view) {
        for (auto& byte : bytes) byte = static_cast<unsigned char>(pick(0, 255));
        const int64_t size = kSizes[int(view.element)];
        if (size < 4) return;
        for (size_t at = size_t(view.data - reinterpret_cast<char*>(bytes.data())) % size_t(size); at + size_t(size) <= bytes.size();
             at += size_t(size)) {
            unsigned char value[8];
            const int64_t whole = view.element == Element::u32 || view.element == Element::u64 ? pick(0, 999) : pick(-999, 999);
            const float single = float(whole) * 0.37f;
            const double wide = double(whole) * 0.37;
            if (view.element == Element::f32) std::memcpy(value, &single, 4);
            else if (view.element == Element::f64) std::memcpy(value, &wide, 8);
            else std::memcpy(value, &whole, size_t(size));
            for (int64_t b = 0; b < size; ++b) bytes[at + size_t(b)] = value[view.swapped ? size - 1 - b : b];
        }
    }
};

// The most of each that an axis may have; one kernel in ten has up to `many_taps`.
struct Largest {
    int64_t image, taps, many_taps, stride;
};

struct AxisStorage {
    std::vector<int64_t> sources;

    void lay_out(Axis& axis, const Largest& largest) {
        const int64_t image = pick(1, largest.image);
        const int64_t taps = pick(0, 9) ? pick(1, largest.taps) : pick(1, largest.many_taps);
        lay_out(axis, image, taps, pick(0, 2) ? 1 : pick(1, largest.stride));
    }

    void lay_out(Axis& axis, int64_t image, int64_t taps, int64_t stride) {
        axis.image = image;
        axis.taps = taps;
        axis.stride = stride;
        axis.dilation = pick(0, 2) ? 1 : pick(1, 6);
        const int64_t span = (axis.taps - 1) * axis.dilation + 1;
        axis.before = pick(0, 1) ? pick(0, span) : 0;
        int64_t after = pick(0, 1) ? pick(0, span) : 0;
        if (axis.before + axis.image + after < span) after = span - axis.before - axis.image + pick(0, 3);
        axis.padded = axis.before + axis.image + after;
        axis.result = (axis.padded - span) / axis.stride + 1;
        const bool filled = pick(0, 1);
        sources.resize(size_t(axis.padded));
        axis.fills = false;
        for (int64_t p = 0; p < axis.padded; ++p) {
            const int64_t inside = p - axis.before;
            const bool outside = inside < 0 || inside >= axis.image;
            sources[size_t(p)] = !outside ? inside : filled ? -1 : pick(0, axis.image - 1);
            axis.fills |= outside && filled;
        }
        axis.source = sources.data();
    }
};

// Numbers small enough that integer sums stay far from overflow.
template <class T> std::vector<T> numbers(int64_t count) {
    std::vector<T> values(size_t(count), T(0));
    for (auto& value : values) value = T(pick(-9, 9)) / (std::is_floating_point_v<T> ? T(7) : T(1));
    return values;
}

// A call with everything but the weights.
template <class T> struct RandomJob {
    Job job;
    AxisStorage rows, columns;
    Storage image, out;
    std::vector<T> bias, fill;

    // Sums in floating types may take any element; exact sums take what their Python side would give them.
    RandomJob(bool big, Element element, Element out_element) {
        std::memset(&job, 0, sizeof job);
        const Largest small = {60, 8, 90, 1}, large = {2600, 8, 90, 1};
        rows.lay_out(job.rows, big && pick(0, 1) ? large : small);
        columns.lay_out(job.columns, big && job.rows.image < 100 ? large : small);
        job.batch_dimensions = big ? 0 : int(pick(0, 2));
        for (int d = 0; d < job.batch_dimensions; ++d) job.batch_shape[d] = pick(1, 2);
        job.image_parts = job.out_parts = 1;
        job.groups = pick(1, 3);
        job.channels = job.out_channels = 1;
        job.sum = kElementOf<T>;
        image.lay_out(job.image, job, element, job.groups, job.rows.image, job.columns.image);
        image.fill_small_numbers(job.image);
        out.lay_out(job.out, job, out_element, job.groups, job.rows.result, job.columns.result);
        bias = numbers<T>(job.groups);
        fill = numbers<T>(1);
        job.bias = pick(0, 1) ? bias.data() : nullptr;
        job.fill = fill.data();
    }
    RandomJob(const RandomJob&) = delete;
};

// Padded pixel (y, x) as the sum's type.
template <class T> T pixel(const Job& job, const char* plane, int64_t y, int64_t x) {
    const int64_t row = job.rows.source[y], column = job.columns.source[x];
    if (row < 0 || column < 0) return *static_cast<const T*>(job.fill);
    T value;
    reader<T>(job.image.element, job.image.swapped)(&value, plane + row * job.image.row + column * job.image.column, 0, 1);
    return value;
}

// Writes result(plane of the image, group, i, j) everywhere: the frame of a slow twin.
template <class T, class Result> int write_all(const Job& job, Result result) {
    bool finite = true;
    const Writer<T> write = writer<T>(job.out.element, job.out.swapped);
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t group = 0; group < job.groups; ++group) {
            const char* image = job.image.data + batch_offset(job, job.image, plane) + channel_offset(job.image, group, 1);
            char* out = job.out.data + batch_offset(job, job.out, plane) + channel_offset(job.out, group, 1);
            for (int64_t i = 0; i < job.rows.result; ++i)
                for (int64_t j = 0; j < job.columns.result; ++j) {
                    const T value = result(image, group, i, j);
                    finite &= write(out + i * job.out.row + j * job.out.column, 0, &value, 1);
                }
        }
    return finite ? kDone : kNotFinite;
}

// A plain single-plane call on given values, kept alive with its maps; "same" size, fill around.
template <class T> struct PlainJob {
    Job job;
    std::vector<int64_t> row_sources, column_sources;
    std::vector<T> image, out;
    T fill = 0;

    PlainJob(int64_t height, int64_t width, int64_t kernel_rows, int64_t kernel_columns) {
        std::memset(&job, 0, sizeof job);
        lay_axis(job.rows, row_sources, height, kernel_rows);
        lay_axis(job.columns, column_sources, width, kernel_columns);
        image.resize(size_t(height * width));
        out.resize(image.size());
        const int64_t size = sizeof(T);
        job.image = {reinterpret_cast<char*>(image.data()), kElementOf<T>, false, {}, 0, 0, width * size, size};
        job.out = {reinterpret_cast<char*>(out.data()), kElementOf<T>, false, {}, 0, 0, width * size, size};
        job.groups = job.channels = job.out_channels = job.image_parts = job.out_parts = job.terms = 1;
        job.sum = kElementOf<T>;
        job.fill = &fill;
    }
    PlainJob(const PlainJob&) = delete;

    static void lay_axis(Axis& axis, std::vector<int64_t>& sources, int64_t length, int64_t taps) {
        axis = {length, taps, 1, 1, taps / 2, length + taps - 1, length, nullptr, taps > 1};
        for (int64_t p = 0; p < axis.padded; ++p) {
            const int64_t inside = p - axis.before;
            sources.push_back(inside < 0 || inside >= length ? -1 : inside);
        }
        axis.source = sources.data();
    }

    bool window_holds(int64_t i, int64_t j, int64_t y, int64_t x) const {
        const int64_t a = y + job.rows.before - i, b = x + job.columns.before - j;
        return a >= 0 && a < job.rows.taps && b >= 0 && b < job.columns.taps;
    }
};

}  // namespace corr2d::testing
