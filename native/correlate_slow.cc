// The slow twin of direct.cc: one value at a time, every tap through the index maps, in the order that the fast one
// promises (channel, kernel row, kernel column; one fused multiply-add each).
#include <cmath>

#include "correlate.h"

namespace corr2d {
namespace {

inline float add_product(float weight, float value, float sum) { return std::fma(weight, value, sum); }
inline double add_product(double weight, double value, double sum) { return std::fma(weight, value, sum); }
inline int32_t add_product(int32_t weight, int32_t value, int32_t sum) { return weight * value + sum; }
inline int64_t add_product(int64_t weight, int64_t value, int64_t sum) { return weight * value + sum; }

template <class T> T pixel(const Job& job, const char* plane, int64_t channel, int64_t y, int64_t x) {
    const int64_t row = job.rows.source[y], column = job.columns.source[x];
    if (row < 0 || column < 0) return static_cast<const T*>(job.fill)[channel % job.image_parts];
    T value;
    reader<T>(job.image.element, job.image.swapped)(
        &value, plane + channel_offset(job.image, channel, job.image_parts) + row * job.image.row + column * job.image.column,
        0, 1);
    return value;
}

template <class T> T sum(const Job& job, const char* plane, int64_t group, int64_t out_channel, int64_t i, int64_t j) {
    T total = job.bias ? static_cast<const T*>(job.bias)[out_channel] : T(0);
    const T* weight = static_cast<const T*>(job.weights) + out_channel * job.channels * job.rows.taps * job.columns.taps;
    for (int64_t c = 0; c < job.channels; ++c)
        for (int64_t a = 0; a < job.rows.taps; ++a)
            for (int64_t b = 0; b < job.columns.taps; ++b)
                total = add_product(*weight++,
                                    pixel<T>(job, plane, group * job.channels + c, i * job.rows.stride + a * job.rows.dilation,
                                             j * job.columns.stride + b * job.columns.dilation),
                                    total);
    return total;
}

template <class T> int run(const Job& job) {
    bool finite = true;
    const Writer<T> write = writer<T>(job.out.element, job.out.swapped);
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t o = 0; o < job.groups * job.out_channels; ++o) {
            char* out = job.out.data + batch_offset(job, job.out, plane) + channel_offset(job.out, o, job.out_parts);
            const char* image = job.image.data + batch_offset(job, job.image, plane);
            for (int64_t i = 0; i < job.rows.result; ++i)
                for (int64_t j = 0; j < job.columns.result; ++j) {
                    const T total = sum<T>(job, image, o / job.out_channels, o, i, j);
                    finite &= write(out + i * job.out.row + j * job.out.column, 0, &total, 1);
                }
        }
    return finite ? kDone : kNotFinite;
}

template <class T> void add_lags(const Job& job, double* sums) {
    const Reader<T> read = reader<T>(job.out.element, job.out.swapped);
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t o = 0; o < job.groups * job.out_channels; ++o) {
            const char* second = job.out.data + batch_offset(job, job.out, plane) + channel_offset(job.out, o, 1);
            const char* image = job.image.data + batch_offset(job, job.image, plane);
            double* total = sums + o * job.channels * job.rows.taps * job.columns.taps;
            for (int64_t c = o / job.out_channels * job.channels, last = c + job.channels; c < last; ++c)
                for (int64_t a = 0; a < job.rows.taps; ++a)
                    for (int64_t b = 0; b < job.columns.taps; ++b, ++total)
                        for (int64_t i = 0; i < job.rows.result; ++i)
                            for (int64_t j = 0; j < job.columns.result; ++j) {
                                T value;
                                read(&value, second + i * job.out.row + j * job.out.column, 0, 1);
                                *total += double(value) *
                                          double(pixel<T>(job, image, c, i * job.rows.stride + a * job.rows.dilation,
                                                          j * job.columns.stride + b * job.columns.dilation));
                            }
        }
}

}  // namespace

int lag_products_slow(const Job& job, double* sums, int, bool (*)()) {
    if (job.sum == Element::f32) add_lags<float>(job, sums);
    else add_lags<double>(job, sums);
    return kDone;
}

int correlate_slow(const Job& job, int, bool (*)()) {
    switch (job.sum) {
        case Element::f32: return run<float>(job);
        case Element::f64: return run<double>(job);
        case Element::i32: return run<int32_t>(job);
        default: return run<int64_t>(job);
    }
}

}  // namespace corr2d
