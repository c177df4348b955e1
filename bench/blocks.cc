// Times the core's `correlate` without Python: blocks SIZE KERNEL THREADS u8|f32 prints the least milliseconds of many.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "correlate.h"

namespace corr2d {
int direct_variant(const Job&, int, bool (*)());
}

int main(int, char** argv) {
    using namespace corr2d;
    using Clock = std::chrono::steady_clock;
    const int64_t size = std::atoi(argv[1]), taps = std::atoi(argv[2]), before = (taps - 1) / 2;
    const bool bytes = std::strcmp(argv[4], "u8") == 0;
    const int64_t pixel = bytes ? 1 : 4;
    std::vector<char> image(size_t(size * size * pixel), 0), out(image.size());
    std::vector<float> weights(size_t(taps * taps), 0.5f);
    std::vector<int64_t> sources(size_t(size + taps - 1));
    for (int64_t p = 0; p < size + taps - 1; ++p) {
        const int64_t position = std::abs(p - before);
        sources[size_t(p)] = position < size ? position : 2 * size - 2 - position;
    }
    const float fill = 0;
    Job job;
    std::memset(&job, 0, sizeof job);
    job.rows = {size, taps, 1, 1, before, size + taps - 1, size, sources.data(), false};
    job.columns = job.rows;
    const Element element = bytes ? Element::u8 : Element::f32;
    job.image = {image.data(), element, false, {}, 0, 0, size * pixel, pixel};
    job.out = {out.data(), element, false, {}, 0, 0, size * pixel, pixel};
    job.groups = job.channels = job.out_channels = job.image_parts = job.out_parts = 1;
    job.sum = Element::f32;
    job.weights = weights.data();
    job.fill = &fill;
    double least = 1e9;
    const auto start = Clock::now();
    for (int repeat = 0; repeat < 1000 && (repeat < 5 || Clock::now() - start < std::chrono::milliseconds(150)); ++repeat) {
        const auto begin = Clock::now();
        direct_variant(job, std::atoi(argv[3]), [] { return false; });
        least = std::min(least, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    }
    std::printf("%.5f\n", least);
}
