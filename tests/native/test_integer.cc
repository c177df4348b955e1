// Random calls with 8- and 16-bit images and integer kernels: every copy of `integer` against the slow twin, bit by bit,
// with weights and pixels at the edge of what 16-bit and 32-bit sums hold.
// Usage: test_integer [calls, default 4000]
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "random_jobs.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int integer_wide(const Job&, int, bool (*)());
}

namespace {

constexpr int64_t kLow[] = {0, -128, 0, -32768}, kHigh[] = {255, 127, 65535, 32767};  // u8, i8, u16, i16

struct PixelStorage : Storage {
    // Noise; noise of only the least and greatest values (in either byte order); or rows of one of them each, with which
    // sums reach their bounds.
    void fill_pixels(const View& view) {
        const int64_t kind = pick(0, 3);
        for (auto& byte : bytes) byte = static_cast<unsigned char>(pick(0, 255));
        if (kind == 0) return;
        const bool top = view.element == Element::u8 || view.element == Element::u16, same = pick(0, 1), first = pick(0, 1);
        const int64_t step = std::abs(view.row);
        for (size_t at = 0; at < bytes.size(); ++at) {
            const bool high = kind == 1 ? bytes[at] & 1 : same ? first : int64_t(at) / std::max(step, int64_t(1)) % 2 == first;
            bytes[at] = high ? (top || (view.part == 2 && at % 2) ? 0xff : 0x7f) : (top ? 0 : 0x80);
        }
    }
};

// Weights of one kernel: of one sign or both, up to the size that the promise of the caller allows; now and then all of
// one size, so that every sum of one sign reaches the bound.
std::vector<int16_t> random_weights(int64_t taps, int64_t most_pixel) {
    const int64_t room = (INT32_MAX - 1000) / most_pixel / taps;
    const int64_t sizes[] = {1, 3, 64, 65, 127, 128, 1000, 32767};
    const int64_t size = std::min({sizes[pick(0, 7)], room, int64_t(32767)});
    const int64_t signs = pick(0, 3);
    const bool equal = pick(0, 3) == 0, sparse = pick(0, 3) == 0;
    std::vector<int16_t> weights(size_t(taps), int16_t(0));
    for (auto& weight : weights) {
        const int64_t magnitude = sparse && pick(0, 1) ? 0 : equal ? size : pick(0, size);
        weight = int16_t(signs == 0 || (signs > 1 && pick(0, 1)) ? -magnitude : magnitude);
    }
    if (size == 32767 && pick(0, 1)) weights[size_t(pick(0, taps - 1))] = -32768;
    return weights;
}

// Weights that add up to just what 16 bits hold of bytes, or just not: a pair of rows (255 * 128 < 2^15), results of one
// sign (the same) or a piece of the kernel (255 * 257 < 2^16), in one column or all.
std::vector<int16_t> seam_weights(int64_t height, int64_t width) {
    std::vector<int16_t> weights(size_t(height * width), int16_t(0));
    const int64_t rows = pick(0, 1) ? height : std::min(height, pick(1, 3)), first = pick(0, height - rows);
    const int64_t mass = pick(0, 1) ? pick(126, 131) : pick(0, 2) ? pick(255, 260) : pick(257, 2000);
    const int64_t sign = pick(0, 2), parity = pick(0, 1), column = pick(0, width - 1);
    const bool everywhere = pick(0, 1), heaps = pick(0, 1);  // even, or in heaps
    for (int64_t left = mass, n = 0; left > 0; ++n) {
        const int64_t row = first + (heaps ? pick(0, rows - 1) : n % rows);
        const int64_t part = std::min({left, heaps ? pick(1, 64) : int64_t(1), int64_t(1000)});
        const bool negative = sign == 2 ? row % 2 == parity : sign == 1;
        weights[size_t(row * width + (everywhere ? pick(0, width - 1) : column))] += int16_t(negative ? -part : part);
        left -= part;
    }
    return weights;
}

// The bias takes what is left of the promise sum|w| max|x| + |bias| < 2^31, now and then all of it.
int32_t random_bias(const std::vector<int16_t>& weights, int64_t most_pixel) {
    int64_t room = INT32_MAX;
    for (const int16_t weight : weights) room -= std::abs(int64_t(weight)) * most_pixel;
    if (room < 0) std::abort();
    const int64_t sizes[] = {0, 300, 33000, room};
    const int64_t size = std::min(sizes[pick(0, 3)], room);
    return int32_t(pick(0, 1) ? pick(-size, size) : pick(0, 1) ? size : -size);
}

struct Call {
    Job job;
    AxisStorage rows, columns;
    PixelStorage image;
    Storage out;
    std::vector<int16_t> weights;
    std::vector<int32_t> wide_weights, bias;
    int32_t fill;

