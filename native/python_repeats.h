// The quick way through the door: a call made before with arrays of the same kinds, the same values in the kernel and the
// same options is found here and run, which takes Python about as long as the sums of a small image do
// (bench/overheads.py). Whatever is in doubt is left to corr2d.correlation.
#pragma once
#include <algorithm>
#include <array>
#include <memory>

#include "python_correlation.h"

namespace corr2d {
namespace {

// What arrays of one kind share. Native dtypes exist once in NumPy, so that pointers tell them apart.
struct ArrayKind {
    nb::object dtype;
    std::vector<Py_ssize_t> shape;

    ArrayKind(nb::object dtype, const Buffer& array) : dtype(std::move(dtype)), shape(array->shape, array->shape + array->ndim) {}
    bool fits(const nb::object& found, const Buffer& array) const {
        return found.is(dtype) && size_t(array->ndim) == shape.size() && std::equal(shape.begin(), shape.end(), array->shape);
    }
};

// The first and the last byte of an array in memory, as numbers.
struct Extent {
    uintptr_t first, last;

    explicit Extent(const Buffer& array) : first(reinterpret_cast<uintptr_t>(array->buf)), last(first + size_t(array->itemsize) - 1) {
        for (int d = 0; d < array->ndim; ++d) {
            const Py_ssize_t reach = (array->shape[d] - 1) * array->strides[d];
            (reach < 0 ? first : last) += size_t(reach);
        }
    }
    bool meets(const Extent& other) const { return first <= other.last && other.first <= last; }
};

class Repeats {
public:
    Repeats(nb::object array_type, nb::object empty)
        : array_type_(std::move(array_type)), empty_(std::move(empty)), dtype_(nb::steal(PyUnicode_InternFromString("dtype"))) {}

    nb::object run(nb::handle image, nb::handle kernel, nb::handle flipped, nb::tuple options, nb::handle out) const {
        if (!is_array(image) || !is_array(kernel)) return nb::none();
        Buffer pixels, taps;
        Values values;
        if (!pixels.borrow(image, PyBUF_STRIDES) || !taps.borrow(kernel, PyBUF_STRIDES) || !values.read(taps)) return nb::none();
        // Shared, because another thread may put another call in its place while this one runs.
        const std::shared_ptr<const Kept> kept = calls_[place(pixels, values, options)];
        if (!kept || !kept->flipped.is(flipped) || !kept->image.fits(dtype(image), pixels) || !kept->kernel.fits(dtype(kernel), taps) ||
            !std::equal(kept->taps.begin(), kept->taps.end(), values.first) || !same(kept->options, options))
            return nb::none();
        nb::object result = out.is_none() ? empty_(kept->shape, kept->dtype) : nb::borrow(out);
        Buffer sums;
        if (!out.is_none() && !(kept->into_out && is_array(out) && dtype(out).is(kept->dtype))) return nb::none();
        if (!sums.borrow(result, PyBUF_STRIDES | PyBUF_WRITABLE)) return nb::none();
        if (!out.is_none() && !apart(*kept, sums, pixels, taps)) return nb::none();
        // A result that no integer can hold is refused by Python, which computes it again.
        return kept->call->run(pixels, kept->weights, nullptr, sums, kept->threads) ? result : nb::none();
    }

    void keep(nb::handle image, nb::handle kernel, nb::object flipped, nb::tuple options, nb::object call, nb::handle weights,
              int threads, nb::tuple shape, nb::object result_dtype, bool into_out) {
        Buffer pixels, taps;
        Values values;
        if (!pixels.borrow(image, PyBUF_STRIDES) || !taps.borrow(kernel, PyBUF_STRIDES) || !values.read(taps)) return;
        const size_t where = place(pixels, values, options);
        calls_[where] = std::make_shared<const Kept>(
            ArrayKind(dtype(image), pixels), ArrayKind(dtype(kernel), taps), values, std::move(flipped), std::move(options),
            std::move(call), weights, threads, std::move(shape), std::move(result_dtype), into_out);
    }

