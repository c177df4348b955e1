// The multiply-adds of the integer block: a pair of pixels times a pair of weights, both products added to one sum.
//
// Pixels come as two image rows interleaved (integer_ring.h), so the two lanes of a pair belong to one result column
// and every instruction set's pairwise multiply-add does two taps at once. Sums wrap: they are kept modulo 2^16 or 2^32
// in unsigned lanes, and are right whenever the final sum fits, whatever the sums on the way there were.
#pragma once
#include "packing.h"

namespace corr2d {
namespace {

// What a weight pair is packed into: two 16-bit halves, the upper row's weight in the low one.
inline uint32_t word_pair(int32_t upper, int32_t lower) { return uint32_t(uint16_t(upper)) | uint32_t(uint16_t(lower)) << 16; }
// Four bytes: upper, lower and the same again, because instruction sets broadcast 32 bits from memory for nothing.
inline uint32_t byte_pairs(int32_t upper, int32_t lower) {
    return (uint32_t(uint8_t(upper)) | uint32_t(uint8_t(lower)) << 8) * 0x10001u;
}

// Two bytes in one 16-bit lane, in the order they have in memory.
constexpr bool kLittleEndian = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

// Unsigned 8-bit pixels, sums modulo 2^16.
struct BytePairs {
    using Pixel = uint8_t;
    using Sum = int16_t;
    static constexpr int kColumns = CORR2D_VECTOR_BYTES / 2;  // result columns of one vector of sums

#if (defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64) || (defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32)
    // The instruction takes signed bytes as weights and saturates the sum of a pair.
    static constexpr bool kSaturates = true;
    using Sums = Words;
    using Pixels = Bytes;
    using Weights = Doublewords;
    static uint32_t pack(int32_t upper, int32_t lower) { return byte_pairs(upper, lower); }
    static Sums start(uint32_t value) { return uint16_t(value) - Words{}; }
    static Pixels load(const Pixel* source) { return load_vector<Bytes>(source); }
    static Weights broadcast(uint32_t pair) { return pair - Doublewords{}; }
    static Words finish(Sums sums) { return sums; }
#if CORR2D_VECTOR_BYTES == 64
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += Words(_mm512_maddubs_epi16(__m512i(pixels), __m512i(weights)));
    }
#else
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += Words(_mm256_maddubs_epi16(__m256i(pixels), __m256i(weights)));
    }
#endif
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    // The products of a pair stay in two lanes until `finish` adds neighbours.
    static constexpr bool kSaturates = false;
    struct Sums { uint16x8_t low, high; };
    struct Pixels { uint16x8_t low, high; };
    using Weights = uint16x8_t;
    static uint32_t pack(int32_t upper, int32_t lower) { return word_pair(upper, lower); }
    static Sums start(uint32_t value) {
        const uint16x8_t first = vreinterpretq_u16_u32(vdupq_n_u32(value & 0xffff));
        return {first, first};
    }
    static Pixels load(const Pixel* source) {
        const uint8x16_t bytes = vld1q_u8(source);
        return {vmovl_u8(vget_low_u8(bytes)), vmovl_high_u8(bytes)};
    }
    static Weights broadcast(uint32_t pair) { return vreinterpretq_u16_u32(vdupq_n_u32(pair)); }
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums.low = vmlaq_u16(sums.low, pixels.low, weights);
        sums.high = vmlaq_u16(sums.high, pixels.high, weights);
    }
    static Words finish(Sums sums) { return Words(vpaddq_u16(sums.low, sums.high)); }
