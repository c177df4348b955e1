// Vectors of the instruction set this file is being compiled for. CMakeLists.txt sets
// CORR2D_VECTOR_BYTES and CORR2D_SET, the set's name.
#pragma once
#include <cstdint>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// CORR2D_ENTRY(name) is the one function that a source compiled once per instruction set gives to the linker.
#define CORR2D_JOIN(name, set) name##_##set
#define CORR2D_JOIN_EXPANDED(name, set) CORR2D_JOIN(name, set)
#define CORR2D_ENTRY(name) CORR2D_JOIN_EXPANDED(name, CORR2D_SET)

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

// weight * value + sum, fused wherever the instruction set can: one rounding, as std::fma has. Spelt out, because
// contraction by the compiler is a licence, not a promise (it does not happen under the sanitizers, for one).
template <class T> inline Vector<T> multiply_add(T weight, Vector<T> value, Vector<T> sum) {
    if constexpr (std::is_integral_v<T>) {
        return weight * value + sum;
    } else {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
        if constexpr (sizeof(T) == 4) return _mm512_fmadd_ps(broadcast(weight), value, sum);
        else return _mm512_fmadd_pd(broadcast(weight), value, sum);
#elif defined(__FMA__) && CORR2D_VECTOR_BYTES == 32
        if constexpr (sizeof(T) == 4) return _mm256_fmadd_ps(broadcast(weight), value, sum);
        else return _mm256_fmadd_pd(broadcast(weight), value, sum);
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
        if constexpr (sizeof(T) == 4) return vfmaq_f32(sum, broadcast(weight), value);
        else return vfmaq_f64(sum, broadcast(weight), value);
#elif defined(__FMA__) || defined(__aarch64__)  // wider than a register: only tests/native do that
        for (int lane = 0; lane < kLanes<T>; ++lane)
            sum[lane] = sizeof(T) == 4 ? T(__builtin_fmaf(float(weight), float(value[lane]), float(sum[lane])))
                                       : T(__builtin_fma(double(weight), double(value[lane]), double(sum[lane])));
        return sum;
#else
        return weight * value + sum;
#endif
    }
}

// Whether every lane is zero; NaN is not. Short rows notice what this takes: elsewhere by integers, because adding lane
// after lane takes four times as long (bench/blocks.py).
template <class T> inline bool all_zero(Vector<T> value) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    if constexpr (sizeof(T) == 4) return _mm512_cmp_ps_mask(value, Vector<T>{}, _CMP_NEQ_UQ) == 0;
    else return _mm512_cmp_pd_mask(value, Vector<T>{}, _CMP_NEQ_UQ) == 0;
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return _mm256_movemask_ps(_mm256_cmp_ps(value, Vector<T>{}, _CMP_NEQ_UQ)) == 0;
    else return _mm256_movemask_pd(_mm256_cmp_pd(value, Vector<T>{}, _CMP_NEQ_UQ)) == 0;
#else
    const auto marks = Vector<int64_t>(value != Vector<T>{});
    int64_t marked = 0;
    for (int lane = 0; lane < kLanes<int64_t>; ++lane) marked |= marks[lane];
    return marked == 0;
#endif
}

// Rounded correctly, as IEEE 754 wants it, on every instruction set.
template <class T> inline Vector<T> square_root(Vector<T> value) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    // Masks of ones, because GCC 12 warns of its own header where there are none.
    if constexpr (sizeof(T) == 4) return _mm512_maskz_sqrt_ps(0xffff, value);
    else return _mm512_maskz_sqrt_pd(0xff, value);
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return _mm256_sqrt_ps(value);
    else return _mm256_sqrt_pd(value);
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    if constexpr (sizeof(T) == 4) return vsqrtq_f32(value);
    else return vsqrtq_f64(value);
#else
    for (int lane = 0; lane < kLanes<T>; ++lane)
        value[lane] = sizeof(T) == 4 ? T(__builtin_sqrtf(float(value[lane]))) : T(__builtin_sqrt(double(value[lane])));
    return value;
#endif
}

}  // namespace
}  // namespace corr2d
