// The kernels of a call as the integer block reads them: weights in pairs of rows, and, where pixels stay bytes, the
// pieces of a kernel whose sums fit in 16 bits.
#pragma once
#include <memory>
#include <new>

#include "gather.h"
#include "integer_block.h"

namespace corr2d {
namespace {

// What an image value lies above the pixel that the multiply-adds see of it; the sums are corrected by as much.
template <class Pixel, class Source> constexpr int32_t kOffset = 0;
template <> constexpr int32_t kOffset<uint8_t, int8_t> = -128;
template <> constexpr int32_t kOffset<int16_t, uint16_t> = 32768;

// Pairs of kernel rows and kernel columns that are summed at one time, from `start` on: it moves the range of the sums
// into that of int16.
struct KernelPiece {
    int64_t pair, pairs, column, columns;
    int32_t start;
};

// With fewer weight pairs in a piece, adding the pieces up costs more than bytes save over words: a piece takes as long
// as some 15 pairs more of bytes, measured on an AVX2 machine.
constexpr int64_t kLeastPiece = 16;
constexpr int64_t kMostPixel = 255;

class IntegerKernel {
public:
    explicit IntegerKernel(const Job& job)
        : job_(job), weights_(static_cast<const int16_t*>(job.weights)), rows_(job.rows.taps), columns_(job.columns.taps),
          pairs_(rows_ / 2 + 1), kernels_(job.groups * job.out_channels), piece_pairs_(pairs_), piece_columns_(columns_),
          zeros_(new (std::nothrow) int16_t[size_t(columns_)]()) {}

    // Whether sums of bytes are possible and worth it; then the pieces to sum by are chosen.
    bool choose_bytes() {
        if (job_.image.element != Element::u8 && job_.image.element != Element::i8) return false;
        if (!zeros_) return false;
        if (BytePairs::kSaturates && !pairs_fit()) return false;
        const int64_t least_piece = least(kLeastPiece, pairs_ * columns_);
        for (piece_columns_ = columns_; piece_columns_ >= least_piece / pairs_; piece_columns_ = ceil_divide(piece_columns_, 2)) {
            if (!weigh_rows()) break;
            for (piece_pairs_ = most_pairs(); piece_pairs_ * piece_columns_ >= least_piece; --piece_pairs_)
                if (pieces_fit()) return true;
            if (piece_columns_ == 1) break;
        }
        piece_pairs_ = pairs_;
        piece_columns_ = columns_;
        return false;
    }

    // False when memory is exhausted.
    bool pack(bool bytes, Element element) {
        if (!zeros_ || (!bytes && !weigh_rows())) return false;
        piece_count_ = ceil_divide(pairs_, piece_pairs_) * slices();
        packed_.reset(new (std::nothrow) WeightPair[size_t(kernels_ * pairs_ * columns_)]);
        constants_.reset(new (std::nothrow) uint32_t[size_t(kernels_)]);
        pieces_.reset(new (std::nothrow) KernelPiece[size_t(piece_count_)]);
        if (!packed_ || !constants_ || !pieces_) return false;
        for (int64_t n = 0; n < piece_count_; ++n) pieces_[size_t(n)] = cut(n / slices() * piece_pairs_, n % slices(), bytes);
        if (bytes) pack_weights<BytePairs>();
        else pack_weights<WordPairs>();
        find_constants(bytes && element == Element::i8      ? kOffset<uint8_t, int8_t>
                       : !bytes && element == Element::u16 ? kOffset<int16_t, uint16_t>
                                                           : 0);
        return true;
    }

    int64_t pieces() const { return piece_count_; }
    const KernelPiece& piece(int64_t n) const { return pieces_[size_t(n)]; }
    const WeightPair* weights(int64_t kernel) const { return packed_.get() + kernel * pairs_ * columns_; }
    // What is added to a sum of products: the bias, and what the pixels' offset takes off.
    uint32_t constant(int64_t kernel) const { return constants_[size_t(kernel)]; }
    // Whether every result of every kernel, summed from bytes in one piece, is an int16.
    bool finals_fit() const { return piece_count_ == 1 && finals_fit_; }

private:
    // Sums of the positive and of the negative weights of some part of a kernel.
    struct Masses {
        int64_t positive, negative;
    };

    const Job& job_;
    const int16_t* const weights_;
    const int64_t rows_, columns_, pairs_, kernels_;
    int64_t piece_pairs_, piece_columns_, piece_count_ = 0;
    bool finals_fit_ = true;
    std::unique_ptr<WeightPair[]> packed_;
    std::unique_ptr<uint32_t[]> constants_;
    std::unique_ptr<KernelPiece[]> pieces_;
    std::unique_ptr<Masses[]> row_masses_;  // [kernels][rows][slices]
    std::unique_ptr<int16_t[]> zeros_;      // [columns], the row past either end of a kernel

    // Pieces lie side by side in slices of columns.
    int64_t slices() const { return ceil_divide(columns_, piece_columns_); }

    const int16_t* row(int64_t kernel, int64_t row) const {
        return row < 0 || row >= rows_ ? zeros_.get() : weights_ + (kernel * rows_ + row) * columns_;
    }

