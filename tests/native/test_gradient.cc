// Random calls: every copy of `gradient` against its slow twin, bit by bit; the twin against the truth within the stated
// bound; where a NaN goes; and magnitudes whose squares no type holds.
// Usage: test_gradient [calls, default 500]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "random_jobs.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int gradient_wide(const Job&, int, bool (*)());
}

namespace {

template <class T> struct Pair {
    T y, x;
};

template <class T> T fold_smooth(const T* across, T a, T b, T c) { return std::fma(across[0], a + c, across[1] * b); }
template <class T> T fold_change(T a, T b, T c) { return std::fma(T(0), b, c - a); }

// Three taps that fold: across each row, then down.
template <class T> Pair<T> folded_components(const Job& job, const char* image, int64_t i, int64_t j) {
    const T* across = static_cast<const T*>(job.weights);
    T smooth[3], change[3];
    for (int64_t a = 0; a < 3; ++a) {
        const T pixels[3] = {pixel<T>(job, image, i + a, j), pixel<T>(job, image, i + a, j + 1), pixel<T>(job, image, i + a, j + 2)};
        smooth[a] = fold_smooth(across, pixels[0], pixels[1], pixels[2]);
        change[a] = fold_change(pixels[0], pixels[1], pixels[2]);
    }
    return {fold_change(smooth[0], smooth[1], smooth[2]), fold_smooth(across, change[0], change[1], change[2])};
}

// In the promised order: down each column from zero, then across from zero.
template <class T> Pair<T> slow_components(const Job& job, const char* image, int64_t i, int64_t j) {
    const int64_t k = job.rows.taps;
    const T *across = static_cast<const T*>(job.weights), *along = across + k;
    if (k == 3 && across[0] == across[2] && along[0] == -1 && along[1] == 0 && along[2] == 1)
        return folded_components<T>(job, image, i, j);
    Pair<T> result = {0, 0};
    for (int64_t b = 0; b < k; ++b) {
        T smooth = 0, change = 0;
        for (int64_t a = 0; a < k; ++a) {
            const T value = pixel<T>(job, image, i + a, j + b);
            smooth = std::fma(across[a], value, smooth);
            change = std::fma(along[a], value, change);
        }
        result.y = std::fma(across[b], change, result.y);
        result.x = std::fma(along[b], smooth, result.x);
    }
    return result;
}

// Where squares leave the range in which they are precise, as gradient.cc says.
template <class T> T slow_length(Pair<T> p) {
    const T squares = p.y * p.y + p.x * p.x;
    const bool single = sizeof(T) == 4, nothing = p.y == 0 && p.x == 0;
    const bool small = squares < (single ? T(0x1p-100) : T(0x1p-960)) && !nothing;
    if (!small && !(squares > std::numeric_limits<T>::max())) return std::sqrt(squares);
    return single ? T(std::sqrt(double(p.y) * double(p.y) + double(p.x) * double(p.x))) : T(std::hypot(p.y, p.x));
}

template <class T> int gradient_slow(const Job& job) {
    const T scale = static_cast<const T*>(job.weights)[2 * job.rows.taps];
    const Writer<T> write = writer<T>(job.out.element, job.out.swapped);
    bool finite = true;
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t i = 0; i < job.rows.result; ++i)
            for (int64_t j = 0; j < job.columns.result; ++j) {
                const Pair<T> p = slow_components<T>(job, job.image.data + batch_offset(job, job.image, plane), i, j);
                const T magnitude = slow_length(p) * scale;
                const T values[3] = {job.out_channels == 1 ? magnitude : p.y * scale, p.x * scale, magnitude};
                char* out = job.out.data + batch_offset(job, job.out, plane) + i * job.out.row + j * job.out.column;
                for (int64_t c = 0; c < job.out_channels; ++c) finite &= write(out + c * job.out.channel, 0, values + c, 1);
            }
    return finite ? kDone : kNotFinite;
}

// Which NaN an operation gives is nobody's promise: all become one.
void make_one_nan(const Job& job) {
    if (job.out.element < Element::f16) return;
    const Reader<double> read = reader<double>(job.out.element, job.out.swapped);
    const Writer<double> write = writer<double>(job.out.element, job.out.swapped);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t c = 0; c < job.out_channels; ++c)
            for (int64_t i = 0; i < job.rows.result; ++i)
                for (int64_t j = 0; j < job.columns.result; ++j) {
                    char* at = job.out.data + batch_offset(job, job.out, plane) + c * job.out.channel + i * job.out.row + j * job.out.column;
                    double value;
                    read(&value, at, 0, 1);
                    if (value != value) write(at, 0, &nan, 1);
                }
}

