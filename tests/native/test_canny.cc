// Canny's pass: every instruction set the machine has against slow loops, pixel by pixel; hysteresis against a walk.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "correlate.h"
#include "edges.h"
#include "hysteresis.h"
#include "random_jobs.h"

namespace corr2d {
int canny_wide(const EdgeJob&, int, bool (*)());  // vectors of 64 bytes, see CMakeLists.txt
}

namespace {

using namespace corr2d;
using namespace corr2d::testing;

using Bytes = std::vector<uint8_t>;

struct Copy {
    std::string name;
    TraceEdges run;
};

std::vector<Copy> copies() {
    std::vector<Copy> found;
    bool wide_here = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        if (!kInstructionSets[s].available()) continue;
        found.push_back({kInstructionSets[s].name, kInstructionSets[s].canny});
        wide_here |= found.back().name != "baseline";
    }
    if (wide_here) found.push_back({"wide", canny_wide});  // compiled for the same features as avx2
    return found;
}

// What can be walked to from a strong pixel (2) over candidates (1, 2).
Bytes walk(const Bytes& classes, int64_t rows, int64_t columns, uint8_t value) {
    Bytes reached(classes.size(), 0);
    std::vector<int64_t> todo;
    for (int64_t n = 0; n < rows * columns; ++n)
        if (classes[size_t(n)] == 2) reached[size_t(n)] = value, todo.push_back(n);
    while (!todo.empty()) {
        const int64_t y = todo.back() / columns, x = todo.back() % columns;
        todo.pop_back();
        for (int64_t i = std::max<int64_t>(y - 1, 0); i <= std::min(y + 1, rows - 1); ++i)
            for (int64_t j = std::max<int64_t>(x - 1, 0); j <= std::min(x + 1, columns - 1); ++j) {
                const size_t n = size_t(i * columns + j);
                if (classes[n] == 0 || reached[n] != 0) continue;
                reached[n] = value;
                todo.push_back(int64_t(n));
            }
    }
    return reached;
}

bool hysteresis_agrees(int call) {
    const int64_t rows = pick(1, 90), columns = pick(1, call % 8 ? 200 : 1500), planes = pick(1, 2), high = pick(1, 40);
    const int64_t per_plane = (rows + high - 1) / high, density = pick(5, 95), rare = pick(1, 300);
    Bytes classes(size_t(planes * rows * columns)), result(classes.size(), kSentinel), expected;
    for (auto& value : classes) value = pick(0, 99) < density ? (pick(0, rare) ? 1 : 2) : 0;
    if (call % 5 == 0)  // a comb: many chains that meet only at the bottom
        for (size_t n = 0; n < classes.size(); ++n)
            classes[n] = int64_t(n) / columns % rows == rows - 1 || int64_t(n) % columns % 2 == 0 ? (n % 977 ? 1 : 2) : 0;
    const size_t plane = size_t(rows * columns);
    for (int64_t p = 0; p < planes; ++p) {
        const Bytes one(classes.begin() + int64_t(plane) * p, classes.begin() + int64_t(plane) * (p + 1));
        const Bytes walked = walk(one, rows, columns, 7);
        expected.insert(expected.end(), walked.begin(), walked.end());
    }
    std::vector<EdgeBand> bands(size_t(planes * per_plane));
    Bytes row(size_t((columns + kClassUnit - 1) / kClassUnit * kClassUnit), 0);
    for (int64_t y = 0; y < planes * rows; ++y) {
        for (int64_t x = 0; x < columns; ++x) {
            const uint8_t value = classes[size_t(y * columns + x)];
            row[size_t(x)] = value == 2 ? kStrong : value == 1 ? kCandidate : 0;
        }
        if (!bands[size_t(y / rows * per_plane + y % rows / high)].add_row(row.data(), columns)) return false;
    }
    for (auto& band : bands) band.settle();
    if (!join(bands.data(), planes * per_plane, per_plane)) return false;
    for (int64_t y = 0; y < planes * rows; ++y)
        bands[size_t(y / rows * per_plane + y % rows / high)].write_row(y % rows % high, result.data() + y * columns, columns, 7);
    if (result != expected) std::printf("call %d: hysteresis differs (%lldx%lld)\n", call, (long long)rows, (long long)columns);
    return result == expected;
}

// A stack of planes in memory with steps of its own.
template <class T> struct Array {
    std::vector<T> values;
    int64_t plane, row;

    Array(int64_t planes, int64_t rows, int64_t columns, int64_t gap = pick(0, 3))
        : values(size_t(planes * rows * (columns + gap)), T(0)), plane(rows * (columns + gap)), row(columns + gap) {}
    T& at(int64_t p, int64_t y, int64_t x) { return values[size_t(p * plane + y * row + x)]; }
    Planes planes() {
        return {reinterpret_cast<char*>(values.data()), plane * int64_t(sizeof(T)), row * int64_t(sizeof(T))};
    }
};

