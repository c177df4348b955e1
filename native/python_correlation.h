// A resolved call of the operator, made once per plan; run() hands it the arrays.
#pragma once
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <string>
#include <vector>

#include "correlate.h"
#include "python_buffers.h"

namespace corr2d {
namespace {

const char* const kElementNames[kElements] = {"uint8",  "int8",  "uint16",  "int16",    "uint32",  "int32",
                                              "uint64", "int64", "float16", "bfloat16", "float32", "float64"};
constexpr int64_t kElementSizes[kElements] = {1, 1, 2, 2, 4, 4, 8, 8, 2, 2, 4, 8};

Element element_named(const std::string& name) {
    for (int e = 0; e < kElements; ++e)
        if (name == kElementNames[e]) return Element(e);
    throw nb::value_error(("no element type is called '" + name + "'").c_str());
}

const InstructionSet& instruction_set_named(const std::string& name) {
    for (int s = 0; s < kInstructionSetCount; ++s)
        if (name == kInstructionSets[s].name && kInstructionSets[s].available()) return kInstructionSets[s];
    throw nb::value_error(("instruction set '" + name + "' is not available").c_str());
}

Algorithm algorithm_named(const std::string& name) {
    for (int a = 0; a < kAlgorithms; ++a)
        if (name == kAlgorithmNames[a]) return Algorithm(a);
    throw nb::value_error(("no algorithm is called '" + name + "'").c_str());
}

class Correlation {
public:
    Correlation(const std::string& instruction_set, const std::string& algorithm, const std::string& sum, nb::tuple image,
                nb::tuple out, nb::tuple rows, nb::tuple columns, const std::vector<int64_t>& batch, bool channelled,
                nb::tuple channels, nb::handle fill, int64_t terms, nb::tuple tile, bool halves)
        : set_(instruction_set_named(instruction_set)), algorithm_(algorithm_named(algorithm)), channelled_(channelled) {
        if (batch.size() > size_t(kMaxBatchDimensions)) throw nb::value_error("too many batch dimensions");
        std::memset(&job_, 0, sizeof job_);
        job_.sum = element_named(sum);
        job_.image_parts = set_view(job_.image, image);
        job_.out_parts = set_view(job_.out, out);
        set_axis(job_.rows, row_sources_, rows);
        set_axis(job_.columns, column_sources_, columns);
        job_.batch_dimensions = int(batch.size());
        for (size_t d = 0; d < batch.size(); ++d) job_.batch_shape[d] = batch[d];
        job_.groups = nb::cast<int64_t>(channels[0]);
        job_.channels = nb::cast<int64_t>(channels[1]) * job_.image_parts;
        job_.out_channels = nb::cast<int64_t>(channels[2]) * job_.out_parts;
        const int64_t fill_bytes = job_.image_parts * sum_size();
        Buffer values(fill, PyBUF_C_CONTIGUOUS);
        if (values->len != fill_bytes) throw nb::value_error("fill must hold one value of the sum's type per part");
        std::memcpy(fill_, values->buf, size_t(fill_bytes));
        job_.terms = terms;
        job_.tile_rows = nb::cast<int64_t>(tile[0]);
        job_.tile_columns = nb::cast<int64_t>(tile[1]);
        job_.halves = halves;
    }

    void spectra(nb::handle kernels, nb::handle target, int threads) const {
        Buffer taps(kernels, PyBUF_C_CONTIGUOUS), values(target, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE);
        const char* const kernel = static_cast<const char*>(taps->buf);
        char* const spectrum = static_cast<char*>(values->buf);
        const int64_t taps_bytes = job_.rows.taps * job_.columns.taps * sum_size(), bytes = spectrum_values(job_) * sum_size();
        const int64_t planes = taps->len / taps_bytes;
        expect(taps->len, planes * taps_bytes);
        expect(values->len, planes * bytes);
        const auto task = [&](int64_t plane, Scratch& scratch) {
            return set_.spectrum(job_, kernel + plane * taps_bytes, spectrum + plane * bytes, scratch);
        };
        without_gil([&] { return run_all(planes, threads, interrupted, task); });
    }

    bool run(nb::handle image, nb::handle weights, nb::handle bias, nb::handle out, int threads) const {
        Buffer pixels(image, PyBUF_STRIDES), results(out, PyBUF_STRIDES | PyBUF_WRITABLE);
        Buffer taps(weights, PyBUF_C_CONTIGUOUS);
        if (bias.is_none()) return run(pixels, taps, nullptr, results, threads);
        Buffer offsets(bias, PyBUF_C_CONTIGUOUS);
        return run(pixels, taps, &offsets, results, threads);
    }

