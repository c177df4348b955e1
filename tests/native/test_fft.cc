// The tiled transforms of every instruction set: within their bound of the definition summed in float64, exact where
// integers are rounded from float64 (in halves too), bit for bit `direct` where a tile holds a NaN or an infinity, and alike at every size
// that a transform may have.
// Usage: test_fft [calls, default 400]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "correlate.h"
#include "transform_size.h"

using namespace corr2d;

namespace corr2d {
int direct_wide(const Job&, int, bool (*)());
int fft_wide(const Job&, int, bool (*)());
int spectrum_wide(const Job&, const void*, void*, Scratch&);
}

namespace {

constexpr unsigned char kSentinel = 0x5a;
constexpr int64_t kSizes[kElements] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};
// |error| <= kAlpha * u * log2(tile_rows * tile_columns) * sum|K| * max|tile|, u = 2^-24 or 2^-53: more than twice what
// was ever seen (1.8, on tiles of 1 and -1 beside one of twice their size, under a kernel of one tap).
constexpr double kAlpha = 4;

std::mt19937_64 generator(20240612);

int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(generator); }
double normal() { return std::normal_distribution<double>()(generator); }
bool never() { return false; }

struct Copy {
    std::string name;
    Correlate direct, fft;
    Spectrum spectrum;
};

std::vector<Copy> copies() {
    std::vector<Copy> found;
    bool fused = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        const InstructionSet& set = kInstructionSets[s];
        if (!set.available()) continue;
        found.push_back({set.name, set.correlate(Algorithm::direct), set.correlate(Algorithm::fft), set.spectrum});
        fused |= found.back().name != "baseline";
    }
    if (fused) found.push_back({"wide", direct_wide, fft_wide, spectrum_wide});  // compiled for the features of avx2
    return found;
}

struct AxisStorage {
    std::vector<int64_t> sources;

    void lay_out(Axis& axis, int64_t image, int64_t taps, int64_t dilation, int64_t stride, bool filled, bool bordered) {
        axis.image = image;
        axis.taps = taps;
        axis.stride = stride;
        axis.dilation = dilation;
        const int64_t span = (taps - 1) * dilation + 1;
        axis.before = bordered ? pick(0, span + 3) : 0;
        int64_t after = bordered ? pick(0, span + 3) : 0;
        if (axis.before + image + after < span) after = span - axis.before - image + pick(0, 3);
        axis.padded = axis.before + image + after;
        axis.result = (axis.padded - span) / stride + 1;
        for (int64_t p = 0; p < axis.padded; ++p) {
            const int64_t inside = p - axis.before;
            const bool outside = inside < 0 || inside >= image;
            sources.push_back(!outside ? inside : filled ? -1 : pick(0, image - 1));
            axis.fills |= outside && filled;
        }
        axis.source = sources.data();
    }
};

// An array with random steps and byte order.
struct Storage {
    std::vector<unsigned char> bytes;

    void lay_out(View& view, const Job& job, Element element, int64_t rows, int64_t columns, bool contiguous) {
        view.element = element;
        view.swapped = !contiguous && pick(0, 3) == 0;
        view.part = 0;
        const bool interleaved = !contiguous && pick(0, 1);
        const int64_t size = kSizes[int(element)];
        view.column = size * (interleaved ? job.groups : contiguous ? 1 : pick(1, 2));
        view.row = columns * view.column + (contiguous ? 0 : pick(0, 3) * size);
        view.channel = interleaved ? size : rows * view.row;
        int64_t total = interleaved ? rows * view.row : job.groups * view.channel;
        for (int d = 0; d < job.batch_dimensions; ++d) {
            view.batch[d] = total;
            total *= job.batch_shape[d];
        }
        const int64_t offset = contiguous ? 0 : pick(0, 1);  // an odd address now and then
        bytes.assign(size_t(total + offset), 0xa5);
        view.data = reinterpret_cast<char*>(bytes.data()) + offset;
        if (!contiguous && pick(0, 1)) {
            view.data += (rows - 1) * view.row;
            view.row = -view.row;
        }
    }
};

char* place(const Job& job, const View& view, int64_t plane, int64_t group, int64_t y, int64_t x) {
    return view.data + batch_offset(job, view, plane) + group * view.channel + y * view.row + x * view.column;
}

double value_at(const Job& job, const View& view, int64_t plane, int64_t group, int64_t y, int64_t x) {
    double value;
    reader<double>(view.element, view.swapped)(&value, place(job, view, plane, group, y, x), 0, 1);
    return value;
}

