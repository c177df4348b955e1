// Exact correlation of 8- and 16-bit images by widening multiply-adds, compiled once per instruction set.
//
// A result plane is cut into bands of rows and into tiles across. Going down its band, a tile keeps the image rows that
// four result rows see in a ring (integer_ring.h), continued past the borders and interleaved in pairs, so that one
// instruction multiplies and adds two taps of every column, whatever the border, dilation, element or layout is.
// 8-bit pixels stay bytes where the kernel's weights let sums live in 16 bits, for a piece of the kernel at least;
// else, and for 16-bit pixels, sums are kept in 32 bits. All sums wrap, and all wanted ones fit: no order matters.
#include "bands.h"
#include "correlate.h"
#include "integer_kernel.h"
#include "integer_ring.h"
#include "threads.h"

namespace corr2d {
namespace {

// What the ring may take of L1, as far as tiles of kLeastColumns let it; from 8 to 32 KiB all widths measured alike.
constexpr int64_t kRingBytes = 16 * 1024;
constexpr int64_t kLeastColumns = 256, kMostColumns = 2048;

// Vertical dilation parts rows into phases that never meet; a band is `band_rows` result rows of one phase, a whole
// number of blocks.
struct IntegerTiling {
    int64_t phases, bands, band_rows, tiles, columns, pairs, width;

