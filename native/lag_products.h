// The adjoint of `correlate` in the kernel: for every tap the sum, over all windows, of the pixel under the tap times the
// value that a second image has at the window's place.
//
// A tile of windows is gathered once: rows of the continued image as tap_sums.h gathers them, and rows of the second
// image, whose last vector ends in zeros. A x B sums are kept in registers while the tile's rows pass by. Where windows
// share image rows (see Tiling), A rows of the second image meet one row of the image, so that 12 products cost 7 loads.
// Sums leave the registers once per tile and are added up in double.
#pragma once
#include "complex.h"
#include "magnitude.h"
#include "tiles.h"

namespace corr2d {
namespace {

// What passes the registers: `rows` rows of `count` columns. Shared: the second image's rows lie second_tap before one
// another for successive taps; not shared: the image's lie image_tap after one another.
template <class T> struct Passage {
    const T *image, *second;
    int64_t image_row, image_tap, second_row, second_tap;
    const int64_t* columns;  // offset of each tap's column in an image row
    int64_t rows, count;
};

template <class T> inline double total(Vector<T> values) {
    double sum = 0;
    for (int lane = 0; lane < kLanes<T>; ++lane) sum += double(values[lane]);
    return sum;
}

// The lanes below `count`; what lies in the others of the image may be NaN and belongs to no window.
template <class T> inline Vector<BitsOf<T>> lanes_below(int64_t count) {
    Vector<BitsOf<T>> mask{};
    for (int lane = 0; lane < kLanes<T>; ++lane) mask[lane] = lane < count ? -1 : 0;
    return mask;
}

template <class T, int A, int B, bool Shared, bool Masked>
inline __attribute__((always_inline)) void multiply(Vector<T> (&sums)[A][B], const Passage<T>& p, const T* image, const T* second,
                                                    Vector<BitsOf<T>> mask) {
    const auto pixels = [&](const T* at) __attribute__((always_inline)) {
        const Vector<T> loaded = load(at);
        return Masked ? Vector<T>(Vector<BitsOf<T>>(loaded) & mask) : loaded;
    };
    if constexpr (Shared) {
        Vector<T> values[A];
        for (int a = 0; a < A; ++a) values[a] = load(second - a * p.second_tap);
        for (int b = 0; b < B; ++b) {
            const Vector<T> pixel = pixels(image + p.columns[b]);
            for (int a = 0; a < A; ++a) sums[a][b] = fused_sum<T>(pixel, values[a], sums[a][b]);
        }
    } else {
        const Vector<T> value = load(second);
        for (int a = 0; a < A; ++a)
            for (int b = 0; b < B; ++b)
                sums[a][b] = fused_sum<T>(pixels(image + a * p.image_tap + p.columns[b]), value, sums[a][b]);
    }
}

template <class T, int A, int B, bool Shared>
__attribute__((noinline)) void add_products(const Passage<T>& p, double* totals, int64_t totals_row) {
    constexpr int64_t L = kLanes<T>;
    const int64_t whole = p.count / L * L;
    const Vector<BitsOf<T>> mask = lanes_below<T>(p.count - whole);
    Vector<T> sums[A][B] = {};
    for (int64_t r = 0; r < p.rows; ++r) {
        const T *image = p.image + r * p.image_row, *second = p.second + r * p.second_row;
        for (int64_t x = 0; x < whole; x += L) multiply<T, A, B, Shared, false>(sums, p, image + x, second + x, mask);
        if (whole < p.count) multiply<T, A, B, Shared, true>(sums, p, image + whole, second + whole, mask);
    }
    for (int a = 0; a < A; ++a)
        for (int b = 0; b < B; ++b) totals[a * totals_row + b] += total<T>(sums[a][b]);
}

// Windows of one plane: results [first_row, first_row + rows) x [first_column, first_column + columns).
struct Windows {
    int64_t plane, first_row, rows, first_column, columns;
};

template <class T> class LagProducts {
public:
    // A tile's rows and their taps' stay in L2, in tiles wide enough that what a row costs is spread out.
    static constexpr int64_t kWindowRows = 64, kWindowColumns = 256;

    explicit LagProducts(const Job& job)
        : job_(job),
          read_(job),
          read_second_(reader<T>(job.out.element, job.out.swapped)),
          shared_(job.rows.dilation % job.rows.stride == 0),
          rows_(least(kWindowRows, job.rows.result)),
          columns_(least(kWindowColumns, job.columns.result)),
          held_(least(kHeld, job.out_channels)) {
        piece_ = {0, 1, 0, job.rows.taps, 0, job.columns.taps};
        while (piece_.rows > 1 && image_values() > kMostValues) piece_.rows = (piece_.rows + 1) / 2;
        while (piece_.columns > 1 && image_values() > kMostValues) piece_.columns = (piece_.columns + 1) / 2;
    }

    int64_t bands() const { return ceil_divide(job_.rows.result, rows_); }
    int64_t tiles_per_band() const { return ceil_divide(job_.columns.result, columns_); }

    // The tile-th tile of all planes.
    Windows locate(int64_t tile) const {
        const int64_t across = tile % tiles_per_band(), band = tile / tiles_per_band() % bands();
        return {tile / tiles_per_band() / bands(), band * rows_, least(rows_, job_.rows.result - band * rows_), across * columns_,
                least(columns_, job_.columns.result - across * columns_)};
    }

    size_t scratch_bytes() const {
        return size_t(offsets_bytes() + image_bytes() + held_ * rows_ * second_width() * int64_t(sizeof(T)));
    }

    // Adds the products of one tile at most (see `locate`) to totals[out_channels][channels][kh][kw] of a group, for the
    // result channels [first, last) and the image channels [first_channel, last_channel).
    void add(const Windows& w, int64_t group, int64_t first, int64_t last, int64_t first_channel, int64_t last_channel,
             double* totals, char* memory) const {
        const Scratches s = {reinterpret_cast<int64_t*>(memory), reinterpret_cast<T*>(memory + offsets_bytes()),
                             reinterpret_cast<T*>(memory + offsets_bytes() + image_bytes())};
        for (int64_t o = first; o < last; o += held_) {
            const int64_t count = least(held_, last - o);
            for (int64_t n = 0; n < count; ++n) gather_second(w, group * job_.out_channels + o + n, s.second + n * second_values());
            for (int64_t c = first_channel; c < last_channel; ++c)
                for (int64_t a = 0; a < job_.rows.taps; a += piece_.rows)
                    for (int64_t b = 0; b < job_.columns.taps; b += piece_.columns) {
                        const Piece piece = {c, 1, a, least(piece_.rows, job_.rows.taps - a), b,
                                             least(piece_.columns, job_.columns.taps - b)};
                        add_piece(w, group, o, count, piece, totals, s);
                    }
        }
    }

private:
    static constexpr int64_t L = kLanes<T>;
    // Planes of the second image that wait in scratch while image channels are gathered one after another.
    static constexpr int64_t kHeld = 4;
    // Registers: 3 x 4 sums, 3 values and a pixel are 16.
    static constexpr int64_t kMostRows = 3, kMostColumns = 4;
    static constexpr int64_t kMostValues = 4 * kTileBytes / int64_t(sizeof(T));

    struct Scratches {
        int64_t* offsets;
        T *image, *second;
    };

    const Job& job_;
    const Gather<T> read_;
    const Reader<T> read_second_;
    const bool shared_;
    const int64_t rows_, columns_, held_;
    Piece piece_;

    int64_t second_width() const { return round_up(columns_, L); }
    int64_t second_values() const { return rows_ * second_width(); }
    int64_t image_values() const { return tile_layout<T>(job_, rows_, columns_, piece_).channel; }
    int64_t image_bytes() const { return round_up(image_values() * int64_t(sizeof(T)), 64); }
    int64_t offsets_bytes() const { return round_up(piece_.columns * int64_t(sizeof(int64_t)), 64); }

    void gather_second(const Windows& w, int64_t channel, T* target) const {
        const char* row = job_.out.data + batch_offset(job_, job_.out, w.plane) + channel_offset(job_.out, channel, 1) +
                          w.first_row * job_.out.row + w.first_column * job_.out.column;
        for (int64_t i = 0; i < w.rows; ++i, row += job_.out.row, target += second_width()) {
            read_second_(target, row, job_.out.column, w.columns);
            for (int64_t x = w.columns; x < round_up(w.columns, L); ++x) target[x] = T(0);
        }
    }

    void add_piece(const Windows& w, int64_t group, int64_t first, int64_t count, const Piece& piece, double* totals,
                   const Scratches& s) const {
        const Axis &rows = job_.rows, &columns = job_.columns;
        const Layout layout = tile_layout<T>(job_, w.rows, w.columns, piece);
        const char* plane = job_.image.data + batch_offset(job_, job_.image, w.plane) +
                            channel_offset(job_.image, group * job_.channels + piece.channel, 1);
        gather_channel(job_, read_, layout, plane, w.first_row * rows.stride + piece.row * rows.dilation,
                       w.first_column * columns.stride + piece.column * columns.dilation, 0, layout.slots,
                       *static_cast<const T*>(job_.fill), s.image);
        lay_column_offsets(job_, layout, piece.columns, s.offsets);
        const int64_t taps = rows.taps * columns.taps;
        for (int64_t n = 0; n < count; ++n)
            add_taps(w, layout, piece, s, s.second + n * second_values(),
                     totals + ((first + n) * job_.channels + piece.channel) * taps + piece.row * columns.taps + piece.column);
    }

    void add_taps(const Windows& w, const Layout& layout, const Piece& piece, const Scratches& s, const T* second,
                  double* totals) const {
        for (int64_t a = 0, height; a < piece.rows; a += height) {
            height = even_share(piece.rows - a, kMostRows);
            for (int64_t b = 0, width; b < piece.columns; b += width) {
                width = even_share(piece.columns - b, kMostColumns);
                add_block(w, layout, s, second, a, height, b, width, totals + a * job_.columns.taps + b);
            }
        }
    }

    // The next of the fewest parts of at most `most` that `left` can be cut into, all about as large.
    static int64_t even_share(int64_t left, int64_t most) { return ceil_divide(left, ceil_divide(left, most)); }

    void add_block(const Windows& w, const Layout& layout, const Scratches& s, const T* second, int64_t a, int64_t height, int64_t b,
                   int64_t width, double* totals) const {
        const int64_t result_step = job_.rows.stride / layout.pitch, tap_step = job_.rows.dilation / layout.pitch;
        const auto passage = [&](int64_t tap, int64_t result_row, int64_t rows) {
            return Passage<T>{s.image + (result_row * result_step + tap * tap_step) * layout.row,
                              second + result_row * second_width(),
                              result_step * layout.row,
                              tap_step * layout.row,
                              second_width(),
                              tap_step * second_width(),
                              s.offsets + b,
                              rows,
                              w.columns};
        };
        const int64_t unshared = (height - 1) * tap_step;
        if (!shared_ || height == 1 || w.rows <= unshared) {
            dispatch<false>(height, width, passage(a, 0, w.rows), totals);
            return;
        }
        // Image rows that all of these taps see from some window; the last tap's windows begin at the first of them.
        Passage<T> common = passage(a + height - 1, 0, w.rows - unshared);
        common.second += unshared * second_width();
        dispatch<true>(height, width, common, totals);
        for (int64_t n = 0; n < height; ++n) {
            const int64_t above = (height - 1 - n) * tap_step, below = n * tap_step;
            double* row = totals + n * job_.columns.taps;
            if (above > 0) dispatch<false>(1, width, passage(a + n, 0, above), row);
            if (below > 0) dispatch<false>(1, width, passage(a + n, w.rows - below, below), row);
        }
    }

    template <bool Shared> void dispatch(int64_t height, int64_t width, const Passage<T>& p, double* totals) const {
        if (height == 1) dispatch_width<1, false>(width, p, totals);
        else if (height == 2) dispatch_width<2, Shared>(width, p, totals);
        else dispatch_width<3, Shared>(width, p, totals);
    }

    template <int A, bool Shared> void dispatch_width(int64_t width, const Passage<T>& p, double* totals) const {
        const int64_t row = job_.columns.taps;
        if (width == 1) add_products<T, A, 1, Shared>(p, totals, row);
        else if (width == 2) add_products<T, A, 2, Shared>(p, totals, row);
        else if (width == 3) add_products<T, A, 3, Shared>(p, totals, row);
        else add_products<T, A, 4, Shared>(p, totals, row);
    }
};

}  // namespace
}  // namespace corr2d
