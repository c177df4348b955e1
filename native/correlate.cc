// The fast `correlate`, compiled once per instruction set (CORR2D_ISA_NAME).
//
// A result plane is cut into bands of rows and, across, into a middle whose windows lie inside the image and two rims.
// Above and below, borders cost nothing: a window's rows are pointers, so a row past the edge is a pointer to the row
// that the index map names, or to a row of fill. In the middle those pointers go straight into the image. At the rims,
// and wherever pixels must be converted, deinterleaved by a stride or turned to the machine's byte order, a tile's rows
// are gathered into scratch first. Either way block.h sees nothing but row pointers and column offsets.
#include "correlate.h"

#include "block.h"
#include "threads.h"

namespace corr2d {
namespace {

// Scratch that a gathered tile may fill: half of a small L2 cache, so that the tile stays there while it is used.
constexpr int64_t kTileBytes = 256 * 1024;
// Rows of the middle that one sweep touches stay in this much of L1.
constexpr int64_t kSweepBytes = 24 * 1024;
constexpr int64_t kBandRows = 64;
constexpr int64_t kTileColumns = 256;
// Up to this width, gathering whole rows costs less than two rims beside a middle (bench/blocks.py).
constexpr int64_t kGatheredColumns = 128;
// Result channels whose sums wait in scratch while a kernel too large for one tile is passed over piece by piece.
constexpr int64_t kChannelBlock = 8;

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t unit) { return ceil_divide(a, unit) * unit; }
inline int64_t clamp(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }
inline int64_t gcd(int64_t a, int64_t b) { return b ? gcd(b, a % b) : a; }

inline bool aligned(const Job& job, const View& view, int parts, int64_t unit) {
    int64_t steps = reinterpret_cast<intptr_t>(view.data) | view.row | view.channel;
    if (parts > 1) steps |= view.part;
    for (int d = 0; d < job.batch_dimensions; ++d) steps |= view.batch[d];
    return steps % unit == 0;
}

// The columns [first, last) of a result row, cut into tiles of at most `width`.
struct Segment {
    int64_t first, last, width, tiles;
    bool gathered;
};

// The piece of the kernel that is summed at one time.
struct Piece {
    int64_t channel, channels, row, rows, column, columns;
};

template <class T> class Correlation {
public:
    explicit Correlation(const Job& job)
        : job_(job), read_(reader<T>(job.image.element, job.image.swapped)), write_(writer<T>(job.out.element, job.out.swapped)) {
        find_segments();
        choose_pieces();
        band_rows_ = least(band_rows_, job.rows.result);
        bands_ = ceil_divide(job.rows.result, band_rows_);
        measure_scratch();
    }

    int run(int threads, bool (*interrupted)()) {
        const int64_t tasks = job_.planes() * job_.groups * bands_ * tiles_per_band_;
        const auto task = [](void* self, int64_t index, Scratch& scratch) {
            static_cast<Correlation*>(self)->tile(index, scratch);
        };
        const bool completed = run_tasks(tasks, threads, task, this, interrupted);
        return __atomic_load_n(&outcome_, __ATOMIC_RELAXED) | (completed ? 0 : int(kInterrupted));
    }

private:
    static constexpr int64_t L = kLanes<T>;

    const Job& job_;
    const Reader<T> read_;
    const Writer<T> write_;
    int outcome_ = kDone;

    bool shared_ = true;       // result rows `spacing_` apart share image rows
    int64_t spacing_ = 1;
    bool direct_image_ = false;  // rows may be read where they are
    bool direct_out_ = false;    // sums are stored straight into the result
    Segment segments_[3];
    int segment_count_ = 0;
    int64_t tiles_per_band_ = 0, band_rows_ = kBandRows, bands_ = 0;

    Piece whole_{};            // all taps of one group
    Piece piece_{};            // what a gathered tile holds at one time
    bool one_piece_ = true;

    // Scratch of one thread, in order: row pointers, targets, column offsets, fill rows, sums, gathered rows.
    int64_t pointers_bytes_ = 0, offsets_bytes_ = 0, fill_bytes_ = 0, sums_bytes_ = 0, gathered_bytes_ = 0;
    int64_t fill_width_ = 0, sums_width_ = 0;

    // --- how the plane is cut -----------------------------------------------------------------------------------

    void find_segments() {
        const Axis &rows = job_.rows, &columns = job_.columns;
        shared_ = rows.dilation % rows.stride == 0;
        spacing_ = shared_ ? rows.dilation / rows.stride : 1;
        whole_ = {0, job_.channels, 0, rows.taps, 0, columns.taps};
        direct_out_ = job_.out.element == kElementOf<T> && !job_.out.swapped && job_.out.column == int64_t(sizeof(T)) &&
                      aligned(job_, job_.out, job_.out_parts, sizeof(T));
        direct_image_ = job_.image.element == kElementOf<T> && !job_.image.swapped &&
                                  job_.image.column == int64_t(sizeof(T)) && columns.stride == 1 &&
                                  aligned(job_, job_.image, job_.image_parts, sizeof(T));
        const int64_t span = (columns.taps - 1) * columns.dilation;
        const int64_t first = clamp(columns.before, 0, columns.result);
        const int64_t last = clamp(columns.before + columns.image - span, first, columns.result);
        const bool rimless = first == 0 && last == columns.result;
        if (direct_image_ && last - first >= L && (rimless || columns.result > kGatheredColumns)) {
            const int64_t sweep_rows = job_.channels * (kRows<T> + rows.taps - 1) * int64_t(sizeof(T));
            const int64_t unit = kVectors * L;
            const int64_t width = most(kSweepBytes / sweep_rows / unit * unit, round_up(128, unit));
            add_segment(0, first, kTileColumns, true);
            add_segment(first, last, width, false);
            add_segment(last, columns.result, kTileColumns, true);
        } else {
            add_segment(0, columns.result, kTileColumns, true);
        }
    }

    // The last tile takes what is left, so that no tile of the middle is narrower than a vector.
    void add_segment(int64_t first, int64_t last, int64_t width, bool gathered) {
        if (first == last) return;
        const int64_t tiles = gathered ? ceil_divide(last - first, width) : most(1, (last - first) / width);
        segments_[segment_count_++] = {first, last, width, tiles, gathered};
        tiles_per_band_ += tiles;
    }

    int64_t columns_of(const Segment& segment, int64_t tile) const {
        const int64_t start = segment.first + tile * segment.width;
        return (tile + 1 == segment.tiles ? segment.last : start + segment.width) - start;
    }

    // --- how a gathered tile is laid out ------------------------------------------------------------------------

    // Rows lie `pitch` padded rows apart: only those that some window uses are gathered. A horizontal stride is undone
    // by gathering the columns of equal remainder together, in `phases` runs of `run` pixels.
    struct Layout {
        int64_t pitch, slots, phases, run, row, channel;
    };

    Layout layout(int64_t result_rows, int64_t width, const Piece& piece) const {
        const Axis &rows = job_.rows, &columns = job_.columns;
        Layout l;
        l.pitch = piece.rows == 1 ? rows.stride : gcd(rows.stride, rows.dilation);
        l.slots = ((result_rows - 1) * rows.stride + (piece.rows - 1) * rows.dilation) / l.pitch + 1;
        l.phases = least(piece.columns, columns.stride / gcd(columns.stride, columns.dilation));
        l.run = round_up(width, L) + (piece.columns - 1) * columns.dilation / columns.stride;
        l.row = l.phases * l.run;
        l.channel = l.slots * l.row;
        return l;
    }
    int64_t gathered_size(int64_t result_rows, int64_t width, const Piece& piece) const {
        return piece.channels * layout(result_rows, width, piece).channel * int64_t(sizeof(T));
    }

    // All channels and taps at once if a band of at least 8 rows then fits; else channel by channel; else the kernel
    // in slices of rows; else, a kernel row in slices too. The order of the sums is the same in every case.
    void choose_pieces() {
        piece_ = whole_;
        int64_t width = 0;
        for (int s = 0; s < segment_count_; ++s)
            if (segments_[s].gathered) width = most(width, least(segments_[s].width, segments_[s].last - segments_[s].first));
        if (width == 0) return;
        const int64_t choices[] = {whole_.channels, 1};
        for (const int64_t channels : choices) {
            piece_.channels = channels;
            for (band_rows_ = kBandRows; band_rows_ >= 8; band_rows_ /= 2)
                if (gathered_size(band_rows_, width, piece_) <= kTileBytes) {
                    one_piece_ = channels == whole_.channels;
                    return;
                }
        }
        one_piece_ = false;
        band_rows_ = 16;
        while (piece_.rows > 1 && gathered_size(band_rows_, width, piece_) > kTileBytes) piece_.rows = (piece_.rows + 1) / 2;
        while (piece_.columns > 1 && gathered_size(band_rows_, width, piece_) > kTileBytes)
            piece_.columns = (piece_.columns + 1) / 2;
    }

    void measure_scratch() {
        int64_t pointers = 0, gathered = 0, offsets = 0, sums_width = 0;
        for (int s = 0; s < segment_count_; ++s) {
            const Segment& segment = segments_[s];
            const Piece& piece = segment.gathered ? piece_ : whole_;
            const int64_t width = most(columns_of(segment, 0), columns_of(segment, segment.tiles - 1));
            pointers = most(pointers, piece.channels * kRows<T> * (piece.rows + 1));
            offsets = most(offsets, piece.columns);
            if (segment.gathered || !direct_out_) sums_width = most(sums_width, round_up(width, L));
            if (segment.gathered) gathered = most(gathered, gathered_size(band_rows_, width, piece));
            else if (job_.rows.fills) fill_width_ = round_up(width + (job_.columns.taps - 1) * job_.columns.dilation, L);
        }
        sums_width_ = sums_width;
        pointers_bytes_ = round_up((pointers + kRows<T>) * int64_t(sizeof(T*)), 64);
        offsets_bytes_ = round_up(offsets * int64_t(sizeof(int64_t)), 64);
        fill_bytes_ = round_up(job_.image_parts * fill_width_ * int64_t(sizeof(T)), 64);
        sums_bytes_ = round_up(channel_block() * band_rows_ * sums_width * int64_t(sizeof(T)), 64);
        gathered_bytes_ = round_up(gathered, 64);
    }

    int64_t channel_block() const { return one_piece_ ? 1 : least(kChannelBlock, job_.out_channels); }

    // --- one tile -----------------------------------------------------------------------------------------------

    struct Tile {
        int64_t group, first_row, rows, first_column, columns;
        const char* image;  // plane and group applied
        char* out;
        bool gathered;
        bool in_place;      // sums go straight into the result
        Layout layout;      // of the piece that is gathered
        const T** pointers;
        T** targets;
        int64_t* offsets;
        T *fill, *sums, *pixels;
    };

    void tile(int64_t index, Scratch& scratch) {
        char* memory = static_cast<char*>(
            scratch.reserve(size_t(pointers_bytes_ + offsets_bytes_ + fill_bytes_ + sums_bytes_ + gathered_bytes_)));
        if (memory == nullptr) {
            __atomic_fetch_or(&outcome_, int(kOutOfMemory), __ATOMIC_RELAXED);
            return;
        }
        Tile t = locate(index);
        t.targets = reinterpret_cast<T**>(memory);
        t.pointers = const_cast<const T**>(t.targets + kRows<T>);
        t.offsets = reinterpret_cast<int64_t*>(memory += pointers_bytes_);
        t.fill = reinterpret_cast<T*>(memory += offsets_bytes_);
        t.sums = reinterpret_cast<T*>(memory += fill_bytes_);
        t.pixels = reinterpret_cast<T*>(memory += sums_bytes_);
        if (!t.gathered) lay_fill_rows(t);
        bool finite = true;
        const int64_t block = t.gathered ? channel_block() : 1;
        for (int64_t first = 0; first < job_.out_channels; first += block)
            finite &= sum_channels(t, first, least(block, job_.out_channels - first));
        if (!finite) __atomic_fetch_or(&outcome_, int(kNotFinite), __ATOMIC_RELAXED);
    }

    Tile locate(int64_t index) const {
        Tile t{};
        int64_t tile = index % tiles_per_band_;
        index /= tiles_per_band_;
        const int64_t band = index % bands_;
        index /= bands_;
        t.group = index % job_.groups;
        const int64_t plane = index / job_.groups;
        const Segment* segment = segments_;
        for (; tile >= segment->tiles; ++segment) tile -= segment->tiles;
        t.gathered = segment->gathered;
        t.first_column = segment->first + tile * segment->width;
        t.columns = columns_of(*segment, tile);
        t.in_place = direct_out_ && (!t.gathered || (one_piece_ && t.columns >= L));
        t.first_row = band * band_rows_;
        t.rows = least(band_rows_, job_.rows.result - t.first_row);
        t.image = job_.image.data + batch_offset(job_, job_.image, plane);
        t.out = job_.out.data + batch_offset(job_, job_.out, plane);
        return t;
    }

    void lay_fill_rows(const Tile& t) const {
        for (int64_t p = 0; fill_width_ > 0 && p < job_.image_parts; ++p)
            for (int64_t x = 0; x < fill_width_; ++x) t.fill[p * fill_width_ + x] = static_cast<const T*>(job_.fill)[p];
    }

    // The result channels [first, first + count) of the tile, over all pieces of the kernel.
    bool sum_channels(Tile& t, int64_t first, int64_t count) {
        const Piece& step = t.gathered ? piece_ : whole_;
        for (int64_t c = 0; c < whole_.channels; c += step.channels)
            for (int64_t a = 0; a < whole_.rows; a += step.rows)
                for (int64_t b = 0; b < whole_.columns; b += step.columns) {
                    const Piece piece = {c, least(step.channels, whole_.channels - c), a, least(step.rows, whole_.rows - a),
                                         b, least(step.columns, whole_.columns - b)};
                    if (t.gathered) t.layout = layout(t.rows, t.columns, piece);
                    lay_offsets(t, piece);
                    if (t.gathered && !(one_piece_ && first > 0)) gather(t, piece);
                    for (int64_t o = 0; o < count; ++o) sum_piece(t, piece, first + o, o, c + a + b > 0);
                }
        bool finite = true;
        if (!t.in_place)
            for (int64_t o = 0; o < count; ++o) finite &= write_sums(t, first + o, o);
        return finite;
    }

    void lay_offsets(const Tile& t, const Piece& piece) const {
        const int64_t stride = job_.columns.stride, dilation = job_.columns.dilation;
        for (int64_t b = 0; b < piece.columns; ++b)
            t.offsets[b] = t.gathered ? b % t.layout.phases * t.layout.run + b * dilation / stride : b * dilation;
    }

    void gather(const Tile& t, const Piece& piece) const {
        const Axis &rows = job_.rows, &columns = job_.columns;
        const int64_t top = t.first_row * rows.stride + piece.row * rows.dilation;
        const int64_t left = t.first_column * columns.stride + piece.column * columns.dilation;
        for (int64_t c = 0; c < piece.channels; ++c) {
            const int64_t channel = t.group * job_.channels + piece.channel + c;
            const char* plane = t.image + channel_offset(job_.image, channel, job_.image_parts);
            const T fill = static_cast<const T*>(job_.fill)[channel & (job_.image_parts - 1)];
            for (int64_t phase = 0; phase < t.layout.phases; ++phase) {
                const Run run = run_from(left + phase * columns.dilation % columns.stride, t.layout.run);
                T* target = t.pixels + c * t.layout.channel + phase * t.layout.run;
                for (int64_t slot = 0; slot < t.layout.slots; ++slot, target += t.layout.row) {
                    const int64_t source = rows.source[top + slot * t.layout.pitch];
                    gather_run(target, source < 0 ? nullptr : plane + source * job_.image.row, run, fill);
                }
            }
        }
    }

    // Padded columns start, start + stride, ...: [first, last) of them are the image's own, those from `inside` on lie
    // past the padded image. These only fill up the last vector, with the last column again; no sum of theirs is written.
    struct Run {
        int64_t start, first, last, inside, count;
    };

    Run run_from(int64_t start, int64_t count) const {
        const Axis& columns = job_.columns;
        const int64_t inside = clamp(ceil_divide(columns.padded - start, columns.stride), 1, count);
        const int64_t first = clamp(ceil_divide(most(columns.before - start, 0), columns.stride), 0, inside);
        const int64_t end = most(columns.before + columns.image - start, 0);
        return {start, first, clamp(ceil_divide(end, columns.stride), first, inside), inside, count};
    }

    // The image's own columns are read in one go, the rims through the index map.
    void gather_run(T* target, const char* row, const Run& run, T fill) const {
        if (row == nullptr) {
            for (int64_t n = 0; n < run.count; ++n) target[n] = fill;
            return;
        }
        const Axis& columns = job_.columns;
        gather_rim(target, row, run, 0, run.first, fill);
        if (run.last > run.first) {
            const char* own = row + (run.start + run.first * columns.stride - columns.before) * job_.image.column;
            read_(target + run.first, own, columns.stride * job_.image.column, run.last - run.first);
        }
        gather_rim(target, row, run, run.last, run.inside, fill);
        for (int64_t n = run.inside; n < run.count; ++n) target[n] = target[run.inside - 1];
    }

    void gather_rim(T* target, const char* row, const Run& run, int64_t from, int64_t to, T fill) const {
        for (int64_t n = from; n < to; ++n) {
            const int64_t source = job_.columns.source[run.start + n * job_.columns.stride];
            if (source < 0) target[n] = fill;
            else if (direct_image_) std::memcpy(target + n, row + source * int64_t(sizeof(T)), sizeof(T));
            else read_(target + n, row + source * job_.image.column, 0, 1);
        }
    }

    void sum_piece(const Tile& t, const Piece& piece, int64_t o, int64_t slot, bool resume) const {
        const int64_t taps = whole_.rows * whole_.columns;
        const int64_t out_channel = t.group * job_.out_channels + o;
        const T* weights = static_cast<const T*>(job_.weights) + (out_channel * whole_.channels + piece.channel) * taps +
                           piece.row * whole_.columns + piece.column;
        const T bias = job_.bias ? static_cast<const T*>(job_.bias)[out_channel] : T(0);
        Taps<T> view = {t.pointers, 0, t.offsets, weights, taps, whole_.columns, piece.channels, piece.rows, piece.columns};
        for (int64_t phase = 0; phase < least(spacing_, t.rows); ++phase) {
            int64_t i = phase;
            sum_blocks<kRows<T>>(t, piece, view, slot, out_channel, i, bias, resume);
        }
    }

    template <int R>
    void sum_blocks(const Tile& t, const Piece& piece, Taps<T>& taps, int64_t slot, int64_t out_channel, int64_t& i, T bias,
                    bool resume) const {
        for (; i + (R - 1) * spacing_ < t.rows; i += R * spacing_) sum_rows<R>(t, piece, taps, slot, out_channel, i, bias, resume);
        if constexpr (R > 1) sum_blocks<R / 2>(t, piece, taps, slot, out_channel, i, bias, resume);
    }

    // The tile's rows i, i + spacing, ... (R of them): point at the image rows they see and at where the sums go.
    template <int R>
    void sum_rows(const Tile& t, const Piece& piece, Taps<T>& taps, int64_t slot, int64_t out_channel, int64_t i, T bias,
                  bool resume) const {
        taps.rows_per_channel = shared_ ? R + piece.rows - 1 : R * piece.rows;
        for (int64_t c = 0; c < piece.channels; ++c) {
            const T** pointers = t.pointers + c * taps.rows_per_channel;
            const Rows rows = rows_of(t, piece.channel + c, c);
            if (shared_) {
                for (int64_t r = 0; r < taps.rows_per_channel; ++r) pointers[r] = rows.at(i, r);
            } else {
                for (int64_t k = 0; k < R; ++k)
                    for (int64_t a = 0; a < piece.rows; ++a) pointers[k * piece.rows + a] = rows.at(i + k, a);
            }
        }
        for (int64_t k = 0; k < R; ++k)
            t.targets[k] = t.in_place ? reinterpret_cast<T*>(out_row(t, out_channel, i + k * spacing_))
                                      : sums_row(t, slot, i + k * spacing_);
        const int64_t count = t.gathered && !t.in_place ? round_up(t.columns, L) : t.columns;
        sweep_rows<T, R>(taps, t.targets, count, bias, resume, shared_);
    }

    // Where the image rows of one channel are, by result row of the tile and kernel row of the piece.
    struct Rows {
        const T *pixels, *fill;
        const int64_t* source;     // null: gathered
        int64_t row, result_step, tap_step;

        const T* at(int64_t i, int64_t a) const {
            const int64_t place = i * result_step + a * tap_step;
            if (source == nullptr) return pixels + place * row;
            return source[place] < 0 ? fill : pixels + source[place] * row;
        }
    };

    Rows rows_of(const Tile& t, int64_t c, int64_t slot) const {
        const Axis& rows = job_.rows;
        if (t.gathered)
            return {t.pixels + slot * t.layout.channel, nullptr, nullptr, t.layout.row, rows.stride / t.layout.pitch,
                    rows.dilation / t.layout.pitch};
        const int64_t channel = t.group * job_.channels + c;
        const char* plane = t.image + channel_offset(job_.image, channel, job_.image_parts);
        return {reinterpret_cast<const T*>(plane) + (t.first_column - job_.columns.before),
                t.fill + (channel & (job_.image_parts - 1)) * fill_width_, rows.source + t.first_row * rows.stride,
                job_.image.row / int64_t(sizeof(T)), rows.stride, rows.dilation};
    }

    T* sums_row(const Tile& t, int64_t slot, int64_t i) const { return t.sums + (slot * band_rows_ + i) * sums_width_; }

    char* out_row(const Tile& t, int64_t out_channel, int64_t i) const {
        return t.out + channel_offset(job_.out, out_channel, job_.out_parts) + (t.first_row + i) * job_.out.row +
               t.first_column * job_.out.column;
    }

    bool write_sums(const Tile& t, int64_t o, int64_t slot) const {
        bool finite = true;
        for (int64_t i = 0; i < t.rows; ++i)
            finite &= write_(out_row(t, t.group * job_.out_channels + o, i), job_.out.column, sums_row(t, slot, i), t.columns);
        return finite;
    }
};

}  // namespace

int CORR2D_ENTRY(const Job& job, int threads, bool (*interrupted)()) {
    switch (job.sum) {
        case Element::f32: return Correlation<float>(job).run(threads, interrupted);
        case Element::f64: return Correlation<double>(job).run(threads, interrupted);
        case Element::i32: return Correlation<int32_t>(job).run(threads, interrupted);
        default: return Correlation<int64_t>(job).run(threads, interrupted);
    }
}

}  // namespace corr2d
