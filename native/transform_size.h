// Which sizes a tile's transform may have, and the steps that each of them takes.
#pragma once
#include <cstdint>

namespace corr2d {
namespace {

constexpr int64_t kLeastTransform = 16, kLargestTransform = 1024;

// 2^a * 3^b, a >= 4, from 16 to 1024: 16 32 48 64 96 128 144 192 256 288 384 432 512 576 768 864 1024. Multiples of 16, so
// that every instruction set finds whole vectors in both axes and every transform has a last step of radix 4 and one before it.
inline bool fft_size(int64_t n) {
    if (n < kLeastTransform || n > kLargestTransform || n % kLeastTransform != 0) return false;
    while (n % 2 == 0) n /= 2;
    while (n % 3 == 0) n /= 3;
    return n == 1;
}

// A transform of n points splits into radix(n) transforms of n / radix(n) points, and so on down to 4. A step of radix 8
// saves one pass over the panel against two of radix 2 and 4; near the end, because the first step, the last one of the
// way back, works on as many rows at once as its radix says.
inline int radix(int64_t n) { return n % 3 == 0 ? 3 : n == 32 ? 8 : 4; }

}  // namespace
}  // namespace corr2d