void fill_image(const Job& job, double non_finite) {
    const View& view = job.image;
    const Writer<double> write = writer<double>(view.element, view.swapped);
    const bool floating = view.element >= Element::f16, wide = view.element >= Element::f32;
    for (int64_t plane = 0; plane < job.planes(); ++plane)
        for (int64_t g = 0; g < job.groups; ++g) {
            const double magnitude = wide ? std::pow(10, double(pick(-8, 8))) : 1;
            for (int64_t y = 0; y < job.rows.image; ++y)
                for (int64_t x = 0; x < job.columns.image; ++x) {
                    const double value = floating ? normal() * magnitude : job.halves ? double(pick(-32768, 65535)) : double(pick(-100, 200));
                    write(place(job, view, plane, g, y, x), 0, &value, 1);
                }
        }
    for (int64_t n = 0; non_finite != 0 && floating && n < 2; ++n)
        write(place(job, view, pick(0, job.planes() - 1), pick(0, job.groups - 1), pick(0, job.rows.image - 1),
                    pick(0, job.columns.image - 1)), 0, &non_finite, 1);
}

double pixel(const Job& job, int64_t plane, int64_t group, int64_t y, int64_t x, double fill) {
    const int64_t row = job.rows.source[y], column = job.columns.source[x];
    return row < 0 || column < 0 ? fill : value_at(job, job.image, plane, group, row, column);
}

// The greatest magnitude in each tile of one plane; NaN where the tile holds something that is not finite.
struct Tiles {
    int64_t rows, columns, across;
    std::vector<double> greatest;

    Tiles(const Job& job, int64_t plane, int64_t group, double fill) {
        const auto span = [](const Axis& axis) { return (axis.taps - 1) * axis.dilation + 1; };
        const auto results = [&](const Axis& axis, int64_t size) { return (size - span(axis)) / axis.stride + 1; };
        const auto after = [&](const Axis& axis, int64_t last) {
            return std::min(last, axis.result - 1) * axis.stride + span(axis);
        };
        rows = results(job.rows, job.tile_rows);
        columns = results(job.columns, job.tile_columns);
        across = (job.columns.result + columns - 1) / columns;
        for (int64_t i = 0; i < job.rows.result; i += rows)
            for (int64_t j = 0; j < job.columns.result; j += columns) {
                double most = 0;
                for (int64_t y = i * job.rows.stride; y < after(job.rows, i + rows - 1); ++y)
                    for (int64_t x = j * job.columns.stride; x < after(job.columns, j + columns - 1); ++x) {
                        const double value = std::abs(pixel(job, plane, group, y, x, fill));
                        most = std::isfinite(value) ? std::max(most, value) : std::nan("");
                        if (std::isnan(most)) y = x = int64_t(1) << 40;
                    }
                greatest.push_back(most);
            }
    }
    double of(int64_t i, int64_t j) const { return greatest[size_t(i / rows * across + j / columns)]; }
};

struct Case {
    int64_t taps[2], dilation[2], stride[2], image[2], tile[2];
    bool bordered, contiguous;
    double non_finite;  // 0: none
};

int64_t least_tile(int64_t span) {
    while (!fft_size(span)) ++span;
    return span;
}

Case random_case(int call) {
    Case c;
    for (int axis = 0; axis < 2; ++axis) {
        c.taps[axis] = pick(0, 9) ? pick(1, 9) : pick(1, 40);
        c.dilation[axis] = pick(0, 2) ? 1 : pick(1, 4);
        c.stride[axis] = pick(0, 2) ? 1 : pick(1, 5);
        c.image[axis] = call % 8 == 0 ? pick(1, 150) : pick(1, 50);
        const int64_t span = (c.taps[axis] - 1) * c.dilation[axis] + 1;
        do {
            c.tile[axis] = least_tile(pick(span, span + 100 / (1 + pick(0, 9))));
        } while (c.tile[axis] > kLargestTransform);
    }
    c.bordered = pick(0, 3);
    c.contiguous = pick(0, 1);
    const double infinity = std::numeric_limits<double>::infinity(), specials[] = {0, 0, std::nan(""), infinity, -infinity};
    c.non_finite = specials[pick(0, 4)];
    return c;
}

// What an element may differ from the exact value by its own rounding.
double own_rounding(Element element, double value) {
    switch (element) {
        case Element::f16: return std::abs(value) * std::ldexp(1, -11) + std::ldexp(1, -25);
        case Element::bf16: return std::abs(value) * std::ldexp(1, -8);
        case Element::f32: return std::abs(value) * std::ldexp(1, -24) + std::ldexp(1, -149);
        case Element::f64: return std::abs(value) * std::ldexp(1, -53);
        default: return 0.5;
    }
}

