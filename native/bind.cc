// The only file that knows Python. A Correlation is a resolved call, made once per plan; run() hands it the arrays.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "correlate.h"
#include "edges.h"
#include "threads.h"

namespace nb = nanobind;

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

// Borrows an array's memory through the buffer protocol, which NumPy serves in about 0.1 microseconds.
class Buffer {
public:
    Buffer(nb::handle array, int flags) {
        if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    const Py_buffer* operator->() const { return &view_; }

private:
    Py_buffer view_;
};

// The calling thread's poll: takes the GIL back for a moment to let Python see a Ctrl-C.
bool interrupted() {
    nb::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

// Runs `work` without the GIL; what it cannot have done is raised.
template <class Work> int without_gil(Work work) {
    int outcome;
    {
        nb::gil_scoped_release release;
        outcome = work();
    }
    if (outcome & kInterrupted) throw nb::python_error();
    if (outcome & kOutOfMemory) throw std::bad_alloc();
    return outcome;
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
        Job job = job_;
        const int64_t out_channels = job.groups * job.out_channels;
        attach(job.image, pixels, job.rows.image, job.columns.image, job.groups * job.channels / job.image_parts, job.image_parts);
        attach(job.out, results, job.rows.result, job.columns.result, out_channels / job.out_parts, job.out_parts);
        expect(taps->len, weights_bytes(out_channels));
        job.weights = taps->buf;
        job.fill = fill_;
        if (bias.is_none()) return finish(job, threads);
        Buffer offsets(bias, PyBUF_C_CONTIGUOUS);
        expect(offsets->len, out_channels * sum_size());
        job.bias = offsets->buf;
        return finish(job, threads);
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
    bool finish(const Job& job, int threads) const {
        return without_gil([&] { return set_.correlate(algorithm_)(job, threads, interrupted); }) != kNotFinite;
    }

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

// A borrowed stack of planes (planes, rows, columns) whose rows are runs of neighbours, or None.
class Stack {
public:
    Stack(nb::handle array, const EdgeJob& job, int64_t size, int flags = PyBUF_STRIDES) {
        if (array.is_none()) return;
        buffer_.emplace(array, flags);
        const Py_buffer* const view = buffer_->operator->();
        const bool fits = view->ndim == 3 && view->shape[0] == job.planes && view->shape[1] == job.rows &&
                          view->shape[2] == job.columns && view->itemsize == size && (job.columns < 2 || view->strides[2] == size);
        if (!fits) throw nb::value_error("an array does not fit the planes of edges");
        planes_ = {static_cast<char*>(view->buf), view->strides[0], view->strides[1]};
    }
    const Planes& planes() const { return planes_; }

private:
    std::optional<Buffer> buffer_;
    Planes planes_{};
};

// The index map of an axis, from `reach` positions before it to as many after.
const int64_t* axis_map(const Buffer& map, int64_t length, int64_t reach) {
    const auto* sources = static_cast<const int64_t*>(map->buf);
    bool fits = map->itemsize == 8 && map->len == 8 * (length + 2 * reach);
    for (int64_t n = 0; fits && n < length + 2 * reach; ++n) fits = sources[n] >= -1 && sources[n] < length;
    if (!fits) throw nb::value_error("an index map does not fit its axis");
    return sources;
}

void trace_edges(const std::string& instruction_set, nb::handle out, const std::vector<double>& low,
                 const std::vector<double>& high, int value, bool classes, int threads, nb::handle allowed, nb::handle image,
                 int aperture, bool squared, nb::handle factors, nb::handle row_map, nb::handle column_map, double fill,
                 nb::handle down, nb::handle across) {
    Buffer results(out, PyBUF_STRIDES | PyBUF_WRITABLE);
    if (results->ndim != 3 || low.size() != size_t(results->shape[0]) || high.size() != low.size())
        throw nb::value_error("out must have three dimensions, and each of its planes two thresholds");
    const bool given = !image.is_none(), filtered = given && !factors.is_none();
    if (down.is_none() != across.is_none() || (!given && down.is_none()) || (given && !filtered && !down.is_none()))
        throw nb::value_error("an image, or both parts of a gradient, must be given");
    const nb::handle first = image.is_none() ? down : image;
    const int64_t size = Buffer(first, PyBUF_STRIDES)->itemsize;
    EdgeJob job{};
    job.planes = results->shape[0];
    job.rows = results->shape[1];
    job.columns = results->shape[2];
    const int written = PyBUF_STRIDES | PyBUF_WRITABLE, part_flags = filtered ? written : PyBUF_STRIDES;
    const Stack pixels(image, job, size), vertical(down, job, size, part_flags), horizontal(across, job, size, part_flags),
        mask(allowed, job, 1), edges(out, job, 1, written);
    job.source = filtered ? GradientSource::image : given ? GradientSource::bytes : GradientSource::parts;
    if ((job.source == GradientSource::bytes) != (size == 1)) throw nb::value_error("the elements do not fit the gradient");
    std::optional<Buffer> taps, rows, columns;
    if (job.source == GradientSource::image) {
        taps.emplace(factors, PyBUF_C_CONTIGUOUS);
        job.factors = (*taps)->buf;
        job.taps = ((*taps)->len / size - 1) / 2;
        if ((*taps)->itemsize != size || job.taps % 2 == 0 || (*taps)->len != (2 * job.taps + 1) * size)
            throw nb::value_error("factors must be as many taps that smooth as differentiate, an odd number, and a scale");
        rows.emplace(row_map, PyBUF_C_CONTIGUOUS);
        columns.emplace(column_map, PyBUF_C_CONTIGUOUS);
        job.row_map = axis_map(*rows, job.rows, job.taps / 2);
        job.column_map = axis_map(*columns, job.columns, job.taps / 2);
        job.fill = fill;
    }
    job.image = pixels.planes();
    job.aperture = aperture;
    job.squared = squared;
    job.down = vertical.planes();
    job.across = horizontal.planes();
    job.element = size == 8 ? Element::f64 : Element::f32;
    job.allowed = mask.planes();
    job.low = low.data();
    job.high = high.data();
    job.out = edges.planes();
    job.value = uint8_t(value);
    job.classes = classes;
    if (job.planes * job.rows * job.columns == 0) return;
    const InstructionSet& set = instruction_set_named(instruction_set);
    without_gil([&] { return set.canny(job, threads, interrupted); });
}

}  // namespace
}  // namespace corr2d

NB_MODULE(_native, module) {
    using corr2d::Correlation;
    // Plans are kept for the life of the process; at its end they are no leak worth a line on stderr.
    nb::set_leak_warnings(false);
    module.attr("version") = CORR2D_VERSION;
    module.def("hardware_threads", corr2d::hardware_threads, "Number of CPUs this process may use.");
    module.def(
        "instruction_sets",
        [] {
            nb::list names;
            for (int s = 0; s < corr2d::kInstructionSetCount; ++s)
                if (corr2d::kInstructionSets[s].available()) names.append(corr2d::kInstructionSets[s].name);
            return names;
        },
        "Names of the instruction sets this build holds and this machine has, plainest first.");
    const nb::object none = nb::none();
    module.def("trace_edges", corr2d::trace_edges, nb::arg("instruction_set"), nb::arg("out"), nb::arg("low"), nb::arg("high"),
               nb::arg("value"), nb::arg("classes"), nb::arg("threads"), nb::kw_only(), nb::arg("allowed").none() = none,
               nb::arg("image").none() = none, nb::arg("aperture") = 3, nb::arg("squared") = false, nb::arg("factors").none() = none,
               nb::arg("row_map").none() = none, nb::arg("column_map").none() = none, nb::arg("fill") = 0.0, nb::arg("down").none() = none,
               nb::arg("across").none() = none,
               "Write Canny's edges of a uint8 image, of a floating one by two factors, or of a gradient, into `out`; see "
               "native/edges.h.");
    nb::class_<Correlation>(module, "Correlation", "A resolved call of the operator, ready to run on arrays.")
        .def(nb::init<const std::string&, const std::string&, const std::string&, nb::tuple, nb::tuple, nb::tuple, nb::tuple,
                      const std::vector<int64_t>&, bool, nb::tuple, nb::handle, int64_t, nb::tuple, bool>(),
             nb::arg("instruction_set"), nb::arg("algorithm"), nb::arg("sum"), nb::arg("image"), nb::arg("out"), nb::arg("rows"),
             nb::arg("columns"), nb::arg("batch"), nb::arg("channelled"), nb::arg("channels"), nb::arg("fill"), nb::kw_only(),
             nb::arg("terms") = 0, nb::arg("tile") = nb::make_tuple(0, 0), nb::arg("halves") = false)
        .def("spectra", &Correlation::spectra, nb::arg("kernels"), nb::arg("target"), nb::arg("threads"),
             "Transform planes of weights into `target`, for the algorithm fft.")
        .def("lag_products", &Correlation::lag_products, nb::arg("image"), nb::arg("second"), nb::arg("sums"), nb::arg("threads"),
             "Add the products of pixels and second image, by tap, to the float64 `sums`.")
        .def("run", &Correlation::run, nb::arg("image"), nb::arg("weights"), nb::arg("bias").none(), nb::arg("out"),
             nb::arg("threads"),
             "Write the result into `out`; False where an integer had to hold a value that is not finite.");
}
