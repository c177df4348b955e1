// The transform of a whole tile of N rows x M columns, and its product with a kernel's spectrum.
//
// A tile lies in panels of L columns, [panel][row] records one after another, so that a panel is transformed along its
// columns where it is, in L1. Rows are transformed L at a time: turned into a line of M records that stays in L1 from the
// turn there to the turn back, the product in between. Frequencies stay in the order in which they fall; the spectrum is
// stored in that order: [N / L row groups][M] records.
#pragma once
#include "transform.h"
#include "transpose.h"

namespace corr2d {
namespace {

template <class T> class TileTransform {
public:
    TileTransform(int64_t rows, int64_t columns) : rows_(rows), columns_(columns), along_columns_(rows), along_rows_(columns) {}

    bool ready() const { return along_columns_.ready() && along_rows_.ready(); }
    int64_t rows() const { return rows_; }
    int64_t columns() const { return columns_; }
    int64_t panels() const { return columns_ / kLanes<T>; }
    // Panels lie L + 1 records further apart than they need: equal rows of neighbouring panels then fall into other sets
    // of the cache.
    int64_t panel_step() const { return (rows_ + kLanes<T> + 1) * kRecord<T>; }
    int64_t tile_values() const { return panels() * panel_step(); }
    int64_t line_values() const { return columns_ * kRecord<T>; }
    const typename Transform<T>::Step& last_step() const { return along_columns_.first(); }

    void forward_panel(T* panel, const Scaled<T>& scaled) const {
        along_columns_.forward(panel, scaled);
        if constexpr (!kFoursInTurn<T>) along_columns_.template fours<false>(panel);
    }

    // All but the last step, `last_step`: whoever reads the panel does that one on the way.
    void inverse_panel(T* panel) const {
        if constexpr (!kFoursInTurn<T>) along_columns_.template fours<true>(panel);
        along_columns_.inverse(panel, true);
    }

    // The first `used` panels of the result are wanted.
    void multiply(T* tile, T* line, const T* spectrum, int64_t used) const {
        for (int64_t group = 0; group < rows_ / kLanes<T>; ++group, spectrum += line_values()) {
            T* records = tile + group * kLanes<T> * kRecord<T>;
            into_line(line, records);
            along_rows_.forward(line);
            multiply_line(line, spectrum);
            along_rows_.inverse(line, false);
            for (int64_t p = 0; p < used; ++p)
                turn_records<false>(records + p * panel_step(), line + p * kLanes<T> * kRecord<T>);
        }
    }

    // The conjugate of the transformed tile, times `factor`.
    void conjugate_spectrum(T* spectrum, const T* tile, T factor) const {
        const Vector<T> scale = broadcast(factor);
        for (int64_t group = 0; group < rows_ / kLanes<T>; ++group, spectrum += line_values()) {
            into_line(spectrum, tile + group * kLanes<T> * kRecord<T>);
            along_rows_.forward(spectrum);
            along_rows_.template fours<false>(spectrum);
            for (int64_t x = 0; x < columns_; ++x) {
                const Complex<T> value = load_record(spectrum + x * kRecord<T>);
                store_record<T>(spectrum + x * kRecord<T>, {value.re * scale, value.im * -scale});
            }
        }
    }

    // Adds one transformed tile times the conjugate of another to `products`, in the order of a spectrum. The tiles'
    // columns are transformed, their rows not yet.
    void add_products(T* products, const T* one, const T* other, T* line, T* other_line) const {
        for (int64_t group = 0; group < rows_ / kLanes<T>; ++group, products += line_values()) {
            into_line(line, one + group * kLanes<T> * kRecord<T>);
            along_rows_.forward(line);
            into_line(other_line, other + group * kLanes<T> * kRecord<T>);
            along_rows_.forward(other_line);
            for (int64_t x = 0; x < columns_ * kRecord<T>; x += 4 * kRecord<T>) {
                Complex<T> a[4], b[4];
                for (int k = 0; k < 4; ++k) a[k] = load_record(line + x + k * kRecord<T>);
                for (int k = 0; k < 4; ++k) b[k] = load_record(other_line + x + k * kRecord<T>);
                small_transform<false>(a);
                small_transform<false>(b);
                for (int k = 0; k < 4; ++k) {
                    T* place = products + x + k * kRecord<T>;
                    store_record<T>(place, load_record(place) + times_conjugate(a[k], b[k]));
                }
            }
        }
    }

    // The tile, times its number of points, of which `spectrum` is the transform; `line` is scratch.
    void invert(T* tile, T* line, const T* spectrum) const {
        for (int64_t group = 0; group < rows_ / kLanes<T>; ++group, spectrum += line_values()) {
            std::memcpy(line, spectrum, size_t(line_values()) * sizeof(T));
            along_rows_.template fours<true>(line);
            along_rows_.inverse(line, false);
            T* records = tile + group * kLanes<T> * kRecord<T>;
            for (int64_t p = 0; p < panels(); ++p)
                turn_records<false>(records + p * panel_step(), line + p * kLanes<T> * kRecord<T>);
        }
        for (int64_t p = 0; p < panels(); ++p) {
            T* panel = tile + p * panel_step();
            if constexpr (!kFoursInTurn<T>) along_columns_.template fours<true>(panel);
            along_columns_.inverse(panel, false);
        }
    }

private:
    int64_t rows_, columns_;
    Transform<T> along_columns_, along_rows_;

    void into_line(T* line, const T* records) const {
        for (int64_t p = 0; p < panels(); ++p) turn_records<true>(line + p * kLanes<T> * kRecord<T>, records + p * panel_step());
    }

    // The last step forward, the product and the first step back, in registers.
    void multiply_line(T* line, const T* spectrum) const {
        for (int64_t x = 0; x < columns_; x += 4, line += 4 * kRecord<T>, spectrum += 4 * kRecord<T>) {
            Complex<T> a[4];
            for (int k = 0; k < 4; ++k) a[k] = load_record(line + k * kRecord<T>);
            small_transform<false>(a);
            for (int k = 0; k < 4; ++k) a[k] = times(a[k], load_record(spectrum + k * kRecord<T>));
            small_transform<true>(a);
            for (int k = 0; k < 4; ++k) store_record(line + k * kRecord<T>, a[k]);
        }
    }
};

}  // namespace
}  // namespace corr2d
