// The spectrum of a kernel, as the algorithm `fft` multiplies tiles by it; compiled once per instruction set.
#include "correlate.h"
#include "magnitude.h"
#include "threads.h"
#include "tile_transform.h"

namespace corr2d {
namespace {

// The kernel is brought to its own scale; what unscales a tile knows it again (fft.cc).
template <class T> int transform_kernel(const Job& job, const T* kernel, T* spectrum, Scratch& scratch) {
    constexpr int64_t L = kLanes<T>;
    const TileTransform<T> transform(job.tile_rows, job.tile_columns);
    T* tile = static_cast<T*>(scratch.reserve(size_t(transform.tile_values()) * sizeof(T)));
    if (tile == nullptr || !transform.ready()) return kOutOfMemory;
    std::memset(tile, 0, size_t(transform.tile_values()) * sizeof(T));
    Greatest<T> greatest;
    greatest.add(kernel, job.rows.taps * job.columns.taps);
    for (int64_t a = 0; a < job.rows.taps; ++a)
        for (int64_t b = 0; b < job.columns.taps; ++b) {
            const int64_t y = a * job.rows.dilation, x = b * job.columns.dilation;
            tile[x / L * transform.panel_step() + y * kRecord<T> + x % L] = *kernel++;
        }
    const Vector<T> scale = broadcast(Format<T>::power_of_two(-Format<T>::exponent(greatest.value())));
    for (int64_t n = 0; n < transform.panels(); ++n) transform.forward_panel(tile + n * transform.panel_step(), {scale, scale});
    transform.conjugate_spectrum(spectrum, tile, T(1.0 / double(transform.rows() * transform.columns())));
    return kDone;
}

}  // namespace

int CORR2D_ENTRY(spectrum)(const Job& job, const void* kernel, void* spectrum, Scratch& scratch) {
    if (job.sum == Element::f32)
        return transform_kernel(job, static_cast<const float*>(kernel), static_cast<float*>(spectrum), scratch);
    return transform_kernel(job, static_cast<const double*>(kernel), static_cast<double*>(spectrum), scratch);
}

}  // namespace corr2d
