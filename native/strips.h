// How a call with one channel per sum is cut for one pass over the image: strips of columns times runs of rows. A run
// goes down its strip and keeps what later rows need of earlier ones in scratch.
#pragma once
#include "gather.h"
#include "threads.h"

namespace corr2d {
namespace {

// Runs that each thread may expect, so that an unlucky thread can leave some to the others.
constexpr int64_t kRunsPerThread = 8;
// A run reads taps - 1 rows before its first result; this many results for each keep that below an eighth of the work.
constexpr int64_t kResultsPerEarlyRow = 8;
constexpr int64_t kLeastRows = 32;

// Result rows `first_row + n * row_step`, n < rows, of the columns [first_column, first_column + columns). Their windows
// see padded rows `first_row + m * row_step`, m < rows + taps - 1: rows of equal remainder modulo the dilation form a
// run of their own, which has no dilation.
struct Strip {
    int64_t group, first_row, rows, row_step, first_column, columns;
    int64_t place;      // first_row counted in row steps
    const char* image;  // plane and channel applied
    char* out;

    char* out_row(const Job& job, int64_t n) const {
        return out + (first_row + n * row_step) * job.out.row + first_column * job.out.column;
    }
};

// Values from one row of scratch to the next: an odd number of cache lines, so that no two of a few dozen rows share a
// set of L1.
template <class T> inline int64_t staggered(int64_t count) {
    return (ceil_divide(count * int64_t(sizeof(T)), 64) | 1) * (64 / int64_t(sizeof(T)));
}

class Strips {
public:
    // At most `widest` columns a strip, in multiples of `unit`.
    Strips(const Job& job, int64_t widest, int64_t unit, int threads) : job_(job) {
        const Axis &rows = job.rows, &columns = job.columns;
        count_ = ceil_divide(columns.result, most(widest / unit * unit, unit));
        width = round_up(ceil_divide(columns.result, most(count_, 1)), unit);
        count_ = ceil_divide(columns.result, width);
        phases_ = most(least(rows.dilation, rows.result), 1);
        const int64_t phase_rows = ceil_divide(rows.result, phases_);
        const int64_t others = most(job.planes() * job.groups * phases_ * count_, 1);
        const int64_t wanted = threads > 1 ? ceil_divide(kRunsPerThread * threads, others) : 1;
        const int64_t shortest = most(kLeastRows, kResultsPerEarlyRow * (rows.taps - 1));
        run_rows_ = most(1, least(phase_rows, most(shortest, ceil_divide(phase_rows, wanted))));
        runs_ = ceil_divide(phase_rows, run_rows_);
    }

    int64_t width;  // of the widest strip

    int64_t tasks() const { return job_.planes() * job_.groups * phases_ * count_ * runs_; }

    // The runs of a strip follow one another, so that threads read neighbouring rows at the same time.
    Strip locate(int64_t index) const {
        Strip s;
        const int64_t run = index % runs_;
        index /= runs_;
        const int64_t strip = index % count_;
        index /= count_;
        const int64_t phase = index % phases_;
        index /= phases_;
        s.group = index % job_.groups;
        const int64_t plane = index / job_.groups;
        s.first_column = strip * width;
        s.columns = least(width, job_.columns.result - s.first_column);
        s.row_step = job_.rows.dilation;
        s.place = run * run_rows_;
        s.first_row = phase + s.place * s.row_step;
        s.rows = clamp(ceil_divide(job_.rows.result - s.first_row, s.row_step), 0, run_rows_);
        s.image = job_.image.data + batch_offset(job_, job_.image, plane) + channel_offset(job_.image, s.group, 1);
        s.out = job_.out.data + batch_offset(job_, job_.out, plane) + channel_offset(job_.out, s.group, 1);
        return s;
    }

private:
    const Job& job_;
    int64_t count_, phases_, run_rows_, runs_;
};

// One thread's scratch, handed out piece by piece; a first pass over null memory measures it.
class Carve {
public:
    explicit Carve(void* memory) : start_(static_cast<char*>(memory)) {}
    template <class T> T* take(int64_t count) {
        T* piece = start_ ? reinterpret_cast<T*>(start_ + bytes_) : nullptr;
        bytes_ += round_up(count * int64_t(sizeof(T)), 64);
        return piece;
    }
    size_t bytes() const { return size_t(bytes_); }

private:
    char* start_;
    int64_t bytes_ = 0;
};

// take(carve) takes its pieces, once to measure and once for good. False when memory is exhausted.
template <class Take> inline bool carve_scratch(Scratch& scratch, Take take) {
    Carve measure(nullptr);
    take(measure);
    void* memory = scratch.reserve(measure.bytes());
    if (memory == nullptr) return false;
    Carve pieces(memory);
    take(pieces);
    return true;
}

}  // namespace
}  // namespace corr2d
