// Random calls: every copy of `box` against its slow twin, bit by bit, against the plain sum within the stated bound;
// and where a NaN or a huge value goes.
// Usage: test_box [calls, default 500]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "random_jobs.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int box_wide(const Job&, int, bool (*)());
}

namespace {

// The sum of `count` pixels of a padded row in the shape that window_sums.h gives it.
template <class T> T row_sum(const Job& job, const char* image, int64_t y, int64_t x, int64_t count) {
    const int64_t d = job.columns.dilation;
    if (count <= 3) {
        T sum = pixel<T>(job, image, y, x);
        for (int64_t n = 1; n < count; ++n) sum += pixel<T>(job, image, y, x + n * d);
        return sum;
    }
    const int64_t q = count / 4, r = count % 4;
    const auto quarter = [&](int64_t n) { return row_sum<T>(job, image, y, x + n * q * d, q); };
    const T sum = (quarter(0) + quarter(1)) + (quarter(2) + quarter(3));
    return r ? sum + row_sum<T>(job, image, y, x + 4 * q * d, r) : sum;
}

// Rows counted from the first of equal remainder modulo the dilation; blocks of kh of them.
template <class T> T block_sum(const Job& job, const char* image, int64_t i, int64_t j) {
    const int64_t kh = job.rows.taps, d = job.rows.dilation, top = i / d, phase = i % d;
    const auto row = [&](int64_t m) { return row_sum<T>(job, image, phase + m * d, j, job.columns.taps); };
    const int64_t edge = (top + kh - 1) / kh * kh;  // where a block begins inside the window
    T begun = 0, ends = 0;
    for (int64_t m = edge; m < top + kh; ++m) begun = m == edge ? row(m) : begun + row(m);
    if (edge == top) return begun;
    for (int64_t m = edge - 1; m >= top; --m) ends = m == edge - 1 ? row(m) : ends + row(m);
    return ends + begun;
}

template <class A> A plain_sum(const Job& job, const char* image, int64_t i, int64_t j, bool magnitudes) {
    A sum = 0;
    for (int64_t a = 0; a < job.rows.taps; ++a)
        for (int64_t b = 0; b < job.columns.taps; ++b) {
            const int64_t y = job.rows.source[i + a * job.rows.dilation], x = job.columns.source[j + b * job.columns.dilation];
            A value;
            if (y >= 0 && x >= 0) value = pixel<A>(job, image, i + a * job.rows.dilation, j + b * job.columns.dilation);
            else if (job.sum == Element::f32) value = A(*static_cast<const float*>(job.fill));
            else value = A(*static_cast<const double*>(job.fill));
            sum += magnitudes && value < 0 ? -value : value;
        }
    return sum;
}

// Narrow integers with an integer fill are totalled exactly.
template <class T> bool totals_exactly(const Job& job) {
    if (job.image.element > Element::i16) return false;
    const double fill = double(*static_cast<const T*>(job.fill));
    return !(job.rows.fills || job.columns.fills) || fill == std::floor(fill);
}

template <class T> int box_slow(const Job& job) {
    const T* weights = static_cast<const T*>(job.weights);
    const bool exact = std::is_floating_point_v<T> && totals_exactly<T>(job);
    return write_all<T>(job, [&](const char* image, int64_t group, int64_t i, int64_t j) {
        const T total = exact ? T(plain_sum<int64_t>(job, image, i, j, false)) : block_sum<T>(job, image, i, j);
        return T(total * weights[group]) + (job.bias ? static_cast<const T*>(job.bias)[group] : T(0));
    });
}

// Whether the results lie within the bound that box.cc states.
template <class T> bool within_bound(const Job& job) {
    if (job.out.element != kElementOf<T> || job.out.swapped) return true;
    const double unit = std::numeric_limits<T>::epsilon() / 2;
    const double levels = std::ceil(std::log(double(job.columns.taps)) / std::log(4.0));
    const double chain = totals_exactly<T>(job) ? 4 : double(job.rows.taps) + 3 * levels + 2;
    bool good = true;
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t group = 0; group < job.groups; ++group)
            for (int64_t i = 0; i < job.rows.result; ++i)
                for (int64_t j = 0; j < job.columns.result; ++j) {
                    const char* image = job.image.data + batch_offset(job, job.image, plane) + channel_offset(job.image, group, 1);
                    const char* out = job.out.data + batch_offset(job, job.out, plane) + channel_offset(job.out, group, 1);
                    T result;
                    std::memcpy(&result, out + i * job.out.row + j * job.out.column, sizeof(T));
                    const long double weight = static_cast<const T*>(job.weights)[group];
                    const long double bias = job.bias ? static_cast<const T*>(job.bias)[group] : T(0);
                    const long double truth = weight * plain_sum<long double>(job, image, i, j, false) + bias;
                    const long double window = plain_sum<long double>(job, image, i, j, true);
                    good &= std::fabs(result - truth) <= unit * (chain * std::fabs(weight) * window + std::fabs(bias)) * (1 + 1e-6L);
                }
    return good;
}