template <class T> bool within_bound(const Job& job) {
    const double unit = std::numeric_limits<T>::epsilon() / 2;
    const int64_t k = job.rows.taps;
    const T *across = static_cast<const T*>(job.weights), *along = across + k;
    bool good = true;
    for (int64_t i = 0; i < job.rows.result; ++i)
        for (int64_t j = 0; j < job.columns.result; ++j) {
            const Pair<T> found = slow_components<T>(job, job.image.data, i, j);
            long double y = 0, x = 0, y_weight = 0, x_weight = 0;
            for (int64_t a = 0; a < k; ++a)
                for (int64_t b = 0; b < k; ++b) {
                    const long double value = pixel<T>(job, job.image.data, i + a, j + b);
                    y += value * along[a] * across[b];
                    x += value * across[a] * along[b];
                    y_weight += std::fabs(value * along[a] * across[b]);
                    x_weight += std::fabs(value * across[a] * along[b]);
                }
            const long double bound = (2 * double(k) + 3) * unit;
            good &= std::fabs(found.y - y) <= bound * y_weight && std::fabs(found.x - x) <= bound * x_weight;
        }
    return good;
}

// Runs every copy that rounds as the twin does, and calls check(name) after each.
template <class Check> void each_copy(const Job& job, bool exact, Storage& out, Check check) {
    bool fused_here = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        const std::string name = kInstructionSets[s].name;
        if (!kInstructionSets[s].available()) continue;
        fused_here |= name != "baseline";
        if (name == "baseline" && !exact) continue;  // without a fused multiply-add sums round twice as often
        std::fill(out.bytes.begin(), out.bytes.end(), kSentinel);
        check(name.c_str(), kInstructionSets[s].correlate(Algorithm::gradient)(job, int(pick(1, 3)), never));
    }
    if (!fused_here) return;
    std::fill(out.bytes.begin(), out.bytes.end(), kSentinel);
    check("wide", gradient_wide(job, int(pick(1, 3)), never));  // compiled for the same features as avx2
}

// The operators that 8-bit images take in integers, those of other whole numbers, and any numbers at all.
template <class T> std::vector<T> random_factors(int64_t taps, bool& whole) {
    const int64_t kind = taps == 3 ? pick(-1, 2) : pick(1, 2);
    std::vector<T> weights;
    if (kind <= 0) {
        const T part = kind == 0 ? T(1) : T(0.3), outer = T(pick(0, 4)) * part, middle = T(pick(1, 8)) * part;
        weights = {outer, middle, outer, T(-1), T(0), T(1)};
    } else {
        weights = numbers<T>(2 * taps);
        if (kind == 1)
            for (auto& weight : weights) weight = T(std::round(double(weight)));
    }
    whole = kind == 0 || kind == 1;
    weights.push_back(pick(0, 1) ? T(1) : T(1) / T(pick(1, 40)));
    return weights;
}

