// The module: with the headers python_*.h, all of the core that knows Python.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <vector>

#include "edges.h"
#include "python_correlation.h"
#include "python_repeats.h"

namespace corr2d {
namespace {

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
    using corr2d::Correlation, corr2d::Repeats;
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
        .def("run", nb::overload_cast<nb::handle, nb::handle, nb::handle, nb::handle, int>(&Correlation::run, nb::const_), nb::arg("image"), nb::arg("weights"), nb::arg("bias").none(), nb::arg("out"),
             nb::arg("threads"),
             "Write the result into `out`; False where an integer had to hold a value that is not finite.");
    nb::class_<Repeats>(module, "Repeats", "Calls that were made before, found again and run without a line of Python in between.")
        .def(nb::init<nb::object, nb::object>(), nb::arg("array_type"), nb::arg("empty"))
        .def("run", &Repeats::run, nb::arg("image").none(), nb::arg("kernel").none(), nb::arg("flipped"), nb::arg("options"), nb::arg("out").none(),
             "Give the result of a kept call; None where none is kept that these arguments fit.")
        .def("keep", &Repeats::keep, nb::arg("image"), nb::arg("kernel"), nb::arg("flipped"), nb::arg("options"), nb::arg("call"),
             nb::arg("weights"), nb::arg("threads"), nb::arg("shape"), nb::arg("dtype"), nb::arg("into_out"),
             "Keep a call whose options cannot change; `into_out` says that it may write into a caller's array at once.")
        .def("clear", &Repeats::clear, "Forget all calls.");
}