    // Whether every result was finite, where one that is not has no integer.
    bool run(const Buffer& pixels, const Buffer& taps, const Buffer* offsets, const Buffer& results, int threads) const {
        Job job = job_;
        const int64_t out_channels = job.groups * job.out_channels;
        attach(job.image, pixels, job.rows.image, job.columns.image, job.groups * job.channels / job.image_parts, job.image_parts);
        attach(job.out, results, job.rows.result, job.columns.result, out_channels / job.out_parts, job.out_parts);
        expect(taps->len, weights_bytes(out_channels));
        job.weights = taps->buf;
        job.fill = fill_;
        if (offsets != nullptr) {
            expect((*offsets)->len, out_channels * sum_size());
            job.bias = (*offsets)->buf;
        }
        return without_gil([&] { return set_.correlate(algorithm_)(job, threads, interrupted); }) != kNotFinite;
    }

    void lag_products(nb::handle image, nb::handle second, nb::handle sums, int threads) const {
        Buffer pixels(image, PyBUF_STRIDES), values(second, PyBUF_STRIDES);
        Buffer totals(sums, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE);
        Job job = job_;
        attach(job.image, pixels, job.rows.image, job.columns.image, job.groups * job.channels, 1);
        attach(job.out, values, job.rows.result, job.columns.result, job.groups * job.out_channels, 1);
        const int64_t taps = job.rows.taps * job.columns.taps;
        expect(totals->len, job.groups * job.out_channels * job.channels * taps * int64_t(sizeof(double)));
        job.fill = fill_;
        const AddLags run = algorithm_ == Algorithm::fft ? set_.lag_spectra : set_.lag_products;
        without_gil([&] { return run(job, static_cast<double*>(totals->buf), threads, interrupted); });
    }

private:
    // How much of the kernel each algorithm reads (correlate.h).
    int64_t weights_bytes(int64_t out_channels) const {
        const int64_t taps = out_channels * job_.channels * job_.rows.taps * job_.columns.taps;
        switch (algorithm_) {
            case Algorithm::integer: return taps * int64_t(sizeof(int16_t));
            case Algorithm::separable: return out_channels * job_.terms * (job_.rows.taps + job_.columns.taps) * sum_size();
            case Algorithm::box: return out_channels * sum_size();
            case Algorithm::gradient: return (job_.rows.taps + job_.columns.taps + 1) * sum_size();
            case Algorithm::fft: return (out_channels * spectrum_values(job_) + taps) * sum_size();
            default: return taps * sum_size();
        }
    }

    int64_t sum_size() const { return kElementSizes[int(job_.sum)]; }

    static void expect(int64_t found, int64_t wanted) {
        if (found != wanted) throw nb::value_error("an array does not fit the resolved call");
    }

    static int set_view(View& view, nb::tuple type) {
        view.element = element_named(nb::cast<std::string>(type[0]));
        view.swapped = nb::cast<bool>(type[1]);
        return nb::cast<int>(type[2]);
    }

    static void set_axis(Axis& axis, std::vector<int64_t>& sources, nb::tuple values) {
        int64_t* const fields[] = {&axis.image, &axis.taps, &axis.stride, &axis.dilation, &axis.before, &axis.result};
        for (int f = 0; f < 6; ++f) *fields[f] = nb::cast<int64_t>(values[f]);
        sources = nb::cast<std::vector<int64_t>>(values[6]);
        axis.padded = int64_t(sources.size());
        axis.source = sources.data();
        for (const int64_t source : sources) axis.fills |= source < 0;
    }

    void attach(View& view, const Buffer& buffer, int64_t rows, int64_t columns, int64_t channels, int parts) const {
        const int batch = job_.batch_dimensions, dimensions = batch + (channelled_ ? 3 : 2);
        expect(buffer->ndim, dimensions);
        for (int d = 0; d < batch; ++d) {
            expect(buffer->shape[d], job_.batch_shape[d]);
            view.batch[d] = buffer->strides[d];
        }
        if (channelled_) {
            expect(buffer->shape[batch], channels);
            view.channel = buffer->strides[batch];
        }
        expect(buffer->shape[dimensions - 2], rows);
        expect(buffer->shape[dimensions - 1], columns);
        expect(buffer->itemsize, kElementSizes[int(view.element)] * parts);
        view.data = static_cast<char*>(buffer->buf);
        view.part = kElementSizes[int(view.element)];
        view.row = buffer->strides[dimensions - 2];
        view.column = buffer->strides[dimensions - 1];
    }

    Job job_;
    const InstructionSet& set_;
    Algorithm algorithm_;
    bool channelled_;
    std::vector<int64_t> row_sources_, column_sources_;
    alignas(16) char fill_[16];
};

}  // namespace
}  // namespace corr2d