    template <class Pairs> static IntegerTiling of(const Job& job, int threads) {
        const Axis &rows = job.rows, &columns = job.columns;
        IntegerTiling t;
        t.phases = least(rows.dilation, rows.result);
        t.pairs = rows.taps / 2 + 2;
        const int64_t span = (columns.taps - 1) * columns.dilation;
        const int64_t fitting = kRingBytes / (2 * t.pairs * int64_t(sizeof(typename Pairs::Pixel))) - span;
        const int64_t unit = kBlockVectors * Pairs::kColumns;
        t.tiles = ceil_divide(columns.result, clamp(fitting, kLeastColumns, kMostColumns));
        t.columns = round_up(ceil_divide(columns.result, t.tiles), unit);
        t.tiles = ceil_divide(columns.result, t.columns);
        t.width = t.columns + span;
        const int64_t phase_rows = ceil_divide(rows.result, t.phases);
        t.band_rows = band_rows_for(phase_rows, job.planes() * job.groups * t.phases * t.tiles, threads);
        t.bands = ceil_divide(phase_rows, t.band_rows);
        return t;
    }
};

template <class Pairs, class Source> class IntegerCorrelation {
public:
    IntegerCorrelation(const Job& job, const IntegerKernel& kernel, int threads)
        : job_(job), kernel_(kernel), threads_(threads), cut_(IntegerTiling::of<Pairs>(job, threads)), gather_(job),
          write_(writer<int32_t>(job.out.element, job.out.swapped)), in_place_(sweep_in_place(job)) {}

    int run(bool (*interrupted)()) const {
        const int64_t tasks = job_.planes() * job_.groups * cut_.phases * cut_.bands * cut_.tiles;
        return run_all(tasks, threads_, interrupted, [this](int64_t index, Scratch& scratch) { return tile(index, scratch); });
    }

private:
    using Pixel = typename Pairs::Pixel;
    using Ring = PairRing<Pixel, Source>;
    using Sweep = void (*)(const PairSum<Pairs>&, char* const*, int64_t);

    const Job& job_;
    const IntegerKernel& kernel_;
    const int threads_;
    const IntegerTiling cut_;
    const Gather<typename Ring::Raw> gather_;
    const Writer<int32_t> write_;
    const Sweep in_place_;  // straight into results; null where sums must be written one by one

    static Sweep sweep_in_place(const Job& job) {
        const Element element = job.out.element;
        if (job.out.swapped || job.out.column != (element == Element::u8 ? 1 : element == Element::i32 ? 4 : 2)) return nullptr;
        switch (element) {
            case Element::u8: return integer_sweep<Pairs, uint8_t>;
            case Element::u16: return integer_sweep<Pairs, uint16_t>;
            case Element::i16: return integer_sweep<Pairs, int16_t>;
            case Element::i32: return integer_sweep<Pairs, int32_t>;
            default: return nullptr;
        }
    }

    struct Tile {
        int64_t group, phase, first, rows, column, columns;  // rows first, first + 1, ... of the phase
        char *image, *out;                                   // plane and group applied
        const Pixel** pairs;  // of the ring's rows, from the one at the top on
        PairTaps<Pairs>* pieces;
        int32_t* sums;  // [kBlockRows], each cut_.columns wide
    };

    int tile(int64_t index, Scratch& scratch) const {
        Tile t = locate(index);
        if (t.rows <= 0) return kDone;
        const int64_t rows_bytes = round_up(cut_.pairs * int64_t(sizeof(Pixel*)), 64);
        const int64_t pieces_bytes = round_up(kernel_.pieces() * int64_t(sizeof(PairTaps<Pairs>)), 64);
        const int64_t sums_bytes = kBlockRows * cut_.columns * int64_t(sizeof(int32_t));
        const int64_t ring_bytes = Ring::bytes(cut_.pairs, cut_.width);
        char* memory = static_cast<char*>(scratch.reserve(size_t(rows_bytes + pieces_bytes + sums_bytes + ring_bytes)));
        if (memory == nullptr) return kOutOfMemory;
        t.pairs = reinterpret_cast<const Pixel**>(memory);
        t.pieces = reinterpret_cast<PairTaps<Pairs>*>(memory += rows_bytes);
        t.sums = reinterpret_cast<int32_t*>(memory += pieces_bytes);
        const int64_t width = most(t.columns, Pairs::kColumns) + cut_.width - cut_.columns;
        Ring ring(job_, gather_, memory + sums_bytes, cut_.pairs, t.image, t.phase, t.column, width);
        int64_t laid = t.first / 2;
        for (int64_t i = 0; i < t.rows; i += kBlockRows) {
            const int64_t top = (t.first + i) / 2;
            for (; laid < top + cut_.pairs; ++laid) ring.lay(laid);
            for (int64_t p = 0; p < cut_.pairs; ++p) t.pairs[p] = ring.row(top + p);
            for (int64_t o = 0; o < job_.out_channels; ++o) sum_rows(t, i, o);
        }
        return kDone;
    }

    Tile locate(int64_t index) const {
        Tile t{};
        t.column = index % cut_.tiles * cut_.columns;
        t.columns = least(cut_.columns, job_.columns.result - t.column);
        index /= cut_.tiles;
        t.first = index % cut_.bands * cut_.band_rows;
        index /= cut_.bands;
        t.phase = index % cut_.phases;
        index /= cut_.phases;
        t.rows = least(cut_.band_rows, ceil_divide(job_.rows.result - t.phase, cut_.phases) - t.first);
        t.group = index % job_.groups;
        const int64_t plane = index / job_.groups;
        t.image = job_.image.data + batch_offset(job_, job_.image, plane) + t.group * job_.image.channel;
        t.out = job_.out.data + batch_offset(job_, job_.out, plane);
        return t;
    }

    // Result rows i to i + 3 of the tile. Those past its end are summed too, from what the ring holds, and dropped.
    void sum_rows(const Tile& t, int64_t i, int64_t o) const {
        const int64_t kernel = t.group * job_.out_channels + o, rows = least(kBlockRows, t.rows - i);
        const bool in_place = in_place_ != nullptr && t.columns >= Pairs::kColumns;
        char* targets[kBlockRows];
        for (int64_t k = 0; k < kBlockRows; ++k)
            targets[k] = in_place && k < rows ? out_row(t, kernel, i + k) : reinterpret_cast<char*>(t.sums + k * cut_.columns);
        const PairSum<Pairs> sum = describe(t, kernel);
        if (in_place) return in_place_(sum, targets, t.columns);
        integer_sweep<Pairs, int32_t>(sum, targets, most(t.columns, Pairs::kColumns));
        for (int64_t k = 0; k < rows; ++k)
            write_(out_row(t, kernel, i + k), job_.out.column, t.sums + k * cut_.columns, t.columns);
    }

    PairSum<Pairs> describe(const Tile& t, int64_t kernel) const {
        const int64_t width = job_.columns.taps, dilation = job_.columns.dilation;
        const bool added = std::is_same_v<Pairs, BytePairs> && !kernel_.finals_fit();
        uint32_t base = kernel_.constant(kernel);
        for (int64_t n = 0; n < kernel_.pieces(); ++n) {
            const KernelPiece& piece = kernel_.piece(n);
            const uint32_t start = added ? uint32_t(piece.start) : base;
            t.pieces[n] = {t.pairs + piece.pair, kernel_.weights(kernel) + piece.pair * width + piece.column,
                           piece.pairs, piece.columns, width, 2 * dilation, 2 * piece.column * dilation, start};
            base -= start;
        }
        return {t.pieces, kernel_.pieces(), added, base};
    }

    char* out_row(const Tile& t, int64_t kernel, int64_t i) const {
        return t.out + kernel * job_.out.channel + (t.phase + (t.first + i) * job_.rows.dilation) * job_.out.row +
               t.column * job_.out.column;
    }
};

template <class Pairs, class Source> int run_as(const Job& job, const IntegerKernel& kernel, int threads, bool (*interrupted)()) {
    return IntegerCorrelation<Pairs, Source>(job, kernel, threads).run(interrupted);
}

}  // namespace

int CORR2D_ENTRY(integer)(const Job& job, int threads, bool (*interrupted)()) {
    IntegerKernel kernel(job);
    const bool bytes = kernel.choose_bytes();
    const Element element = job.image.element;
    if (!kernel.pack(bytes, element)) return kOutOfMemory;
    if (bytes && element == Element::u8) return run_as<BytePairs, uint8_t>(job, kernel, threads, interrupted);
    if (bytes) return run_as<BytePairs, int8_t>(job, kernel, threads, interrupted);
    switch (element) {
        case Element::u8: return run_as<WordPairs, uint8_t>(job, kernel, threads, interrupted);
        case Element::i8: return run_as<WordPairs, int8_t>(job, kernel, threads, interrupted);
        case Element::u16: return run_as<WordPairs, uint16_t>(job, kernel, threads, interrupted);
        default: return run_as<WordPairs, int16_t>(job, kernel, threads, interrupted);
    }
}

}  // namespace corr2d
