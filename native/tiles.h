// How a call is cut into tiles: bands of rows; across, a middle whose windows lie inside the image and two rims; and,
// where a tile must be gathered and would not fit in cache whole, pieces of the kernel. tap_sums.h sums the tiles.
#pragma once
#include <cstddef>

#include "bands.h"
#include "block.h"
#include "gather.h"

namespace corr2d {
namespace {

// Scratch that a gathered tile may fill: half of a small L2 cache, so that the tile stays there while it is used.
constexpr int64_t kTileBytes = 256 * 1024;
// Rows of the middle that one sweep touches stay in this much of L2. What fits in L1 alone (24 KiB) leaves the rows so
// short that memory is waited for at the beginning of each: images beyond L2 took 1.05 to 1.2 of the time.
constexpr int64_t kSweepBytes = 96 * 1024;
constexpr int64_t kTileColumns = 512;
// A wide image whose rows are gathered only when a sum needs them is read along its rows, in tiles of this width;
// 2048 and 1024 gained less, or lost (bench/blocks.py, uint8).
constexpr int64_t kRollingColumns = 4096;
// Up to this width, gathering whole rows costs less than two rims beside a middle (bench/blocks.py).
constexpr int64_t kGatheredColumns = 384;
// Result channels whose sums wait in scratch while a kernel too large for one tile is passed over piece by piece.
constexpr int64_t kChannelBlock = 8;

// The columns [first, last) of a result row, cut into tiles of at most `width`.
struct Segment {
    int64_t first, last, width, tiles;
    bool gathered;
};

// The piece of the kernel that is summed at one time.
struct Piece {
    int64_t channel, channels, row, rows, column, columns;
};

// Rows lie `pitch` padded rows apart: only those that some window uses are gathered. A horizontal stride is undone
// by gathering the columns of equal remainder together, in `phases` runs of `run` pixels.
struct Layout {
    int64_t pitch, slots, phases, run, row, channel;