    // Every weight is looked at once for each width of the slices; whatever is tried with them then looks at rows.
    bool weigh_rows() {
        row_masses_.reset(new (std::nothrow) Masses[size_t(kernels_ * rows_ * slices())]);
        if (!row_masses_) return false;
        Masses* target = row_masses_.get();
        for (int64_t n = 0; n < kernels_ * rows_; ++n)
            for (int64_t b = 0; b < columns_; b += piece_columns_)
                *target++ = masses(weights_ + n * columns_ + b, least(piece_columns_, columns_ - b));
        return true;
    }

    static Masses masses(const int16_t* weights, int64_t count) {
        int64_t sum = 0, magnitude = 0;
        for (int64_t b = 0; b < count; ++b) {
            sum += weights[b];
            magnitude += weights[b] < 0 ? -weights[b] : weights[b];
        }
        return {(magnitude + sum) / 2, (magnitude - sum) / 2};
    }

    Masses masses(int64_t kernel, int64_t first_row, int64_t last_row, int64_t first_slice, int64_t last_slice) const {
        Masses sum = {0, 0};
        for (int64_t a = most(first_row, 0); a < least(last_row, rows_); ++a)
            for (int64_t s = first_slice; s < last_slice; ++s) {
                const Masses& mass = row_masses_[size_t((kernel * rows_ + a) * slices() + s)];
                sum = {sum.positive + mass.positive, sum.negative + mass.negative};
            }
        return sum;
    }

    // Whether no pair can saturate: weights are signed bytes, and the sum of two products stays within int16.
    bool pairs_fit() const {
        for (int64_t k = 0; k < kernels_; ++k)
            for (int64_t a = 0; a < rows_; ++a)
                if (!row_pairs_fit(row(k, a), row(k, a + 1))) return false;
        return true;
    }

    bool row_pairs_fit(const int16_t* upper, const int16_t* lower) const {
        constexpr int32_t most_weight = INT16_MAX / kMostPixel;
        int32_t misfits = 0;
        for (int64_t b = 0; b < columns_; ++b) {
            const int32_t value = upper[b], sum = value + lower[b];
            misfits |= (value > INT8_MAX) | (value < INT8_MIN);
            misfits |= (sum > most_weight) | (sum < -most_weight);
        }
        return misfits == 0;
    }

    KernelPiece cut(int64_t pair, int64_t slice, bool bytes) const {
        const int64_t column = slice * piece_columns_;
        return {pair, least(piece_pairs_, pairs_ - pair), column, least(piece_columns_, columns_ - column),
                bytes ? start(pair, slice) : 0};
    }

    int32_t start(int64_t pair, int64_t slice) const {
        const Masses mass = greatest_masses(pair, slice);
        return int32_t(clamp(0, INT16_MIN + kMostPixel * mass.negative, INT16_MAX - kMostPixel * mass.positive));
    }

    // Over all kernels. Even result rows see the piece's rows, odd ones those from one row above on.
    Masses greatest_masses(int64_t pair, int64_t slice) const {
        const int64_t pairs = least(piece_pairs_, pairs_ - pair);
        Masses greatest = {0, 0};
        for (int64_t k = 0; k < kernels_; ++k)
            for (int64_t odd = 0; odd < 2; ++odd) {
                const Masses mass = masses(k, 2 * pair - odd, 2 * (pair + pairs) - odd, slice, slice + 1);
                greatest = {most(greatest.positive, mass.positive), most(greatest.negative, mass.negative)};
            }
        return greatest;
    }

    // Pairs of rows in a piece, were the weights spread evenly: where the search for fitting pieces begins.
    int64_t most_pairs() const {
        int64_t heaviest = 0;
        for (int64_t k = 0; k < kernels_; ++k) {
            const Masses all = masses(k, 0, rows_, 0, slices());
            heaviest = most(heaviest, all.positive + all.negative);
        }
        const int64_t down = ceil_divide(ceil_divide(kMostPixel * heaviest, UINT16_MAX), slices());
        return down > 1 ? most((pairs_ - 1) / (down - 1), 1) : pairs_;
    }

    bool pieces_fit() const {
        for (int64_t p = 0; p < pairs_; p += piece_pairs_)
            for (int64_t s = 0; s < slices(); ++s) {
                const Masses mass = greatest_masses(p, s);
                if (kMostPixel * (mass.positive + mass.negative) > UINT16_MAX) return false;
            }
        return true;
    }

    template <class Pairs> void pack_weights() {
        WeightPair* target = packed_.get();
        for (int64_t k = 0; k < kernels_; ++k)
            for (int64_t p = 0; p < pairs_; ++p, target += columns_)
                pack_row<Pairs>(target, row(k, 2 * p - 1), row(k, 2 * p), row(k, 2 * p + 1));
    }

    template <class Pairs>
    void pack_row(WeightPair* __restrict target, const int16_t* above, const int16_t* upper, const int16_t* lower) const {
        for (int64_t b = 0; b < columns_; ++b) target[b] = {Pairs::pack(upper[b], lower[b]), Pairs::pack(above[b], upper[b])};
    }

    void find_constants(int64_t offset) {
        const int32_t* bias = static_cast<const int32_t*>(job_.bias);
        for (int64_t k = 0; k < kernels_; ++k) {
            const Masses all = masses(k, 0, rows_, 0, slices());
            const int64_t constant = (bias ? bias[k] : 0) + offset * (all.positive - all.negative);
            constants_[size_t(k)] = uint32_t(constant);
            finals_fit_ &= constant + kMostPixel * all.positive <= INT16_MAX && constant - kMostPixel * all.negative >= INT16_MIN;
        }
    }
};

}  // namespace
}  // namespace corr2d