    Call(int64_t height, int64_t width, int64_t kernel_height, int64_t kernel_width, bool many) {
        std::memset(&job, 0, sizeof job);
        rows.lay_out(job.rows, height, kernel_height, 1);
        columns.lay_out(job.columns, width, kernel_width, 1);
        job.batch_dimensions = many ? int(pick(0, 2)) : 0;
        for (int d = 0; d < job.batch_dimensions; ++d) job.batch_shape[d] = pick(1, 2);
        job.groups = many ? pick(1, 3) : 1;
        job.out_channels = many ? pick(1, 3) : 1;
        job.channels = job.image_parts = job.out_parts = 1;
        job.sum = Element::i32;
        const Element element = Element(pick(0, 3));
        const Element plain[] = {element, Element::i32, Element::i16};
        const Element out_element = pick(0, 2) ? plain[pick(0, 2)] : Element(pick(0, kElements - 1));
        image.lay_out(job.image, job, element, job.groups, height, width);
        image.fill_pixels(job.image);
        out.lay_out(job.out, job, out_element, job.groups * job.out_channels, job.rows.result, job.columns.result);
        const int64_t most_pixel = std::max(-kLow[int(element)], kHigh[int(element)]);
        for (int64_t k = 0; k < job.groups * job.out_channels; ++k) {
            const auto kernel = most_pixel < 256 && pick(0, 1) ? seam_weights(kernel_height, kernel_width)
                                                               : random_weights(kernel_height * kernel_width, most_pixel);
            weights.insert(weights.end(), kernel.begin(), kernel.end());
            bias.push_back(random_bias(kernel, most_pixel));
        }
        wide_weights.assign(weights.begin(), weights.end());
        fill = int32_t(pick(0, 1) ? pick(kLow[int(element)], kHigh[int(element)]) : kHigh[int(element)]);
        job.bias = pick(0, 1) ? bias.data() : nullptr;
        job.fill = &fill;
    }

    bool agree(const char* about) {
        job.weights = wide_weights.data();
        correlate_slow(job, 1, never);
        const auto truth = out.bytes;
        job.weights = weights.data();
        bool good = true;
        for (int s = 0; s < kInstructionSetCount; ++s)
            if (kInstructionSets[s].available())
                good &= compare(about, kInstructionSets[s].name, kInstructionSets[s].correlate(Algorithm::integer), truth);
        return compare(about, "wide", integer_wide, truth) && good;
    }

    bool compare(const char* about, const char* name, Correlate integer, const std::vector<unsigned char>& truth) {
        std::fill(out.bytes.begin(), out.bytes.end(), kSentinel);
        const int outcome = integer(job, int(pick(1, 3)), never);
        if (outcome == kDone && out.bytes == truth) return true;
        std::printf("%s: %s differs (element %d to %d, kernel %lldx%lld, dilation %lld %lld, result %lldx%lld)\n", about, name,
                    int(job.image.element), int(job.out.element), (long long)job.rows.taps, (long long)job.columns.taps,
                    (long long)job.rows.dilation, (long long)job.columns.dilation, (long long)job.rows.result,
                    (long long)job.columns.result);
        return false;
    }
};

int64_t random_taps() { return pick(0, 9) ? pick(1, 7) : pick(8, 40); }

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 4000;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        const bool wide = call % 64 == 0, high = call % 64 == 1;  // several tiles across, or several bands
        const int64_t height = pick(1, high ? 200 : 30), width = pick(1, wide ? 3000 : 80);
        const int64_t kernel_height = wide ? pick(1, 4) : random_taps(), kernel_width = high ? pick(1, 4) : random_taps();
        failures += !Call(height, width, kernel_height, kernel_width, !wide && !high).agree("random");
    }
    // Kernels of the greatest size asked for, and one whose rows alone are more than a piece.
    failures += !Call(20, 20, 255, 255, false).agree("large");
    failures += !Call(30, 300, 255, 3, false).agree("tall");
    failures += !Call(30, 300, 3, 255, false).agree("broad");
    std::printf("%d calls: %d failures\n", calls, failures);
    return failures != 0;
}
