// Writing floating sums as small whole numbers, a vector at a time: rounded half to even and saturated, as `write_run`
// does one by one, which takes three times as long (GCC narrows by shuffles).
#pragma once
#include <limits>

#include "elements.h"
#include "packing.h"

namespace corr2d {
namespace {

#if defined(CORR2D_PACKS)

// Rounded half to even, what is above `most` to that; what is below -2^31, and NaN, becomes the least integer.
inline Doublewords nearest(Vector<float> value, float most) {
#if defined(__AVX512BW__) && CORR2D_VECTOR_BYTES == 64
    return Doublewords(_mm512_maskz_cvtps_epi32(0xffff, _mm512_maskz_min_ps(0xffff, broadcast(most), value)));
#elif defined(__AVX2__) && CORR2D_VECTOR_BYTES == 32
    return Doublewords(_mm256_cvtps_epi32(_mm256_min_ps(broadcast(most), value)));
#else
    return Doublewords(vcvtnq_s32_f32(vminq_f32(broadcast(most), vmaxnmq_f32(value, broadcast(float(INT32_MIN))))));
#endif
}

// One vector of O out of as many sums. Packing saturates.
inline Bytes narrowed(const Doublewords (&n)[4], uint8_t) { return pack_bytes(pack_signed(n[0], n[1]), pack_signed(n[2], n[3])); }
inline Words narrowed(const Doublewords (&n)[2], uint16_t) { return pack_unsigned(n[0], n[1]); }
inline Words narrowed(const Doublewords (&n)[2], int16_t) { return pack_signed(n[0], n[1]); }

// The vector of results from place `x` on. `defects` stay 0 unless a sum is not finite; one for each part, or each addition
// waits for the last.
template <class O, int Parts>
inline __attribute__((always_inline)) void write_vector(char* target, const float* source, int64_t x, Vector<float> (&defects)[Parts]) {
    Doublewords whole[Parts];
    for (int part = 0; part < Parts; ++part) {
        const Vector<float> value = load(source + x + part * kLanes<float>);
        defects[part] = multiply_add<float>(0.0f, value, defects[part]);
        whole[part] = nearest(value, float(std::numeric_limits<O>::max()));
    }
    const auto packed = narrowed(whole, O());
    std::memcpy(target + x * int64_t(sizeof(O)), &packed, sizeof packed);
}

// As write_run<float, O, false>. What is left over at the right is written with some of its neighbours once more.
template <class O> bool write_vectors(char* target, int64_t step, const float* source, int64_t count) {
    constexpr int kParts = sizeof(float) / sizeof(O), kColumns = kParts * kLanes<float>;
    if (step != int64_t(sizeof(O)) || count < kColumns) return write_run<float, O, false>(target, step, source, count);
    Vector<float> defects[kParts] = {};
    int64_t x = 0;
    for (; x + kColumns <= count; x += kColumns) write_vector<O>(target, source, x, defects);
    if (x < count) write_vector<O>(target, source, count - kColumns, defects);
    for (int part = 1; part < kParts; ++part) defects[0] += defects[part];
    return all_zero<float>(defects[0]);
}

inline Writer<float> vector_writer(Element element) {
    switch (element) {
        case Element::u8: return write_vectors<uint8_t>;
        case Element::u16: return write_vectors<uint16_t>;
        case Element::i16: return write_vectors<int16_t>;
        default: return nullptr;
    }
}

#endif

// The fastest writer of `element`.
template <class T> inline Writer<T> row_writer(Element element, bool swapped) {
#if defined(CORR2D_PACKS)
    if constexpr (std::is_same_v<T, float>)
        if (const Writer<float> found = swapped ? nullptr : vector_writer(element)) return found;
#endif
    return writer<T>(element, swapped);
}

}  // namespace
}  // namespace corr2d