int64_t clamped(int64_t value, int64_t length) { return value < 0 ? 0 : value < length ? value : length - 1; }

// OpenCV's rule, straight from its description: products of two taps, whole numbers, its own 15-bit tangents.
Bytes classes_of_bytes(const EdgeJob& job, Array<uint8_t>& image, int64_t plane) {
    static const std::vector<int64_t> smooth[] = {{1, 2, 1}, {1, 4, 6, 4, 1}, {1, 6, 15, 20, 15, 6, 1}};
    static const std::vector<int64_t> change[] = {{-1, 0, 1}, {-1, -2, 0, 2, 1}, {-1, -4, -5, 0, 5, 4, 1}};
    const auto &s = smooth[job.aperture / 2 - 1], &d = change[job.aperture / 2 - 1];
    const int64_t reach = job.aperture / 2, columns = job.columns;
    std::vector<int64_t> down, across, length;
    for (int64_t y = 0; y < job.rows; ++y)
        for (int64_t x = 0; x < columns; ++x) {
            int64_t v = 0, h = 0;
            for (int64_t a = 0; a < job.aperture; ++a)
                for (int64_t b = 0; b < job.aperture; ++b) {
                    const int64_t pixel = image.at(plane, clamped(y + a - reach, job.rows), clamped(x + b - reach, columns));
                    v += d[size_t(a)] * s[size_t(b)] * pixel;
                    h += s[size_t(a)] * d[size_t(b)] * pixel;
                }
            if (job.aperture == 7) {
                v = std::lrint(double(v) / 16);
                h = std::lrint(double(h) / 16);
            }
            down.push_back(v);
            across.push_back(h);
            length.push_back(job.squared ? v * v + h * h : std::abs(v) + std::abs(h));
        }
    const auto at = [&](int64_t y, int64_t x) {
        return y < 0 || y >= job.rows || x < 0 || x >= columns ? 0 : length[size_t(y * columns + x)];
    };
    Bytes classes(length.size(), 0);
    for (int64_t y = 0; y < job.rows; ++y)
        for (int64_t x = 0; x < columns; ++x) {
            const size_t n = size_t(y * columns + x);
            const int64_t here = length[n], v = std::abs(down[n]) << 15, h = std::abs(across[n]) * 13573;
            bool greatest;
            if (v < h) greatest = here > at(y, x - 1) && here >= at(y, x + 1);
            else if (v > h + (std::abs(across[n]) << 16)) greatest = here > at(y - 1, x) && here >= at(y + 1, x);
            else {
                const int64_t side = (down[n] < 0) == (across[n] < 0) ? 1 : -1;
                greatest = here > at(y - 1, x - side) && here > at(y + 1, x + side);
            }
            if (greatest && double(here) > job.low[plane]) classes[n] = double(here) > job.high[plane] ? 2 : 1;
        }
    return classes;
}

// No compiler may fuse it with a sum.
template <class T> T product(T a, T b) {
    volatile T result = a * b;
    return result;
}

template <class T> T measured(T y, T x) {
    if (!std::isfinite(y) || !std::isfinite(x)) return 0;
    const T greater = std::max(std::fabs(y), std::fabs(x)), smaller = std::min(std::fabs(y), std::fabs(x));
    if (greater == 0) return 0;
    const T ratio = smaller / greater;
    return greater * T(std::sqrt(T(1) + product(ratio, ratio)));
}

template <class T> Bytes classes_of_parts(const EdgeJob& job, Array<T>& down, Array<T>& across, Array<uint8_t>* allowed, int64_t plane) {
    const auto at = [&](int64_t y, int64_t x) {
        return y < 0 || y >= job.rows || x < 0 || x >= job.columns ? T(0) : measured(down.at(plane, y, x), across.at(plane, y, x));
    };
    Bytes classes(size_t(job.rows * job.columns), 0);
    for (int64_t y = 0; y < job.rows; ++y)
        for (int64_t x = 0; x < job.columns; ++x) {
            const T here = at(y, x), v = down.at(plane, y, x), h = across.at(plane, y, x);
            if (!(here > 0) || (allowed != nullptr && allowed->at(0, y, x) == 0)) continue;
            const bool lies = std::fabs(h) >= std::fabs(v), falls = (v < 0) == (h < 0);
            const T share = lies ? std::fabs(v) / std::fabs(h) : std::fabs(h) / std::fabs(v);
            const int64_t i = falls ? 1 : lies ? -1 : 1, j = falls ? 1 : lies ? 1 : -1;
            const auto side = [&](int64_t sign) {
                const T near = lies ? at(y, x + sign) : at(y + sign, x), far = at(y + sign * i, x + sign * j);
                return T(product(near, T(T(1) - share)) + product(far, share));
            };
            const T greater = sizeof(T) == 4 ? T(1.00000762939453125) : T(1 + std::ldexp(1.0, -40));
            if (here > product(side(-1), greater) && product(here, greater) >= side(1) && here >= T(job.low[plane]))
                classes[size_t(y * job.columns + x)] = here >= T(job.high[plane]) ? 2 : 1;
        }
    return classes;
}

