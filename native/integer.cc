// Exact correlation of 8- and 16-bit images by widening multiply-adds, compiled once per instruction set.
//
// A result plane is cut into bands of rows and into tiles across. Going down its band, a tile keeps the image rows that
// four result rows see in a ring (integer_ring.h), continued past the borders and interleaved in pairs, so that one
// instruction multiplies and adds two taps of every column, whatever the border, dilation, element or layout is.
// 8-bit pixels stay bytes where the kernel's weights let sums live in 16 bits, for a piece of the kernel at least;
// else, and for 16-bit pixels, sums are kept in 32 bits. All sums wrap, and all wanted ones fit: no order matters.
#include "correlate.h"
#include "integer_kernel.h"
#include "integer_ring.h"
#include "threads.h"

namespace corr2d {
namespace {

constexpr int64_t kRingBytes = 16 * 1024;  // what the ring may take of L1
constexpr int64_t kLeastColumns = 256, kMostColumns = 2048;
constexpr int64_t kBandRows = 64;

// Vertical dilation parts rows into phases that never meet; a band is `band_rows` result rows of one phase.
struct IntegerTiling {
    int64_t phases, bands, band_rows, tiles, columns, pairs, width;

    template <class Pairs> static IntegerTiling of(const Job& job) {
        const Axis &rows = job.rows, &columns = job.columns;
        IntegerTiling t;
        t.phases = least(rows.dilation, rows.result);
        t.band_rows = kBandRows;
        t.bands = ceil_divide(ceil_divide(rows.result, t.phases), t.band_rows);
        t.pairs = rows.taps / 2 + 2;
        const int64_t span = (columns.taps - 1) * columns.dilation;
        const int64_t fitting = kRingBytes / (2 * t.pairs * int64_t(sizeof(typename Pairs::Pixel))) - span;
        const int64_t unit = kBlockVectors * Pairs::kColumns;
        t.tiles = ceil_divide(columns.result, clamp(fitting, kLeastColumns, kMostColumns));
        t.columns = round_up(ceil_divide(columns.result, t.tiles), unit);
        t.tiles = ceil_divide(columns.result, t.columns);
        t.width = t.columns + span;
        return t;
    }
};

// Sums of 16 bits into totals of 32, or into results that they saturate to.
inline void widen_sums(int32_t* __restrict totals, const int16_t* __restrict sums, int32_t constant, int64_t count) {
    for (int64_t n = 0; n < count; ++n) totals[n] = int32_t(uint32_t(int32_t(sums[n])) + uint32_t(constant));
}

inline void add_sums(int32_t* __restrict totals, const int16_t* __restrict sums, int64_t count) {
    for (int64_t n = 0; n < count; ++n) totals[n] = int32_t(uint32_t(totals[n]) + uint32_t(int32_t(sums[n])));
}

template <class O> void saturate_sums(char* target, const int16_t* sums, int64_t count) {
    constexpr int16_t low = std::is_signed_v<O> ? int16_t(-1 << (8 * sizeof(O) - 1)) : int16_t(0);
    constexpr int16_t high = sizeof(O) == 2 ? INT16_MAX : std::is_signed_v<O> ? INT8_MAX : UINT8_MAX;
    auto* out = reinterpret_cast<typename Unaligned<O>::type*>(target);
    for (int64_t n = 0; n < count; ++n) {
        const int16_t above = sums[n] > low ? sums[n] : low;
        out[n] = O(above < high ? above : high);
    }
}

using Saturate = void (*)(char*, const int16_t*, int64_t);
inline Saturate saturate_for(Element element) {
    switch (element) {
        case Element::u8: return saturate_sums<uint8_t>;
        case Element::i8: return saturate_sums<int8_t>;
        case Element::u16: return saturate_sums<uint16_t>;
        case Element::i16: return saturate_sums<int16_t>;
        default: return nullptr;
    }
}

inline bool consecutive(const View& view, int64_t size) { return !view.swapped && view.column == size; }

template <class Pairs, class Source> class IntegerCorrelation {
public:
    IntegerCorrelation(const Job& job, const IntegerKernel& kernel)
        : job_(job), kernel_(kernel), cut_(IntegerTiling::of<Pairs>(job)), gather_(job),
          write_(writer<int32_t>(job.out.element, job.out.swapped)) {
        const int64_t small = job.out.element == Element::u8 || job.out.element == Element::i8 ? 1 : 2;
        narrow_ = consecutive(job.out, small) ? saturate_for(job.out.element) : nullptr;
        in_place_ = plain<int32_t>(job, job.out, 1);
    }

    int run(int threads, bool (*interrupted)()) {
        const int64_t tasks = job_.planes() * job_.groups * cut_.phases * cut_.bands * cut_.tiles;
        const auto task = [](void* self, int64_t index, Scratch& scratch) {
            static_cast<IntegerCorrelation*>(self)->tile(index, scratch);
        };
        const bool completed = run_tasks(tasks, threads, task, this, interrupted);
        return __atomic_load_n(&outcome_, __ATOMIC_RELAXED) | (completed ? 0 : int(kInterrupted));
    }

private:
    using Pixel = typename Pairs::Pixel;
    using Sum = typename Pairs::Sum;
    using Ring = PairRing<Pixel, Source>;
    static constexpr bool kShort = sizeof(Sum) == 2;

    const Job& job_;
    const IntegerKernel& kernel_;
    const IntegerTiling cut_;
    const Gather<typename Ring::Raw> gather_;
    const Writer<int32_t> write_;
    Saturate narrow_;
    bool in_place_;
    int outcome_ = kDone;

    struct Tile {
        int64_t group, phase, first, rows, column, columns;  // rows first, first + 1, ... of the phase
        char *image, *out;                                   // plane and group applied
        const Pixel** pairs;
        int16_t* sums;    // [kBlockRows], each cut_.columns wide
        int32_t* totals;  // likewise
    };

    void tile(int64_t index, Scratch& scratch) {
        Tile t = locate(index);
        if (t.rows <= 0) return;
        const int64_t pointers_bytes = round_up(cut_.pairs * int64_t(sizeof(Pixel*)), 64);
        const int64_t ring_bytes = Ring::bytes(cut_.pairs, cut_.width);
        const int64_t sums_bytes = kShort ? round_up(kBlockRows * cut_.columns * 2, 64) : 0;
        const int64_t totals_bytes = kBlockRows * cut_.columns * 4;
        char* memory = static_cast<char*>(scratch.reserve(size_t(pointers_bytes + ring_bytes + sums_bytes + totals_bytes)));
        if (memory == nullptr) {
            __atomic_fetch_or(&outcome_, int(kOutOfMemory), __ATOMIC_RELAXED);
            return;
        }
        t.pairs = reinterpret_cast<const Pixel**>(memory);
        char* const ring_memory = memory + pointers_bytes;
        t.sums = reinterpret_cast<int16_t*>(ring_memory + ring_bytes);
        t.totals = reinterpret_cast<int32_t*>(ring_memory + ring_bytes + sums_bytes);
        const int64_t width = most(t.columns, Pairs::kColumns) + cut_.width - cut_.columns;
        Ring ring(job_, gather_, ring_memory, cut_.pairs, t.image, t.phase, t.column, width);
        int64_t laid = t.first / 2;
        for (int64_t i = 0; i < t.rows; i += kBlockRows) {
            const int64_t top = (t.first + i) / 2;
            for (; laid < top + cut_.pairs; ++laid) ring.lay(laid);
            for (int64_t p = 0; p < cut_.pairs; ++p) t.pairs[p] = ring.row(top + p);
            for (int64_t o = 0; o < job_.out_channels; ++o) sum_rows(t, i, o);
        }
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

    // Result rows i to i + 3 of the tile. Rows past its end are summed too, from what the ring happens to hold, and dropped.
    void sum_rows(const Tile& t, int64_t i, int64_t o) {
        const int64_t kernel = t.group * job_.out_channels + o, rows = least(kBlockRows, t.rows - i);
        const uint32_t constant = kernel_.constant(kernel);
        char* out[kBlockRows];
        for (int64_t k = 0; k < rows; ++k) out[k] = out_row(t, kernel, i + k);
        if constexpr (kShort) {
            if (narrow_ != nullptr && kernel_.finals_fit()) {
                sum_piece(t, kernel, kernel_.piece(0), constant, sums_rows(t).rows);
                for (int64_t k = 0; k < rows; ++k) narrow_(out[k], t.sums + k * cut_.columns, t.columns);
                return;
            }
        }
        const bool direct = in_place_ && t.columns >= Pairs::kColumns;
        int32_t* totals[kBlockRows];
        for (int64_t k = 0; k < kBlockRows; ++k)
            totals[k] = direct && k < rows ? reinterpret_cast<int32_t*>(out[k]) : t.totals + k * cut_.columns;
        if constexpr (kShort) add_pieces(t, kernel, constant, totals, rows);
        else sum_piece(t, kernel, kernel_.piece(0), constant, totals);
        if (direct) return;
        for (int64_t k = 0; k < rows; ++k) write_(out[k], job_.out.column, totals[k], t.columns);
    }

    // Every piece's 16-bit sums, added up in 32 bits.
    void add_pieces(const Tile& t, int64_t kernel, uint32_t constant, int32_t* const* totals, int64_t rows) const {
        for (int64_t n = 0; n < kernel_.pieces(); ++n) constant -= uint32_t(kernel_.piece(n).start);
        for (int64_t n = 0; n < kernel_.pieces(); ++n) {
            const KernelPiece& piece = kernel_.piece(n);
            sum_piece(t, kernel, piece, uint32_t(piece.start), sums_rows(t).rows);
            for (int64_t k = 0; k < rows; ++k) {
                if (n == 0) widen_sums(totals[k], t.sums + k * cut_.columns, int32_t(constant), t.columns);
                else add_sums(totals[k], t.sums + k * cut_.columns, t.columns);
            }
        }
    }

    void sum_piece(const Tile& t, int64_t kernel, const KernelPiece& piece, uint32_t start, Sum* const* targets) const {
        const int64_t dilation = job_.columns.dilation, taps = job_.columns.taps;
        const PairTaps<Pairs> view = {t.pairs + piece.pair, kernel_.weights(kernel) + piece.pair * taps + piece.column,
                                      piece.pairs, piece.columns, taps, 2 * dilation, 2 * piece.column * dilation, start};
        integer_sweep<Pairs>(view, targets, most(t.columns, Pairs::kColumns));
    }

    struct SumsRows { int16_t* rows[kBlockRows]; };
    SumsRows sums_rows(const Tile& t) const {
        SumsRows all;
        for (int64_t k = 0; k < kBlockRows; ++k) all.rows[k] = t.sums + k * cut_.columns;
        return all;
    }

    char* out_row(const Tile& t, int64_t kernel, int64_t i) const {
        return t.out + kernel * job_.out.channel + (t.phase + (t.first + i) * job_.rows.dilation) * job_.out.row +
               t.column * job_.out.column;
    }
};

template <class Pairs, class Source> int run_as(const Job& job, const IntegerKernel& kernel, int threads, bool (*interrupted)()) {
    return IntegerCorrelation<Pairs, Source>(job, kernel).run(threads, interrupted);
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
