// Random calls: every copy of `lag_products` and `lag_spectra` within a bound of the slow twin, which sums in float64; NaN
// and infinity in exactly the taps that see them; the same bits for one thread and for three.
// Usage: test_lags [calls, default 400]
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "random_jobs.h"
#include "transform_size.h"

using namespace corr2d;
using namespace corr2d::testing;

namespace corr2d {
int lag_products_wide(const Job&, double*, int, bool (*)());
int lag_spectra_wide(const Job&, double*, int, bool (*)());
}

namespace {

struct Copy {
    std::string name;
    AddLags products, spectra;
};

std::vector<Copy> copies() {
    std::vector<Copy> found;
    bool fused = false;
    for (int s = 0; s < kInstructionSetCount; ++s) {
        const InstructionSet& set = kInstructionSets[s];
        if (!set.available()) continue;
        found.push_back({set.name, set.lag_products, set.lag_spectra});
        fused |= found.back().name != "baseline";
    }
    if (fused) found.push_back({"wide", lag_products_wide, lag_spectra_wide});  // compiled for the features of avx2
    return found;
}

double normal() { return std::normal_distribution<double>()(generator); }

// The values of an array, by [plane][channel][row][column], and the way to write them.
struct Image {
    Storage storage;
    View* view;
    int64_t channels, rows, columns;
    std::vector<double> values;

    void lay_out(View& into, const Job& job, Element element, int64_t channel_count, int64_t row_count, int64_t column_count) {
        view = &into;
        channels = channel_count;
        rows = row_count;
        columns = column_count;
        storage.lay_out(into, job, element, channels, rows, columns);
        values.resize(size_t(job.planes() * channels * rows * columns));
    }

    // Normal numbers times a power of ten; `spread`: 1e8 beside 1e-8. Integers of both signs where the element has signs.
    void choose(int exponent, bool spread) {
        const Element e = view->element;
        const bool is_unsigned = e == Element::u8 || e == Element::u16 || e == Element::u32 || e == Element::u64;
        for (auto& value : values) {
            if (e < Element::f16) value = double(pick(is_unsigned ? 0 : -100, 120));
            else value = normal() * std::pow(10, double(exponent + (spread ? 8 * pick(-1, 1) : 0)));
        }
    }