struct Frame {
    EdgeJob job{};
    std::vector<double> low, high;
    Array<uint8_t> out;

    explicit Frame(int call)
        : Frame(pick(1, 3), call % 16 ? pick(1, 70) : pick(60, 200), call % 16 ? pick(1, 150) : pick(100, 700)) {}
    Frame(int64_t planes, int64_t rows, int64_t columns) : low(size_t(planes)), high(size_t(planes)), out(planes, rows, columns) {
        job.planes = planes;
        job.rows = rows;
        job.columns = columns;
        job.low = low.data();
        job.high = high.data();
        job.out = out.planes();
        job.value = 255;
    }
    Frame(const Frame&) = delete;

    // Both kinds of result of every copy, and nothing written past the rows.
    bool agrees(const char* what, const std::vector<Bytes>& classes) {
        bool good = true;
        for (const Copy& copy : copies())
            for (const bool wanted : {true, false}) {
                job.classes = wanted;
                std::fill(out.values.begin(), out.values.end(), kSentinel);
                bool same = copy.run(job, int(pick(1, 3)), never) == kDone;
                for (int64_t p = 0; p < job.planes; ++p) {
                    const Bytes expected = wanted ? classes[size_t(p)] : walk(classes[size_t(p)], job.rows, job.columns, job.value);
                    for (int64_t y = 0; y < job.rows; ++y)
                        for (int64_t x = 0; x < out.row; ++x)
                            same &= out.at(p, y, x) == (x < job.columns ? expected[size_t(y * job.columns + x)] : kSentinel);
                }
                if (!same)
                    std::printf("%s: %s differs (%lldx%lldx%lld, classes %d)\n", what, copy.name.c_str(), (long long)job.planes,
                                (long long)job.rows, (long long)job.columns, wanted);
                good &= same;
            }
        return good;
    }
};

bool bytes_agree(int call) {
    Frame frame(call);
    Array<uint8_t> image(frame.job.planes, frame.job.rows, frame.job.columns);
    const int64_t kind = pick(0, 2);
    for (auto& pixel : image.values) pixel = uint8_t(kind == 0 ? pick(0, 255) : kind == 1 ? 255 * pick(0, 1) : pick(100, 103));
    frame.job.source = GradientSource::bytes;
    frame.job.image = image.planes();
    frame.job.aperture = int(3 + 2 * pick(0, 2));
    frame.job.squared = pick(0, 1);
    std::vector<Bytes> classes;
    for (int64_t p = 0; p < frame.job.planes; ++p) {
        const int64_t most = frame.job.squared ? 4000000 : 4000;
        frame.low[size_t(p)] = double(pick(-5, most / 2));
        frame.high[size_t(p)] = double(pick(0, 5) ? pick(0, most) : int64_t(1) << 40);
        frame.high[size_t(p)] = std::max(frame.low[size_t(p)], frame.high[size_t(p)]);
        classes.push_back(classes_of_bytes(frame.job, image, p));
    }
    return frame.agrees("bytes", classes);
}

template <class T> void randomize(Array<T>& array, bool wild) {
    for (auto& value : array.values) value = T(pick(-40, 40)) / T(8);
    if (!wild) return;
    const T odd[] = {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(),
                     std::numeric_limits<T>::max() / 2, std::numeric_limits<T>::denorm_min(), T(-0.0), T(0)};
    for (auto& value : array.values)
        if (pick(0, 7) == 0) value = odd[pick(0, 6)];
}