// What an integer element makes of a value beyond its range.
double saturated(Element element, double value) {
    constexpr double lowest[] = {0, -0x1p7, 0, -0x1p15, 0, -0x1p31, 0, -0x1p63};
    constexpr double highest[] = {0x1p8 - 1, 0x1p7 - 1, 0x1p16 - 1, 0x1p15 - 1, 0x1p32 - 1, 0x1p31 - 1, 0x1p64, 0x1p63};
    if (element >= Element::f16) return value;
    return std::min(std::max(value, lowest[int(element)]), highest[int(element)]);
}

double worst_seen[2] = {0, 0};

// One random call: its arrays, and the truth in float64.
template <class T> class Call {
public:
    explicit Call(const Case& c) : case_(c) {
        std::memset(&job_, 0, sizeof job_);
        const bool filled = pick(0, 1);
        rows_.lay_out(job_.rows, c.image[0], c.taps[0], c.dilation[0], c.stride[0], filled, c.bordered);
        columns_.lay_out(job_.columns, c.image[1], c.taps[1], c.dilation[1], c.stride[1], filled, c.bordered);
        job_.tile_rows = c.tile[0];
        job_.tile_columns = c.tile[1];
        job_.batch_dimensions = int(pick(0, 2));
        for (int d = 0; d < job_.batch_dimensions; ++d) job_.batch_shape[d] = pick(1, 2);
        job_.groups = pick(1, 2);
        job_.channels = job_.out_channels = job_.image_parts = job_.out_parts = 1;
        job_.sum = kElementOf<T>;
        const Element element = pick(0, 1) ? kElementOf<T> : Element(pick(0, kElements - 1));
        const Element out_element = pick(0, 1) ? kElementOf<T> : Element(pick(0, kElements - 1));
        integers_ = sizeof(T) == 8 && element < Element::f16;
        job_.halves = integers_ && pick(0, 1);
        image_.lay_out(job_.image, job_, element, job_.rows.image, job_.columns.image, c.contiguous);
        fill_image(job_, c.non_finite);
        out_.lay_out(job_.out, job_, out_element, job_.rows.result, job_.columns.result, c.contiguous);
        choose_weights();
        find_truth();
    }

    // The results that are not what they must be; -1 for a wrong outcome.
    int wrong_results(const Copy& copy) {
        std::vector<T> held(size_t(job_.groups * spectrum_values(job_)));
        Scratch scratch;
        for (int64_t g = 0; g < job_.groups; ++g)
            if (copy.spectrum(job_, weights_.data() + g * taps_, held.data() + g * spectrum_values(job_), scratch) != kDone) return -1;
        held.insert(held.end(), weights_.begin(), weights_.end());
        std::fill(out_.bytes.begin(), out_.bytes.end(), kSentinel);
        job_.weights = weights_.data();
        const int direct_outcome = copy.direct(job_, 1, never);
        summed_ = out_.bytes;
        std::fill(out_.bytes.begin(), out_.bytes.end(), kSentinel);
        job_.weights = held.data();
        if (copy.fft(job_, int(pick(1, 3)), never) != direct_outcome) return -1;
        return compare();
    }

    void describe(int call, const Copy& copy, int wrong) const {
        const auto& c = case_;
        std::printf("call %d: %s, f%d: %d results differ (kernel %lldx%lld, stride %lld %lld, dilation %lld %lld, tile %lldx%lld, "
                    "result %lldx%lld)\n",
                    call, copy.name.c_str(), int(8 * sizeof(T)), wrong, (long long)c.taps[0], (long long)c.taps[1],
                    (long long)c.stride[0], (long long)c.stride[1], (long long)c.dilation[0], (long long)c.dilation[1],
                    (long long)c.tile[0], (long long)c.tile[1], (long long)job_.rows.result, (long long)job_.columns.result);
    }

private:
    static constexpr double kUnit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
    static constexpr double kFill = 3;

    const Case case_;
    Job job_;
    AxisStorage rows_, columns_;
    Storage image_, out_;
    const T fill_ = T(kFill);
    int64_t taps_ = 0;
    bool integers_ = false;  // small enough to be exact in float64
    std::vector<T> weights_, bias_;
    std::vector<double> truth_;
    std::vector<unsigned char> summed_;  // by `direct`

    void choose_weights() {
        taps_ = case_.taps[0] * case_.taps[1];
        const double magnitude = std::pow(10, double(pick(-5, 5)));
        for (int64_t n = 0; n < job_.groups * taps_; ++n) weights_.push_back(T(integers_ ? double(pick(-9, 9)) : normal() * magnitude));
        for (int64_t g = 0; g < job_.groups; ++g) bias_.push_back(T(integers_ ? double(pick(-9, 9)) : normal()));
        job_.fill = &fill_;
        job_.bias = pick(0, 1) ? bias_.data() : nullptr;
    }

    // The bias is added last: a sum that started from it would round at its magnitude at every tap.
    void find_truth() {
        truth_.resize(size_t(job_.planes() * job_.groups * job_.rows.result * job_.columns.result));
        const std::vector<double> weights(weights_.begin(), weights_.end());
        Job exact = job_;
        exact.sum = Element::f64;
        exact.weights = weights.data();
        exact.bias = nullptr;
        exact.fill = &kFill;
        exact.out = {reinterpret_cast<char*>(truth_.data()), Element::f64, false, {}, 0, 0, job_.columns.result * 8, 8};
        exact.out.channel = job_.rows.result * exact.out.row;
        int64_t total = job_.groups * exact.out.channel;
        for (int d = job_.batch_dimensions - 1; d >= 0; --d) {
            exact.out.batch[d] = total;
            total *= job_.batch_shape[d];
        }
        correlate_slow(exact, 1, never);
        size_t at = 0;
        for (int64_t plane = 0; plane < job_.planes(); ++plane)
            for (int64_t g = 0; g < job_.groups; ++g)
                for (int64_t n = 0; n < job_.rows.result * job_.columns.result; ++n, ++at)
                    truth_[at] = saturated(job_.out.element, truth_[at] + (job_.bias ? double(bias_[size_t(g)]) : 0));
    }

    int compare() const {
        int wrong = 0;
        std::vector<unsigned char> unwritten = out_.bytes;
        size_t at = 0;
        for (int64_t plane = 0; plane < job_.planes(); ++plane)
            for (int64_t g = 0; g < job_.groups; ++g) {
                const Tiles tiles(job_, plane, g, kFill);
                double sum = 0;
                for (int64_t n = 0; n < taps_; ++n) sum += std::abs(double(weights_[size_t(g * taps_ + n)]));
                for (int64_t i = 0; i < job_.rows.result; ++i)
                    for (int64_t j = 0; j < job_.columns.result; ++j, ++at) {
                        const char* where = place(job_, job_.out, plane, g, i, j);
                        const size_t byte = size_t(where - reinterpret_cast<const char*>(out_.bytes.data()));
                        const int64_t size = kSizes[int(job_.out.element)];
                        std::fill_n(unwritten.begin() + int64_t(byte), size, kSentinel);
                        if (std::isnan(tiles.of(i, j))) wrong += std::memcmp(where, summed_.data() + byte, size_t(size)) != 0;
                        else wrong += !close(value_at(job_, job_.out, plane, g, i, j), truth_[at], sum * tiles.of(i, j));
                    }
            }
        for (const unsigned char byte : unwritten) wrong += byte != kSentinel;
        return wrong;
    }

    // `scale` is sum|K| * max|tile|.
    bool close(double got, double expected, double scale) const {
        const Element element = job_.out.element;
        if (integers_ && element < Element::f16) return got == expected;
        const double unit = kUnit * std::log2(double(job_.tile_rows * job_.tile_columns)) * scale;
        const double rounding = own_rounding(element, expected) + kUnit * std::abs(expected), error = std::abs(got - expected);
        if (element == kElementOf<T> && unit > 0)
            worst_seen[sizeof(T) == 8] = std::max(worst_seen[sizeof(T) == 8], (error - rounding) / unit);
        const bool overflowed = element == Element::f16 && std::isinf(got) && std::abs(expected) + kAlpha * unit >= 65504;
        return error <= 1.01 * rounding + kAlpha * unit || overflowed;
    }
};

template <class T> bool agree(const Case& c, int call) {
    Call<T> one(c);
    bool good = true;
    for (const Copy& copy : copies()) {
        const int wrong = one.wrong_results(copy);
        if (wrong != 0) one.describe(call, copy, wrong);
        good &= wrong == 0;
    }
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 400;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        const Case c = random_case(call);
        failures += !agree<float>(c, call);
        failures += !agree<double>(c, call);
    }
    for (int64_t n = kLeastTransform; n <= kLargestTransform && failures < 10; ++n) {
        if (!fft_size(n)) continue;
        for (int axis = 0; axis < 2; ++axis) {
            Case c = {{2, 2}, {1, 1}, {1, 1}, {20, 20}, {16, 16}, false, true, 0};
            c.tile[axis] = n;
            c.image[axis] = n + 5;
            failures += !agree<float>(c, int(-n));
            failures += !agree<double>(c, int(-n));
        }
    }
    std::printf("%d calls in two types: %d failures; largest error over u log2(NM) sum|K| max|tile|: %.3f (f32) %.3f (f64)\n", calls,
                failures, worst_seen[0], worst_seen[1]);
    return failures != 0;
}
