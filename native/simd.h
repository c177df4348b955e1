// Vectors of the instruction set this file is being compiled for. CORR2D_VECTOR_BYTES is set by CMakeLists.txt.
#pragma once
#include <cstdint>

namespace corr2d {
namespace {

template <class T> struct VectorOf;
#define CORR2D_VECTOR(T)                                                                         \
    template <> struct VectorOf<T> {                                                             \
        typedef T type __attribute__((vector_size(CORR2D_VECTOR_BYTES)));                        \
        typedef T unaligned __attribute__((vector_size(CORR2D_VECTOR_BYTES), aligned(alignof(T)), may_alias)); \
    };
CORR2D_VECTOR(float)
CORR2D_VECTOR(double)
CORR2D_VECTOR(int32_t)
CORR2D_VECTOR(int64_t)
#undef CORR2D_VECTOR

template <class T> using Vector = typename VectorOf<T>::type;
template <class T> constexpr int kLanes = CORR2D_VECTOR_BYTES / int(sizeof(T));

template <class T> inline Vector<T> load(const T* source) {
    return Vector<T>(*reinterpret_cast<const typename VectorOf<T>::unaligned*>(source));
}
template <class T> inline void store(T* target, Vector<T> value) {
    *reinterpret_cast<typename VectorOf<T>::unaligned*>(target) = value;
}
// Minus zero, not plus: x - 0 is x for every x, -0 included, so compilers drop it and keep the one broadcast.
template <class T> inline Vector<T> broadcast(T value) { return value - Vector<T>{}; }

// One fused multiply-add where the instruction set has it: the sources are compiled with -ffp-contract=fast, and
// tests/native/test_correlate.cc holds that every lane equals std::fma.
template <class T> inline Vector<T> multiply_add(Vector<T> weight, Vector<T> value, Vector<T> sum) {
    return weight * value + sum;
}

}  // namespace
}  // namespace corr2d
