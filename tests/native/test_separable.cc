// Random calls: every copy of `separable` against its slow twin, bit by bit; and where a NaN goes.
// Usage: test_separable [calls, default 500]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "random_jobs.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int separable_wide(const Job&, int, bool (*)());
}

namespace {

template <class T> T add_product(T weight, T value, T sum) {
    if constexpr (std::is_floating_point_v<T>) return std::fma(weight, value, sum);
    else return weight * value + sum;
}

// In the promised order: across the row from zero, then down the column from the bias, term after term.
template <class T> int separable_slow(const Job& job) {
    const int64_t kh = job.rows.taps, kw = job.columns.taps;
    return write_all<T>(job, [&](const char* image, int64_t group, int64_t i, int64_t j) {
        T total = job.bias ? static_cast<const T*>(job.bias)[group] : T(0);
        const T* column = static_cast<const T*>(job.weights) + group * job.terms * (kh + kw);
        for (int64_t t = 0; t < job.terms; ++t, column += kh + kw)
            for (int64_t a = 0; a < kh; ++a) {
                T row = 0;
                for (int64_t b = 0; b < kw; ++b)
                    row = add_product(column[kh + b], pixel<T>(job, image, i + a * job.rows.dilation, j + b * job.columns.dilation), row);
                total = add_product(column[a], row, total);
            }
        return total;
    });
}

template <class T> bool agree(int call) {
    const Element element = pick(0, 1) ? kElementOf<T> : Element(pick(0, 5));
    const Element out_element = pick(0, 1) ? kElementOf<T> : Element(pick(0, kElements - 1));
    RandomJob<T> random(call % 32 == 0, element, out_element);
    Job& job = random.job;
    job.terms = pick(0, 1) ? 1 : pick(1, 3);
    const auto weights = numbers<T>(job.groups * job.terms * (job.rows.taps + job.columns.taps));
    job.weights = weights.data();
    std::fill(random.out.bytes.begin(), random.out.bytes.end(), kSentinel);
    const int expected = separable_slow<T>(job);
    const auto truth = random.out.bytes;
    bool good = true;
    const auto compare = [&](const char* name, Correlate separable) {
        std::fill(random.out.bytes.begin(), random.out.bytes.end(), kSentinel);
        const int outcome = separable(job, int(pick(1, 3)), never);
        if (outcome == expected && random.out.bytes == truth) return;
        std::printf("call %d, sums %d: %s differs (kernel %lldx%lld, dilation %lld %lld, result %lldx%lld)\n", call, int(job.sum), name,
                    (long long)job.rows.taps, (long long)job.columns.taps, (long long)job.rows.dilation,
                    (long long)job.columns.dilation, (long long)job.rows.result, (long long)job.columns.result);
        good = false;
    };
    bool fused_here = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        const std::string name = kInstructionSets[s].name;
        if (!kInstructionSets[s].available()) continue;
        // Without a fused multiply-add floating sums round twice as often; then only integers must agree.
        const bool fused = name != "baseline";
        fused_here |= fused;
        if (fused || std::is_integral_v<T>) compare(name.c_str(), kInstructionSets[s].correlate(Algorithm::separable));
    }
    if (fused_here) compare("wide", separable_wide);  // compiled for the same features as avx2
    return good;
}

// A window holds a value or it does not, a zero weight counts; scratch holds for a thousand taps.
template <class T> bool reaches(T value, int64_t kernel_rows, int64_t kernel_columns) {
    constexpr int64_t height = 37, width = 91, y = 20, x = 70;
    bool good = true;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        if (!kInstructionSets[s].available()) continue;
        PlainJob<T> plain(height, width, kernel_rows, kernel_columns);
        plain.image[y * width + x] = value;
        std::vector<T> weights(size_t(kernel_rows + kernel_columns), T(0));
        plain.job.weights = weights.data();
        kInstructionSets[s].correlate(Algorithm::separable)(plain.job, 2, never);
        for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width; ++j)
                good &= std::isfinite(plain.out[size_t(i * width + j)]) != plain.window_holds(i, j, y, x);
    }
    if (!good) std::printf("a value that is not finite is missing or astray (kernel %lldx%lld)\n", (long long)kernel_rows, (long long)kernel_columns);
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
    for (const int64_t taps : {1, 2, 3, 4, 5, 9, 31, 1000}) {
        failures += !reaches(std::numeric_limits<float>::quiet_NaN(), taps, 3);
        failures += !reaches(std::numeric_limits<double>::infinity(), 3, taps);
        failures += !reaches(std::numeric_limits<float>::infinity(), taps, taps);
    }
    std::printf("%d calls in four types: %d failures\n", calls, failures);
    return failures != 0;
}
