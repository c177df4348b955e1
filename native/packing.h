// Vectors of small whole numbers, and packing larger ones into them.
#pragma once
#include <cstring>

#include "simd.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Defined where packing is an instruction and not a loop over lanes.
#if (defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64) || (defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32) || \
    (defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16)
#define CORR2D_PACKS
#endif

namespace corr2d {
namespace {

typedef uint8_t Bytes __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
typedef uint16_t Words __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
typedef int16_t Shorts __attribute__((vector_size(CORR2D_VECTOR_BYTES)));
typedef uint32_t Doublewords __attribute__((vector_size(CORR2D_VECTOR_BYTES)));

template <class V> inline V load_vector(const void* source) {
    V value;
    std::memcpy(&value, source, sizeof value);
    return value;
}

// Narrowing with saturation, and widening, of signed lanes; the first argument's come first.
#if defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64
// Packing works in 128-bit lanes. Masks of ones, because GCC 12 warns of its own header where there are none.
inline Words restore_order(__m512i packed) {
    return Words(_mm512_maskz_permutexvar_epi64(0xff, _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), packed));
}
inline Bytes pack_bytes(Words a, Words b) { return Bytes(restore_order(_mm512_packus_epi16(__m512i(a), __m512i(b)))); }
inline Words pack_signed(Doublewords a, Doublewords b) { return restore_order(_mm512_packs_epi32(__m512i(a), __m512i(b))); }
inline Words pack_unsigned(Doublewords a, Doublewords b) { return restore_order(_mm512_packus_epi32(__m512i(a), __m512i(b))); }
template <int Half> inline Doublewords widen_half(Words a) {
    return Doublewords(_mm512_maskz_cvtepi16_epi32(0xffff, _mm512_maskz_extracti64x4_epi64(0xf, __m512i(a), Half)));
}
inline Doublewords widen_low(Words a) { return widen_half<0>(a); }
inline Doublewords widen_high(Words a) { return widen_half<1>(a); }
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
// Packing works in 128-bit lanes.
inline Words restore_order(__m256i packed) { return Words(_mm256_permute4x64_epi64(packed, 0xd8)); }
inline Bytes pack_bytes(Words a, Words b) { return Bytes(restore_order(_mm256_packus_epi16(__m256i(a), __m256i(b)))); }
inline Words pack_signed(Doublewords a, Doublewords b) { return restore_order(_mm256_packs_epi32(__m256i(a), __m256i(b))); }
inline Words pack_unsigned(Doublewords a, Doublewords b) { return restore_order(_mm256_packus_epi32(__m256i(a), __m256i(b))); }
inline Doublewords widen_low(Words a) { return Doublewords(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(__m256i(a)))); }
inline Doublewords widen_high(Words a) { return Doublewords(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(__m256i(a), 1))); }
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
inline Bytes pack_bytes(Words a, Words b) { return Bytes(vqmovun_high_s16(vqmovun_s16(int16x8_t(a)), int16x8_t(b))); }
inline Words pack_signed(Doublewords a, Doublewords b) { return Words(vqmovn_high_s32(vqmovn_s32(int32x4_t(a)), int32x4_t(b))); }
inline Words pack_unsigned(Doublewords a, Doublewords b) { return Words(vqmovun_high_s32(vqmovun_s32(int32x4_t(a)), int32x4_t(b))); }
inline Doublewords widen_low(Words a) { return Doublewords(vmovl_s16(vget_low_s16(int16x8_t(a)))); }
inline Doublewords widen_high(Words a) { return Doublewords(vmovl_high_s16(int16x8_t(a))); }
#else
template <class Lane, class To, class From> To pack_lanes(From a, From b, int32_t low, int32_t high) {
    using Signed = std::conditional_t<sizeof(Lane) == 1, int16_t, int32_t>;
    constexpr int half = CORR2D_VECTOR_BYTES / int(sizeof(Signed));
    To packed;
    for (int lane = 0; lane < 2 * half; ++lane) {
        const int32_t value = Signed(lane < half ? a[lane] : b[lane - half]);
        packed[lane] = Lane(value < low ? low : value > high ? high : value);
    }
    return packed;
}
inline Bytes pack_bytes(Words a, Words b) { return pack_lanes<uint8_t, Bytes>(a, b, 0, UINT8_MAX); }
inline Words pack_signed(Doublewords a, Doublewords b) { return pack_lanes<uint16_t, Words>(a, b, INT16_MIN, INT16_MAX); }
inline Words pack_unsigned(Doublewords a, Doublewords b) { return pack_lanes<uint16_t, Words>(a, b, 0, UINT16_MAX); }
inline Doublewords widen_lanes(Words a, int first) {
    Doublewords wide;
    for (int lane = 0; lane < CORR2D_VECTOR_BYTES / 4; ++lane) wide[lane] = uint32_t(int16_t(a[first + lane]));
    return wide;
}
inline Doublewords widen_low(Words a) { return widen_lanes(a, 0); }
inline Doublewords widen_high(Words a) { return widen_lanes(a, CORR2D_VECTOR_BYTES / 4); }
#endif

}  // namespace
}  // namespace corr2d
