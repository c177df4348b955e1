// Sums over all taps in registers, for the algorithms that go tap by tap; each source that includes this is compiled
// once per instruction set.
//
// A result plane is cut into bands of rows and, across, into a middle whose windows lie inside the image and two rims.
// Above and below, borders cost nothing: a window's rows are pointers, so a row past the edge is a pointer to the row
// that the index map names, or to a row of fill. In the middle those pointers go straight into the image. At the rims,
// and wherever pixels must be converted, deinterleaved by a stride or turned to the machine's byte order, a tile's rows
// are gathered into scratch first. Either way block.h sees nothing but row pointers and column offsets.
#pragma once
#include "narrowing.h"
#include "threads.h"
#include "tiles.h"

namespace corr2d {
namespace {

template <class T, Order O> class TapSums {
public:
    TapSums(const Job& job, int threads)
        : job_(job),
          threads_(threads),
          cut_(job, O == Order::sparse, threads),
          read_(job),
          write_(row_writer<T>(job.out.element, job.out.swapped)) {}

    int run(bool (*interrupted)()) const {
        const int64_t tasks = job_.planes() * job_.groups * cut_.bands * cut_.tiles_per_band;
        return run_all(tasks, threads_, interrupted, [this](int64_t index, Scratch& scratch) { return tile(index, scratch); });
    }

private:
    static constexpr int64_t L = kLanes<T>;

    const Job& job_;
    const int threads_;
    const Tiling<T> cut_;
    const Gather<T> read_;
    const Writer<T> write_;

    struct Tile {
        int64_t group, first_row, rows, first_column, columns;
        const char* image;  // plane and group applied
        char* out;
        bool gathered;
        bool in_place;      // sums go straight into the result
        bool past_caches;
        Layout layout;      // of the piece that is gathered
        const T** pointers;
        T** targets;
        int64_t* offsets;
        T *fill, *sums, *pixels;
        Nonzero<T>* nonzero;
        bool skips_zeros;   // no pixel of the tile is NaN or infinite, so a weight of zero adds nothing
    };

    int tile(int64_t index, Scratch& scratch) const {
        char* memory = static_cast<char*>(scratch.reserve(cut_.scratch_bytes()));
        if (memory == nullptr) return kOutOfMemory;
        Tile t = locate(index);
        t.targets = reinterpret_cast<T**>(memory);
        t.pointers = const_cast<const T**>(t.targets + kRows<T>);
        t.offsets = reinterpret_cast<int64_t*>(memory += cut_.pointers_bytes);
        t.fill = reinterpret_cast<T*>(memory += cut_.offsets_bytes);
        t.sums = reinterpret_cast<T*>(memory += cut_.fill_bytes);
        t.pixels = reinterpret_cast<T*>(memory += cut_.sums_bytes);
        t.nonzero = reinterpret_cast<Nonzero<T>*>(memory += cut_.gathered_bytes);
        if (!t.gathered) lay_fill_rows(t);
        bool finite = true;
        const int64_t block = t.gathered ? cut_.channel_block() : 1;
        for (int64_t first = 0; first < job_.out_channels; first += block)
            finite &= sum_channels(t, first, least(block, job_.out_channels - first));
        if (t.past_caches) end_lines();
        return finite ? kDone : kNotFinite;
    }

    Tile locate(int64_t index) const {
        Tile t{};
        int64_t tile = index % cut_.tiles_per_band;
        index /= cut_.tiles_per_band;
        const int64_t band = index % cut_.bands;
        index /= cut_.bands;
        t.group = index % job_.groups;
        const int64_t plane = index / job_.groups;
        const Segment* segment = cut_.segments;
        for (; tile >= segment->tiles; ++segment) tile -= segment->tiles;
        t.gathered = segment->gathered;
        t.first_column = segment->first + tile * segment->width;
        t.columns = cut_.columns_of(*segment, tile);
        t.in_place = cut_.direct_out && (!t.gathered || (cut_.one_piece && t.columns >= L));
        t.past_caches = cut_.past_caches && !t.gathered;
        t.first_row = band * cut_.band_rows;
        t.rows = least(cut_.band_rows, job_.rows.result - t.first_row);
        t.image = job_.image.data + batch_offset(job_, job_.image, plane);
        t.out = job_.out.data + batch_offset(job_, job_.out, plane);
        return t;
    }

    void lay_fill_rows(const Tile& t) const {
        for (int64_t p = 0; cut_.fill_width > 0 && p < job_.image_parts; ++p)
            for (int64_t x = 0; x < cut_.fill_width; ++x) t.fill[p * cut_.fill_width + x] = static_cast<const T*>(job_.fill)[p];
    }

    // The result channels [first, first + count) of the tile, over all pieces of the kernel.
    bool sum_channels(Tile& t, int64_t first, int64_t count) const {
        const Piece& step = t.gathered ? cut_.piece : cut_.whole;
        bool finite = true;
        for (int64_t c = 0; c < cut_.whole.channels; c += step.channels)
            for (int64_t a = 0; a < cut_.whole.rows; a += step.rows)
                for (int64_t b = 0; b < cut_.whole.columns; b += step.columns) {
                    const Piece piece = {c, least(step.channels, cut_.whole.channels - c), a, least(step.rows, cut_.whole.rows - a),
                                         b, least(step.columns, cut_.whole.columns - b)};
                    if (t.gathered) t.layout = cut_.layout(t.rows, t.columns, piece);
                    lay_offsets(t, piece);
                    if (t.gathered && !cut_.rolls && !(cut_.one_piece && first > 0)) gather(t, piece, 0, t.layout.slots);
                    if constexpr (O == Order::sparse) t.skips_zeros = all_finite(t, piece);
                    for (int64_t o = 0; o < count; ++o) finite &= sum_piece(t, piece, first + o, o, c + a + b > 0);
                }
        if (!t.in_place && !cut_.one_piece)
            for (int64_t o = 0; o < count; ++o) finite &= write_sums(t, first + o, o);
        return finite;
    }

    void lay_offsets(const Tile& t, const Piece& piece) const {
        if (t.gathered) return lay_column_offsets(job_, t.layout, piece.columns, t.offsets);
        for (int64_t b = 0; b < piece.columns; ++b) t.offsets[b] = b * job_.columns.dilation;
    }

    // The rows [first, end) of the piece.
    void gather(const Tile& t, const Piece& piece, int64_t first, int64_t end) const {
        const Axis &rows = job_.rows, &columns = job_.columns;
        const int64_t top = t.first_row * rows.stride + piece.row * rows.dilation;
        const int64_t left = t.first_column * columns.stride + piece.column * columns.dilation;
        for (int64_t c = 0; c < piece.channels; ++c) {
            const int64_t channel = t.group * job_.channels + piece.channel + c;
            const char* plane = t.image + channel_offset(job_.image, channel, job_.image_parts);
            const T fill = static_cast<const T*>(job_.fill)[channel & (job_.image_parts - 1)];
            gather_channel(job_, read_, t.layout, plane, top, left, first, end, fill, t.pixels + c * t.layout.channel);
        }
    }

    // Whether every pixel under the piece's windows is finite; integer pixels are.
    bool all_finite(const Tile& t, const Piece& piece) const {
        if (job_.image.element < Element::f16) return true;
        bool finite = true;
        for (int64_t c = 0; c < piece.channels; ++c) {
            if (t.gathered) {
                finite &= finite_run(t.pixels + c * t.layout.channel, t.layout.channel);
                continue;
            }
            const Rows rows = rows_of(t, piece.channel + c, c);
            const int64_t count = t.columns + (piece.columns - 1) * job_.columns.dilation;
            const int64_t slots = (t.rows - 1) * job_.rows.stride + (piece.rows - 1) * job_.rows.dilation + 1;
            for (int64_t slot = 0; slot < slots; ++slot) finite &= finite_run(rows.row_at(slot), count);
        }
        return finite;
    }

    static bool finite_run(const T* values, int64_t count) {
        Vector<T> defects[4] = {};  // apart, or each addition waits for the last
        T left = 0;
        int64_t x = 0;
        for (; x + 4 * L <= count; x += 4 * L)
            for (int v = 0; v < 4; ++v) defects[v] = multiply_add<T>(T(0), load(values + x + v * L), defects[v]);
        for (; x + L <= count; x += L) defects[0] = multiply_add<T>(T(0), load(values + x), defects[0]);
        for (; x < count; ++x) left += values[x] * T(0);
        return left == 0 && all_zero<T>((defects[0] + defects[1]) + (defects[2] + defects[3]));
    }

    void list_nonzero(const Tile& t, Taps<T>& taps) const {
        int64_t count = 0;
        for (int64_t c = 0; c < taps.channels; ++c)
            for (int64_t a = 0; a < taps.height; ++a)
                for (int64_t b = 0; b < taps.width; ++b) {
                    const T weight = taps.weights[c * taps.channel_step + a * taps.row_step + b];
                    if (weight != 0) t.nonzero[count++] = {c, a, taps.columns[b], weight};
                }
        taps.nonzero = t.nonzero;
        taps.nonzero_count = count;
    }

    bool sum_piece(const Tile& t, const Piece& piece, int64_t o, int64_t slot, bool resume) const {
        const int64_t taps = cut_.whole.rows * cut_.whole.columns;
        const int64_t out_channel = t.group * job_.out_channels + o;
        const T* weights = static_cast<const T*>(job_.weights) + (out_channel * cut_.whole.channels + piece.channel) * taps +
                           piece.row * cut_.whole.columns + piece.column;
        const T bias = job_.bias ? static_cast<const T*>(job_.bias)[out_channel] : T(0);
        Taps<T> view = {t.pointers, 0, t.offsets, weights, taps, cut_.whole.columns, piece.channels, piece.rows, piece.columns,
                        nullptr, 0, t.past_caches, kRows<T> * job_.rows.dilation * job_.image.row};
        if constexpr (O == Order::sparse)
            if (t.skips_zeros) list_nonzero(t, view);
        bool finite = true;
        for (int64_t phase = 0; phase < least(cut_.spacing, t.rows); ++phase) {
            int64_t i = phase;
            finite &= sum_blocks<kRows<T>>(t, piece, view, slot, out_channel, i, bias, resume);
        }
        return finite;
    }

    template <int R>
    bool sum_blocks(const Tile& t, const Piece& piece, Taps<T>& taps, int64_t slot, int64_t out_channel, int64_t& i, T bias,
                    bool resume) const {
        bool finite = true;
        for (; i + (R - 1) * cut_.spacing < t.rows; i += R * cut_.spacing)
            finite &= sum_rows<R>(t, piece, taps, slot, out_channel, i, bias, resume);
        if constexpr (R > 1) finite &= sum_blocks<R / 2>(t, piece, taps, slot, out_channel, i, bias, resume);
        return finite;
    }

    // The tile's rows i, i + spacing, ... (R of them): point at the image rows they see and at where the sums go.
    template <int R>
    bool sum_rows(const Tile& t, const Piece& piece, Taps<T>& taps, int64_t slot, int64_t out_channel, int64_t i, T bias,
                  bool resume) const {
        if (t.gathered && cut_.rolls) {
            const int64_t first = i == 0 ? 0 : t.layout.slot_after(i - 1, job_, piece);
            gather(t, piece, first, t.layout.slot_after(i + R - 1, job_, piece));
        }
        taps.rows_per_channel = cut_.shared ? R + piece.rows - 1 : R * piece.rows;
        for (int64_t c = 0; c < piece.channels; ++c) {
            const T** pointers = t.pointers + c * taps.rows_per_channel;
            const Rows rows = rows_of(t, piece.channel + c, c);
            if (cut_.shared) {
                for (int64_t r = 0; r < taps.rows_per_channel; ++r) pointers[r] = rows.at(i, r);
            } else {
                for (int64_t k = 0; k < R; ++k)
                    for (int64_t a = 0; a < piece.rows; ++a) pointers[k * piece.rows + a] = rows.at(i + k, a);
            }
        }
        for (int64_t k = 0; k < R; ++k) t.targets[k] = target(t, slot, out_channel, i, k);
        const int64_t count = t.gathered && !t.in_place ? round_up(t.columns, L) : t.columns;
        if (O == Order::sparse && taps.nonzero != nullptr) sweep_nonzero<T, R>(taps, t.targets, count, bias, resume, cut_.shared);
        else sweep_rows<T, R, O == Order::sparse ? Order::dense : O>(taps, t.targets, count, bias, resume, cut_.shared);
        bool finite = true;
        for (int64_t k = 0; k < R && !t.in_place && cut_.one_piece; ++k)
            finite &= write_row(t, out_channel, i + k * cut_.spacing, t.targets[k]);
        return finite;
    }

    // Where the sums of result row i + k * spacing go: into the result, or into scratch, of one block of rows if they are
    // complete after it, else of the whole tile.
    T* target(const Tile& t, int64_t slot, int64_t out_channel, int64_t i, int64_t k) const {
        if (t.in_place) return reinterpret_cast<T*>(out_row(t, out_channel, i + k * cut_.spacing));
        return cut_.one_piece ? t.sums + k * cut_.sums_width : sums_row(t, slot, i + k * cut_.spacing);
    }

    bool write_row(const Tile& t, int64_t out_channel, int64_t i, const T* sums) const {
        return write_(out_row(t, out_channel, i), job_.out.column, sums, t.columns);
    }

    // Where the image rows of one channel are, by result row of the tile and kernel row of the piece.
    struct Rows {
        const T *pixels, *fill;
        const int64_t* source;     // null: gathered
        const Layout* layout;      // of what is gathered
        int64_t row, result_step, tap_step;

        const T* at(int64_t i, int64_t a) const {
            return row_at(i * result_step + a * tap_step);
        }
        const T* row_at(int64_t place) const {
            if (source == nullptr) return pixels + layout->row_at(place);
            return source[place] < 0 ? fill : pixels + source[place] * row;
        }
    };

    Rows rows_of(const Tile& t, int64_t c, int64_t slot) const {
        const Axis& rows = job_.rows;
        if (t.gathered)
            return {t.pixels + slot * t.layout.channel, nullptr, nullptr, &t.layout, 0, rows.stride / t.layout.pitch,
                    rows.dilation / t.layout.pitch};
        const int64_t channel = t.group * job_.channels + c;
        const char* plane = t.image + channel_offset(job_.image, channel, job_.image_parts);
        return {reinterpret_cast<const T*>(plane) + (t.first_column - job_.columns.before),
                t.fill + (channel & (job_.image_parts - 1)) * cut_.fill_width, rows.source + t.first_row * rows.stride, nullptr,
                job_.image.row / int64_t(sizeof(T)), rows.stride, rows.dilation};
    }

    T* sums_row(const Tile& t, int64_t slot, int64_t i) const { return t.sums + (slot * cut_.band_rows + i) * cut_.sums_width; }

    char* out_row(const Tile& t, int64_t out_channel, int64_t i) const {
        return t.out + channel_offset(job_.out, out_channel, job_.out_parts) + (t.first_row + i) * job_.out.row +
               t.first_column * job_.out.column;
    }

    bool write_sums(const Tile& t, int64_t o, int64_t slot) const {
        bool finite = true;
        for (int64_t i = 0; i < t.rows; ++i) finite &= write_row(t, t.group * job_.out_channels + o, i, sums_row(t, slot, i));
        return finite;
    }
};

}  // namespace
}  // namespace corr2d