    // Where row `slot` of a channel lies. In a tile that rolls, a row takes the place of the one `slots` before it.
    int64_t row_at(int64_t slot) const { return (slot < slots ? slot : slot % slots) * row; }
    // The first slot past those that the windows of result row `i` see.
    int64_t slot_after(int64_t i, const Job& job, const Piece& held) const {
        return (i * job.rows.stride + (held.rows - 1) * job.rows.dilation) / pitch + 1;
    }
};

template <class T> Layout tile_layout(const Job& job, int64_t result_rows, int64_t width, const Piece& held) {
    const Axis &rows = job.rows, &columns = job.columns;
    Layout l;
    l.pitch = held.rows == 1 ? rows.stride : gcd(rows.stride, rows.dilation);
    l.slots = l.slot_after(result_rows - 1, job, held);
    l.phases = least(held.columns, columns.stride / gcd(columns.stride, columns.dilation));
    l.run = round_up(width, kLanes<T>) + (held.columns - 1) * columns.dilation / columns.stride;
    l.row = l.phases * l.run;
    l.channel = l.slots * l.row;
    return l;
}

// Where the pixels under each of `taps` kernel columns begin in a gathered row.
inline void lay_column_offsets(const Job& job, const Layout& layout, int64_t taps, int64_t* offsets) {
    for (int64_t b = 0; b < taps; ++b)
        offsets[b] = b % layout.phases * layout.run + b * job.columns.dilation / job.columns.stride;
}

// The slots [first, end) of one channel of a tile that begins at padded row `top` and column `left`.
template <class T>
void gather_channel(const Job& job, const Gather<T>& read, const Layout& layout, const char* plane, int64_t top, int64_t left,
                    int64_t first, int64_t end, T fill, T* pixels) {
    const int64_t stride = job.columns.stride;
    for (int64_t phase = 0; phase < layout.phases; ++phase) {
        const Run run = read.run_from(left + phase * job.columns.dilation % stride, layout.run, stride);
        T* target = pixels + phase * layout.run;
        for (int64_t slot = first; slot < end; ++slot)
            read.read(target + layout.row_at(slot), read.row(plane, top + slot * layout.pitch), run, stride, fill);
    }
}

template <class T> class Tiling {
public:
    Tiling(const Job& job, bool sparse, int threads) : job_(job) {
        find_segments(sparse);
        if (!rolls) choose_pieces();
        band_rows = least(band_rows, band_rows_for(job.rows.result, job.planes() * job.groups * tiles_per_band, threads));
        band_rows = least(band_rows, job.rows.result);
        bands = ceil_divide(job.rows.result, band_rows);
        measure_scratch();
        if (sparse) nonzero_bytes = whole.channels * whole.rows * whole.columns * int64_t(sizeof(Nonzero<T>));
    }

    bool shared = true;       // result rows `spacing` apart share image rows
    int64_t spacing = 1;
    bool direct_image = false;  // rows may be read where they are
    bool direct_out = false;    // sums are stored straight into the result
    bool past_caches = false;   // and those of the middle past the caches
    Segment segments[3];
    int segment_count = 0;
    int64_t tiles_per_band = 0, band_rows = kBandRows, bands = 0;

    Piece whole{};            // all taps of one group
    Piece piece{};            // what a gathered tile holds at one time
    bool one_piece = true;
    // Whether gathered tiles hold only the rows that one block of result rows needs, and gather on as the blocks proceed.
    bool rolls = false;

    // Scratch of one thread, in order: row pointers, targets, column offsets, fill rows, sums, gathered rows, taps.
    int64_t pointers_bytes = 0, offsets_bytes = 0, fill_bytes = 0, sums_bytes = 0, gathered_bytes = 0, nonzero_bytes = 0;
    int64_t fill_width = 0, sums_width = 0;

    size_t scratch_bytes() const {
        return size_t(pointers_bytes + offsets_bytes + fill_bytes + sums_bytes + gathered_bytes + nonzero_bytes);
    }

    int64_t columns_of(const Segment& segment, int64_t tile) const {
        const int64_t start = segment.first + tile * segment.width;
        return (tile + 1 == segment.tiles ? segment.last : start + segment.width) - start;
    }

    // Sums of one piece are complete after a block of rows and written then; those of several wait for the last piece.
    int64_t channel_block() const { return one_piece ? 1 : least(kChannelBlock, job_.out_channels); }

    Layout layout(int64_t result_rows, int64_t width, const Piece& held) const {
        return tile_layout<T>(job_, rolls ? least(result_rows, kRows<T>) : result_rows, width, held);
    }

private:
    static constexpr int64_t L = kLanes<T>;

    const Job& job_;

    void find_segments(bool sparse) {
        const Axis &rows = job_.rows, &columns = job_.columns;
        shared = rows.dilation % rows.stride == 0;
        spacing = shared ? rows.dilation / rows.stride : 1;
        whole = piece = {0, job_.channels, 0, rows.taps, 0, columns.taps};
        direct_out = plain<T>(job_, job_.out, job_.out_parts);
        past_caches = direct_out && passes_caches<T>(job_);
        direct_image = columns.stride == 1 && plain<T>(job_, job_.image, job_.image_parts);
        const int64_t span = (columns.taps - 1) * columns.dilation;
        int64_t first = clamp(columns.before, 0, columns.result);
        int64_t last = clamp(columns.before + columns.image - span, first, columns.result);
        const bool rimless = first == 0 && last == columns.result;
        // A rim of at least one vector goes straight into the result, as the middle does.
        if (first > 0) first = most(first, L);
        if (last < columns.result) last = most(0, least(last, columns.result - L));
        if (direct_image && last - first >= L && (rimless || columns.result > kGatheredColumns)) {
            const int64_t sweep_rows = job_.channels * (kRows<T> + rows.taps - 1) * int64_t(sizeof(T));
            const int64_t unit = kVectors * L;
            const int64_t width = most(kSweepBytes / sweep_rows / unit * unit, round_up(128, unit));
            add_segment(0, first, kTileColumns, true);
            add_segment(first, last, width, false);
            add_segment(last, columns.result, kTileColumns, true);
        } else {
            const int64_t width = even_width(columns.result, kRollingColumns);
            rolls = columns.result > kTileColumns && may_roll(sparse) && rolling_size(width) <= kTileBytes;
            add_segment(0, columns.result, rolls ? width : kTileColumns, true);
        }
    }

    // Only where each gathered row is needed for a short while: by the windows of neighbouring result rows of one channel.
    // The sparse order looks at all pixels first, lest one is not finite; integers are.
    bool may_roll(bool sparse) const {
        return shared && spacing == 1 && job_.out_channels == 1 && (!sparse || job_.image.element < Element::f16);
    }

    int64_t rolling_size(int64_t width) const {
        return job_.channels * tile_layout<T>(job_, kRows<T>, width, whole).channel * int64_t(sizeof(T));
    }

    // The width of tiles as equal as vectors allow.
    static int64_t even_width(int64_t columns, int64_t most_columns) {
        return round_up(ceil_divide(columns, ceil_divide(columns, most_columns)), kVectors * L);
    }

    // The last tile takes what is left, so that no tile of the middle is narrower than a vector.
    void add_segment(int64_t first, int64_t last, int64_t width, bool gathered) {
        if (first == last) return;
        const int64_t tiles = gathered ? ceil_divide(last - first, width) : most(1, (last - first) / width);
        segments[segment_count++] = {first, last, width, tiles, gathered};
        tiles_per_band += tiles;
    }

    int64_t gathered_size(int64_t result_rows, int64_t width, const Piece& held) const {
        return held.channels * layout(result_rows, width, held).channel * int64_t(sizeof(T));
    }

    // All channels and taps at once if a band of at least 8 rows then fits; else channel by channel; else the kernel
    // in slices of rows; else, a kernel row in slices too. The order of the sums is the same in every case.
    void choose_pieces() {
        int64_t width = 0;
        for (int s = 0; s < segment_count; ++s)
            if (segments[s].gathered) width = most(width, least(segments[s].width, segments[s].last - segments[s].first));
        if (width == 0) return;
        const int64_t choices[] = {whole.channels, 1};
        for (const int64_t channels : choices) {
            piece.channels = channels;
            for (band_rows = kBandRows; band_rows >= 8; band_rows /= 2)
                if (gathered_size(band_rows, width, piece) <= kTileBytes) {
                    one_piece = channels == whole.channels;
                    return;
                }
        }
        one_piece = false;
        band_rows = 16;
        while (piece.rows > 1 && gathered_size(band_rows, width, piece) > kTileBytes) piece.rows = (piece.rows + 1) / 2;
        while (piece.columns > 1 && gathered_size(band_rows, width, piece) > kTileBytes)
            piece.columns = (piece.columns + 1) / 2;
    }

    void measure_scratch() {
        int64_t pointers = 0, gathered = 0, offsets = 0;
        for (int s = 0; s < segment_count; ++s) {
            const Segment& segment = segments[s];
            const Piece& held = segment.gathered ? piece : whole;
            const int64_t width = most(columns_of(segment, 0), columns_of(segment, segment.tiles - 1));
            pointers = most(pointers, held.channels * kRows<T> * (held.rows + 1));
            offsets = most(offsets, held.columns);
            if (segment.gathered || !direct_out) sums_width = most(sums_width, round_up(width, L));
            if (segment.gathered) gathered = most(gathered, gathered_size(band_rows, width, held));
            else if (job_.rows.fills) fill_width = round_up(width + (job_.columns.taps - 1) * job_.columns.dilation, L);
        }
        pointers_bytes = round_up((pointers + kRows<T>) * int64_t(sizeof(T*)), 64);
        offsets_bytes = round_up(offsets * int64_t(sizeof(int64_t)), 64);
        fill_bytes = round_up(job_.image_parts * fill_width * int64_t(sizeof(T)), 64);
        sums_bytes = round_up((one_piece ? kRows<T> : channel_block() * band_rows) * sums_width * int64_t(sizeof(T)), 64);
        gathered_bytes = round_up(gathered, 64);
    }
};

}  // namespace
}  // namespace corr2d
