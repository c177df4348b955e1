// Random calls over the whole option space: every copy of `correlate` against its slow twin, bit by bit.
// Usage: test_correlate [calls, default 4000]
#include <cstdio>
#include <cstdlib>
#include <string>

#include "random_jobs.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int direct_wide(const Job&, int, bool (*)());
int folded_wide(const Job&, int, bool (*)());
int sparse_wide(const Job&, int, bool (*)());
}

namespace {

// Weights that are their own mirror image, or mostly zero; whole numbers, so that sums of whole pixels are exact.
template <class T> void make_special(std::vector<T>& weights, int64_t width, Algorithm algorithm) {
    for (auto& weight : weights) weight = algorithm == Algorithm::sparse && pick(0, 4) ? T(0) : T(pick(-3, 3));
    if (algorithm != Algorithm::folded) return;
    for (size_t row = 0; row < weights.size(); row += size_t(width))
        for (int64_t b = 0; b < width / 2; ++b) weights[row + size_t(width - 1 - b)] = weights[row + size_t(b)];
}

// Other orders of the sum give the same bits where the sums are exact.
template <class T> bool agree(int call, Algorithm algorithm = Algorithm::direct) {
    const bool special = algorithm != Algorithm::direct;
    Job job;
    std::memset(&job, 0, sizeof job);
    AxisStorage rows, columns;
    // Several tiles across; those that roll are wide, so that such a call is kept small otherwise.
    const bool rolling = call % 64 == 32;
    const int64_t widest = rolling ? 9000 : call % 16 == 0 ? 400 : 40;
    rows.lay_out(job.rows, {rolling ? 12 : 40, 6, 40, 5});
    columns.lay_out(job.columns, {widest, 6, 40, 5});
    job.batch_dimensions = rolling ? 0 : int(pick(0, 2));
    for (int d = 0; d < job.batch_dimensions; ++d) job.batch_shape[d] = pick(1, 2);
    job.image_parts = int(pick(1, 2));
    job.out_parts = int(pick(1, 2));
    job.groups = pick(1, 2);
    const int64_t channels = pick(0, 3) ? pick(1, 2) : pick(1, 9), out_channels = rolling ? 1 : pick(1, 3);
    job.channels = channels * job.image_parts;
    job.out_channels = out_channels * job.out_parts;
    job.sum = kElementOf<T>;
    // Sums in floating types may take any element; exact sums take what their Python side would give them.
    const Element element = !special && pick(0, 1) ? kElementOf<T> : Element(pick(0, special ? 1 : 5));
    const Element out_element = pick(0, 1) ? kElementOf<T> : Element(pick(0, kElements - 1));
    Storage image, out;
    image.lay_out(job.image, job, element, job.groups * channels, job.rows.image, job.columns.image, job.image_parts);
    image.fill_small_numbers(job.image);
    out.lay_out(job.out, job, out_element, job.groups * out_channels, job.rows.result, job.columns.result, job.out_parts);
    auto weights = numbers<T>(job.groups * job.out_channels * job.channels * job.rows.taps * job.columns.taps);
    auto bias = numbers<T>(job.groups * job.out_channels);
    auto fill = numbers<T>(2);
    if (special) {
        make_special(weights, job.columns.taps, algorithm);
        for (auto& value : bias) value = T(pick(-9, 9));
        for (auto& value : fill) value = T(pick(-9, 9));
    }
    job.weights = weights.data();
    job.bias = pick(0, 1) ? bias.data() : nullptr;
    job.fill = fill.data();

    std::fill(out.bytes.begin(), out.bytes.end(), kSentinel);
    const int expected = correlate_slow(job, 1, never);
    const auto truth = out.bytes;
    bool good = true;
    const auto compare = [&](const char* name, Correlate correlate) {
        std::fill(out.bytes.begin(), out.bytes.end(), kSentinel);
        const int outcome = correlate(job, int(pick(1, 3)), never);
        if (outcome == expected && out.bytes == truth) return;
        std::printf("call %d: %s differs (kernel %lldx%lld, stride %lld %lld, dilation %lld %lld, result %lldx%lld)\n", call, name,
                    (long long)job.rows.taps, (long long)job.columns.taps, (long long)job.rows.stride, (long long)job.columns.stride,
                    (long long)job.rows.dilation, (long long)job.columns.dilation, (long long)job.rows.result,
                    (long long)job.columns.result);
        good = false;
    };
    bool fused_here = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        const std::string name = kInstructionSets[s].name;
        if (!kInstructionSets[s].available()) continue;
        // Without a fused multiply-add floating sums round twice as often; then only integers must agree.
        const bool fused = name != "baseline";
        fused_here |= fused;
        if (fused || special || std::is_integral_v<T>) compare(name.c_str(), kInstructionSets[s].correlate(algorithm));
    }
    const Correlate wide = !special ? direct_wide : algorithm == Algorithm::folded ? folded_wide : sparse_wide;
    if (fused_here) compare("wide", wide);  // compiled for the same features as avx2
    return good;
}