template <class T> bool parts_agree(int call) {
    Frame frame(call);
    EdgeJob& job = frame.job;
    Array<T> down(job.planes, job.rows, job.columns), across(job.planes, job.rows, job.columns);
    Array<uint8_t> allowed(1, job.rows, job.columns);
    randomize(down, call % 3 == 0);
    randomize(across, call % 3 == 0);
    for (auto& value : allowed.values) value = uint8_t(pick(0, 9) > 0);
    const bool masked = pick(0, 1);
    job.source = GradientSource::parts;
    job.element = sizeof(T) == 4 ? Element::f32 : Element::f64;
    job.down = down.planes();
    job.across = across.planes();
    if (masked) job.allowed = {allowed.planes().data, 0, allowed.planes().row};
    std::vector<Bytes> classes;
    for (int64_t p = 0; p < job.planes; ++p) {
        frame.low[size_t(p)] = double(pick(0, 30)) / 8;
        frame.high[size_t(p)] = frame.low[size_t(p)] + double(pick(0, 30)) / 8;
        classes.push_back(classes_of_parts<T>(job, down, across, masked ? &allowed : nullptr, p));
    }
    return frame.agrees("parts", classes);
}

// The gradient of an image: what the pass hands out is a gradient (within rounding), and it judges by that very one.
template <class T> bool image_agrees(int call) {
    Frame frame(call);
    EdgeJob& job = frame.job;
    Array<T> image(job.planes, job.rows, job.columns), down(job.planes, job.rows, job.columns), across(job.planes, job.rows, job.columns);
    randomize(image, false);
    const int64_t taps = 1 + 2 * pick(0, 5), reach = taps / 2;
    std::vector<T> factors;
    for (int64_t n = 0; n < 2 * taps; ++n) factors.push_back(T(pick(-8, 8)) / 4);
    factors.push_back(T(pick(1, 8)) / 16);
    const auto map = [&](int64_t length) {
        std::vector<int64_t> sources;
        for (int64_t n = -reach; n < length + reach; ++n) sources.push_back(n >= 0 && n < length ? n : pick(-1, length - 1));
        return sources;
    };
    const auto row_map = map(job.rows), column_map = map(job.columns);
    job.source = GradientSource::image;
    job.element = sizeof(T) == 4 ? Element::f32 : Element::f64;
    job.image = image.planes();
    job.factors = factors.data();
    job.taps = taps;
    job.row_map = row_map.data();
    job.column_map = column_map.data();
    job.fill = 2.25;
    for (int64_t p = 0; p < job.planes; ++p) frame.high[size_t(p)] = 2 * (frame.low[size_t(p)] = double(pick(0, 16)) / 16);
    bool good = true;
    for (const Copy& copy : copies()) {
        job.classes = true;
        job.down = down.planes();
        job.across = across.planes();
        good &= copy.run(job, 2, never) == kDone;
        std::vector<Bytes> classes;
        for (int64_t p = 0; p < job.planes; ++p) {
            classes.push_back(classes_of_parts<T>(job, down, across, nullptr, p));
            for (int64_t y = 0; y < job.rows; ++y)
                for (int64_t x = 0; x < job.columns; ++x) {
                    double v = 0, h = 0;
                    for (int64_t a = 0; a < taps; ++a)
                        for (int64_t b = 0; b < taps; ++b) {
                            const int64_t i = row_map[size_t(y + a)], j = column_map[size_t(x + b)];
                            const double pixel = i < 0 || j < 0 ? 2.25 : double(image.at(p, i, j));
                            v += double(factors[size_t(taps + a)]) * double(factors[size_t(b)]) * pixel;
                            h += double(factors[size_t(a)]) * double(factors[size_t(taps + b)]) * pixel;
                        }
                    const double scale = double(factors.back()), bound = double(std::numeric_limits<T>::epsilon()) * 2e4;
                    good &= std::fabs(v * scale - double(down.at(p, y, x))) <= bound;
                    good &= std::fabs(h * scale - double(across.at(p, y, x))) <= bound;
                }
        }
        if (!good) std::printf("call %d: %s has another gradient\n", call, copy.name.c_str());
        job.down = job.across = Planes{};
        const TraceEdges run = copy.run;
        for (const bool wanted : {true, false}) {
            job.classes = wanted;
            good &= run(job, 3, never) == kDone;
            for (int64_t p = 0; p < job.planes; ++p) {
                const Bytes expected = wanted ? classes[size_t(p)] : walk(classes[size_t(p)], job.rows, job.columns, job.value);
                for (int64_t y = 0; y < job.rows; ++y)
                    good &= std::memcmp(&frame.out.at(p, y, 0), &expected[size_t(y * job.columns)], size_t(job.columns)) == 0;
            }
        }
        if (!good) std::printf("call %d: %s differs on an image\n", call, copy.name.c_str());
    }
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 200;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        failures += !hysteresis_agrees(call);
        failures += !bytes_agree(call);
        failures += !parts_agree<float>(call);
        failures += !parts_agree<double>(call);
        failures += !image_agrees<float>(call);
        failures += !image_agrees<double>(call);
    }
    std::printf("%d calls: %d failures\n", calls, failures);
    return failures != 0;
}