template <class T> bool agree(int call) {
    const Element elements[] = {kElementOf<T>, Element::u8, Element(pick(0, kElements - 1))};
    const Element element = elements[pick(0, 2)], out_element = pick(0, 2) ? kElementOf<T> : Element(pick(0, kElements - 1));
    RandomJob<T> random(call % 16 == 0, element, out_element);
    Job& job = random.job;
    const int64_t taps = pick(0, 1) ? 3 : pick(1, 9);
    const Largest small = {60, 8, 90, 1}, large = {2600, 8, 90, 1};
    random.rows.lay_out(job.rows, call % 16 == 0 && pick(0, 1) ? large : small);
    random.columns.lay_out(job.columns, call % 16 == 0 && job.rows.image < 100 ? large : small);
    for (auto* pair : {&random.rows, &random.columns}) {
        Axis& axis = pair == &random.rows ? job.rows : job.columns;
        axis.taps = taps;
        axis.dilation = 1;
        while (axis.padded < taps) {  // a window larger than the padded image is refused before
            pair->sources.push_back(0);
            axis.source = pair->sources.data();
            ++axis.padded;
        }
        axis.result = axis.padded - taps + 1;
    }
    job.groups = 1;
    job.bias = nullptr;
    job.out_channels = pick(1, 3);
    random.image.lay_out(job.image, job, element, 1, job.rows.image, job.columns.image);
    random.image.fill_small_numbers(job.image);
    random.out.lay_out(job.out, job, out_element, job.out_channels, job.rows.result, job.columns.result);
    if (pick(0, 1)) random.fill[0] = T(pick(0, 255));
    bool whole;
    const auto weights = random_factors<T>(taps, whole);
    job.weights = weights.data();
    std::fill(random.out.bytes.begin(), random.out.bytes.end(), kSentinel);
    const int expected = gradient_slow<T>(job);
    make_one_nan(job);
    const auto truth = random.out.bytes;
    bool good = true;
    const bool halves = element == Element::f16 || element == Element::bf16;
    if (job.batch_dimensions == 0 && !halves && job.rows.result * job.columns.result < 3000 && !within_bound<T>(job)) {
        std::printf("call %d, sums %d: outside the bound\n", call, int(job.sum));
        good = false;
    }
    const bool exact = whole && element <= Element::i16 && random.fill[0] == std::floor(random.fill[0]);
    each_copy(job, exact, random.out, [&](const char* name, int outcome) {
        make_one_nan(job);
        if (outcome == expected && random.out.bytes == truth) return;
        std::printf("call %d, sums %d: %s differs (%lld taps, result %lldx%lld, %lld channels, elements %d %d)\n", call, int(job.sum),
                    name, (long long)taps, (long long)job.rows.result, (long long)job.columns.result, (long long)job.out_channels,
                    int(element), int(out_element));
        good = false;
    });
    return good;
}

// A window holds a value or it does not, a zero tap counts.
template <class T> bool reaches(T value, int64_t taps) {
    constexpr int64_t height = 37, width = 91, y = 20, x = 70;
    bool good = true;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        if (!kInstructionSets[s].available()) continue;
        PlainJob<T> plain(height, width, taps, taps);
        plain.image[y * width + x] = value;
        std::vector<T> weights(size_t(2 * taps + 1), T(0));
        plain.job.weights = weights.data();
        kInstructionSets[s].correlate(Algorithm::gradient)(plain.job, 2, never);
        for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width; ++j)
                good &= std::isfinite(plain.out[size_t(i * width + j)]) != plain.window_holds(i, j, y, x);
    }
    if (!good) std::printf("a value that is not finite is missing or astray (%lld taps)\n", (long long)taps);
    return good;
}

// A ramp of slopes 3 and 4 times `unit` has a magnitude of 5 times that, whatever its squares are.
template <class T> bool keeps_range(T unit) {
    constexpr int64_t height = 20, width = 45;
    bool good = true;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        if (!kInstructionSets[s].available()) continue;
        PlainJob<T> plain(height, width, 3, 3);
        for (int64_t i = 0; i < height; ++i)
            for (int64_t j = 0; j < width; ++j) plain.image[size_t(i * width + j)] = T(3 * i + 4 * j) * unit;
        const T weights[] = {0, 1, 0, -1, 0, 1, T(0.5)};
        plain.job.weights = weights;
        kInstructionSets[s].correlate(Algorithm::gradient)(plain.job, 1, never);
        for (int64_t i = 1; i < height - 1; ++i)
            for (int64_t j = 1; j < width - 1; ++j) {
                const T found = plain.out[size_t(i * width + j)];
                good &= found == 5 * unit;
            }
    }
    if (!good) std::printf("magnitudes of %g are wrong\n", double(unit));
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 500;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        failures += !agree<float>(call);
        failures += !agree<double>(call);
    }
    for (const int64_t taps : {1, 2, 3, 5, 8}) {
        failures += !reaches(std::numeric_limits<float>::quiet_NaN(), taps);
        failures += !reaches(std::numeric_limits<double>::infinity(), taps);
    }
    for (const int power : {-118, -75, -60, -40, 0, 50, 63, 75, 118}) failures += !keeps_range(std::ldexp(1.0f, power));
    for (const int power : {-1000, -600, -470, -300, 0, 300, 511, 600, 1000}) failures += !keeps_range(std::ldexp(1.0, power));
    std::printf("%d calls in two types: %d failures\n", calls, failures);
    return failures != 0;
}