    // Also takes over what the element made of the values, as the sum's type sees it.
    template <class T> void write(const Job& job) {
        const Writer<double> write = writer<double>(view->element, view->swapped);
        const Reader<T> read = reader<T>(view->element, view->swapped);
        size_t at = 0;
        for (int64_t plane = 0; plane < job.planes(); ++plane)
            for (int64_t c = 0; c < channels; ++c)
                for (int64_t y = 0; y < rows; ++y)
                    for (int64_t x = 0; x < columns; ++x, ++at) {
                        char* place = view->data + batch_offset(job, *view, plane) + c * view->channel + y * view->row + x * view->column;
                        write(place, 0, &values[at], 1);
                        T value;
                        read(&value, place, 0, 1);
                        values[at] = double(value);
                    }
    }
};

struct Case {
    Largest rows, columns;
    int64_t channels;
    double non_finite;  // 0: none
    int exponent = 0;   // of all numbers, which are then of the sum's type; 0: any
};

template <class T> class Call {
public:
    Job job;

    explicit Call(const Case& c) {
        std::memset(&job, 0, sizeof job);
        rows_.lay_out(job.rows, c.rows);
        columns_.lay_out(job.columns, c.columns);
        finish(c);
    }

    Call(int64_t size, int64_t taps, int64_t dilation, const Case& c) {
        std::memset(&job, 0, sizeof job);
        lay_plain(job.rows, rows_, size, taps, dilation);
        lay_plain(job.columns, columns_, size, taps, dilation);
        finish(c);
    }

    // Tiles of the least size that has a transform and holds a window, or of a larger one.
    void choose_tile() {
        const auto choose = [](const Axis& axis) {
            const int64_t span = (axis.taps - 1) * axis.dilation + 1;
            int64_t size = pick(span, span + 60);
            while (size < kLargestTransform && !fft_size(size)) ++size;
            return size;
        };
        job.tile_rows = choose(job.rows);
        job.tile_columns = choose(job.columns);
    }
    bool fits_tile() const { return fft_size(job.tile_rows) && fft_size(job.tile_columns); }

    // The taps that are not what they must be; -1 where the bits depend on the threads.
    int wrong_taps(AddLags lags, bool by_tiles) const {
        std::vector<double> one(truth_.size()), three(truth_.size());
        if (lags(job, one.data(), 1, never) != kDone || lags(job, three.data(), 3, never) != kDone) return -1;
        if (std::memcmp(one.data(), three.data(), one.size() * sizeof(double)) != 0) return -1;
        int wrong = count_wrong(one, by_tiles, 1);
        lags(job, one.data(), 2, never);  // sums are added to what is there
        return wrong + count_wrong(one, by_tiles, 2);
    }

    void describe(int call, const std::string& name, int wrong) const {
        std::printf("call %d: %s, f%d: %d sums differ (kernel %lldx%lld, stride %lld %lld, dilation %lld %lld, tile %lldx%lld, result "
                    "%lldx%lld, elements %d %d, groups %lld, channels %lld to %lld)\n",
                    call, name.c_str(), int(8 * sizeof(T)), wrong, (long long)job.rows.taps, (long long)job.columns.taps,
                    (long long)job.rows.stride, (long long)job.columns.stride, (long long)job.rows.dilation,
                    (long long)job.columns.dilation, (long long)job.tile_rows, (long long)job.tile_columns, (long long)job.rows.result,
                    (long long)job.columns.result, int(job.image.element), int(job.out.element), (long long)job.groups,
                    (long long)job.channels, (long long)job.out_channels);
    }

private:
    static constexpr double kUnit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
    // Of sum|x||g|: a lane sums at most 64 x 64 products of a tile, whose errors add up like a random walk: 64 units. A
    // product left out of a tile of 64 x 256 weighs 1000 units.
    static constexpr double kAlpha = 64;
    // Of log2(tile_rows * tile_columns) * |x||g| (Euclidean norms over all tiles): several times what was ever seen.
    static constexpr double kBeta = 4;

    AxisStorage rows_, columns_;
    Image image_, second_;
    T fill_ = 0;
    std::vector<double> truth_, weight_;

    static void lay_plain(Axis& axis, AxisStorage& storage, int64_t size, int64_t taps, int64_t dilation) {
        for (int64_t p = 0; p < size; ++p) storage.sources.push_back(p);
        axis = {size, taps, 1, dilation, 0, size, size - (taps - 1) * dilation, storage.sources.data(), false};
    }

    void finish(const Case& c) {
        job.batch_dimensions = c.exponent != 0 ? 0 : int(pick(0, 2));
        for (int d = 0; d < job.batch_dimensions; ++d) job.batch_shape[d] = pick(1, 3);
        job.groups = pick(1, c.channels);
        job.channels = pick(1, c.channels);
        job.out_channels = pick(0, 3) ? pick(1, c.channels) : pick(1, 3 * c.channels);
        job.image_parts = job.out_parts = 1;
        job.sum = kElementOf<T>;
        const auto element = [&] { return c.exponent != 0 || pick(0, 2) ? kElementOf<T> : Element(pick(0, kElements - 1)); };
        image_.lay_out(job.image, job, element(), job.groups * job.channels, job.rows.image, job.columns.image);
        second_.lay_out(job.out, job, element(), job.groups * job.out_channels, job.rows.result, job.columns.result);
        choose_values(c);
        find_truth();
    }

    // Products stay within 1e-25 and 1e25, the images themselves do not; what is narrower than 32 bits has few exponents.
    void choose_values(const Case& c) {
        const bool wide = std::min(job.image.element, job.out.element) >= Element::f32, spread = wide && pick(0, 3) == 0;
        const int exponent = wide && !spread && pick(0, 1) ? int(pick(-28, 28)) : 0;
        const int product = wide && !spread && pick(0, 3) == 0 ? int(pick(-25, 25)) : 0;
        image_.choose(c.exponent != 0 ? c.exponent : exponent, spread && c.exponent == 0);
        second_.choose(c.exponent != 0 ? c.exponent : std::clamp(product - exponent, -28, 28), spread && c.exponent == 0);
        fill_ = T(normal() * std::pow(10, exponent));
        for (int n = 0; n < 2 && c.non_finite != 0; ++n) {
            Image& holder = pick(0, 1) ? image_ : second_;
            if (holder.view->element >= Element::f16) holder.values[size_t(pick(0, int64_t(holder.values.size()) - 1))] = c.non_finite;
        }
        job.fill = &fill_;
    }

    void find_truth() {
        const size_t count = size_t(job.groups * job.out_channels * job.channels * job.rows.taps * job.columns.taps);
        truth_.assign(count, 0);
        weight_.assign(count, 0);
        image_.write<T>(job);
        second_.write<T>(job);
        const auto image = image_.values, second = second_.values;
        for (Image* one : {&image_, &second_})
            for (auto& value : one->values) value = std::abs(value);
        image_.write<T>(job);
        second_.write<T>(job);
        const T magnitude = std::abs(fill_);
        job.fill = &magnitude;
        lag_products_slow(job, weight_.data(), 1, never);
        image_.values = image;
        second_.values = second;
        image_.write<T>(job);
        second_.write<T>(job);
        job.fill = &fill_;
        lag_products_slow(job, truth_.data(), 1, never);
    }

    int count_wrong(const std::vector<double>& sums, bool by_tiles, double times) const {
        int wrong = 0;
        const int64_t taps = job.rows.taps * job.columns.taps;
        for (int64_t o = 0, at = 0; o < job.groups * job.out_channels; ++o)
            for (int64_t c = 0; c < job.channels; ++c) {
                const double norms = by_tiles ? norm_of_tiles(o / job.out_channels * job.channels + c) * norm_of_second(o) : 0;
                for (int64_t n = 0; n < taps; ++n, ++at) wrong += !close(sums[size_t(at)], size_t(at), norms, times);
            }
        return wrong;
    }

    bool close(double sum, size_t at, double norms, double times) const {
        const double expected = times * truth_[at];
        if (std::isnan(expected)) return std::isnan(sum);
        if (std::isinf(expected)) return sum == expected;
        const double points = double(job.tile_rows * job.tile_columns);
        const double tiled = norms > 0 ? kBeta * kUnit * std::log2(points) * norms : 0;
        // What each product may lose to underflow.
        const double vanished = double(job.planes() * job.rows.result * job.columns.result) * double(std::numeric_limits<T>::denorm_min());
        return std::abs(sum - expected) <= times * (kAlpha * kUnit * weight_[at] + tiled + vanished);
    }

    // How many tiles hold each padded position.
    static std::vector<double> cover(const Axis& axis, int64_t tile) {
        std::vector<double> count(size_t(axis.padded), 0);
        const int64_t reach = (axis.taps - 1) * axis.dilation, step = tile - reach;
        for (int64_t first = 0; first < axis.result; first += step)
            for (int64_t p = first; p < std::min(first + step, axis.result) + reach; ++p) ++count[size_t(p)];
        return count;
    }

    // Over all tiles, of what is finite.
    double norm_of_tiles(int64_t channel) const {
        const auto rows = cover(job.rows, job.tile_rows), columns = cover(job.columns, job.tile_columns);
        double sum = 0;
        for (int64_t plane = 0; plane < job.planes(); ++plane)
            for (int64_t y = 0; y < job.rows.padded; ++y)
                for (int64_t x = 0; x < job.columns.padded; ++x) {
                    const int64_t row = job.rows.source[y], column = job.columns.source[x];
                    const size_t at = size_t(((plane * image_.channels + channel) * image_.rows + row) * image_.columns + column);
                    const double value = row < 0 || column < 0 ? double(fill_) : image_.values[at];
                    if (std::isfinite(value)) sum += rows[size_t(y)] * columns[size_t(x)] * value * value;
                }
        return std::sqrt(sum);
    }

    double norm_of_second(int64_t channel) const {
        const int64_t size = second_.rows * second_.columns;
        double sum = 0;
        for (int64_t plane = 0; plane < job.planes(); ++plane)
            for (int64_t n = 0; n < size; ++n) {
                const double value = second_.values[size_t((plane * second_.channels + channel) * size + n)];
                if (std::isfinite(value)) sum += value * value;
            }
        return std::sqrt(sum);
    }
};

template <class T> bool agree(int call, Call<T>& one) {
    one.choose_tile();
    const bool by_tiles = one.job.rows.stride == 1 && one.job.columns.stride == 1 && one.fits_tile();
    bool good = true;
    for (const Copy& copy : copies()) {
        const int wrong = one.wrong_taps(copy.products, false), wrong_by_tiles = by_tiles ? one.wrong_taps(copy.spectra, true) : 0;
        if (wrong != 0) one.describe(call, copy.name, wrong);
        if (wrong_by_tiles != 0) one.describe(call, copy.name + " by tiles", wrong_by_tiles);
        good &= wrong == 0 && wrong_by_tiles == 0;
    }
    return good;
}

Case random_case(int call) {
    const double infinity = std::numeric_limits<double>::infinity(), specials[] = {0, 0, std::nan(""), infinity, -infinity};
    const bool high = call % 16 == 0, broad = call % 16 == 1;  // several bands of tiles, or several tiles across
    Case c = {{high ? 200 : 30, 6, 30, 4}, {broad ? 900 : 30, 6, 30, 4}, high || broad ? 2 : 3, specials[pick(0, 4)]};
    if (call % 4 == 2) c.rows.stride = c.columns.stride = 1;  // half of all calls also go by tiles
    return c;
}

template <class T> bool agree_on_random(int call) {
    Call<T> one(random_case(call));
    return agree(call, one);
}

// A kernel that is passed over in pieces.
template <class T> bool agree_in_pieces(int call) {
    Call<T> one(560, 90, 6, {{}, {}, 1, 0});
    return agree(call, one);
}

// Sums of products of 1e36 stay within floats, but spectra of such tiles, multiplied, do not; of 1e-44 they vanish.
bool agree_at_the_ends_of_floats(int call) {
    Call<float> large(70, 3, 1, {{}, {}, 1, 0, 18}), small(70, 3, 1, {{}, {}, 1, 0, -22});
    return agree(call, large) && agree(call, small);
}

}  // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 400;
    int failures = 0;
    for (int call = 0; call < calls && failures < 10; ++call) {
        failures += !agree_on_random<float>(call);
        failures += !agree_on_random<double>(call);
    }
    failures += !agree_in_pieces<float>(-1);
    failures += !agree_in_pieces<double>(-1);
    for (int n = 0; n < 4; ++n) failures += !agree_at_the_ends_of_floats(-2);
    std::printf("%d calls in two types: %d failures\n", calls, failures);
    return failures != 0;
}
