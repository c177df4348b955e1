// A resolved call as the kernels see it: plain numbers and strided views, no Python, no option left open.
#pragma once
#include <cstdint>

#include "elements.h"

namespace corr2d {

constexpr int kMaxBatchDimensions = 64;  // NumPy allows no more

// One image axis. `source[p]` is the image index that lies at padded position p (0 <= p < padded), -1 for the fill
// value; from `before` on, for `image` positions, it is the identity.
struct Axis {
    int64_t image, taps, stride, dilation, before, padded, result;
    const int64_t* source;
    bool fills;  // whether any source is -1
};

// A strided array (batch..., channel, part, y, x). A complex array has two parts, a real one has one. Steps in bytes.
struct View {
    char* data;
    Element element;
    bool swapped;  // byte order is not the machine's
    int64_t batch[kMaxBatchDimensions];
    int64_t channel, part, row, column;
};

struct Job {
    Axis rows, columns;
    View image, out;
    int batch_dimensions;
    int64_t batch_shape[kMaxBatchDimensions];
    int64_t groups;
    int64_t channels;      // image channels in one group, parts counted
    int64_t out_channels;  // result channels in one group, parts counted
    int image_parts, out_parts;
    Element sum;           // f32, f64, i32 or i64: the type of weights, bias, fill and of every sum
    const void* weights;   // what the algorithm wants of the kernel (correlate.h); direct: [groups][out_channels][channels][kh][kw]
    const void* bias;      // [groups][out_channels]
    const void* fill;      // [image_parts]
    int64_t terms;         // separable: rank-one terms that the kernel is the sum of
    int64_t tile_rows, tile_columns;  // fft: size of a transform
    bool halves;           // fft: each tile travels alone, as its high bytes and its low ones (fft.cc)

    int64_t planes() const {
        int64_t count = 1;
        for (int d = 0; d < batch_dimensions; ++d) count *= batch_shape[d];
        return count;
    }
};

namespace {

// Byte offset of the n-th plane of the batch (the last batch dimension varies fastest).
inline int64_t batch_offset(const Job& job, const View& view, int64_t plane) {
    int64_t offset = 0;
    for (int d = job.batch_dimensions - 1; d >= 0; --d) {
        offset += plane % job.batch_shape[d] * view.batch[d];
        plane /= job.batch_shape[d];
    }
    return offset;
}

// parts is 1 or 2; shifts, because this runs for every row pointer.
inline int64_t channel_offset(const View& view, int64_t channel, int parts) {
    return (channel >> (parts - 1)) * view.channel + (channel & (parts - 1)) * view.part;
}

}  // namespace

}  // namespace corr2d
