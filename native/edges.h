// Canny's detector: which pixels are maxima of the gradient across the edge, and which of those a strong one reaches.
#pragma once
#include <cstdint>

#include "elements.h"

namespace corr2d {

// A stack of planes: where plane 0, row 0 begins, and the bytes from plane to plane and from row to row. The values of
// a row are neighbours in memory. A plane step of 0 uses one plane for all.
struct Planes {
    char* data;
    int64_t plane, row;

    template <class T> T* at(int64_t p, int64_t y) const { return reinterpret_cast<T*>(data + p * plane + y * row); }
};

// Where the gradient comes from.
enum class GradientSource : uint8_t {
    bytes,   // OpenCV's, of a uint8 `image`
    image,   // that of two short factors, of a floating `image`
    parts    // `down` and `across` hold it
};

struct EdgeJob {
    int64_t planes, rows, columns;
    GradientSource source;
    Planes image;
    int aperture;  // bytes: 3, 5 or 7
    bool squared;  // bytes: OpenCV's L2gradient, magnitudes are compared as squares
    // image: `taps` (odd) that smooth, then as many that differentiate, then the scale, of the image's type. The maps
    // give the source of each row and column from taps / 2 before the image to as many after it, -1 for the fill value.
    const void* factors;
    int64_t taps;
    const int64_t *row_map, *column_map;
    double fill;
    Planes down, across;       // parts: read; image: written, unless null
    Element element;          // of the image, or of down and across: f32 or f64
    Planes allowed;           // uint8, 0 where no edge may be; may be null
    const double *low, *high;  // thresholds, one of each per plane; whole numbers for bytes
    Planes out;               // uint8
    uint8_t value;            // written where an edge is, 0 elsewhere
    bool classes;             // write 1 for a maximum that passes `low` only and 2 for one that passes `high` instead
};

}  // namespace corr2d