    void clear() { calls_.fill(nullptr); }

private:
    // A call finds another one in its place as soon as some twenty kernels take turns; it then goes through Python.
    static constexpr size_t kPlaces = 256;
    static constexpr Py_ssize_t kLargestKernel = 4096;
    static constexpr Py_ssize_t kHashedBytes = 64;

    // A kernel's values in C order: where they are, or copied.
    struct Values {
        const char* first;
        Py_ssize_t bytes;
        char copied[kLargestKernel];

        bool read(Buffer& taps) {
            bytes = taps->len;
            first = static_cast<const char*>(taps->buf);
            if (bytes > kLargestKernel) return false;
            if (taps.contiguous()) return true;
            first = copied;
            return taps.copy_to(copied);
        }
    };

    struct Kept {
        ArrayKind image, kernel;
        std::vector<char> taps;
        nb::object flipped;
        nb::tuple options;
        nb::object holder;  // of `call`
        const Correlation* call;
        Buffer weights;
        int threads;
        nb::tuple shape;
        nb::object dtype;
        bool into_out;

        Kept(ArrayKind image, ArrayKind kernel, const Values& values, nb::object flipped, nb::tuple options, nb::object holder,
             nb::handle weights, int threads, nb::tuple shape, nb::object dtype, bool into_out)
            : image(std::move(image)),
              kernel(std::move(kernel)),
              taps(values.first, values.first + values.bytes),
              flipped(std::move(flipped)),
              options(std::move(options)),
              holder(std::move(holder)),
              call(nb::cast<const Correlation*>(this->holder)),
              weights(weights, PyBUF_C_CONTIGUOUS),
              threads(threads),
              shape(std::move(shape)),
              dtype(std::move(dtype)),
              into_out(into_out) {}
    };

    bool is_array(nb::handle value) const { return value.type().is(array_type_); }

    nb::object dtype(nb::handle array) const { return nb::steal(PyObject_GetAttr(array.ptr(), dtype_.ptr())); }

    static size_t place(const Buffer& pixels, const Values& values, const nb::tuple& options) {
        uint64_t hash = uint64_t(values.bytes);
        const auto mix = [&hash](uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15; };  // 2^64 / the golden ratio
        for (int d = 0; d < pixels->ndim; ++d) mix(uint64_t(pixels->shape[d]));
        for (size_t n = 0; n < options.size(); ++n) mix(reinterpret_cast<uintptr_t>(item(options, n)));
        const Py_ssize_t bytes = std::min(values.bytes, kHashedBytes);
        for (Py_ssize_t first = 0; first < bytes; first += 8) {
            uint64_t word = 0;
            std::memcpy(&word, values.first + first, size_t(std::min<Py_ssize_t>(8, bytes - first)));
            mix(word);
        }
        return size_t(hash >> 56);
    }

    static PyObject* item(const nb::tuple& options, size_t n) { return PyTuple_GetItem(options.ptr(), Py_ssize_t(n)); }

    // Options kept are immutable, so the same object means the same.
    static bool same(const nb::tuple& kept, const nb::tuple& options) {
        for (size_t n = 0; n < kept.size(); ++n)
            if (item(kept, n) != item(options, n)) return false;
        return true;
    }

    // Whether a caller's array has the result's shape, and lies beyond doubt apart from what is read.
    static bool apart(const Kept& kept, const Buffer& out, const Buffer& pixels, const Buffer& taps) {
        if (size_t(out->ndim) != kept.shape.size()) return false;
        for (int d = 0; d < out->ndim; ++d)
            if (out->shape[d] == 0 || out->shape[d] != nb::cast<Py_ssize_t>(kept.shape[size_t(d)])) return false;
        const Extent written(out);
        return !written.meets(Extent(pixels)) && !written.meets(Extent(taps));
    }

    const nb::object array_type_, empty_, dtype_;
    std::array<std::shared_ptr<const Kept>, kPlaces> calls_;
};

}  // namespace
}  // namespace corr2d