template <class T> bool agree(int call) {
    const Element element = pick(0, 1) ? kElementOf<T> : Element(pick(0, 5));
    const Element out_element = pick(0, 1) ? kElementOf<T> : Element(pick(0, kElements - 1));
    RandomJob<T> random(call % 32 == 0, element, out_element);
    Job& job = random.job;
    if (pick(0, 1)) random.fill[0] = T(pick(-3, 3));
    const auto weights = numbers<T>(job.groups);
    job.weights = weights.data();
    std::fill(random.out.bytes.begin(), random.out.bytes.end(), kSentinel);
    const int expected = box_slow<T>(job);
    const auto truth = random.out.bytes;
    bool good = true;
    if constexpr (std::is_floating_point_v<T>) {
        if (job.rows.result * job.columns.result < 3000 && !within_bound<T>(job)) {
            std::printf("call %d, sums %d: outside the bound\n", call, int(job.sum));
            good = false;
        }
    }
    const auto compare = [&](const char* name, Correlate box) {
        std::fill(random.out.bytes.begin(), random.out.bytes.end(), kSentinel);
        const int outcome = box(job, int(pick(1, 3)), never);
        if (outcome == expected && random.out.bytes == truth) return;
        std::printf("call %d, sums %d: %s differs (kernel %lldx%lld, dilation %lld %lld, result %lldx%lld, element %d)\n", call,
                    int(job.sum), name, (long long)job.rows.taps, (long long)job.columns.taps, (long long)job.rows.dilation,
                    (long long)job.columns.dilation, (long long)job.rows.result, (long long)job.columns.result,
                    int(job.image.element));
        good = false;
    };
    for (int s = 0; s < kInstructionSetCount; ++s)
        if (kInstructionSets[s].available()) compare(kInstructionSets[s].name, kInstructionSets[s].correlate(Algorithm::box));
    bool wide_here = false;
    for (int s = 0; s < kInstructionSetCount; ++s)
        wide_here |= std::string(kInstructionSets[s].name) != "baseline" && kInstructionSets[s].available();
    if (wide_here) compare("wide", box_wide);  // compiled for the same features as avx2
    return good;
}

// What is not finite, or huge, reaches the windows that hold it and leaves no trace in any other.
template <class T> bool reaches(T value, int64_t kernel_rows, int64_t kernel_columns) {
    constexpr int64_t height = 71, width = 91, y = 20, x = 70;
    const T small = T(1e-30);
    bool good = true;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        if (!kInstructionSets[s].available()) continue;
        PlainJob<T> plain(height, width, kernel_rows, kernel_columns);
        for (auto& pixel : plain.image) pixel = small;
        plain.image[y * width + x] = value;
        const T weight = 1;
        plain.job.weights = &weight;
        kInstructionSets[s].correlate(Algorithm::box)(plain.job, 2, never);
        for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width; ++j) {
                const T result = plain.out[size_t(i * width + j)];
                const bool tiny = std::isfinite(result) && result <= small * T(kernel_rows * kernel_columns) * T(1.001);
                good &= tiny != plain.window_holds(i, j, y, x);
            }
    }
    if (!good) std::printf("a value is missing or astray (kernel %lldx%lld)\n", (long long)kernel_rows, (long long)kernel_columns);
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 500;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        failures += !agree<float>(call);
        failures += !agree<double>(call);
        failures += !agree<int32_t>(call);
        failures += !agree<int64_t>(call);
    }
    for (const int64_t taps : {1, 2, 3, 4, 5, 9, 31, 63, 1000}) {
        failures += !reaches(std::numeric_limits<float>::quiet_NaN(), taps, 3);
        failures += !reaches(std::numeric_limits<double>::infinity(), 3, taps);
        failures += !reaches(1e30f, taps, taps);
        failures += !reaches(-std::numeric_limits<float>::infinity(), taps, taps);
    }
    std::printf("%d calls in four types: %d failures\n", calls, failures);
    return failures != 0;
}
