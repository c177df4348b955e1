// The element types an image may have, and the one way each is read into and written from the type sums are kept in.
// Included by code compiled once per instruction set: everything here is static or in an unnamed namespace, so that
// no AVX copy of a function can be linked in where the baseline one is meant.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace corr2d {

// The order is that of kElementNames in python_correlation.h.
enum class Element : uint8_t { u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64 };
constexpr int kElements = 12;

namespace {

struct half { uint16_t bits; };
struct bfloat { uint16_t bits; };

inline uint32_t bits_of(float value) { uint32_t bits; std::memcpy(&bits, &value, 4); return bits; }
inline float float_of(uint32_t bits) { float value; std::memcpy(&value, &bits, 4); return value; }

// IEEE binary16 to binary32. The exponent is rebased by one exact multiplication, which also normalises subnormals;
// infinities and NaNs (exponent 31) are moved up to exponent 255 by hand.
inline float widen(half h) {
    const uint32_t magnitude = uint32_t(h.bits & 0x7fff) << 13;
    const uint32_t sign = uint32_t(h.bits & 0x8000) << 16;
    const float scaled = float_of(magnitude) * float_of(0x77800000);  // 2^112 = 2^(127 - 15)
    const uint32_t special = magnitude >= 0x0f800000 ? 0x7f800000 : 0;
    return float_of(bits_of(scaled) | special | sign);
}

inline float widen(bfloat b) { return float_of(uint32_t(b.bits) << 16); }

// binary32 to binary16, to nearest even; overflow gives infinity (IEEE 754-2019, 4.3.1).
inline half narrow_half(float value) {
    const uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffff;
    uint32_t result;
    if (magnitude > 0x7f800000) {
        result = 0x7e00;                       // NaN
    } else if (magnitude >= 0x477ff000) {
        result = 0x7c00;                       // 65520 and beyond round to infinity
    } else if (magnitude < 0x38800000) {       // below 2^-14: subnormal, aligned by one rounded addition
        result = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    } else {
        result = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    }
    return {uint16_t(result | (bits >> 16 & 0x8000))};
}

inline bfloat narrow_bfloat(float value) {
    const uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return {uint16_t((bits >> 16) | 0x40)};
    return {uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

// To binary32 "to odd": a later rounding to 16 bits then gives what one rounding of the wide value would have given.
inline float to_odd(float value) { return value; }
inline float to_odd(double value) {
    const float nearest = float(value);
    if (double(nearest) == value || value != value) return nearest;
    uint32_t bits = bits_of(nearest);
    const double distance = double(nearest) < 0 ? value - double(nearest) : double(nearest) - value;
    if (distance > 0) --bits;
    return float_of(bits | 1);
}
inline float to_odd(int64_t value) {
    uint64_t magnitude = value < 0 ? 0 - uint64_t(value) : uint64_t(value);
    if (magnitude >> 53) magnitude = (magnitude & ~uint64_t(0x7ff)) | ((magnitude & 0x7ff) ? 0x800 : 0);
    const double wide = double(magnitude);
    return to_odd(value < 0 ? -wide : wide);
}
inline float to_odd(int32_t value) { return to_odd(double(value)); }

template <class S> inline S swap_bytes(S value) {
    unsigned char bytes[sizeof(S)], turned[sizeof(S)];
    std::memcpy(bytes, &value, sizeof(S));
    for (unsigned k = 0; k < sizeof(S); ++k) turned[k] = bytes[sizeof(S) - 1 - k];
    std::memcpy(&value, turned, sizeof(S));
    return value;
}

template <class T, class S> inline T read(S value) {
    if constexpr (std::is_same_v<S, half> || std::is_same_v<S, bfloat>) return T(widen(value));
    else return T(value);
}

template <class T> using BitsOf = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

inline float round_even(float value) { return __builtin_rintf(value); }
inline double round_even(double value) { return __builtin_rint(value); }
#if defined(__clang__)
inline int32_t nearest_int(float value) { return int32_t(__builtin_rintf(value)); }
inline int32_t nearest_int(double value) { return int32_t(__builtin_rint(value)); }
#else
inline int32_t nearest_int(float value) { return __builtin_irintf(value); }
inline int32_t nearest_int(double value) { return __builtin_irint(value); }
#endif

// Integers are rounded half to even and saturated. `defects` gathers the bits of value - value, which are zero for every
// finite value and for no other: one subtraction and one OR beside the conversion.
template <class O, class T> inline O write(T value, BitsOf<T>& defects) {
    if constexpr (std::is_same_v<O, half>) {
        return narrow_half(to_odd(value));
    } else if constexpr (std::is_same_v<O, bfloat>) {
        return narrow_bfloat(to_odd(value));
    } else if constexpr (std::is_floating_point_v<O>) {
        return O(value);
    } else {
        constexpr O low = std::is_signed_v<O> ? O(O(1) << (8 * sizeof(O) - 1)) : O(0);
        constexpr O high = O(~low);
        if constexpr (std::is_floating_point_v<T>) {
            defects |= __builtin_bit_cast(BitsOf<T>, value - value);
            if constexpr (sizeof(O) < sizeof(int32_t)) {
                // Saturated first, so that one conversion instruction rounds.
                const T above = value > T(low) ? value : T(low);  // NaN becomes low
                return O(nearest_int(above < T(high) ? above : T(high)));
            }
            const T whole = round_even(value);
            // T(high) may round up to one more than high, which O(whole) could not hold.
            return whole >= T(high) ? high : whole > T(low) ? O(whole) : low;
        } else {
            if (std::is_unsigned_v<O> && value < 0) return 0;
            if constexpr (sizeof(O) < sizeof(T)) return value > T(high) ? high : value < T(low) ? low : O(value);
            return O(value);
        }
    }
}

// count elements, `step` bytes apart, of type S into consecutive T.
template <class T, class S, bool Swapped>
void read_run(T* target, const char* source, int64_t step, int64_t count) {
    if (!Swapped && step == int64_t(sizeof(S))) {
        for (int64_t n = 0; n < count; ++n) {
            S value;
            std::memcpy(&value, source + n * int64_t(sizeof(S)), sizeof(S));
            target[n] = read<T>(value);
        }
        return;
    }
    for (int64_t n = 0; n < count; ++n) {
        S value;
        std::memcpy(&value, source + n * step, sizeof(S));
        target[n] = read<T>(Swapped ? swap_bytes(value) : value);
    }
}

// count consecutive T into elements of type O, `step` bytes apart; false where an integer had to hold a non-finite value.
template <class T, class O, bool Swapped>
bool write_run(char* target, int64_t step, const T* source, int64_t count) {
    BitsOf<T> defects = 0;
    if (!Swapped && step == int64_t(sizeof(O))) {
        for (int64_t n = 0; n < count; ++n) {
            const O value = write<O>(source[n], defects);
            std::memcpy(target + n * int64_t(sizeof(O)), &value, sizeof(O));
        }
        return defects == 0;
    }
    for (int64_t n = 0; n < count; ++n) {
        const O value = write<O>(source[n], defects);
        const O placed = Swapped ? swap_bytes(value) : value;
        std::memcpy(target + n * step, &placed, sizeof(O));
    }
    return defects == 0;
}

template <class T> using Reader = void (*)(T*, const char*, int64_t, int64_t);
template <class T> using Writer = bool (*)(char*, int64_t, const T*, int64_t);

template <class T, bool Swapped> constexpr Reader<T> kReaders[kElements] = {
    read_run<T, uint8_t, Swapped>, read_run<T, int8_t, Swapped>, read_run<T, uint16_t, Swapped>,
    read_run<T, int16_t, Swapped>, read_run<T, uint32_t, Swapped>, read_run<T, int32_t, Swapped>,
    read_run<T, uint64_t, Swapped>, read_run<T, int64_t, Swapped>, read_run<T, half, Swapped>,
    read_run<T, bfloat, Swapped>, read_run<T, float, Swapped>, read_run<T, double, Swapped>};

template <class T, bool Swapped> constexpr Writer<T> kWriters[kElements] = {
    write_run<T, uint8_t, Swapped>, write_run<T, int8_t, Swapped>, write_run<T, uint16_t, Swapped>,
    write_run<T, int16_t, Swapped>, write_run<T, uint32_t, Swapped>, write_run<T, int32_t, Swapped>,
    write_run<T, uint64_t, Swapped>, write_run<T, int64_t, Swapped>, write_run<T, half, Swapped>,
    write_run<T, bfloat, Swapped>, write_run<T, float, Swapped>, write_run<T, double, Swapped>};

template <class T> inline Reader<T> reader(Element element, bool swapped) {
    return swapped ? kReaders<T, true>[int(element)] : kReaders<T, false>[int(element)];
}
template <class T> inline Writer<T> writer(Element element, bool swapped) {
    return swapped ? kWriters<T, true>[int(element)] : kWriters<T, false>[int(element)];
}

template <class T> constexpr Element kElementOf = std::is_same_v<T, float>    ? Element::f32
                                                  : std::is_same_v<T, double> ? Element::f64
                                                  : std::is_same_v<T, int32_t> ? Element::i32
                                                                               : Element::i64;

}  // namespace
}  // namespace corr2d
