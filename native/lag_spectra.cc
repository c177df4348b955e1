// Lag products of large kernels, compiled once per instruction set: tiles of both images are transformed, and the product
// of one spectrum with the conjugate of the other is summed over all tiles before one transform goes back.
//
// Two real tiles travel as one complex tile, in both images alike. Of (X1 + i X2) times the conjugate of (G1 + i G2) the
// real part, once transformed back, is the sum of what the two tiles give; the imaginary part mixes them and is dropped.
// A tile that holds a NaN or an infinity would spread it over all taps, and one whose numbers are so large or small that
// products of spectra might overflow or vanish has no place in the sum: such tiles are summed tap by tap.
#include "correlate.h"
#include "lag_products.h"
#include "lots.h"
#include "tile_transform.h"

namespace corr2d {
namespace {

template <class T> class LagSpectra {
public:
    LagSpectra(const Job& job, double* sums)
        : job_(job),
          sums_(sums),
          transform_(job.tile_rows, job.tile_columns),
          products_(job),
          read_(job),
          read_second_(reader<T>(job.out.element, job.out.swapped)),
          rows_(job.rows, job.tile_rows),
          columns_(job.columns, job.tile_columns),
          tiles_(job.planes() * rows_.tiles * columns_.tiles),
          taps_(job.rows.taps * job.columns.taps),
          lots_(job.groups * job.out_channels * job.channels, taps_, ceil_divide(tiles_, kParts)) {}

    int run(int threads, bool (*interrupted)()) const {
        if (!transform_.ready() || !lots_.ready()) return kOutOfMemory;
        const auto task = [this](int64_t index, Scratch& scratch) { return lot(index, scratch); };
        const int outcome = run_all(lots_.tasks(), threads, interrupted, task);
        lots_.add_up(sums_);
        return outcome;
    }

private:
    static constexpr int64_t L = kLanes<T>;
    static constexpr int kParts = 2;
    // Largest magnitudes of the two images, multiplied, must lie within these powers of two: a quarter of the exponents'
    // range is left for the sums over tile and tiles, and as much for the smaller values of a tile.
    static constexpr int kMostExponent = sizeof(T) == 4 ? 60 : 500;

    struct Cut {
        int64_t results, tiles, span;

        Cut(const Axis& axis, int64_t size)
            : results(size - (axis.taps - 1) * axis.dilation), tiles(ceil_divide(axis.result, results)),
              span((axis.taps - 1) * axis.dilation + 1) {}
    };

    struct Memory {
        T *image, *second, *line, *second_line, *row, *spectrum;
        char* direct;
    };

    const Job& job_;
    double* const sums_;
    const TileTransform<T> transform_;
    const LagProducts<T> products_;
    const Gather<T> read_;
    const Reader<T> read_second_;
    const Cut rows_, columns_;
    const int64_t tiles_, taps_;
    const Lots lots_;

    bool lay_out(Memory& m, Scratch& scratch) const {
        const int64_t spectrum = 2 * transform_.rows() * transform_.columns();
        const int64_t values = 2 * transform_.tile_values() + 2 * transform_.line_values() + kParts * transform_.columns() + spectrum;
        const int64_t bytes = round_up(values * int64_t(sizeof(T)), 64);
        char* memory = static_cast<char*>(scratch.reserve(size_t(bytes) + products_.scratch_bytes()));
        if (memory == nullptr) return false;
        m.direct = memory + bytes;
        m.image = reinterpret_cast<T*>(memory);
        m.second = m.image + transform_.tile_values();
        m.line = m.second + transform_.tile_values();
        m.second_line = m.line + transform_.line_values();
        m.row = m.second_line + transform_.line_values();
        m.spectrum = m.row + kParts * transform_.columns();
        std::memset(m.spectrum, 0, size_t(spectrum) * sizeof(T));
        return true;
    }

    // The pairs of tiles of one lot, for one result channel and one image channel.
    int lot(int64_t index, Scratch& scratch) const {
        Memory m;
        if (!lay_out(m, scratch)) return kOutOfMemory;
        const Lots::Lot lot = lots_.lot(index, sums_);
        const int64_t channel = lot.sum % job_.channels, out = lot.sum / job_.channels;
        bool any = false;
        for (int64_t pair = lot.first; pair < lot.last; ++pair) any |= add_pair(pair, out, channel, lot.totals, m);
        if (any) read_lags(m, lot.totals);
        return kDone;
    }

    // False where the spectra gained nothing: the pair was summed directly, or one of the two is all zero.
    bool add_pair(int64_t pair, int64_t out, int64_t channel, double* totals, const Memory& m) const {
        Windows windows[kParts] = {};
        const int count = int(least(kParts, tiles_ - kParts * pair));
        for (int part = 0; part < count; ++part) windows[part] = locate(kParts * pair + part);
        const int64_t group = out / job_.out_channels;
        const BitsOf<T> image = gather_image(windows, group * job_.channels + channel, m);
        const BitsOf<T> second = gather_second(windows, out, m);
        if (image == 0 || second == 0) return false;
        const int exponent = Format<T>::exponent(image) + Format<T>::exponent(second);
        const bool finite = image < Format<T>::kInfinity && second < Format<T>::kInfinity;
        if (!finite || exponent > kMostExponent || exponent < -kMostExponent) {
            for (int part = 0; part < count; ++part) add_directly(windows[part], out, channel, totals, m);
            return false;
        }
        int64_t height = 0, width = 0, rows = 0, columns = 0;
        for (const Windows& w : windows) {
            rows = most(rows, w.rows);
            columns = most(columns, w.columns);
        }
        height = rows + rows_.span - 1;
        width = columns + columns_.span - 1;
        transform_columns(m.image, height, width);
        transform_columns(m.second, rows, columns);
        transform_.add_products(m.spectrum, m.image, m.second, m.line, m.second_line);
        return true;
    }

    Windows locate(int64_t tile) const {
        const int64_t column = tile % columns_.tiles * columns_.results, row = tile / columns_.tiles % rows_.tiles * rows_.results;
        return {tile / columns_.tiles / rows_.tiles, row, least(rows_.results, job_.rows.result - row), column,
                least(columns_.results, job_.columns.result - column)};
    }

    // Both gather into panels and give the bits of the greatest magnitude.
    BitsOf<T> gather_image(const Windows (&windows)[kParts], int64_t channel, const Memory& m) const {
        const T fill = *static_cast<const T*>(job_.fill);
        return lay_panels(windows, rows_.span - 1, columns_.span - 1, m, m.image, [&](const Windows& w, int64_t y, int64_t width, T* row) {
            const char* plane = job_.image.data + batch_offset(job_, job_.image, w.plane) + channel_offset(job_.image, channel, 1);
            read_.read(row, read_.row(plane, w.first_row + y), read_.run_from(w.first_column, width, 1), 1, fill);
        });
    }

    BitsOf<T> gather_second(const Windows (&windows)[kParts], int64_t out, const Memory& m) const {
        return lay_panels(windows, 0, 0, m, m.second, [&](const Windows& w, int64_t y, int64_t width, T* row) {
            const char* plane = job_.out.data + batch_offset(job_, job_.out, w.plane) + channel_offset(job_.out, out, 1);
            read_second_(row, plane + (w.first_row + y) * job_.out.row + w.first_column * job_.out.column, job_.out.column, width);
        });
    }

    // read(windows, y, width, row) gives row y of a tile; tiles are `more_rows` and `more_columns` larger than their windows.
    template <class Read>
    BitsOf<T> lay_panels(const Windows (&windows)[kParts], int64_t more_rows, int64_t more_columns, const Memory& m, T* tile,
                         Read read) const {
        Greatest<T> greatest;
        const int64_t rows = most(windows[0].rows, windows[1].rows) + more_rows;
        const int64_t columns = round_up(most(windows[0].columns, windows[1].columns) + more_columns, L);
        for (int64_t y = 0; y < rows; ++y) {
            for (int part = 0; part < kParts; ++part) {
                const Windows& w = windows[part];
                T* row = m.row + part * transform_.columns();
                const int64_t width = w.rows > 0 && y < w.rows + more_rows ? w.columns + more_columns : 0;
                if (width > 0) read(w, y, width, row);
                for (int64_t x = width; x < columns; ++x) row[x] = T(0);
            }
            T* target = tile + y * kRecord<T>;
            for (int64_t x = 0; x < columns; x += L, target += transform_.panel_step()) {
                const Complex<T> value = {load(m.row + x), load(m.row + transform_.columns() + x)};
                greatest.add(value.re);
                greatest.add(value.im);
                store_record(target, value);
            }
        }
        return greatest.value();
    }

    void transform_columns(T* tile, int64_t height, int64_t width) const {
        const Scaled<T> unscaled = {broadcast(T(1)), broadcast(T(1))};
        for (int64_t n = 0; n < transform_.panels(); ++n) {
            T* panel = tile + n * transform_.panel_step();
            const int64_t filled = n * L < width ? height : 0;
            std::memset(panel + filled * kRecord<T>, 0, size_t((transform_.rows() - filled) * kRecord<T>) * sizeof(T));
            if (filled > 0) transform_.forward_panel(panel, unscaled);
        }
    }

    void add_directly(const Windows& w, int64_t out, int64_t channel, double* totals, const Memory& m) const {
        const int64_t rows = LagProducts<T>::kWindowRows, columns = LagProducts<T>::kWindowColumns;
        const int64_t group = out / job_.out_channels, o = out % job_.out_channels;
        double* group_totals = totals - (o * job_.channels + channel) * taps_;
        for (int64_t y = 0; y < w.rows; y += rows)
            for (int64_t x = 0; x < w.columns; x += columns)
                products_.add({w.plane, w.first_row + y, least(rows, w.rows - y), w.first_column + x, least(columns, w.columns - x)},
                              group, o, o + 1, channel, channel + 1, group_totals, m.direct);
    }

    void read_lags(const Memory& m, double* totals) const {
        transform_.invert(m.image, m.line, m.spectrum);
        const double points = double(transform_.rows() * transform_.columns());
        for (int64_t a = 0; a < job_.rows.taps; ++a)
            for (int64_t b = 0; b < job_.columns.taps; ++b) {
                const int64_t y = a * job_.rows.dilation, x = b * job_.columns.dilation;
                *totals++ += double(m.image[x / L * transform_.panel_step() + y * kRecord<T> + x % L]) / points;
            }
    }
};

}  // namespace

int CORR2D_ENTRY(lag_spectra)(const Job& job, double* sums, int threads, bool (*interrupted)()) {
    return job.sum == Element::f32 ? LagSpectra<float>(job, sums).run(threads, interrupted)
                                   : LagSpectra<double>(job, sums).run(threads, interrupted);
}

}  // namespace corr2d
