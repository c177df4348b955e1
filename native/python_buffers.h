// What Python hands to the core: arrays by the buffer protocol; and work without the GIL.
#pragma once
#include <nanobind/nanobind.h>

#include <new>

#include "threads.h"

namespace nb = nanobind;

namespace corr2d {
namespace {

// Borrows an array's memory through the buffer protocol, which NumPy serves in about 0.1 microseconds.
class Buffer {
public:
    Buffer() = default;
    Buffer(nb::handle array, int flags) {
        if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) throw nb::python_error();
    }
    ~Buffer() { PyBuffer_Release(&view_); }
    // As the constructor, into an empty one, but false where the array does not give its memory in this way.
    bool borrow(nb::handle array, int flags) {
        const bool given = PyObject_GetBuffer(array.ptr(), &view_, flags) == 0;
        if (!given) PyErr_Clear();
        return given;
    }
    bool contiguous() const { return PyBuffer_IsContiguous(&view_, 'C') == 1; }
    // The values in C order, len bytes of them.
    bool copy_to(char* target) {
        const bool copied = PyBuffer_ToContiguous(target, &view_, view_.len, 'C') == 0;
        if (!copied) PyErr_Clear();
        return copied;
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    const Py_buffer* operator->() const { return &view_; }

private:
    Py_buffer view_{};
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

}  // namespace
}  // namespace corr2d
