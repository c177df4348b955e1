// Tiled overlap-save correlation: a tile of the continued image is transformed, multiplied by the kernel's conjugate
// spectrum and transformed back; the results whose window lies within the tile are right, the others are dropped.
//
// Two real tiles travel as real and imaginary part of one complex tile; a real kernel keeps them apart. Each is brought
// to its own scale first, so that the rounding errors of a tile are relative to its own pixels, not to its partner's. A
// tile that holds a NaN or an infinity would spread it over all its results: it is summed directly.
//
// Job::weights: the spectra of all groups, then the weights of all groups as `direct` wants them.
#include <cmath>

#include "correlate.h"

#include "gather.h"
#include "magnitude.h"
#include "narrowing.h"
#include "threads.h"
#include "tile_transform.h"

namespace corr2d {

int CORR2D_ENTRY(direct)(const Job& job, int threads, bool (*interrupted)());

namespace {

bool never() { return false; }

template <class T> class TiledCorrelation {
public:
    explicit TiledCorrelation(const Job& job)
        : job_(job),
          transform_(job.tile_rows, job.tile_columns),
          read_(job),
          write_(row_writer<T>(job.out.element, job.out.swapped)),
          plain_image_(plain<T>(job, job.image, 1) && !job.halves),
          plain_out_(plain<T>(job, job.out, 1) && job.columns.stride == 1 && !job.halves),
          rows_(job.rows, job.tile_rows),
          columns_(job.columns, job.tile_columns),
          halves_(job.halves),
          tiles_(job.planes() * rows_.tiles * columns_.tiles),
          tasks_(job.groups * (halves_ ? tiles_ : ceil_divide(tiles_, kParts))),
          ahead_read_(plain_image_ ? kRowsAhead * job.image.row / int64_t(sizeof(T)) : 0),
          ahead_written_(plain_out_ ? kRowsAhead * job.out.row / int64_t(sizeof(T)) : 0) {}

    int run(int threads, bool (*interrupted)()) const {
        if (!transform_.ready()) return kOutOfMemory;
        return run_all(tasks_, threads, interrupted, [this](int64_t index, Scratch& scratch) { return pair(index, scratch); });
    }

private:
    static constexpr int64_t L = kLanes<T>;
    static constexpr int kParts = 2;  // real and imaginary
    static constexpr T kByte = T(256);
    // Rows of the image and of the result are asked for this many rows before they are read or written: the rows of a
    // tile are short and far apart, which hides them from the hardware's own prefetching (a quarter of the time).
    static constexpr int64_t kRowsAhead = 8;

    // How the results of one axis are cut into tiles.
    struct Cut {
        int64_t results, tiles, span, stride;

        Cut(const Axis& axis, int64_t size)
            : results(0), tiles(0), span((axis.taps - 1) * axis.dilation + 1), stride(axis.stride) {
            results = (size - span) / stride + 1;
            tiles = ceil_divide(axis.result, results);
        }
    };

    // One tile: its results, and the pixels of the padded image that their windows cover.
    struct Tile {
        int64_t first_row, rows, first_column, columns;
        int64_t top, height, left, width;
        const char* image;  // plane and group applied
        char* out;
        bool transformed;
        T before_bias[2];   // what results are multiplied by, one after the other
    };

    struct Pair {
        Tile tiles[kParts];
        int count;
        int64_t group;
        int64_t height, width;    // of the taller, of the wider
        int64_t rows, columns;    // of the stride-1 results
        T *tile, *line, *rows_read, *rows_written;
    };

    const Job& job_;
    const TileTransform<T> transform_;
    const Gather<T> read_;
    const Writer<T> write_;
    const bool plain_image_, plain_out_;  // rows are read where they lie, or stored straight into the result
    const Cut rows_, columns_;
    const bool halves_;
    const int64_t tiles_;  // of one group
    const int64_t tasks_;
    const int64_t ahead_read_, ahead_written_;

    static constexpr int64_t kStepRows = 8;  // rows that the last step gives at once, at most

    int pair(int64_t index, Scratch& scratch) const {
        const int64_t pairs = tasks_ / job_.groups;
        Pair p{};
        p.group = index / pairs;
        index %= pairs;
        p.count = halves_ ? kParts : int(least(kParts, tiles_ - kParts * index));
        for (int part = 0; part < p.count; ++part) p.tiles[part] = locate(p.group, halves_ ? index : kParts * index + part);
        for (const Tile& t : p.tiles) {
            p.height = most(p.height, t.height);
            p.width = most(p.width, t.width);
            p.rows = most(p.rows, (t.rows - 1) * job_.rows.stride + 1);
            p.columns = most(p.columns, (t.columns - 1) * job_.columns.stride + 1);
        }
        if (!lay_out(p, scratch)) return kOutOfMemory;
        const T* spectrum = static_cast<const T*>(job_.weights) + p.group * spectrum_values(job_);
        int outcome = kDone;
        if (gather(p)) {
            transform(p, spectrum);
            outcome = emit(p);
        }
        // Last, because `direct` uses the same scratch.
        for (int part = 0; part < p.count; ++part)
            if (!p.tiles[part].transformed) outcome |= sum_directly(p.tiles[part], p.group);
        return outcome;
    }

    Tile locate(int64_t group, int64_t index) const {
        Tile t{};
        const int64_t across = index % columns_.tiles;
        index /= columns_.tiles;
        const int64_t down = index % rows_.tiles, plane = index / rows_.tiles;
        t.first_row = down * rows_.results;
        t.rows = least(rows_.results, job_.rows.result - t.first_row);
        t.first_column = across * columns_.results;
        t.columns = least(columns_.results, job_.columns.result - t.first_column);
        t.top = t.first_row * rows_.stride;
        t.height = (t.rows - 1) * rows_.stride + rows_.span;
        t.left = t.first_column * columns_.stride;
        t.width = (t.columns - 1) * columns_.stride + columns_.span;
        t.image = job_.image.data + batch_offset(job_, job_.image, plane) + channel_offset(job_.image, group, 1);
        t.out = job_.out.data + batch_offset(job_, job_.out, plane) + channel_offset(job_.out, group, 1) +
                t.first_row * job_.out.row + t.first_column * job_.out.column;
        t.transformed = true;
        return t;
    }

    bool lay_out(Pair& p, Scratch& scratch) const {
        const int64_t row = transform_.columns();
        const int64_t values = transform_.tile_values() + transform_.line_values() + kParts * row + kParts * kStepRows * row;
        p.tile = static_cast<T*>(scratch.reserve(size_t(values) * sizeof(T)));
        if (p.tile == nullptr) return false;
        p.line = p.tile + transform_.tile_values();
        p.rows_read = p.line + transform_.line_values();
        p.rows_written = p.rows_read + kParts * row;
        return true;
    }

    const T* weights(int64_t group) const {
        return static_cast<const T*>(job_.weights) + job_.groups * spectrum_values(job_) +
               group * job_.rows.taps * job_.columns.taps;
    }

    // Reads both tiles into the panels and decides their scales. False when none of them can be transformed.
    bool gather(Pair& p) const {
        Greatest<T> greatest[kParts];
        for (int64_t y = 0; y < p.height; ++y) {
            const T* source[kParts];
            for (int part = 0; part < kParts; ++part)
                source[part] = read_row(p.tiles[part], y, p.width, p.rows_read + part * transform_.columns());
            if (halves_) halve(p.rows_read, p.rows_read + transform_.columns(), p.width);
            T* target = p.tile + y * kRecord<T>;
            for (int64_t x = 0; x < p.width; x += L, target += transform_.panel_step()) {
                __builtin_prefetch(source[0] + x + ahead_read_);
                __builtin_prefetch(source[1] + x + ahead_read_);
                const Complex<T> value = {load(source[0] + x), load(source[1] + x)};
                greatest[0].add(value.re);
                greatest[1].add(value.im);
                store_record(target, value);
            }
        }
        Greatest<T> weight;
        weight.add(weights(p.group), job_.rows.taps * job_.columns.taps);
        bool any = false;
        for (int part = 0; part < p.count; ++part) {
            scale(p.tiles[part], greatest[part].value(), weight.value());
            any |= p.tiles[part].transformed;
            if (!p.tiles[part].transformed) clear(p, part);
        }
        if (any) transform_columns(p, greatest);
        return any;
    }

    // Row y of a tile, `width` columns and the rest of their last vector; zeros past its own.
    const T* read_row(const Tile& t, int64_t y, int64_t width, T* buffer) const {
        const int64_t whole = round_up(width, L);
        if (y >= t.height) {
            for (int64_t x = 0; x < whole; ++x) buffer[x] = T(0);
            return buffer;
        }
        const char* row = read_.row(t.image, t.top + y);
        const int64_t inside = t.left - job_.columns.before;
        if (plain_image_ && row != nullptr && t.width == whole && inside >= 0 && inside + whole <= job_.columns.image)
            return reinterpret_cast<const T*>(row) + inside;
        read_.read(buffer, row, read_.run_from(t.left, t.width, 1), 1, *static_cast<const T*>(job_.fill));
        for (int64_t x = t.width; x < whole; ++x) buffer[x] = T(0);
        return buffer;
    }

    // Of the same pixels twice, keeps the high bytes (rounded down) here and the low ones there.
    static void halve(T* high, T* low, int64_t count) {
        for (int64_t x = 0; x < count; ++x) {
            high[x] = std::floor(low[x] / kByte);
            low[x] -= kByte * high[x];
        }
    }

    // What unscales the results of a tile, or that it is none for the transform.
    static void scale(Tile& t, BitsOf<T> greatest, BitsOf<T> weight) {
        t.transformed = greatest < Format<T>::kInfinity && weight < Format<T>::kInfinity;
        if (greatest == 0 || weight == 0) return;  // exactly zero, whatever the partner's rounding leaves here
        const int exponent = Format<T>::exponent(greatest) + Format<T>::exponent(weight);
        // In two halves: the product may be subnormal or infinite, the halves are neither.
        t.before_bias[0] = Format<T>::power_of_two(exponent / 2);
        t.before_bias[1] = Format<T>::power_of_two(exponent - exponent / 2);
    }

    // Takes one part out of all pixels gathered.
    void clear(const Pair& p, int part) const {
        for (int64_t x = 0; x < p.width; x += L)
            for (int64_t y = 0; y < p.height; ++y)
                store<T>(p.tile + x / L * transform_.panel_step() + y * kRecord<T> + part * L, Vector<T>{});
    }

    void transform_columns(const Pair& p, const Greatest<T> (&greatest)[kParts]) const {
        Scaled<T> scaled;
        for (int part = 0; part < kParts; ++part) {
            const BitsOf<T> bits = greatest[part].value();
            const T factor = bits > 0 && bits < Format<T>::kInfinity ? Format<T>::power_of_two(-Format<T>::exponent(bits)) : T(1);
            (part == 0 ? scaled.re : scaled.im) = broadcast(factor);
        }
        for (int64_t n = 0; n < transform_.panels(); ++n) {
            T* panel = p.tile + n * transform_.panel_step();
            const int64_t filled = n * L < p.width ? p.height : 0;
            std::memset(panel + filled * kRecord<T>, 0, size_t((transform_.rows() - filled) * kRecord<T>) * sizeof(T));
            if (filled > 0) transform_.forward_panel(panel, scaled);
        }
    }

    void transform(const Pair& p, const T* spectrum) const {
        const int64_t used = ceil_divide(p.columns, L);
        transform_.multiply(p.tile, p.line, spectrum, used);
        for (int64_t n = 0; n < used; ++n) transform_.inverse_panel(p.tile + n * transform_.panel_step());
    }

    // The last step along the columns, and out.
    int emit(const Pair& p) const {
        const auto& step = transform_.last_step();
        bool finite = true;
        if (step.radix == 4) finite = emit_steps<4>(p, step.factors);
        else if (step.radix == 3) finite = emit_steps<3>(p, step.factors);
        else finite = emit_steps<8>(p, step.factors);
        return finite ? kDone : kNotFinite;
    }

    template <int R> bool emit_steps(const Pair& p, const T* table) const {
        const int64_t part = transform_.rows() / R, whole = p.columns / L * L;
        bool finite = true;
        for (int64_t j = 0; j < least(part, p.rows); ++j) {
            const Factors<R, T> factors(table + j * 2 * (R - 1));
            const int count = int(least(R, ceil_divide(p.rows - j, part)));
            T* targets[R][kParts];
            for (int k = 0; k < R; ++k)
                for (int side = 0; side < kParts; ++side) targets[k][side] = target(p, side, j + k * part, k);
            emit_rows<R>(p, j, count, factors, targets, 0, whole);
            for (int k = 0; k < R; ++k)
                for (int side = 0; side < kParts; ++side) targets[k][side] = written(p, side, k);
            emit_rows<R>(p, j, count, factors, targets, whole, p.columns);
            for (int k = 0; k < count; ++k) finite &= write_row(p, j + k * part, k, whole);
        }
        return finite;
    }

    T* written(const Pair& p, int side, int k) const { return p.rows_written + (k * kParts + side) * transform_.columns(); }

    // Whether stride-1 row `row` of a tile is stored straight into the result, but for its last, partial vector.
    bool in_place(const Pair& p, int side, int64_t row) const {
        const Tile& t = p.tiles[side];
        return plain_out_ && t.transformed && t.columns == p.columns && row % rows_.stride == 0 && row / rows_.stride < t.rows;
    }

    T* target(const Pair& p, int side, int64_t row, int k) const {
        if (!in_place(p, side, row)) return written(p, side, k);
        return reinterpret_cast<T*>(p.tiles[side].out + row / rows_.stride * job_.out.row);
    }

    // The rows j + k * part of both tiles, the first `count` k, columns from `first` to `last`.
    template <int R>
    void emit_rows(const Pair& p, int64_t j, int count, const Factors<R, T>& factors, T* const (&targets)[R][kParts],
                   int64_t first, int64_t last) const {
        const int64_t part = transform_.rows() / R * kRecord<T>;
        const Vector<T> bias = broadcast(halves_ ? T(0) : bias_of(p.group));
        const T* from = p.tile + j * kRecord<T> + first / L * transform_.panel_step();
        for (int64_t x = first; x < last; x += L, from += transform_.panel_step()) {
            Complex<T> a[R];
            for (int k = 0; k < R; ++k) a[k] = load_record(from + k * part);
            merge(a, factors);
            for (int k = 0; k < R; ++k) {
                if (k >= count) break;
                __builtin_prefetch(targets[k][0] + x + ahead_written_, 1);
                __builtin_prefetch(targets[k][1] + x + ahead_written_, 1);
                store<T>(targets[k][0] + x, unscaled(p.tiles[0], a[k].re, bias));
                store<T>(targets[k][1] + x, unscaled(p.tiles[1], a[k].im, bias));
            }
        }
    }

    static inline __attribute__((always_inline)) Vector<T> unscaled(const Tile& t, Vector<T> value, Vector<T> bias) {
        return multiply_add<T>(t.before_bias[1], value * broadcast(t.before_bias[0]), bias);
    }

    T bias_of(int64_t group) const { return job_.bias ? static_cast<const T*>(job_.bias)[group] : T(0); }

    // What `emit_rows` has not stored in place of stride-1 row `row`.
    bool write_row(const Pair& p, int64_t row, int k, int64_t whole) const {
        bool finite = true;
        if (halves_) join(written(p, 0, k), written(p, 1, k), p.columns, bias_of(p.group));
        for (int side = 0; side < (halves_ ? 1 : p.count) && row % rows_.stride == 0; ++side) {
            const Tile& t = p.tiles[side];
            if (!t.transformed || row / rows_.stride >= t.rows) continue;
            T* values = written(p, side, k);
            for (int64_t x = 1; columns_.stride > 1 && x < t.columns; ++x) values[x] = values[x * columns_.stride];
            const int64_t stored = in_place(p, side, row) ? whole : 0;
            char* target = t.out + row / rows_.stride * job_.out.row + stored * job_.out.column;
            if (plain_out_) std::memcpy(target, values + stored, size_t(t.columns - stored) * sizeof(T));
            else finite &= write_(target, job_.out.column, values, t.columns);
        }
        return finite;
    }

    static void join(T* high, const T* low, int64_t count, T bias) {
        for (int64_t x = 0; x < count; ++x) high[x] = kByte * std::nearbyint(high[x]) + std::nearbyint(low[x]) + bias;
    }

    int sum_directly(const Tile& t, int64_t group) const {
        Job job = job_;
        job.batch_dimensions = 0;
        job.groups = 1;
        job.image.data = const_cast<char*>(t.image);
        job.out.data = t.out;
        job.weights = weights(group);
        if (job.bias) job.bias = static_cast<const T*>(job.bias) + group;
        const auto narrow = [](Axis& axis, int64_t start, int64_t count, int64_t result) {
            axis.source += start;
            axis.before -= start;
            axis.padded = count;
            axis.result = result;
        };
        narrow(job.rows, t.top, t.height, t.rows);
        narrow(job.columns, t.left, t.width, t.columns);
        return CORR2D_ENTRY(direct)(job, 1, never);
    }
};

}  // namespace

int CORR2D_ENTRY(fft)(const Job& job, int threads, bool (*interrupted)()) {
    return job.sum == Element::f32 ? TiledCorrelation<float>(job).run(threads, interrupted)
                                   : TiledCorrelation<double>(job).run(threads, interrupted);
}

}  // namespace corr2d
