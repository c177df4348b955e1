// The primitive `correlate`: every result value is the sum over channels and taps of weight times continued image.
// Several algorithms compute it; each says what it wants `Job::weights` to hold.
#pragma once
#include "threads.h"
#include "view.h"

namespace corr2d {

enum class Algorithm : uint8_t {
    direct,     // [groups][out_channels][channels][kh][kw] of the sum's type
    folded,     // the same, K[a][b] == K[a][kw - 1 - b]; floating sums
    sparse,     // the same, mostly zeros; floating sums
    integer,    // the same, as int16; sums are int32; one channel per sum, stride 1
    separable,  // [groups][out_channels][terms][kh column weights, then kw row weights]; one channel per sum, stride 1
    box,        // [groups][out_channels]: the one weight of all taps; one channel per sum, stride 1
    fft,        // what `spectrum` wrote, per [groups][out_channels]; one channel per sum, stride 1
    gradient    // [taps that smooth, then taps that differentiate, then the scale]; one image channel, one group, a square
                // window, stride 1, no bias; floating sums. One result channel is the magnitude, two are y and x, three
                // all of them in this order (gradient.cc)
};
constexpr int kAlgorithms = 8;
constexpr const char* kAlgorithmNames[kAlgorithms] = {"direct",    "folded", "sparse", "integer",
                                                      "separable", "box",    "fft",    "gradient"};

// Returns an Outcome. `interrupted` is polled by the caller's thread.
using Correlate = int (*)(const Job& job, int threads, bool (*interrupted)());

// Transforms a kernel of job.rows.taps x job.columns.taps weights of the sum's type (dilation is the job's) into
// spectrum_values(...) values of the sum's type. Returns an Outcome; runs as one task, with its scratch.
using Spectrum = int (*)(const Job& job, const void* kernel, void* spectrum, Scratch& scratch);
inline int64_t spectrum_values(const Job& job) { return 2 * job.tile_rows * job.tile_columns; }

// The adjoint in the kernel: adds to sums[groups][out_channels][channels][kh][kw], for every tap, the products of the
// pixel under it and job.out's value at the window's place, over all windows of all planes. job.out is only read. The bits
// do not depend on `threads`. One part; the sum's type is f32 or f64. The second kind sums by transforms of tiles of
// job.tile_rows x job.tile_columns, for a stride of 1.
using AddLags = int (*)(const Job& job, double* sums, int threads, bool (*interrupted)());
int lag_products_slow(const Job& job, double* sums, int threads, bool (*interrupted)());

// The definition, tap by tap through the index maps: the slow twin that tests hold the fast ones against.
int correlate_slow(const Job& job, int threads, bool (*interrupted)());

// Canny's detector, edges.h.
struct EdgeJob;
using TraceEdges = int (*)(const EdgeJob& job, int threads, bool (*interrupted)());

struct InstructionSet {
    const char* name;
    bool (*available)();
    Correlate run[kAlgorithms];  // by Algorithm
    Spectrum spectrum;
    AddLags lag_products, lag_spectra;
    TraceEdges canny;

    Correlate correlate(Algorithm algorithm) const { return run[int(algorithm)]; }
};

// Every instruction set this build holds, plainest first.
extern const InstructionSet kInstructionSets[];
extern const int kInstructionSetCount;

}  // namespace corr2d