#else
    static constexpr bool kSaturates = false;
    using Sums = Words;
    struct Pixels { Words upper, lower; };
    struct Weights { Words upper, lower; };
    static uint32_t pack(int32_t upper, int32_t lower) { return word_pair(upper, lower); }
    static Sums start(uint32_t value) { return uint16_t(value) - Words{}; }
    static Pixels load(const Pixel* source) {
        const Words both = load_vector<Words>(source), low = both & 0xff, high = both >> 8;
        return kLittleEndian ? Pixels{low, high} : Pixels{high, low};
    }
    static Weights broadcast(uint32_t pair) { return {uint16_t(pair) - Words{}, uint16_t(pair >> 16) - Words{}}; }
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += pixels.upper * weights.upper + pixels.lower * weights.lower;
    }
    static Words finish(Sums sums) { return sums; }
#endif
};

// Signed 16-bit pixels, sums modulo 2^32.
struct WordPairs {
    using Pixel = int16_t;
    using Sum = int32_t;
    static constexpr int kColumns = CORR2D_VECTOR_BYTES / 4;
    static constexpr bool kSaturates = false;
    static uint32_t pack(int32_t upper, int32_t lower) { return word_pair(upper, lower); }

#if (defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64) || (defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32) || \
    (defined(__SSE2__) && CORR2D_VECTOR_BYTES == 16)
    using Sums = Doublewords;
    using Pixels = Words;
    using Weights = Doublewords;
    static Sums start(uint32_t value) { return value - Doublewords{}; }
    static Pixels load(const Pixel* source) { return load_vector<Words>(source); }
    static Weights broadcast(uint32_t pair) { return pair - Doublewords{}; }
    static Doublewords finish(Sums sums) { return sums; }
#if CORR2D_VECTOR_BYTES == 64
    static void add(Sums& sums, Pixels pixels, Weights weights) {
#if defined(__AVX512VNNI__)
        sums = Doublewords(_mm512_dpwssd_epi32(__m512i(sums), __m512i(pixels), __m512i(weights)));
#else
        sums += Doublewords(_mm512_madd_epi16(__m512i(pixels), __m512i(weights)));
#endif
    }
#elif CORR2D_VECTOR_BYTES == 32
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += Doublewords(_mm256_madd_epi16(__m256i(pixels), __m256i(weights)));
    }
#else
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += Doublewords(_mm_madd_epi16(__m128i(pixels), __m128i(weights)));
    }
#endif
#elif defined(__aarch64__) && CORR2D_VECTOR_BYTES == 16
    struct Sums { int32x4_t low, high; };
    using Pixels = int16x8_t;
    using Weights = int16x8_t;
    static Sums start(uint32_t value) {
        const int32x4_t first = vreinterpretq_s32_u64(vdupq_n_u64(value));
        return {first, first};
    }
    static Pixels load(const Pixel* source) { return vld1q_s16(source); }
    static Weights broadcast(uint32_t pair) { return vreinterpretq_s16_u32(vdupq_n_u32(pair)); }
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums.low = vmlal_s16(sums.low, vget_low_s16(pixels), vget_low_s16(weights));
        sums.high = vmlal_high_s16(sums.high, pixels, weights);
    }
    static Doublewords finish(Sums sums) { return Doublewords(vpaddq_s32(sums.low, sums.high)); }
#else
    using Sums = Doublewords;
    struct Pixels { Doublewords upper, lower; };
    struct Weights { Doublewords upper, lower; };
    static Sums start(uint32_t value) { return value - Doublewords{}; }
    static Doublewords extend(Doublewords value) { return Doublewords(Vector<int32_t>(value) >> 16); }
    static Pixels load(const Pixel* source) {
        const Doublewords both = load_vector<Doublewords>(source), low = extend(both << 16), high = extend(both);
        return kLittleEndian ? Pixels{low, high} : Pixels{high, low};
    }
    static Weights broadcast(uint32_t pair) {
        return {uint32_t(int16_t(pair)) - Doublewords{}, uint32_t(int16_t(pair >> 16)) - Doublewords{}};
    }
    static void add(Sums& sums, Pixels pixels, Weights weights) {
        sums += pixels.upper * weights.upper + pixels.lower * weights.lower;
    }
    static Doublewords finish(Sums sums) { return sums; }
#endif
};

}  // namespace
}  // namespace corr2d
