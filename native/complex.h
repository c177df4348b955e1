// Complex vectors with split parts, and the smallest transforms over them.
#pragma once
#include "simd.h"

namespace corr2d {
namespace {

// a * b + sum and sum - a * b, fused as multiply_add of simd.h is.
template <class T> inline __attribute__((always_inline)) Vector<T> fused_sum(Vector<T> a, Vector<T> b, Vector<T> sum) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    if constexpr (sizeof(T) == 4) return _mm512_fmadd_ps(a, b, sum);
    else return _mm512_fmadd_pd(a, b, sum);
#elif defined(__FMA__) && CORR2D_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return _mm256_fmadd_ps(a, b, sum);
    else return _mm256_fmadd_pd(a, b, sum);
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    if constexpr (sizeof(T) == 4) return vfmaq_f32(sum, a, b);
    else return vfmaq_f64(sum, a, b);
#else
    return a * b + sum;
#endif
}
template <class T> inline __attribute__((always_inline)) Vector<T> fused_difference(Vector<T> a, Vector<T> b, Vector<T> sum) {
#if defined(__AVX512F__) && CORR2D_VECTOR_BYTES == 64
    if constexpr (sizeof(T) == 4) return _mm512_fnmadd_ps(a, b, sum);
    else return _mm512_fnmadd_pd(a, b, sum);
#elif defined(__FMA__) && CORR2D_VECTOR_BYTES == 32
    if constexpr (sizeof(T) == 4) return _mm256_fnmadd_ps(a, b, sum);
    else return _mm256_fnmadd_pd(a, b, sum);
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    if constexpr (sizeof(T) == 4) return vfmsq_f32(sum, a, b);
    else return vfmsq_f64(sum, a, b);
#else
    return sum - a * b;
#endif
}

template <class T> struct Complex {
    Vector<T> re, im;
};

// A record: L real parts, then the L imaginary parts that belong to them.
template <class T> constexpr int64_t kRecord = 2 * kLanes<T>;

template <class T> inline __attribute__((always_inline)) Complex<T> load_record(const T* source) {
    return {load(source), load(source + kLanes<T>)};
}
template <class T> inline __attribute__((always_inline)) void store_record(T* target, const Complex<T>& value) {
    store<T>(target, value.re);
    store<T>(target + kLanes<T>, value.im);
}

template <class T> inline __attribute__((always_inline)) Complex<T> operator+(const Complex<T>& a, const Complex<T>& b) {
    return {a.re + b.re, a.im + b.im};
}
template <class T> inline __attribute__((always_inline)) Complex<T> operator-(const Complex<T>& a, const Complex<T>& b) {
    return {a.re - b.re, a.im - b.im};
}

// a * w, or a times the conjugate of w.
template <class T> inline __attribute__((always_inline)) Complex<T> times(const Complex<T>& a, const Complex<T>& w) {
    return {fused_difference<T>(a.im, w.im, a.re * w.re), fused_sum<T>(a.im, w.re, a.re * w.im)};
}
template <class T> inline __attribute__((always_inline)) Complex<T> times_conjugate(const Complex<T>& a, const Complex<T>& w) {
    return {fused_sum<T>(a.im, w.im, a.re * w.re), fused_difference<T>(a.re, w.im, a.im * w.re)};
}

// a + i b (Inverse) or a - i b: i is the fourth root of unity that a radix-4 step turns by.
template <bool Inverse, class T>
inline __attribute__((always_inline)) Complex<T> plus_turned(const Complex<T>& a, const Complex<T>& b) {
    if constexpr (Inverse) return {a.re - b.im, a.im + b.re};
    else return {a.re + b.im, a.im - b.re};
}

// The R-point transform, in natural order, of R complex vectors.
template <bool Inverse, class T> inline __attribute__((always_inline)) void small_transform(Complex<T> (&a)[3]) {
    const Vector<T> sine = broadcast(T(0.86602540378443864676372317075294)), half = broadcast(T(0.5));
    const Complex<T> sum = a[1] + a[2], difference = a[1] - a[2];
    const Complex<T> middle = {fused_difference<T>(sum.re, half, a[0].re), fused_difference<T>(sum.im, half, a[0].im)};
    const Complex<T> turned = {difference.re * sine, difference.im * sine};
    a[0] = a[0] + sum;
    a[1] = plus_turned<Inverse>(middle, turned);
    a[2] = plus_turned<!Inverse>(middle, turned);
}

template <bool Inverse, class T> inline __attribute__((always_inline)) void small_transform(Complex<T> (&a)[4]) {
    const Complex<T> even = a[0] + a[2], even_difference = a[0] - a[2];
    const Complex<T> odd = a[1] + a[3], odd_difference = a[1] - a[3];
    a[0] = even + odd;
    a[1] = plus_turned<Inverse>(even_difference, odd_difference);
    a[2] = even - odd;
    a[3] = plus_turned<!Inverse>(even_difference, odd_difference);
}

template <bool Inverse, class T> inline __attribute__((always_inline)) void small_transform(Complex<T> (&a)[8]) {
    const Vector<T> diagonal = broadcast(T(0.70710678118654752440084436210485));
    Complex<T> even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
    small_transform<Inverse>(even);
    small_transform<Inverse>(odd);
    a[0] = even[0] + odd[0];
    a[4] = even[0] - odd[0];
    a[2] = plus_turned<Inverse>(even[2], odd[2]);
    a[6] = plus_turned<!Inverse>(even[2], odd[2]);
    // An eighth of a turn is (1 + i) / sqrt 2, three eighths are -(1 - i) / sqrt 2 (i for -i forward).
    const Complex<T> one = plus_turned<Inverse>(odd[1], odd[1]), three = plus_turned<!Inverse>(odd[3], odd[3]);
    a[1] = {fused_sum<T>(one.re, diagonal, even[1].re), fused_sum<T>(one.im, diagonal, even[1].im)};
    a[5] = {fused_difference<T>(one.re, diagonal, even[1].re), fused_difference<T>(one.im, diagonal, even[1].im)};
    a[3] = {fused_difference<T>(three.re, diagonal, even[3].re), fused_difference<T>(three.im, diagonal, even[3].im)};
    a[7] = {fused_sum<T>(three.re, diagonal, even[3].re), fused_sum<T>(three.im, diagonal, even[3].im)};
}

}  // namespace
}  // namespace corr2d