// A kernel too large for one tile is summed in pieces; the order, and so the bits, must not change.
bool agree_in_pieces(int64_t kernel_rows, int64_t kernel_columns, int64_t dilation) {
    Job job;
    std::memset(&job, 0, sizeof job);
    const auto axis = [&](Axis& a, std::vector<int64_t>& sources, int64_t taps) {
        a.taps = taps;
        a.stride = 1;
        a.dilation = dilation;
        a.image = a.padded = (taps - 1) * dilation + 20;
        a.result = 20;
        for (int64_t p = 0; p < a.padded; ++p) sources.push_back(p);
        a.source = sources.data();
    };
    std::vector<int64_t> row_sources, column_sources;
    axis(job.rows, row_sources, kernel_rows);
    axis(job.columns, column_sources, kernel_columns);
    std::vector<unsigned char> image(size_t(job.rows.image * job.columns.image));
    for (auto& pixel : image) pixel = static_cast<unsigned char>(pick(0, 255));
    const auto weights = numbers<float>(kernel_rows * kernel_columns);
    std::vector<float> out(400), truth;
    const float fill = 0;
    job.image = {reinterpret_cast<char*>(image.data()), Element::u8, false, {}, 0, 0, job.columns.image, 1};
    job.out = {reinterpret_cast<char*>(out.data()), Element::f32, false, {}, 0, 0, 80, 4};
    job.groups = job.channels = job.out_channels = job.image_parts = job.out_parts = 1;
    job.sum = Element::f32;
    job.weights = weights.data();
    job.fill = &fill;
    correlate_slow(job, 1, never);
    truth = out;
    const InstructionSet& best = kInstructionSets[kInstructionSetCount - 1].available() ? kInstructionSets[kInstructionSetCount - 1]
                                                                                     : kInstructionSets[kInstructionSetCount > 1];
    if (!best.available() || std::string(best.name) == "baseline") return true;
    std::fill(out.begin(), out.end(), -1.0f);
    best.correlate(Algorithm::direct)(job, 2, never);
    return out == truth;
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 4000;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        failures += !agree<float>(call);
        failures += !agree<double>(call);
        failures += !agree<int32_t>(call);
        failures += !agree<int64_t>(call);
    }
    for (int call = 0; call < calls / 2 && failures < 10; ++call)
        for (const Algorithm algorithm : {Algorithm::folded, Algorithm::sparse}) {
            failures += !agree<float>(call, algorithm);
            failures += !agree<double>(call, algorithm);
        }
    failures += !agree_in_pieces(300, 5, 1);
    failures += !agree_in_pieces(3, 300, 7);
    failures += !agree_in_pieces(150, 150, 3);
    std::printf("%d calls in four types: %d failures\n", calls, failures);
    return failures != 0;
}
